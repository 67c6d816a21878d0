"""Ports for programs that cannot let the kernel choose."""

from __future__ import annotations

import secrets
import socket
from typing import Final

_RANGE: Final = range(12_000, 32_000)
"""Below those that the kernel gives to whoever asks for any port: nobody gets one of ours by chance."""
_given: Final[set[int]] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses, be it of TCP or of UDP; another one each time.

    Drawn by lot, so that tests in processes side by side do not get the same one.
    """
    for _ in _RANGE:
        port = secrets.choice(_RANGE)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError("no port is free")


def _is_free(port: int) -> bool:
    try:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
