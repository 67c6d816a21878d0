"""An outbound queue in memory: the promises of the real ones without a disk. The fake that tests use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IOutboundQueue, IQueuedContent, IQueuing
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.outbound import (
    Fate,
    Lease,
    Outcome,
    Owed,
    QueuedMessage,
    QueuedRecipient,
    QueueState,
    Room,
)
from mailsuite.model.reply import MESSAGE_GONE
from mailsuite.model.retention import Usage
from mailsuite.queue.memory_turns import Kept, Part, Turns
from mailsuite.queue.parts import DestinationOf, cost_of, divide, domain_of, origin_of


@attrs.frozen
class Queued:
    """A message in the queue, as it was put."""

    envelope: OutboundEnvelope
    content: bytes


@implementer(IOutboundQueue)
@attrs.define(eq=False)
class MemoryQueue:
    """Messages in a dictionary.

    Tests steer it by ``refuse_with`` (whatever may fail raises this), by ``congested`` and relieve()
    (back-pressure); they look at what is in it with ``messages``. memory_desk.py is its desk.
    """

    refuse_with: MailFailure | None = None
    congested: bool = False
    turns: Turns = attrs.field(factory=Turns, init=False)
    _kept: dict[str, Kept] = attrs.field(factory=dict, init=False)
    _numbers: dict[str, int] = attrs.field(factory=dict, init=False)
    """Of all that ever were here, by id."""
    _leases: dict[str, Part] = attrs.field(factory=dict, init=False)
    _serial: int = attrs.field(default=0, init=False)
    _destination_of: DestinationOf = attrs.field(default=domain_of, init=False)
    _watchers: list[Callable[[], None]] = attrs.field(factory=list, init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)

    def begin(self, envelope: OutboundEnvelope) -> MemoryQueuing:
        return MemoryQueuing(envelope, self)

    @property
    def messages(self) -> tuple[Queued, ...]:
        """What was committed and is not over, in that order."""
        return tuple(Queued(kept.envelope, kept.content) for kept in self._kept.values())

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

    def watch(self, call: Callable[[], None]) -> None:
        self._watchers.append(call)

    def wake(self) -> None:
        """Something may have become due."""
        for call in self._watchers:
            call()

    # What is in it.

    def put(self, envelope: OutboundEnvelope, content: bytes) -> Kept | None:
        """None: it was here before."""
        if envelope.id in self._numbers:
            return None
        message = QueuedMessage(
            envelope.id,
            envelope.sender,
            envelope.parameters,
            envelope.account,
            envelope.arrived,
            envelope.release,
            len(content),
            envelope.vouched,
        )
        kept = Kept(envelope, content, message, len(self._numbers))
        self._kept[envelope.id] = kept
        self._numbers[envelope.id] = kept.number
        recipients = [QueuedRecipient(*pair) for pair in enumerate(envelope.recipients)]
        state = QueueState.WAITING if envelope.release else QueueState.READY
        self.add_parts(kept, recipients, envelope.release or envelope.arrived, state)
        self.wake()
        return kept

    def add_parts(
        self, kept: Kept, recipients: Iterable[QueuedRecipient], due: float, state: QueueState
    ) -> None:
        """Put these among what is to be sent."""
        origin = origin_of(kept.message.account, kept.message.sender)
        for destination, some in divide(recipients, partial(self._destination, kept.message.sender)):
            part = Part(kept, destination, origin, some, cost_of(kept.message.size, len(some)), due, state)
            kept.parts.append(part)
            if state is QueueState.READY:
                self.turns.add(part)

    def _destination(self, sender: Address | None, recipient: QueuedRecipient) -> str:
        return self._destination_of(sender, recipient.recipient.address)

    def take_back(self, kept: Kept) -> None:
        """Nothing of it was sent, and nobody remembers it."""
        if not kept.was_leased and self._kept.pop(kept.message.id, None) is not None:
            del self._numbers[kept.message.id]
            self._withdraw(kept)

    def forget(self, kept: Kept) -> None:
        """Where nobody is to get it any more, and nothing is owed."""
        if not kept.parts and not kept.owed:
            self._kept.pop(kept.message.id, None)

    def _withdraw(self, kept: Kept) -> None:
        for part in kept.parts:
            if part.state is QueueState.READY:
                self.turns.remove(part)

    def all_kept(self) -> tuple[Kept, ...]:
        """In the order of arrival."""
        return tuple(self._kept.values())

    def number_of(self, id: str) -> int:
        """Its place in the order of arrival; -1 where it never was here."""
        return self._numbers.get(id, -1)

    # Those who send.

    async def claim(self, now: float, until: float, count: int, room: Room) -> tuple[Lease, ...]:
        self.check()
        for part in [part for part in self._leases.values() if part.until <= now]:
            self._end(part, part.due)
        for part in self._parts(QueueState.WAITING):
            if part.due <= now:
                self.turns.add(part)
        return tuple(self._lease(part, until) for part in self.turns.take(count, room))

    def _parts(self, state: QueueState) -> list[Part]:
        return [part for kept in self._kept.values() for part in kept.parts if part.state is state]

    def _lease(self, part: Part, until: float) -> Lease:
        self._serial += 1
        part.kept.was_leased = True
        part.state, part.until, part.token = QueueState.LEASED, until, str(self._serial)
        self._leases[part.token] = part
        return Lease(part.token, part.kept.message, part.destination, tuple(part.recipients))

    async def extend(self, leases: Collection[Lease], until: float) -> tuple[Lease, ...]:
        self.check()
        held = tuple(lease for lease in leases if lease.token in self._leases)
        for lease in held:
            self._leases[lease.token].until = until
        return held

    async def record(
        self, lease: Lease, outcomes: Mapping[int, Outcome], due: float, owed: Mapping[int, NotifyOn]
    ) -> bool:
        self.check()
        part = self._leases.get(lease.token)
        if part is None:
            return False
        kept = part.kept
        tried = [self._after(each, outcomes, owed) for each in part.recipients]
        for each in tried:
            if each.number in outcomes and outcomes[each.number].fate is not Fate.DEFERRED:
                kept.over[each.number] = each
                kept.owed.pop(each.number, None)  # that it was delayed
        part.recipients = [each for each in tried if each.number not in kept.over]
        kept.owed.update((each.number, owed[each.number]) for each in tried if each.number in owed)
        self._end(part, due)
        return True

    def _after(
        self, recipient: QueuedRecipient, outcomes: Mapping[int, Outcome], owed: Mapping[int, NotifyOn]
    ) -> QueuedRecipient:
        number = recipient.number
        if owed.get(number) is NotifyOn.DELAY:
            recipient = attrs.evolve(recipient, warned=True)
        if number in outcomes:
            recipient = attrs.evolve(recipient, tries=recipient.tries + 1, last=outcomes[number])
        return recipient

    async def give_back(self, leases: Collection[Lease], due: float) -> None:
        self.check()
        for lease in leases:
            if lease.token in self._leases:
                self._end(self._leases[lease.token], due)

    def _end(self, part: Part, due: float) -> None:
        """The lease is over; what was not sent waits, or obeys what was said meanwhile."""
        del self._leases[part.token]
        part.due, part.state = due, QueueState.HELD if part.held else QueueState.WAITING
        part.held = False
        then, part.then = part.then, None
        if then is not None and part.recipients:
            then(part)
        self.sort_anew(part)

    def sort_anew(self, part: Part) -> None:
        """A part that is not leased goes by the destinations that hold now; an empty one goes."""
        kept = part.kept
        sorted_ = divide(part.recipients, partial(self._destination, kept.message.sender))
        if [name for name, _ in sorted_] != [part.destination]:
            self.drop(part)
            self.add_parts(kept, part.recipients, part.due, part.state)
        self.forget(kept)

    def drop(self, part: Part) -> None:
        """Out with it, whatever it holds."""
        part.kept.parts.remove(part)
        if part.state is QueueState.READY:
            self.turns.remove(part)

    async def owed(self, count: int) -> tuple[Owed, ...]:
        self.check()
        found: list[Owed] = []
        for kept in [kept for kept in self._kept.values() if kept.owed][:count]:
            recipients = {each.number: each for each, _, _ in kept.all_recipients()}
            for kind in NotifyOn:
                some = [recipients[number] for number, what in sorted(kept.owed.items()) if what is kind]
                if some:
                    found.append(Owed(kept.message, kind, tuple(some)))
        return tuple(found)

    async def told(self, owed: Owed) -> None:
        self.check()
        kept = self._kept.get(owed.message.id)
        if kept is not None:
            for recipient in owed.recipients:
                if kept.owed.get(recipient.number) is owed.kind:
                    del kept.owed[recipient.number]
            self.forget(kept)

    async def next_due(self) -> float | None:
        self.check()
        if self.turns.any:
            return 0
        times = [part.due for part in self._parts(QueueState.WAITING)]
        times += [part.until for part in self._leases.values()]
        return min(times, default=None)

    async def held_by(self, account: Address, now: float) -> Usage:
        self.check()
        held = [
            kept.message.size
            for kept in self._kept.values()
            if kept.message.account == account and kept.message.release > now
        ]
        return Usage(messages=len(held), octets=sum(held))

    async def reroute(self, destination_of: DestinationOf) -> None:
        self.check()
        self._destination_of = destination_of
        for kept in self.all_kept():
            for part in [part for part in kept.parts if part.state is not QueueState.LEASED]:
                self.sort_anew(part)
        self.wake()

    def content(self, id: str) -> MemoryContent:
        return MemoryContent(partial(self._content_of, id))

    def _content_of(self, id: str) -> bytes:
        self.check()
        if id not in self._kept:
            raise TemporaryFailure(MESSAGE_GONE)
        return self._kept[id].content


@implementer(IQueuing)
@attrs.define(eq=False)
class MemoryQueuing:
    """One message on its way into the queue."""

    envelope: OutboundEnvelope
    _queue: MemoryQueue
    _content: bytearray = attrs.field(factory=bytearray, init=False)
    _prepared: bool = attrs.field(default=False, init=False)
    _kept: Kept | None = attrs.field(default=None, init=False)

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
        self._kept = self._queue.put(self.envelope, bytes(self._content)) or self._kept

    async def abort(self) -> None:
        self._prepared = False
        if self._kept is not None:
            self._queue.take_back(self._kept)
        self._content.clear()


@implementer(IQueuedContent)
@attrs.define(eq=False)
class MemoryContent:
    """Looks the octets up when it is first read."""

    _find: Callable[[], bytes]
    _position: int = attrs.field(default=0, init=False)

    async def read(self, octets: int) -> bytes:
        found = self._find()[self._position : self._position + octets]
        self._position += len(found)
        return found

    def close(self) -> None:
        pass
