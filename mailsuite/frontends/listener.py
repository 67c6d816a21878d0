"""A door of the suite: the sockets of one listener, opened, changed and closed at run time."""

from __future__ import annotations

import errno
from typing import Any

import attrs
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.tls import ServerTLS

EVERY_ADDRESS = "*"
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class ListenerError(Exception):
    """A listener cannot be opened; the message names it, the address and the reason."""


@attrs.frozen
class Place:
    """Where a listener listens. Two listeners with the same place share its sockets over a reload."""

    bind: tuple[str, ...]
    port: int
    endpoint: str = ""
    """A Twisted endpoint string, instead of ``bind`` and ``port``."""
    name: str = ""
    """Tells apart listeners for which the system chooses the port."""


class _Entrance(Factory):
    """What the sockets know; what stands behind it can change while they stay open."""

    noisy = False
    target: Factory

    def buildProtocol(self, addr: Any) -> Any:
        return self.target.buildProtocol(addr)


@attrs.define(eq=False)
class Listener:
    """Accepts connections for one factory at one place."""

    name: str
    service: str
    place: Place
    factory: SessionFactory
    tls: str
    """How TLS is used, as the configuration says it."""
    implicit_tls: ServerTLS | None = None
    _entrance: _Entrance = attrs.field(factory=_Entrance, init=False)
    _ports: list[IListeningPort] = attrs.field(factory=list, init=False)

    async def open(self, reactor: Any) -> None:
        """Bind every address, or none. Raises ListenerError."""
        self._turn(reactor)
        try:
            if self.place.endpoint:
                self._ports.append(
                    await _bind(serverFromString(reactor, self.place.endpoint), self._entrance)
                )
                return
            for address in _each_once(self.place.bind):
                self._ports.append(await self._listen(reactor, address))
        except (CannotListenError, ValueError, OSError) as error:
            await self.close()
            reason = getattr(error, "socketError", None) or error
            where = self.place.endpoint or f"{', '.join(self.place.bind)} port {self.place.port}"
            raise ListenerError(
                f"listener {self.name}: cannot listen on {where}: {_reason(reason)}"
            ) from error

    def _turn(self, reactor: Any) -> None:
        """Let new connections meet the factory of now."""
        target: Any = self.factory
        if self.implicit_tls is not None:
            target = TLSMemoryBIOFactory(self.implicit_tls, False, self.factory, reactor)
            target.noisy = False
        self._entrance.target = target

    def become(self, other: Listener, reactor: Any) -> None:
        """Take over what *other*, at the same place, would be. Sessions go on as they began."""
        self.name, self.service, self.tls = other.name, other.service, other.tls
        self.implicit_tls = other.implicit_tls
        self.factory.become(other.factory)
        self._turn(reactor)

    async def _listen(self, reactor: Any, address: str) -> IListeningPort:
        if address == EVERY_ADDRESS:
            try:
                return await _bind(
                    TCP6ServerEndpoint(reactor, self.place.port, interface="::"), self._entrance
                )
            except CannotListenError as error:
                if getattr(error.socketError, "errno", None) not in _NO_IPV6:
                    raise
                address = "0.0.0.0"  # noqa: S104 - the administrator asked for every address
        kind = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
        return await _bind(kind(reactor, self.place.port, interface=address), self._entrance)

    async def close(self) -> None:
        """Take no new connections. Sessions go on."""
        ports, self._ports = self._ports, []
        for port in ports:
            await stop_listening(port)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, as ``127.0.0.1:2525`` or ``[::]:25``."""
        return tuple(_spell(port.getHost()) for port in self._ports)


def _each_once(bind: tuple[str, ...]) -> tuple[str, ...]:
    """On Linux a socket on ``::`` takes IPv4 too, so both unspecified addresses together are one socket."""
    if not {"::", "0.0.0.0"} <= set(bind):  # noqa: S104 - compared, not bound
        return bind
    return (EVERY_ADDRESS, *(address for address in bind if address not in {"::", "0.0.0.0"}))  # noqa: S104


async def _bind(endpoint: IStreamServerEndpoint, factory: Factory) -> IListeningPort:
    port: IListeningPort = await endpoint.listen(factory)
    return port


async def stop_listening(port: IListeningPort) -> None:
    """Close a listening socket; return when it is closed."""
    closing: Any = port.stopListening()
    if closing is not None:
        await closing


def _reason(error: object) -> str:
    return getattr(error, "strerror", None) or str(error)


def _spell(host: Any) -> str:
    if not hasattr(host, "port"):
        return str(getattr(host, "name", host))
    return f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
