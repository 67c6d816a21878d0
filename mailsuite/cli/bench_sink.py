"""A server that takes all mail and throws it away: what ``mailsuite bench sink`` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as TransportProtocol
from twisted.python.failure import Failure

from mailsuite.concurrent.timer import Timer
from mailsuite.model.reply import (
    OK,
    RECIPIENT_OK,
    SENDER_OK,
    SINK_DEFERS,
    SINK_REJECTS,
    START_MAIL_INPUT,
    Reply,
)
from mailsuite.wire.smtp.events import BodyChunk, BodyEnd, DataStart, Event, Mail, Recipient
from mailsuite.wire.smtp.session import ServerSession, SessionSettings

GRACE: Final = 3.0
"""Seconds that clients have to finish their message at the end."""
IDLE_SECONDS: Final = 300.0
"""RFC 5321 section 4.5.3.2.7."""
SETTINGS: Final = SessionSettings(
    hostname="sink.invalid",
    max_message=1 << 40,
    max_recipients=100_000,
    soft_errors=1 << 30,
    hard_errors=1 << 30,
)
"""Whatever comes: no limit of a real server's stands in the way."""


@attrs.frozen
class Manner:
    """How a sink answers messages."""

    delay: float = 0.0
    """Seconds that each answer to a message takes."""
    defer: float = 0.0
    """The share of the messages that are put off."""
    reject: float = 0.0
    """The share that are refused for good."""


@attrs.define
class Count:
    """What came so far."""

    sessions: int = 0
    messages: int = 0
    """Those that were taken."""
    recipients: int = 0
    """Of these."""
    octets: int = 0
    """Of all messages."""
    deferred: int = 0
    rejected: int = 0


@attrs.define(eq=False)
class Sink(Factory):
    """Listens by Twisted's means, up to drained()."""

    clock: IReactorTime
    manner: Manner
    chance: Callable[[], float]
    """From 0 to 1."""
    told: Callable[[], None] = lambda: None
    """Called after each answer to a message."""
    count: Count = attrs.field(factory=Count)
    seconds: float = 0.0
    """From the first connection to the last answer."""
    open: set[SinkSession] = attrs.field(factory=set)
    _began: float | None = None
    _drained: Deferred[None] | None = None
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> SinkSession:
        self.count.sessions += 1
        if self._began is None:
            self._began = self.clock.seconds()
        return SinkSession(self)

    async def drained(self) -> None:
        """Say goodbye to all; return when they are gone, which takes some seconds at most."""
        if not self.open:
            return
        drained: Deferred[None] = Deferred()
        self._drained = drained
        cut = self.clock.callLater(GRACE, self._cut)
        for session in list(self.open):
            session.drain()
        await drained
        if cut.active():
            cut.cancel()

    def _cut(self) -> None:
        for session in list(self.open):
            session.cut()

    def left(self, session: SinkSession) -> None:
        """A connection is gone."""
        self.open.discard(session)
        if self._drained is not None and not self.open:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def verdict(self) -> Reply:
        """What one message is answered."""
        drawn = self.chance()
        if drawn < self.manner.reject:
            return SINK_REJECTS
        return SINK_DEFERS if drawn < self.manner.reject + self.manner.defer else OK

    def answered(self, reply: Reply, recipients: int) -> None:
        """A message has its answer."""
        if reply.is_positive:
            self.count.messages += 1
            self.count.recipients += recipients
        elif reply.is_temporary:
            self.count.deferred += 1
        else:
            self.count.rejected += 1
        if self._began is not None:
            self.seconds = self.clock.seconds() - self._began
        self.told()


class SinkSession(TransportProtocol):
    """One connection."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._core = ServerSession(SETTINGS)
        self._timer = Timer(sink.clock, self._expired)
        self._recipients = 0
        self._gone = False

    def connectionMade(self) -> None:
        self._sink.open.add(self)
        self._timer.watch(IDLE_SECONDS)
        self._core.start()
        self._go_on()

    def dataReceived(self, data: bytes) -> None:
        self._timer.moved()
        self._core.receive(data)
        self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone = True
        self._timer.stop()
        self._sink.left(self)

    def drain(self) -> None:
        """Close as soon as no message is under way."""
        self._core.drain()
        self._go_on()

    def cut(self) -> None:
        """Close at once."""
        transport: Any = self.transport
        transport.abortConnection()

    def _expired(self) -> None:
        self._core.timed_out()
        self._go_on()

    def _go_on(self) -> None:
        transport: Any = self.transport
        while (event := self._core.next_event()) is not None:
            self._dispatch(event)
        if data := self._core.bytes_to_send():
            transport.write(data)
        if self._core.closing:
            transport.loseConnection()

    def _dispatch(self, event: Event) -> None:
        match event:
            case Mail():
                self._recipients = 0
                self._core.reply(SENDER_OK)
            case Recipient():
                self._recipients += 1
                self._core.reply(RECIPIENT_OK)
            case DataStart():
                self._core.reply(START_MAIL_INPUT)
            case BodyChunk():
                self._sink.count.octets += len(event.data)
            case BodyEnd():
                self._finish(event.defect or self._sink.verdict())

    def _finish(self, reply: Reply) -> None:
        delay = self._sink.manner.delay
        if not delay:
            self._answer(reply)
            return
        transport: Any = self.transport
        transport.pauseProducing()
        self._sink.clock.callLater(delay, self._answer_late, reply)

    def _answer_late(self, reply: Reply) -> None:
        if not self._gone:
            self._timer.moved()
            self._answer(reply)
            transport: Any = self.transport
            transport.resumeProducing()
            self._go_on()

    def _answer(self, reply: Reply) -> None:
        self._core.reply(reply)
        self._sink.answered(reply, self._recipients)
