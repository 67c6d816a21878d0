"""What an administrator does with the queue in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IQueueDesk
from mailsuite.interfaces.queue import Changed, unheard
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import (
    DestinationShape,
    Fate,
    Outcome,
    QueuedRecipient,
    QueueEntry,
    QueueFilter,
    QueueState,
)
from mailsuite.model.reply import Reply
from mailsuite.queue.matching import matches
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_turns import Kept, Part
from mailsuite.queue.parts import in_place_of, wants_failures

Change = Callable[[Part], None]


@implementer(IQueueDesk)
@attrs.define(eq=False)
class MemoryDesk:
    """Looks at all messages, one by one."""

    queue: MemoryQueue

    async def find(
        self, which: QueueFilter, now: float, after: str = "", count: int = 100
    ) -> tuple[QueueEntry, ...]:
        self.queue.check()
        behind = self.queue.number_of(after)
        found = [_entry(kept, now) for kept in self._matching(which, now) if kept.number > behind]
        return tuple(found[:count])

    async def count(self, which: QueueFilter, now: float) -> int:
        self.queue.check()
        return len(self._matching(which, now))

    async def shape(
        self, now: float, ages: tuple[float, ...], count: int = 100
    ) -> tuple[DestinationShape, ...]:
        self.queue.check()
        counts: dict[str, list[int]] = {}
        last: dict[str, str] = {}
        for kept in self.queue.all_kept():
            age = bisect_left(ages, now - kept.message.arrived)
            for part in kept.parts:
                counts.setdefault(part.destination, [0] * (len(ages) + 1))[age] += len(part.recipients)
                for each in part.recipients:
                    if each.last is not None:
                        last[part.destination] = each.last.said
        most = sorted(counts, key=lambda name: (-sum(counts[name]), name))[:count]
        return tuple(DestinationShape(name, tuple(counts[name]), last.get(name, "")) for name in most)

    async def errors(self, now: float, count: int = 100) -> tuple[tuple[str, int], ...]:
        self.queue.check()
        said = Counter(
            each.last.said
            for kept in self.queue.all_kept()
            for part in kept.parts
            for each in part.recipients
            if each.last is not None
        )
        return tuple(sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))[:count])

    async def hold(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return self._change(which, now, self._hold, changed)

    async def release(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return self._change(which, now, partial(self._release, now), changed)

    async def retry(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return self._change(which, now, partial(self._retry, now), changed)

    async def remove(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return self._change(which, now, self._when_free(self._remove), changed, is_silent=True)

    async def bounce(self, which: QueueFilter, now: float, reply: Reply, changed: Changed = unheard) -> int:
        outcome = Outcome(Fate.FAILED, reply, at=now)
        return self._change(which, now, self._when_free(partial(self._bounce, outcome)), changed)

    async def redirect(self, which: QueueFilter, now: float, to: Address, changed: Changed = unheard) -> int:
        return self._change(which, now, self._when_free(partial(self._redirect, now, to)), changed)

    def _matching(self, which: QueueFilter, now: float) -> list[Kept]:
        return [kept for kept in self.queue.all_kept() if matches(_entry(kept, now), which, now)]

    def _change(
        self,
        which: QueueFilter,
        now: float,
        change: Callable[[Part], bool],
        changed: Changed,
        *,
        is_silent: bool = False,
    ) -> int:
        """*change* says whether it did anything to a part; where it is *silent*, nothing is owed any more."""
        self.queue.check()
        ids = []
        for kept in self._matching(which, now):
            done = [change(part) for part in tuple(kept.parts)]
            if is_silent and kept.owed:
                kept.owed.clear()
                done.append(True)
            if any(done):
                ids.append(kept.message.id)
            self.queue.forget(kept)
        if ids:
            self.queue.wake()
            changed(ids)
        return len(ids)

    def _hold(self, part: Part) -> bool:
        if part.state is QueueState.LEASED:
            was_held, part.held = part.held, True
            return not was_held
        if part.state is QueueState.READY:
            self.queue.turns.remove(part)
        was, part.state = part.state, QueueState.HELD
        return was is not QueueState.HELD

    def _release(self, now: float, part: Part) -> bool:
        if part.state is QueueState.LEASED:
            was_held, part.held = part.held, False
            return was_held
        is_early = now < part.kept.message.release
        if part.state is not QueueState.HELD and (part.state is not QueueState.WAITING or not is_early):
            return False
        part.due = now
        self.queue.turns.add(part)
        return True

    def _retry(self, now: float, part: Part) -> bool:
        if part.state is not QueueState.WAITING or now < part.kept.message.release:
            return False
        part.due = now
        self.queue.turns.add(part)
        return True

    def _when_free(self, change: Change) -> Callable[[Part], bool]:
        """*change*, at once or when the part comes back."""

        def do(part: Part) -> bool:
            if part.state is QueueState.LEASED:
                part.then = change
            else:
                change(part)
                if not part.recipients:
                    self.queue.drop(part)
            return True

        return do

    def _remove(self, part: Part) -> None:
        for each in part.recipients:
            part.kept.owed.pop(each.number, None)
        part.recipients.clear()

    def _bounce(self, outcome: Outcome, part: Part) -> None:
        for each in part.recipients:
            part.kept.over[each.number] = attrs.evolve(each, last=outcome)
            part.kept.owed.pop(each.number, None)
            if wants_failures(each.recipient):
                part.kept.owed[each.number] = NotifyOn.FAILURE
        part.recipients.clear()

    def _redirect(self, now: float, to: Address, part: Part) -> None:
        kept = part.kept
        replaced, part.recipients = part.recipients, []
        for each in replaced:
            kept.owed.pop(each.number, None)
        everybody = kept.all_recipients()
        if any(each.recipient.address == to and not _has_failed(each, state) for each, state, _ in everybody):
            return  # of another part it has gone there already
        number = 1 + max(each.number for each in [*replaced, *(each for each, _, _ in everybody)])
        recipient = QueuedRecipient(number, in_place_of([each.recipient for each in replaced], to))
        state = QueueState.HELD if part.state is QueueState.HELD else QueueState.WAITING
        chosen = kept.message.release
        waits = part.state is QueueState.WAITING and part.due >= chosen > now
        self.queue.add_parts(kept, [recipient], chosen if waits else now, state)


def _has_failed(recipient: QueuedRecipient, state: QueueState) -> bool:
    last = recipient.last
    return state is QueueState.OVER and last is not None and last.fate is Fate.FAILED


def _entry(kept: Kept, now: float) -> QueueEntry:
    """What is due counts as ready, whether anybody has looked or not."""
    triples = kept.all_recipients()
    states = tuple(
        QueueState.READY if state is QueueState.WAITING and due <= now else state for _, state, due in triples
    )
    return QueueEntry(
        kept.message,
        tuple(each for each, _, _ in triples),
        states,
        tuple(due for _, _, due in triples),
    )
