"""Takes what is due out of the outbound queue and sees each message to its end.

One look at the queue hands out leases for as many messages as may be on their way; each is carried by a task
of its own, and whoever ends has the queue looked at again. So each place that becomes free goes to whose turn
it is by the queue's order, not to who has it. A session that is still good is kept for a moment (pool.py).

While a destination rests, because it cannot be talked to at all, what is due for it is recorded as tried:
each message shows why it waits, and comes to its end in time.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Any

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.queue import Outgoing
from mailsuite.interfaces import IOutboundQueue
from mailsuite.model.failure import MailFailure
from mailsuite.model.outbound import Lease
from mailsuite.observe.log import Log
from mailsuite.relay.carrier import Attempt, Carrier
from mailsuite.relay.clerk import Clerk
from mailsuite.relay.rounds import PAUSE, Rounds
from mailsuite.relay.windows import Rest, Turn, Windows, omen_of

LEASE_SECONDS = 600.0
"""How long a message is leased; what takes longer is extended."""
EXTEND_SECONDS = 200.0
"""How often."""
RECORD_PAUSE = 2.0
"""Seconds until what came of an attempt is recorded again where that has failed."""
LONGEST_WAIT = 3600.0
"""Seconds after which the queue is looked at whatever it has said; a safety net."""
BREATH = 1.0
"""Seconds until the next look where more is due than there is room for; whoever ends looks sooner."""
GRACE_SECONDS = 5.0
"""How long messages that are on their way have to get there when the server stops."""

End = Callable[[Lease], Coroutine[Any, Any, None]]
"""What becomes of a lease in the queue."""


@attrs.define(eq=False)
class Courier:
    """start() and stop() it once; its settings may be replaced at any time, look() puts them into force."""

    queue: IOutboundQueue
    carrier: Carrier
    windows: Windows
    clerk: Clerk
    clock: IReactorTime
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    outgoing: Outgoing = "allow"
    _tasks: Tasks = attrs.field(init=False)
    _books: Tasks = attrs.field(init=False)
    """Own what is written down, which nobody cancels: what another server has taken is not sent again."""
    _held_at: float = attrs.field(default=0.0, init=False)
    """Each lease is held for LEASE_SECONDS from here on, or longer."""
    _under_way: dict[str, Lease] = attrs.field(factory=dict, init=False)
    rounds: Rounds = attrs.field(init=False)
    """Its looks at the queue."""
    _extension: IDelayedCall | None = attrs.field(default=None, init=False)

    @_tasks.default
    @_books.default
    def _own_tasks(self) -> Tasks:
        return Tasks(lambda failure: self.log.failure("relay.failed", failure))

    @rounds.default
    def _own_rounds(self) -> Rounds:
        return Rounds(self._hand_out, self.clock, self._tasks, self.log, "relay.failed")

    @property
    def under_way(self) -> int:
        """Messages that are being sent."""
        return len(self._under_way)

    def start(self) -> None:
        """Begin with what is due."""
        self._held_at = self.seconds()
        self.queue.watch(self.look)
        self._extension = self.clock.callLater(EXTEND_SECONDS, self._extend)
        self.rounds.start()

    async def stop(self) -> None:
        """Begin nothing more. What is on its way has a few seconds to get there; what has no answer by then
        goes back into the queue."""
        self.rounds.stop()
        if self._extension is not None and self._extension.active():
            self._extension.cancel()
        patience = self.clock.callLater(GRACE_SECONDS, self._tasks.cancel)
        await self._tasks.finished()
        await self._books.finished()
        if patience.active():
            patience.cancel()
        self.carrier.pool.close()

    def look(self) -> None:
        """Something may be due."""
        self.rounds.look()

    def wake(self) -> None:
        """Whatever could not be reached is tried again now, as far as it is due."""
        self.windows.wake()
        self.look()

    def rests_until(self, destination: str) -> float:
        """Up to when a destination is left alone, in seconds since the epoch; 0: it is not."""
        rest = self.windows.resting(destination)
        return 0.0 if rest is None else rest.until

    async def _hand_out(self) -> float:
        """Lease what there is room for; answers in how many seconds to come back."""
        if self.outgoing != "allow":
            return LONGEST_WAIT
        now = self.seconds()
        free = self.windows.limit - len(self._under_way)
        if now - self._held_at > LEASE_SECONDS / 2:  # somebody has set the clock, or this machine has slept
            await self._extend_all()
        if free > 0:
            leases = await self.queue.claim(now, now + LEASE_SECONDS, free, self.windows.room())
            if not self.rounds.runs:
                await self.queue.give_back(leases, now)
                return LONGEST_WAIT
            for lease in leases:
                self._under_way[lease.token] = lease
                self._tasks.start(self._visit(lease))
        due = await self.queue.next_due()
        return LONGEST_WAIT if due is None else min(max(due - self.seconds(), BREATH), LONGEST_WAIT)

    def _extend(self) -> None:
        self._extension = self.clock.callLater(EXTEND_SECONDS, self._extend)
        self._tasks.start(self._try_to_extend())

    async def _try_to_extend(self) -> None:
        try:
            await self._extend_all()
        except MailFailure as failure:
            self.log.error("relay.queue_unavailable", reason=failure.reason)

    async def _extend_all(self) -> None:
        """Hold what is under way for longer. Fails as the queue does."""
        now, leases = self.seconds(), tuple(self._under_way.values())
        held = await self.queue.extend(leases, now + LEASE_SECONDS) if leases else ()
        self._held_at = now
        lost = {lease.token for lease in leases} - {lease.token for lease in held}
        for lease in (self._under_way[token] for token in lost & self._under_way.keys()):
            self.log.warning("relay.lease_lost", id=lease.message.id, destination=lease.destination)

    # One lease

    async def _visit(self, lease: Lease) -> None:
        """See one lease through. Raises nothing: what fails here goes back into the queue."""
        end: End = partial(self._give_back, 0.0)
        try:
            end = await self._carry(lease)
        except CancelledError:
            pass
        except Exception:
            self.log.failure("relay.failed", Failure(), id=lease.message.id)
            end = partial(self._give_back, PAUSE)
        self._books.start(self._end(lease, end))

    async def _end(self, lease: Lease, end: End) -> None:
        try:
            await end(lease)
        except MailFailure as failure:
            # The lease comes to its end by itself, and the message is sent again: twice is better than never.
            self.log.error("relay.lease_left", id=lease.message.id, reason=failure.reason)
        finally:
            self._under_way.pop(lease.token, None)
            self.look()

    async def _carry(self, lease: Lease) -> End:
        """Try it where there is room for it; answers what is to be written down."""
        most, longest = self.carrier.bounds(lease.destination)
        turn = self.windows.begin(lease.destination, most)
        if turn is None:
            return partial(self._give_back, 0.0)
        if isinstance(turn, Rest):
            outcomes = {each.number: turn.outcome for each in lease.recipients}
            return partial(self._record, Attempt(outcomes), turn.until)
        attempt = await self._try(lease, turn, most, longest)
        return partial(self._give_back, BREATH) if attempt is None else partial(self._record, attempt, inf)

    async def _try(self, lease: Lease, turn: Turn, most: int, longest: float) -> Attempt | None:
        """Carry it, and learn from that what its destination can bear."""
        attempt = None
        try:
            attempt = await self.carrier.carry(lease)
        finally:
            omen = None
            if attempt is not None and not attempt.is_our_trouble:
                omen = omen_of(attempt.outcomes.values(), attempt.unreachable)
            self.windows.end(turn, omen, most, longest)
        return attempt

    async def _record(self, attempt: Attempt, no_later: float, lease: Lease) -> None:
        """Record it; where the queue cannot be reached, as soon as it can, while the lease holds: what
        another server has taken is not sent again for a full disk of ours."""
        end = self.seconds() + LEASE_SECONDS
        while True:
            try:
                await self.clerk.record(lease, attempt, no_later)
            except MailFailure as failure:
                self.log.error("relay.unrecorded", id=lease.message.id, reason=failure.reason)
                if not self.rounds.runs or self.seconds() >= end:
                    raise
                await deferLater(self.clock, RECORD_PAUSE)
            else:
                return

    async def _give_back(self, wait: float, lease: Lease) -> None:
        await self.queue.give_back([lease], self.seconds() + wait)
