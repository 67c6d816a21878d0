"""A reactor whose sockets exclude each other as the kernel's do, and connect when the test says so."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTCP
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

EVERYWHERE = {"", "::", "0.0.0.0"}


@implementer(IListeningPort)
@attrs.define(eq=False, slots=False)
class FakePort:
    reactor: PortsReactor
    interface: str
    port: int
    factory: Any
    backlog: int
    accepting: bool = True

    def startListening(self) -> None:
        """It listens already."""

    def stopListening(self) -> Deferred[None]:
        """As with a real one: no connection from now on, the address is free when the reactor has turned."""
        self.accepting = False
        closed: Deferred[None] = Deferred()

        def close() -> None:
            self.reactor.ports.remove(self)
            closed.callback(None)

        self.reactor.callLater(0, close)
        return closed

    def getHost(self) -> IPv4Address | IPv6Address:
        kind = IPv6Address if ":" in self.interface else IPv4Address
        return kind("TCP", self.interface, self.port)


@implementer(IReactorTCP)
class PortsReactor(Clock):
    """*has_ipv6*: whether ``::`` can be bound. *refuse* raises for what the test says cannot be opened."""

    def __init__(self, has_ipv6: bool = True) -> None:
        super().__init__()
        self.has_ipv6 = has_ipv6
        self.ports: list[FakePort] = []
        self.opened = 0
        self.refuse: Callable[[str, int], None] = lambda interface, port: None

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> FakePort:
        self.refuse(interface, port)
        if interface == "::" and not self.has_ipv6:
            raise CannotListenError(interface, port, OSError(errno.EAFNOSUPPORT, "no such family"))
        port = port or 40_000 + self.opened
        for other in self.ports:
            everywhere = {other.interface, interface} & EVERYWHERE
            if other.port == port and (other.interface == interface or everywhere):
                raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "in use"))
        self.opened += 1
        listening = FakePort(self, interface, port, factory, backlog)
        self.ports.append(listening)
        return listening

    def connectTCP(self, *arguments: Any, **named: Any) -> None:
        raise AssertionError("a server connects to nobody here")

    def at(self) -> list[str]:
        """Where connections are accepted."""
        return sorted(f"{port.interface} {port.port}" for port in self.ports if port.accepting)

    def connect(self, port: int, interface: str = "127.0.0.1") -> Protocol | None:
        """What a client meets that connects there."""
        [listening] = [each for each in self.ports if (each.interface, each.port) == (interface, port)]
        assert listening.accepting
        protocol: Protocol | None = listening.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 4000))
        return protocol
