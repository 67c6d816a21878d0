"""A listener and the sockets it is reached by."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailsuite.frontends.factory import Sessions
from mailsuite.frontends.proxy import Forecourt
from mailsuite.frontends.sockets import (
    BACKLOG,
    Hosts,
    Sockets,
    addresses_of,
    is_address,
    open_address,
    open_every,
    reason_of,
)
from mailsuite.frontends.tls import ServerTLS
from mailsuite.frontends.unix import Doorstep, Rights, open_socket
from mailsuite.model.device import IPNetwork
from mailsuite.observe.log import Log

__all__ = [
    "BACKLOG",
    "EVERY_ADDRESS",
    "Entrance",
    "Listener",
    "ListenerError",
    "Place",
    "each_once",
    "listen",
    "reason_of",
    "spell",
    "stop_listening",
]

EVERY_ADDRESS = "*"
_UNSPECIFIED = {"::", "0.0.0.0"}  # noqa: S104 - compared, not bound


class ListenerError(Exception):
    """A listener cannot be opened; the message names it, the address and the reason."""


@attrs.frozen
class Place:
    """Where one socket listens. It stays open over a reload as long as any listener wants its place."""

    address: str
    """An IP address, the name of an interface for all addresses that it has, or EVERY_ADDRESS."""
    port: int
    endpoint: str = ""
    """A Twisted endpoint string, instead of address and port."""
    name: str = ""
    """Tells apart listeners for which the system chooses the port."""
    v6only: bool = False
    """Whether ``::`` leaves IPv4 to others."""
    wait: bool = attrs.field(default=False, eq=False)
    """Whether an address that is not there yet is waited for. The socket stays when this alone changes."""
    socket: str = ""
    """The path of a Unix socket, instead of address and port."""
    rights: Rights = attrs.field(default=Rights(), eq=False)
    """Of that socket; they can change while it is open."""

    def __str__(self) -> str:
        return self.socket or self.endpoint or f"{self.address} port {self.port}"


def each_once(bind: tuple[str, ...], v6only: bool = False) -> tuple[str, ...]:
    """The addresses to bind. On Linux a socket on ``::`` takes IPv4 too unless it is *v6only*, so both
    unspecified addresses together are one socket."""
    addresses = tuple(dict.fromkeys(bind))
    if v6only or not set(addresses) >= _UNSPECIFIED:
        return addresses
    return tuple(dict.fromkeys((EVERY_ADDRESS, *(each for each in addresses if each not in _UNSPECIFIED))))


@attrs.frozen(eq=False)
class Listener:
    """What stands behind some places. A value: a reload makes new ones."""

    name: str
    service: str
    places: tuple[Place, ...]
    factory: Sessions
    tls: str
    """How TLS is used, as the configuration says it."""
    implicit_tls: ServerTLS | None = None
    proxies: tuple[IPNetwork, ...] = ()
    """From there a header comes first that says who the client is (features row M-22)."""


class Entrance(Factory):
    """What a socket knows; the listener behind it changes at a reload, while the socket stays open."""

    noisy = False

    def __init__(self, clock: Any, log: Log) -> None:
        self._clock = clock
        self._listener: Listener | None = None
        self._tls: TLSMemoryBIOFactory | None = None
        self._forecourt = Forecourt(clock, log, self._enter)

    def turn(self, listener: Listener) -> None:
        """Let new connections meet *listener*. Those that came before go on as they began; those of which it
        is not known yet whose they are come again."""
        if self._listener is not None and self._listener.proxies != listener.proxies:
            self._forecourt.clear()
        self._listener, self._tls = listener, None
        if listener.implicit_tls is not None:
            inner: Any = listener.factory
            self._tls = TLSMemoryBIOFactory(listener.implicit_tls, False, inner, self._clock)

    def shut(self) -> None:
        """Nobody comes in any more."""
        self._listener = None
        self._forecourt.clear()

    def buildProtocol(self, addr: Any) -> Protocol | None:
        if self._listener is not None and self._listener.proxies:
            return self._forecourt.meet(addr, self._listener.proxies)
        return Doorstep(self._enter) if isinstance(addr, UNIXAddress) else self._enter(addr)

    def _enter(self, addr: Any) -> Protocol | None:
        session = None if self._listener is None else self._listener.factory.buildProtocol(addr)
        if session is None or self._tls is None:
            return session
        return self._tls.protocol(self._tls, session)


async def listen(reactor: Any, place: Place, entrance: Entrance, log: Log) -> IListeningPort:
    """Open the socket, or several where the place is an interface; or wait for them, if that is asked for.

    Raises CannotListenError, ValueError, OSError.
    """
    if place.socket:
        return open_socket(reactor, place.socket, entrance, BACKLOG, place.rights)
    if place.endpoint:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, place.endpoint)
        port: IListeningPort = await endpoint.listen(entrance)
        return port
    if place.address == EVERY_ADDRESS:
        return open_every(reactor, place.port, entrance)
    address = place.address
    if is_address(address):
        if not place.wait:
            return open_address(reactor, address, place.port, entrance, place.v6only)
        look: Callable[[], Sequence[str]] = lambda: (address,)  # noqa: E731
    else:
        look = partial(addresses_of, address)
    sockets = Sockets(reactor, look, address, place.port, entrance, place.wait, log, place.v6only)
    sockets.startListening()
    return sockets


async def stop_listening(port: IListeningPort) -> None:
    """Take no new connections from now on; return when the socket is closed, which needs the reactor."""
    closing: Any = port.stopListening()
    if closing is not None:
        # A Unix socket's file may be gone already: somebody tidied up, and Twisted wanted to.
        with suppress(FileNotFoundError):
            await closing


def spell(host: Any) -> str:
    """An address that is listened on, as ``127.0.0.1:2525``, ``[::]:25`` or ``/run/mail.sock``; several
    with blanks between them."""
    if isinstance(host, Hosts):
        return " ".join((*map(spell, host.open), *(f"{each} (not there yet)" for each in host.waiting)))
    if isinstance(host, UNIXAddress):
        return os.fsdecode(host.name or b"")
    if not hasattr(host, "port"):
        return str(host)
    return f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
