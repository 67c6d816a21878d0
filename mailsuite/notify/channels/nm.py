"""RFC 4146 over TCP: connect, say fifteen octets, half-close, listen a moment, close.

The RFC's server closes without waiting for an answer. A close with unread octets in the receive buffer
makes the kernel send RST, though, and an RST can discard our octets before the peer has read them: so we
close our half only, and read and discard until the peer closes too, within bounds.
"""

from __future__ import annotations

import errno
from typing import cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionDone,
)
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTCP,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IKnocker
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import NO_ANSWER, NOBODY_LISTENS
from mailsuite.wire.finger import KNOCK

SENT = "sent"
"""The octets were handed over; whether somebody saw them, nobody can know."""
ANSWERED = "answered"
"""As SENT, and something came back: probably a finger daemon, which RFC 4146 says not to run."""

DRAIN_SECONDS = 2.0
"""How long a peer may keep its half open after the knock; our own limit."""
MAX_DRAINED_OCTETS = 4096
"""How much of an answer is read and discarded; our own limit, more than a finger daemon says."""
_RESET = {errno.ECONNREFUSED, errno.ECONNRESET}
"""An RST in answer to the connection attempt, or so soon after it that it looks like one."""


_UNROUTED = {errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
"""This machine has no way to any address of that kind."""


class NoRoute(TemporaryFailure):
    """This server has no IPv6, and so nobody's listener is to blame."""

    def __init__(self) -> None:
        super().__init__(NO_ANSWER, "no route to IPv6")


def has_no_route(peer: IPAddress, error: int | None) -> bool:
    """Whether this error of connect(2) says so."""
    return peer.version == 6 and error in _UNROUTED


@implementer(IKnocker)
@attrs.define(eq=False)
class NotifyMailChannel:
    """Knocks at literal addresses only, so that no name is ever looked up.

    One knock takes no longer than the connect time-out and DRAIN_SECONDS together. The settings may be
    replaced at any time; a knock under way keeps those it began with.
    """

    reactor: IReactorTCP
    clock: IReactorTime
    connect_timeout: float = 5.0
    source_address: IPAddress | None = None
    """Where knocks come from, for listeners of the same IP version."""
    name: str = attrs.field(default="notifymail", init=False)

    async def knock(self, peer: IPAddress, port: int) -> str:
        knocking = _Knocking(self.clock)
        factory = Factory.forProtocol(lambda: knocking)
        factory.noisy = False
        try:
            await self._endpoint(peer, port).connect(factory)
        except ConnectError as error:
            if error.osError in _RESET:
                raise PermanentFailure(NOBODY_LISTENS, "refused") from error
            if has_no_route(peer, error.osError):
                raise NoRoute from error
            raise TemporaryFailure(NO_ANSWER, type(error).__name__) from error
        except ConnectingCancelledError as error:
            raise CancelledError from error
        return await knocking.done

    def _endpoint(self, peer: IPAddress, port: int) -> TCP4ClientEndpoint | TCP6ClientEndpoint:
        source = self.source_address
        same_version = source is not None and source.version == peer.version
        bind = (str(source), 0) if same_version else None
        endpoint = TCP4ClientEndpoint if peer.version == 4 else TCP6ClientEndpoint
        return endpoint(self.reactor, str(peer), port, self.connect_timeout, bind)


@implementer(IHalfCloseableProtocol)
class _Knocking(Protocol):
    """One connection; ``done`` fires when it is gone."""

    def __init__(self, clock: IReactorTime) -> None:
        self.done: Deferred[str] = Deferred(lambda _: self._tcp.abortConnection())
        self._clock = clock
        self._handed_over = False
        self._drained = 0
        self._limit: IDelayedCall | None = None

    @property
    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    def connectionMade(self) -> None:
        self._limit = self._clock.callLater(DRAIN_SECONDS, self._lose_patience)
        self._tcp.write(KNOCK)
        self._tcp.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        self._handed_over = True

    def dataReceived(self, data: bytes) -> None:
        self._drained += len(data)
        if self._drained >= MAX_DRAINED_OCTETS:
            # Not closed: that would be the RST. The peer's window fills, and its time runs out.
            cast(IPushProducer, self.transport).pauseProducing()

    def readConnectionLost(self) -> None:
        self._tcp.loseConnection()

    def _lose_patience(self) -> None:
        self._limit = None
        if self._handed_over:
            self._tcp.loseConnection()
        else:
            self._tcp.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        in_time = self._limit is not None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self.done.called:  # cancelled
            return
        if self._handed_over or reason.check(ConnectionDone):
            self.done.callback(ANSWERED if self._drained else SENT)
        elif in_time:
            self.done.errback(PermanentFailure(NOBODY_LISTENS, "reset before the knock was said"))
        else:
            self.done.errback(TemporaryFailure(NO_ANSWER, "connected, but took no octets"))
