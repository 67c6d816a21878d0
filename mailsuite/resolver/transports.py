"""One question to one server, over UDP or TCP (RFC 1035 section 4.2, RFC 7766)."""

from __future__ import annotations

import ipaddress
from typing import Any, Final, TypeVar, cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IReactorTCP, IReactorTime, IReactorUDP
from twisted.internet.protocol import DatagramProtocol, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from mailsuite.model.dns import NameServer
from mailsuite.resolver.codec import Asked, Miscased, Reading, Stray, Truncated, Unusable, read

T = TypeVar("T")

MAX_DATAGRAM: Final = 4096
"""Octets; beyond what we say we take, since some servers do not care."""
MAX_STRAYS: Final = 8
"""Datagrams that are no response to our question, after which we ask over TCP: somebody may be guessing."""


class Silent(Exception):
    """Nothing came from the server; the message says why."""


class AskOverTcp(Exception):
    """The response does not fit into a datagram, or we cannot be sure whose it is."""


@attrs.frozen
class Transports:
    """The network, as far as a resolver needs it. Both methods raise Silent and Unusable, and leave nothing
    open, also where they are cancelled."""

    udp: IReactorUDP
    tcp: IReactorTCP
    clock: IReactorTime

    async def over_udp(self, server: NameServer, sent: Asked, patience: float) -> Reading:
        """Ask from a port that the kernel draws. Raises AskOverTcp, too."""
        protocol = _Datagram(server, sent)
        interface = "::" if server.address.version == 6 else ""
        try:
            port = self.udp.listenUDP(0, protocol, interface, MAX_DATAGRAM)
        except CannotListenError as error:
            raise Silent(f"no socket: {error.socketError}") from None
        try:
            protocol.send()
            return await self._within(protocol.response, patience)
        except OSError as error:
            raise Silent(error.strerror or "the network is down") from None
        finally:
            protocol.abandon()
            port.stopListening()

    async def over_tcp(self, server: NameServer, sent: Asked, patience: float) -> Reading:
        """Ask on a connection of its own, where nobody can guess, so that letter case tells nothing."""
        sent = attrs.evolve(sent, cased=False)
        endpoint_of = TCP6ClientEndpoint if server.address.version == 6 else TCP4ClientEndpoint
        until = self.clock.seconds() + patience
        endpoint = endpoint_of(self.tcp, str(server.address), server.port, timeout=max(patience, 0.0))
        protocol = _Stream(sent.encode())
        try:
            await connectProtocol(endpoint, protocol)
            response = await self._within(protocol.response, until - self.clock.seconds())
            return read(response, sent)
        except ConnectingCancelledError:
            raise CancelledError from None  # what Twisted calls it here; whoever cancelled knows the other
        except ConnectError as error:
            raise Silent(f"no connection ({type(error).__name__})") from None
        except (Stray, Truncated):
            raise Unusable("no response to our question") from None
        finally:
            protocol.abandon()

    async def _within(self, waiting: Deferred[T], patience: float) -> T:
        try:
            return await waiting.addTimeout(max(patience, 0.0), self.clock)
        except DeferredTimeout:
            raise Silent("nothing came in time") from None


class _Datagram(DatagramProtocol):
    """A connected socket: the kernel drops what comes from elsewhere, and tells when nobody listens."""

    def __init__(self, server: NameServer, sent: Asked) -> None:
        self.response: Deferred[Reading] = Deferred()
        self._server = server
        self._sent = sent
        self._strays = 0

    def send(self) -> None:
        """Raises OSError."""
        transport = cast(Any, self.transport)
        transport.connect(str(self._server.address), self._server.port)
        transport.write(self._sent.encode())

    def datagramReceived(self, datagram: bytes, addr: tuple[Any, ...]) -> None:
        if self.response.called:
            return
        try:
            self._check_source(addr)
            reading = read(datagram, self._sent)
        except Stray:
            self._strays += 1
            if self._strays >= MAX_STRAYS:
                self._fail(AskOverTcp("strays"))
        except (Miscased, Truncated):
            self._fail(AskOverTcp("truncated, or in another letter case"))
        except Unusable as error:
            self._fail(error)
        else:
            self.response.callback(reading)

    def _check_source(self, addr: tuple[Any, ...]) -> None:
        """What came before the socket was connected is no response either."""
        address, port = ipaddress.ip_address(addr[0]), addr[1]
        if (address, port) != (self._server.address, self._server.port):
            raise Stray

    def connectionRefused(self) -> None:
        self._fail(Silent("nobody listens there"))

    def stopProtocol(self) -> None:
        self._fail(Silent("the socket was closed"))

    def _fail(self, error: Exception) -> None:
        if not self.response.called:
            self.response.errback(Failure(error))

    def abandon(self) -> None:
        """Nobody waits any more."""
        if not self.response.called:
            self.response.addErrback(lambda _: None)


class _Stream(Int16StringReceiver):
    """A connection that asks as soon as it is there."""

    def __init__(self, query: bytes) -> None:
        self.response: Deferred[bytes] = Deferred()
        self._query = query

    def connectionMade(self) -> None:
        self.sendString(self._query)

    def stringReceived(self, string: bytes) -> None:
        if not self.response.called:
            self.response.callback(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.response.called:
            self.response.errback(Failure(Silent("the connection was closed")))

    def abandon(self) -> None:
        """Nobody waits any more; there may never have been a connection."""
        if not self.response.called:
            self.response.addErrback(lambda _: None)
        if self.transport is not None:
            cast(Any, self.transport).abortConnection()
