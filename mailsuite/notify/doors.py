"""The doors that are knocked at: coalescing, budgets and failures, for each target once.

A target's first mail is told at once (leading edge). Mail that comes within the window after a knock began
is told by one knock at the window's end (trailing edge), so that the last knock is never before the last
mail. A knock names nobody: all who share a target share its knocks. Right before it, everybody who waits is
looked at once more: where nothing is left to tell, there is no knock.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IKnocker
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.notify.channels.nm import ANSWERED, NoRoute
from mailsuite.notify.claims import Standing
from mailsuite.notify.counters import NotifyCounters
from mailsuite.notify.knocks import NO_ROUTE, REFUSED, TIMED_OUT, Claim, Knocked
from mailsuite.notify.news import News
from mailsuite.notify.outgoing.knocks import KnockBudget
from mailsuite.notify.patience import RETRY_AFTER, Patience
from mailsuite.notify.targets import Target
from mailsuite.observe.log import Log

MAX_DOORS: Final = 10_000
"""Targets remembered, about 5 MB; beyond, the one unused for longest is forgotten."""
EVICTION_LOOK: Final = 100
"""How many of the oldest are looked at for one that may be forgotten."""
MAX_WAITING: Final = 100
"""Those behind one target that a knock is remembered to tell; of those beyond, which are told too, the ones
whose mail came first are forgotten."""


class Desk(Protocol):
    """Who knows what there is to tell, and keeps where everybody stands."""

    async def news(self, claim: Claim, target: Target) -> News | None:
        """What there is to tell now; None: nothing, or it cannot be known. Raises nothing but its own
        cancellation."""

    def knocked(self, news: Mapping[Claim, News], knocked: Knocked) -> None:
        """A knock for these ended so."""


@attrs.define(eq=False)
class _Door:
    """What is known of one target."""

    target: Target
    waiting: dict[str, Claim] = attrs.field(factory=dict)
    """Those for whom mail came that no knock has told of, by their ids, the latest last."""
    busy: bool = False
    """It is being looked whether there is something to tell, or knocked."""
    queued: bool = False
    """It is this door's turn as soon as the budget allows."""
    timer: IDelayedCall | None = None
    quiet_until: float = 0.0
    """No knock begins before: the window, the budget, or the time of the retry."""
    shut_until: float = 0.0
    refused_since: float | None = None
    """Seconds since the epoch when refusals suspended it."""
    patience: Patience = attrs.field(factory=Patience)

    @property
    def mail_waits(self) -> bool:
        return bool(self.waiting)

    def mail(self, claim: Claim) -> None:
        """Mail came for this one."""
        self.waiting.pop(claim.id, None)
        self.waiting[claim.id] = claim
        if len(self.waiting) > MAX_WAITING:
            del self.waiting[next(iter(self.waiting))]

    def wait_again(self, untold: Mapping[str, Claim]) -> None:
        """They have waited before those who wait now."""
        since, self.waiting = self.waiting, dict(untold)
        for claim in since.values():
            self.mail(claim)

    @property
    def idle(self) -> bool:
        return not (self.mail_waits or self.busy)


@attrs.define(eq=False)
class Doors:
    """Knocks by *knockers*: never twice at a time at one target, within the *budget*."""

    knockers: Mapping[str, IKnocker]
    """By transport."""
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch."""
    tasks: Tasks
    log: Log
    counters: NotifyCounters
    budget: KnockBudget
    window: float
    desk: Desk
    in_flight: int = attrs.field(default=0, init=False)
    """Doors that are being looked after, or knocked at."""
    _doors: OrderedDict[Target, _Door] = attrs.field(factory=OrderedDict, init=False)
    _ready: deque[_Door] = attrs.field(factory=deque, init=False)
    _starting: bool = attrs.field(default=False, init=False)
    _freed: bool = attrs.field(default=False, init=False)
    """Something has ended, or come, since the doors that are ready were looked at."""

    def mail(self, target: Target, claims: Sequence[Claim]) -> bool:
        """Mail came for these, who are to be told at *target*. False: they will not be, for the target is
        suspended."""
        door = self._door(target)
        if door is None:
            self.counters.dropped += 1
        elif door.shut_until > self.clock.seconds():
            self.counters.suspended += 1
            return False
        else:
            self.counters.suppressed += door.mail_waits
            for claim in claims:
                door.mail(claim)
            self._proceed(door)
        return True

    def refused_since(self, target: Target) -> float | None:
        """Since when (seconds since the epoch) this target is suspended for refusing; None if it is not."""
        door = self._doors.get(target)
        if door is None or door.shut_until <= self.clock.seconds():
            return None
        return door.refused_since

    def shut_for(self, target: Target) -> float:
        """Seconds for which it is suspended yet; 0: it is not."""
        door = self._doors.get(target)
        return 0.0 if door is None else max(0.0, door.shut_until - self.clock.seconds())

    def reopen(self, target: Target) -> None:
        """End the target's suspension."""
        if target in self._doors:
            self._doors[target].shut_until = 0.0

    def knows(self, target: Target) -> bool:
        return target in self._doors

    def remember(self, target: Target, stood: Standing) -> None:
        """How it stood with a target before a restart."""
        door = self._door(target)
        if door is None:
            return
        if stood.outcome == REFUSED:
            door.patience.refusals, door.refused_since = stood.fails, stood.at
        elif stood.outcome == TIMED_OUT:
            door.patience.timeouts = stood.fails
        door.shut_until = self.clock.seconds() + stood.suspended_for
        door.quiet_until = self.clock.seconds() + self.window - stood.ago

    def withdraw(self) -> list[Claim]:
        """Take back every knock that has not begun; answer whom they would have told."""
        claims: list[Claim] = []
        for door in self._doors.values():
            if door.timer is not None:
                door.timer.cancel()
                door.timer = None
            claims.extend(door.waiting.values())
            door.waiting.clear()
            door.queued = False
        self._ready.clear()
        return claims

    async def knock_now(self, target: Target) -> Knocked | float:
        """Knock past window and suspension, for somebody who wants to see it; the seconds to wait where the
        budget does not allow it. Fails by mistakes of ours alone."""
        if not self.budget.begin(target.address, target.port):
            return self._wait_for_budget(target)
        door = self._door(target)
        try:
            knocked = await self._knock(target, door.patience if door is not None else Patience())
            if door is not None and knocked.is_handed_over:
                door.shut_until = 0.0
            elif door is not None and knocked.suspended_for:
                self._suspend(door, knocked)
        finally:
            self.budget.ended(target.address, target.port)
            self._start_ready()
        return knocked

    def _door(self, target: Target) -> _Door | None:
        door = self._doors.get(target)
        if door is not None:
            self._doors.move_to_end(target)
        elif len(self._doors) < MAX_DOORS or self._forget_one():
            door = self._doors[target] = _Door(target)
        return door

    def _forget_one(self) -> bool:
        for target, door in islice(self._doors.items(), EVICTION_LOOK):
            if door.idle:
                del self._doors[target]
                return True
        return False

    def _proceed(self, door: _Door) -> None:
        if door.busy or door.queued or door.timer is not None:
            return  # what comes next will see that mail waits
        quiet = min(
            door.quiet_until - self.clock.seconds(), max(self.window, RETRY_AFTER)
        )  # if it is set back
        budget = self._wait_for_budget(door.target)
        wait = quiet if budget == math.inf else max(quiet, budget)
        if wait > 0:
            door.timer = self.clock.callLater(wait, self._quiet_ended, door)
        else:
            self._queue(door)

    def _quiet_ended(self, door: _Door) -> None:
        door.timer = None
        self._queue(door)

    def _queue(self, door: _Door) -> None:
        door.queued = True
        self._ready.append(door)
        self._start_ready()

    def _start_ready(self) -> None:
        self._freed = True
        if self._starting:
            return  # a knock that ended at once; the loop below sees it
        self._starting = True
        while self._freed:
            self._freed = False
            self._start_some()
        self._starting = False

    def _start_some(self) -> None:
        blocked: list[_Door] = []
        while self._ready and self.in_flight < self.budget.max_in_flight:
            door = self._ready.popleft()
            wait = self._wait_for_budget(door.target)
            if wait == math.inf:  # the next one that ends lets it in
                blocked.append(door)
                continue
            door.queued = False
            if wait > 0:
                self._proceed(door)
                continue
            told, door.waiting = door.waiting, {}
            door.busy = True
            self.in_flight += 1
            self.tasks.start(self._look_and_knock(door, told))
        self._ready.extendleft(reversed(blocked))

    def _wait_for_budget(self, target: Target) -> float:
        return self.budget.ready_at(target.address, target.port) - self.clock.seconds()

    async def _look_and_knock(self, door: _Door, told: dict[str, Claim]) -> None:
        """One knock, or none; a failure that is no refusal and no time-out goes to the tasks' owner."""
        try:
            news = await self._gather(door, told)
            if news and not self.budget.begin(door.target.address, door.target.port):
                door.wait_again({claim.id: claim for claim in news})  # others were quicker
            elif news:
                await self._tell(door, news)
        finally:
            door.busy = False
            self.in_flight -= 1
            if door.mail_waits:
                self._proceed(door)
            self._start_ready()

    async def _gather(self, door: _Door, told: dict[str, Claim]) -> dict[Claim, News]:
        news: dict[Claim, News] = {}
        for claim in told.values():
            found = await self.desk.news(claim, door.target)
            if found is not None:
                news[claim] = found
        return news

    async def _tell(self, door: _Door, news: dict[Claim, News]) -> None:
        target = door.target
        door.quiet_until = self.clock.seconds() + self.window
        try:
            knocked = await self._knock(target, door.patience)
        finally:
            self.budget.ended(target.address, target.port)
        self.log.debug(
            "notify.knocked",
            channel=self.knockers[target.transport].name,
            account=next(reversed(news)).account,
            address=target.address,
            port=target.port,
            outcome=knocked.outcome,
            ms=round(knocked.took * 1000),
        )
        if knocked.suspended_for:
            self._suspend(door, knocked)
        elif knocked.tried_again:
            door.wait_again({claim.id: claim for claim in news})
            door.quiet_until = self.clock.seconds() + RETRY_AFTER
        self.desk.knocked(news, knocked)

    async def _knock(self, target: Target, patience: Patience) -> Knocked:
        began = self.clock.seconds()
        outcome = await self._outcome(target)
        took = self.clock.seconds() - began
        if outcome == REFUSED:
            pause = patience.refused()
            return Knocked(target, outcome, took, patience.refusals, pause)
        if outcome == TIMED_OUT:
            pause = patience.timed_out()
            return Knocked(target, outcome, took, patience.timeouts, pause, tried_again=not pause)
        if outcome != NO_ROUTE:
            patience.sent()
        return Knocked(target, outcome, took)

    async def _outcome(self, target: Target) -> str:
        try:
            outcome = await self.knockers[target.transport].knock(target.address, target.port)
        except NoRoute:
            self.counters.no_route += 1
            return NO_ROUTE
        except PermanentFailure:
            self.counters.refused += 1
            return REFUSED
        except TemporaryFailure:
            self.counters.timed_out += 1
            return TIMED_OUT
        except CancelledError:
            raise
        except Exception:
            self.counters.failed += 1
            raise
        if outcome == ANSWERED:
            self.counters.answered += 1
        else:
            self.counters.sent += 1
        return outcome

    def _suspend(self, door: _Door, knocked: Knocked) -> None:
        self.counters.suspensions += 1
        self.counters.suspended += door.mail_waits
        door.waiting.clear()
        if door.queued:  # for a trial to end
            self._ready.remove(door)
            door.queued = False
        door.shut_until = self.clock.seconds() + knocked.suspended_for
        door.refused_since = self.now() if knocked.outcome == REFUSED else None
        self.log.info(
            "notify.suspended",
            channel=self.knockers[knocked.target.transport].name,
            address=knocked.target.address,
            port=knocked.target.port,
            reason=knocked.outcome,
            seconds=int(knocked.suspended_for),
        )
