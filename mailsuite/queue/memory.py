"""An outbound queue in memory: the promises of the real ones without a disk. The fake that tests use."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IOutboundQueue, IQueuing
from mailsuite.model.envelope import OutboundEnvelope
from mailsuite.model.failure import MailFailure


@attrs.frozen
class Queued:
    """A message in the queue."""

    envelope: OutboundEnvelope
    content: bytes


@implementer(IOutboundQueue)
@attrs.define(eq=False)
class MemoryQueue:
    """Messages in a dictionary.

    Tests steer it by ``refuse_with`` (whatever may fail raises this), by ``congested`` and relieve()
    (back-pressure); they look at what is in it with ``messages``.
    """

    refuse_with: MailFailure | None = None
    congested: bool = False
    _messages: dict[MemoryQueuing, Queued] = attrs.field(factory=dict, init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)

    def begin(self, envelope: OutboundEnvelope) -> MemoryQueuing:
        return MemoryQueuing(envelope, self)

    @property
    def messages(self) -> tuple[Queued, ...]:
        """What was committed, in that order."""
        return tuple(self._messages.values())

    def relieve(self) -> None:
        """End the congestion."""
        self.congested = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def check(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with

    def wait(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def put(self, queuing: MemoryQueuing, queued: Queued) -> None:
        self._messages[queuing] = queued

    def take_back(self, queuing: MemoryQueuing) -> None:
        self._messages.pop(queuing, None)


@implementer(IQueuing)
@attrs.define(eq=False)
class MemoryQueuing:
    """One message on its way into the queue."""

    envelope: OutboundEnvelope
    _queue: MemoryQueue
    _content: bytearray = attrs.field(factory=bytearray, init=False)
    _prepared: bool = attrs.field(default=False, init=False)

    @property
    def congested(self) -> bool:
        return self._queue.congested

    def write(self, data: bytes) -> None:
        self._content += data

    async def drained(self) -> None:
        if self._queue.congested:
            await self._queue.wait()

    async def prepare(self) -> None:
        self._queue.check()
        self._prepared = True

    async def commit(self) -> None:
        if not self._prepared:
            raise RuntimeError("commit without prepare")
        self._queue.check()
        self._queue.put(self, Queued(self.envelope, bytes(self._content)))

    async def abort(self) -> None:
        self._prepared = False
        self._queue.take_back(self)
        self._content.clear()
