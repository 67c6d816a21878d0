"""What the sessions of one listener share, and what the shell asks of a core."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime

from mailsuite.frontends.tls import ServerTLS
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log

HANDSHAKE_TIMEOUT = 60.0
"""Seconds for a whole TLS handshake (features row P-16)."""
CLOSE_TIMEOUT = 60.0
"""Seconds that a client has to take our last words; as long as a handshake may take."""

Event_co = TypeVar("Event_co", covariant=True)


class Core(Protocol[Event_co]):
    """What wire/smtp/session.py and wire/pop3/session.py have in common."""

    @property
    def closing(self) -> bool: ...

    def start(self) -> None: ...

    def receive(self, data: bytes, /) -> None: ...

    def next_event(self) -> Event_co | None: ...

    def bytes_to_send(self) -> bytes: ...

    def tls_started(self, bindings: Mapping[str, bytes], /) -> None: ...

    def drain(self) -> None: ...

    def timed_out(self) -> None: ...


@attrs.frozen
class Door:
    """What the sessions of one listener share."""

    service: str
    listener: str
    clock: IReactorTime
    log: Log
    idle_timeout: float
    """Seconds without any progress."""
    tls: ServerTLS | None = None
    implicit_tls: bool = False
    handshake_timeout: float = HANDSHAKE_TIMEOUT
    channel_binding: bool = False
    """A mechanism that binds to the TLS connection is offered (RFC 5802 section 6)."""


def address_of(peer: Any) -> tuple[IPAddress, int]:
    """IP address and port of an IAddress; an IPv4-mapped IPv6 address is the IPv4 address it means.

    A peer on a Unix socket is this machine.
    """
    host = getattr(peer, "host", None)
    if host is None:
        return ip_address("127.0.0.1"), 0
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address, peer.port
