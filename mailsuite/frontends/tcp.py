"""What a session asks of its TCP socket beyond what Twisted asks."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import ITCPTransport

KEEPALIVE_IDLE = 60
"""Seconds of silence before the kernel asks whether the client is still there (features row P-16)."""
KEEPALIVE_INTERVAL = 15
"""Seconds between two such questions."""
KEEPALIVE_PROBES = 4
"""Questions without an answer that end the connection: two minutes after the cable was cut."""
MAX_UNSENT = 128 * 1024
"""Octets that the kernel takes beyond what is on its way. Without it a client that stalls costs the kernel up
to net.ipv4.tcp_wmem, 4 MiB; and one that reads slowly seems to stall while that much is let out."""

_OPTIONS = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
    ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ("TCP_NOTSENT_LOWAT", MAX_UNSENT),
)
"""tcp(7); a platform without one does without it."""

_ACKNOWLEDGED_AT = 120
"""Where tcpi_bytes_acked stands in struct tcp_info of Linux 4.1 and later (linux/tcp.h)."""


def set_up(transport: Any) -> None:
    """Prepare the socket of a session, be it under TLS; any other transport is left as it is."""
    if not ITCPTransport.providedBy(transport):
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    connection = getattr(transport, "socket", None)  # a TLS transport answers for the one below
    if not isinstance(connection, socket.socket):
        return
    for name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):  # the client may be gone already
                connection.setsockopt(socket.IPPROTO_TCP, option, value)


def acknowledged(transport: Any) -> int:
    """How many octets the client's kernel has taken so far; 0 where nobody knows. It grows while somebody
    reads there, be it slowly, also when nothing is left for us to write."""
    connection = getattr(transport, "socket", None)
    if not isinstance(connection, socket.socket) or not hasattr(socket, "TCP_INFO"):
        return 0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED_AT + 8)
    except OSError:
        return 0
    return int.from_bytes(info[_ACKNOWLEDGED_AT:], sys.byteorder) if len(info) == _ACKNOWLEDGED_AT + 8 else 0
