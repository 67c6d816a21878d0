"""A server with every way to bring mail: SMTP with and without TLS, behind a proxy, submission, LMTP."""

from __future__ import annotations

from pathlib import Path

from tests.system.harness import LIMITS, LISTENERS, PASSWORDS
from tests.system.sockets import LMTP_DOOR, SocketServer
from tests.system.test_lmtp import TCP_DOOR

JOERG = "jörg@example.test"
MAX_MESSAGE = 4 << 20
"""Octets of the largest message that it takes, on each of its ways."""

_DOOR = """
[[listener]]
name    = "{name}"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
{more}
"""
_BEHIND = _DOOR.format(name="mx-behind", more='proxy_from = ["127.0.0.1"]')
_CLEAR = _DOOR.format(name="mx-clear", more="")
_SIZE = f'max_message = "{MAX_MESSAGE >> 20}MiB"\n'
_LIMITS = LIMITS.replace("[smtp]\n", f"[smtp]\n{_SIZE}").replace("[submission]\n", f"[submission]\n{_SIZE}")


def hall_of(directory: Path) -> SocketServer:
    """Not started. Without TLS is ``mx-clear``, behind a proxy of this machine ``mx-behind``."""
    return SocketServer(
        directory,
        extra=f"{_LIMITS}\n[lmtp]\nnot_offered = ['binarymime']\n{_SIZE}",
        listeners="\n".join((LISTENERS, _CLEAR, _BEHIND, TCP_DOOR, LMTP_DOOR)),
        accounts=(*PASSWORDS, JOERG),
    )
