"""A door of the suite: the sockets of one listener, opened and closed at run time."""

from __future__ import annotations

import errno
from typing import Any

import attrs
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.tls import ServerTLS

EVERY_ADDRESS = "*"
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


@attrs.define
class Listener:
    """Accepts connections for one factory on any number of addresses.

    ``endpoint`` is a Twisted endpoint string and stands instead of ``bind`` and ``port``.
    """

    name: str
    service: str
    factory: SessionFactory
    bind: tuple[str, ...]
    port: int
    implicit_tls: ServerTLS | None = None
    endpoint: str = ""
    _ports: list[IListeningPort] = attrs.field(factory=list, init=False)

    async def open(self, reactor: Any) -> None:
        """Bind every address, or none. Raises CannotListenError."""
        factory: Any = self.factory
        if self.implicit_tls is not None:
            factory = TLSMemoryBIOFactory(self.implicit_tls, False, factory, reactor)
            factory.noisy = False
        try:
            if self.endpoint:
                self._ports.append(await serverFromString(reactor, self.endpoint).listen(factory))
            for address in () if self.endpoint else self.bind:
                self._ports.append(await self._listen(reactor, address, factory))
        except BaseException:
            await self.close()
            raise

    async def _listen(self, reactor: Any, address: str, factory: IProtocolFactory) -> IListeningPort:
        endpoint: IStreamServerEndpoint
        if address == EVERY_ADDRESS:
            try:
                return await _bind(TCP6ServerEndpoint(reactor, self.port, interface="::"), factory)
            except CannotListenError as error:
                if getattr(error.socketError, "errno", None) not in _NO_IPV6:
                    raise
                address = "0.0.0.0"  # noqa: S104 - the administrator asked for every address
        if ":" in address:
            endpoint = TCP6ServerEndpoint(reactor, self.port, interface=address)
        else:
            endpoint = TCP4ServerEndpoint(reactor, self.port, interface=address)
        return await _bind(endpoint, factory)

    async def close(self) -> None:
        """Take no new connections. Sessions go on."""
        ports, self._ports = self._ports, []
        for port in ports:
            await _done(port.stopListening())

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, as ``127.0.0.1:2525`` or ``[::]:25``."""
        return tuple(_spell(port.getHost()) for port in self._ports)

    @property
    def is_open(self) -> bool:
        return bool(self._ports)


async def _bind(endpoint: IStreamServerEndpoint, factory: IProtocolFactory) -> IListeningPort:
    port: IListeningPort = await endpoint.listen(factory)
    return port


async def _done(result: Any) -> None:
    if result is not None:
        await result


def _spell(host: Any) -> str:
    if not hasattr(host, "port"):
        return str(getattr(host, "name", host))
    return f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
