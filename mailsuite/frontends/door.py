"""What the sessions of one listener share, and what the shell asks of a core."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime

from mailsuite.frontends.tls import ServerTLS
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics, SessionMeter
from mailsuite.observe.protocol_log import Level, Watches

HANDSHAKE_TIMEOUT = 60.0
"""Seconds for a whole TLS handshake (features row P-16)."""
CLOSE_TIMEOUT = 60.0
"""Seconds that a client has to take our last words; as long as a handshake may take."""
END_OF_TLS_TIMEOUT = 2.0
"""Seconds that a client has to answer the end of TLS when the service stops."""

LOGIN_TIMEOUT = 180.0
"""Seconds from the greeting to a login, whatever else is said (features row P-16; Dovecot's number)."""

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


def _nobody_asks(peer: IPAddress, port: int, kind: str, octets: int, first: bytes) -> None:
    """Where nobody is banned."""


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
    login_timeout: float = LOGIN_TIMEOUT
    """Where sessions are nothing without a login."""
    report: Callable[[IPAddress, int, str, int, bytes], None] = _nobody_asks
    """Is told of each violation: peer, port, kind, how many octets, the first of them. Whoever bans decides
    by the kind. Does not raise."""
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    protocol_log: Level = "sessions"
    """What the log shows of each session (features row S-I07)."""
    watches: Watches = attrs.field(factory=Watches)
    """Whose sessions it shows more of for a while."""
    meter: SessionMeter = attrs.field()
    """Counts what happens here."""

    @meter.default
    def _count_for_nobody(self) -> SessionMeter:
        return Metrics().sessions(self.service, self.listener)


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
