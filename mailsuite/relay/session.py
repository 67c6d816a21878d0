"""One connection to another server: octets between its transport and the core, time, TLS, back-pressure.

Whoever leads the dialogue takes a step by ``core``, and waits for what comes of it with next_event().
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol as TransportProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.timer import Timer
from mailsuite.wire.smtp.client.awaited import PATIENCE, Awaited
from mailsuite.wire.smtp.client.events import Event
from mailsuite.wire.smtp.client.session import ClientSession

CLOSE_SECONDS = 5.0
"""How long the other server may take to close behind our QUIT; our own limit."""
INTRODUCTION_SECONDS = 900.0
"""How long greeting, EHLO, TLS and login may take together; our own limit."""
MESSAGE_SECONDS = 1800.0
"""How long one message may take beside its octets, whatever the server does to keep us waiting; our own
limit."""
LEAST_RATE = 1024.0
"""Octets in a second that a server must take of a message; our own limit."""
IDLE_SECONDS = 300.0
"""How long a session may wait for its next message before it is closed whatever its owner thinks; RFC 5321
section 4.5.3.2.7 has servers wait five minutes."""


@implementer(IHandshakeListener, IPushProducer)
class RelaySession(TransportProtocol):
    """Lives as long as its connection. Each event goes to whoever waits, in order, none is lost."""

    tls: str = ""
    """Version and cipher, empty in clear."""
    mails: int = 0
    """Messages that were begun."""

    def __init__(self, core: ClientSession, clock: IReactorTime, host: str) -> None:
        self.core = core
        self.host = host
        """The other server, as in outcomes: ``mx.example.org [192.0.2.1]``."""
        self.began = clock.seconds()
        self.tls_failure = ""
        """Why the handshake failed, in the words of OpenSSL."""
        self._clock = clock
        self._timer = Timer(clock, self._expired)
        self._waiting: Deferred[None] | None = None
        self._choked: Deferred[None] | None = None
        self._shaking: Deferred[bool] | None = None
        self._gone: Deferred[None] | None = None
        self._leaving = False
        self._by = self.began + INTRODUCTION_SECONDS
        self._lost = False

    # What happens

    def connectionMade(self) -> None:
        self._transport.registerProducer(self, True)
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        if self.core.tls_active and not self.tls:  # TLS is to begin the connection, and nobody else speaks
            self.abort()
            return
        # The clock goes on: whoever answers an octet at a time has no more time than others.
        self.core.receive(data)
        if self.core.ended:  # perhaps amid a message, and it reads no more of that
            self.resumeProducing()
        self._send()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._timer.stop()
        self.core.closed()
        if self._shaking is not None:
            self.tls_failure = _words(reason)
            self._shaken(False)
        self.resumeProducing()
        gone, self._gone = self._gone, None
        if gone is not None:
            gone.callback(None)
        self._wake()

    def handshakeCompleted(self) -> None:
        """TLS stands (IHandshakeListener)."""
        connection = self._transport.getHandle()
        self.tls = f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"
        self._shaken(True)

    def _expired(self) -> None:
        self.core.timed_out()
        self._transport.abortConnection()
        self._wake()

    # The dialogue

    async def next_event(self) -> Event:
        """What the server says next, in the core's words. Ends: an end of the connection is an event, too."""
        self.flush()
        while (event := self.core.next_event()) is None:
            self._waiting = Deferred()
            await self._waiting
            self._send()
        return event

    def begin_message(self, size: int) -> None:
        """A message of so many octets is to go. From here on it has so much time and no more: each answer in
        its time, one after another, would be hours."""
        self.mails += 1
        self._by = self._clock.seconds() + MESSAGE_SECONDS + size / LEAST_RATE

    def flush(self) -> None:
        """Send what the core has to say, and set the clock by what it waits for now."""
        self._send()
        self._watch()
        self._wake()

    async def writable(self) -> None:
        """Return when the server has read most of what was written, or is gone."""
        if self._choked is not None:
            await self._choked

    async def start_tls(self, creator: IOpenSSLClientConnectionCreator) -> bool:
        """Shake hands; False: that failed, ``tls_failure`` says why, and the connection is gone."""
        if self._lost:
            return False
        shaking: Deferred[bool] = Deferred()
        self._shaking = shaking
        # A transport that changes to TLS forgets that it has paused its producer.
        self._transport.unregisterProducer()
        self.resumeProducing()
        self._transport.startTLS(creator)
        self._transport.registerProducer(self, True)
        self._timer.watch(PATIENCE[Awaited.TLS], self._by)
        return await shaking

    @property
    def usable(self) -> bool:
        """Whether another message can go by it."""
        return not self._lost and self.core.idle

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self._clock.seconds() - self.began

    async def leave(self) -> None:
        """Say QUIT where that is possible, and close. Returns when the connection is gone, within seconds.
        Whoever cancels this closes at once."""
        if self._lost:
            return
        try:
            await self._leave()
        except BaseException:
            self.abort()
            raise

    async def _leave(self) -> None:
        self._leaving = True
        if self.core.idle:
            self.core.quit()
            self.flush()
            self._timer.limit(CLOSE_SECONDS)
            await self.next_event()  # Finished, whatever the server makes of it
        if not self._lost:
            gone: Deferred[None] = Deferred()
            self._gone = gone
            self._timer.limit(CLOSE_SECONDS)
            self._transport.unregisterProducer()  # TLS closes for nobody who may still write
            self._transport.loseConnection()
            await gone

    def abort(self) -> None:
        """Close at once."""
        if not self._lost:
            self._transport.abortConnection()

    # IPushProducer: what the transport pauses

    def pauseProducing(self) -> None:
        if self._choked is None:
            self._choked = Deferred()

    def resumeProducing(self) -> None:
        choked, self._choked = self._choked, None
        if choked is not None:
            self._watch()
            choked.callback(None)

    def stopProducing(self) -> None:
        """The transport is going; connectionLost() follows."""

    # Inside

    def _send(self) -> None:
        if not self._lost and (data := self.core.bytes_to_send()):
            self._transport.write(data)

    @property
    def _transport(self) -> Any:
        """The transport with all that TCP and TLS transports have beyond ITransport."""
        return self.transport

    def _watch(self) -> None:
        if self._lost or self._leaving or self._shaking is not None:
            return
        awaited = self.core.waiting_for
        self._timer.watch(IDLE_SECONDS if awaited is None else PATIENCE[awaited], self._by)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _shaken(self, good: bool) -> None:
        shaking, self._shaking = self._shaking, None
        if shaking is not None:
            shaking.callback(good)


def _words(reason: Failure) -> str:
    """Why, in one line."""
    error: Any = reason.value
    for part in error.args:
        if isinstance(part, list) and part and isinstance(part[-1], tuple):  # OpenSSL.SSL.Error
            return str(part[-1][-1])
    return " ".join(str(error).split())[:200]
