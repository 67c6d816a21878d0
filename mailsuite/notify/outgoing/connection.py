"""One connection with a web server: octets, TLS and time. What they mean, the reader knows (wire)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.client_tls import ClientTls
from mailsuite.concurrent.timer import Timer
from mailsuite.model.account import IPAddress
from mailsuite.notify.outgoing.causes import Cause, Unreached
from mailsuite.wire.http_client import AnswerReader, HttpError

BODY_SECONDS: Final = 5.0
"""How long the rest of an answer may take whose status is known: what is wanted of it is little."""
IDLE_SECONDS: Final = 30.0
"""How long a connection is kept for another request; many servers keep it for a minute."""
CLOSE_SECONDS: Final = 2.0
"""How long the other side may take to close behind us."""


class Unanswered(Unreached):
    """The connection was closed before a single octet of an answer. One that had been kept was closed, most
    likely, before the request was there."""

    def __init__(self) -> None:
        super().__init__(Cause.LOST, "the connection was closed before an answer")


@attrs.define(eq=False)
class _Exchange:
    """A request that is not answered yet."""

    answered: Deferred[AnswerReader]
    until: float
    reader: AnswerReader = attrs.field(factory=AnswerReader)
    heard: bool = False
    """Something has come."""


@implementer(IHandshakeListener)
class HttpConnection(Protocol):
    """Lives as long as its connection; carries one exchange at a time."""

    def __init__(self, clock: IReactorTime, peer: IPAddress) -> None:
        self.peer = peer
        self.is_open = False
        self.gone: Deferred[None] = Deferred()
        """Fires when the connection is no more."""
        self._clock = clock
        self._timer = Timer(clock, self._expired)
        self._exchange: _Exchange | None = None
        self._creator: ClientTls | None = None
        self._shaken: Deferred[None] | None = None
        self._left: Callable[[HttpConnection], object] | None = None

    # What happens

    def connectionMade(self) -> None:
        self.is_open = True
        self._transport.setTcpNoDelay(True)

    def handshakeCompleted(self) -> None:
        """TLS stands (IHandshakeListener)."""
        shaken, self._shaken = self._shaken, None
        if shaken is not None:
            shaken.callback(None)

    def dataReceived(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()  # nobody asked
            return
        exchange.heard = True
        knew = exchange.reader.status
        try:
            exchange.reader.receive(data)
        except HttpError as error:
            self._fail(exchange, Unreached(Cause.PROTOCOL, str(error)))
            return
        if exchange.reader.is_done:
            self._finish(exchange)
        elif exchange.reader.status and not knew:
            self._timer.watch(math.inf, min(exchange.until, self._clock.seconds() + BODY_SECONDS))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_open = False
        self._timer.stop()
        left, self._left = self._left, None
        if left is not None:
            left(self)
        shaken, self._shaken = self._shaken, None
        if shaken is not None:
            shaken.errback(Unreached(Cause.TLS, self._creator_s_words(reason)))
        exchange = self._exchange
        if exchange is not None:
            try:
                exchange.reader.closed()
            except HttpError as error:
                lost = Unreached(Cause.LOST, str(error)) if exchange.heard else Unanswered()
                self._fail(exchange, lost)
            else:
                self._finish(exchange)
        self.gone.callback(None)

    def _expired(self) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()  # kept for nothing, or the other side does not close
        elif exchange.reader.status:
            exchange.reader.closed()
            self._finish(exchange)
        else:
            self._fail(exchange, Unreached(Cause.TIMED_OUT, "no answer in time"))

    # What it is told to do

    async def start_tls(self, creator: ClientTls) -> None:
        """Shake hands. Raises Unreached(TLS). Whoever cancels this aborts the connection."""
        shaken: Deferred[None] = Deferred(lambda _: self._give_up())
        self._creator, self._shaken = creator, shaken
        self._transport.startTLS(creator)
        await shaken

    async def exchange(self, request: bytes, until: float) -> AnswerReader:
        """Send a request and read the answer, as far as it is wanted and has come by *until*, a time of the
        clock. Raises Unreached. Where the answer's ``can_go_on`` is not true, or this is cancelled, the
        connection is at its end."""
        self._left = None
        if not self.is_open:
            raise Unanswered
        answered: Deferred[AnswerReader] = Deferred(lambda _: self._give_up())
        self._exchange = _Exchange(answered, until)
        self._timer.watch(math.inf, until)
        self._transport.write(request)
        return await answered

    def keep(self, left: Callable[[HttpConnection], object]) -> None:
        """Nothing is to be sent for a while; *left* is told where it closes before anything is."""
        self._left = left
        self._timer.limit(IDLE_SECONDS)

    def abort(self) -> None:
        """Close at once."""
        if self.is_open:
            self.is_open = False
            self._transport.abortConnection()

    # Inside

    def _finish(self, exchange: _Exchange) -> None:
        """There is an answer."""
        self._exchange = None
        if self.is_open:
            self._timer.limit(CLOSE_SECONDS)
            if not exchange.reader.can_go_on:
                self._transport.loseConnection()
        exchange.answered.callback(exchange.reader)

    def _fail(self, exchange: _Exchange, failure: Unreached) -> None:
        self._give_up()
        exchange.answered.errback(failure)

    def _give_up(self) -> None:
        """Nobody waits any more."""
        self._exchange = self._shaken = None
        self.abort()

    def _creator_s_words(self, reason: Failure) -> str:
        """Why a handshake came to nothing: our objection, or what OpenSSL says."""
        if self._creator is not None and self._creator.objection:
            return self._creator.objection
        error: Any = reason.value
        queue = error.args[0] if error.args else None
        if isinstance(queue, list) and queue and isinstance(queue[-1], tuple):
            return f"no handshake: {queue[-1][-1]}"
        return "the connection was closed during the handshake"

    @property
    def _transport(self) -> Any:
        """The transport with all that TCP and TLS transports have beyond ITransport."""
        return self.transport
