"""A listener and the sockets it is reached by."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.tls import ServerTLS

EVERY_ADDRESS = "*"
BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel takes net.core.somaxconn where that is less. A
client whose connection finds no room is told nothing, and waits for a greeting that never comes."""
_UNSPECIFIED = {"::", "0.0.0.0"}  # noqa: S104 - compared, not bound
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class ListenerError(Exception):
    """A listener cannot be opened; the message names it, the address and the reason."""


@attrs.frozen
class Place:
    """Where one socket listens. It stays open over a reload as long as any listener wants its place."""

    address: str
    port: int
    endpoint: str = ""
    """A Twisted endpoint string, instead of address and port."""
    name: str = ""
    """Tells apart listeners for which the system chooses the port."""

    def __str__(self) -> str:
        return self.endpoint or f"{self.address} port {self.port}"


def each_once(bind: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses to bind. On Linux a socket on ``::`` takes IPv4 too, so both unspecified addresses
    together are one socket."""
    addresses = tuple(dict.fromkeys(bind))
    if not set(addresses) >= _UNSPECIFIED:
        return addresses
    return tuple(dict.fromkeys((EVERY_ADDRESS, *(each for each in addresses if each not in _UNSPECIFIED))))


@attrs.frozen(eq=False)
class Listener:
    """What stands behind some places. A value: a reload makes new ones."""

    name: str
    service: str
    places: tuple[Place, ...]
    factory: SessionFactory
    tls: str
    """How TLS is used, as the configuration says it."""
    implicit_tls: ServerTLS | None = None


class Entrance(Factory):
    """What a socket knows; the listener behind it changes at a reload, while the socket stays open."""

    noisy = False

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._sessions: SessionFactory | None = None
        self._tls: TLSMemoryBIOFactory | None = None

    def turn(self, listener: Listener) -> None:
        """Let new connections meet *listener*. Those that came before go on as they began."""
        self._sessions, self._tls = listener.factory, None
        if listener.implicit_tls is not None:
            self._tls = TLSMemoryBIOFactory(listener.implicit_tls, False, listener.factory, self._clock)

    def buildProtocol(self, addr: Any) -> Protocol | None:
        session = None if self._sessions is None else self._sessions.buildProtocol(addr)
        if session is None or self._tls is None:
            return session
        return self._tls.protocol(self._tls, session)


async def listen(reactor: Any, place: Place, entrance: Entrance) -> IListeningPort:
    """Open the socket. Raises CannotListenError, ValueError, OSError."""
    if place.endpoint:
        return await _bind(serverFromString(reactor, place.endpoint), entrance)
    address = place.address
    if address == EVERY_ADDRESS:
        try:
            return await _bind(TCP6ServerEndpoint(reactor, place.port, BACKLOG, interface="::"), entrance)
        except CannotListenError as error:
            if getattr(error.socketError, "errno", None) not in _NO_IPV6:
                raise
            address = "0.0.0.0"  # noqa: S104 - the administrator asked for every address
    kind = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
    return await _bind(kind(reactor, place.port, BACKLOG, interface=address), entrance)


async def _bind(endpoint: IStreamServerEndpoint, factory: Factory) -> IListeningPort:
    port: IListeningPort = await endpoint.listen(factory)
    return port


async def stop_listening(port: IListeningPort) -> None:
    """Take no new connections from now on; return when the socket is closed, which needs the reactor."""
    closing: Any = port.stopListening()
    if closing is not None:
        # A Unix socket's file may be gone already: somebody tidied up, and Twisted wanted to.
        with suppress(FileNotFoundError):
            await closing


def reason_of(error: Exception) -> str:
    """Why a socket could not be opened, in the system's words."""
    cause = getattr(error, "socketError", None) or error
    number = getattr(cause, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(cause)


def spell(host: Any) -> str:
    """An address that is listened on, as ``127.0.0.1:2525``, ``[::]:25`` or ``/run/mail.sock``."""
    if isinstance(host, UNIXAddress):
        return os.fsdecode(host.name or b"")
    if not hasattr(host, "port"):
        return str(host)
    return f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
