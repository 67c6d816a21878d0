"""The doors that are knocked at: coalescing, budgets and failures, for each target once.

A target's first mail is told at once (leading edge). Mail that comes within the window after a knock began
is told by one knock at the window's end (trailing edge), so that the last knock is never before the last
mail. A knock names nobody: all accounts that share a target share its knocks.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IKnocker
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.notify.channels.nm import ANSWERED
from mailsuite.notify.counters import NotifyCounters
from mailsuite.notify.patience import RETRY_AFTER, Patience
from mailsuite.notify.targets import Target
from mailsuite.observe.log import Log

MAX_DOORS = 10_000
"""Targets remembered, about 5 MB; beyond, the one unused for longest is forgotten."""
EVICTION_LOOK = 100
"""How many of the oldest are looked at for one that may be forgotten."""
MAX_WAITING = 100
"""Accounts behind one target that a knock is remembered to tell; of those beyond, which are told too, the
ones whose mail came first are forgotten."""


@attrs.define(eq=False)
class _Door:
    """What is known of one target."""

    target: Target
    waiting: dict[Address, None] = attrs.field(factory=dict)
    """For whom mail came that no knock has told of, the latest last."""
    knocking: bool = False
    queued: bool = False
    """It is this door's turn as soon as the budget allows."""
    timer: IDelayedCall | None = None
    quiet_until: float = 0.0
    """No knock begins before: the window, or the time of the retry."""
    shut_until: float = 0.0
    refused_since: float | None = None
    """Seconds since the epoch when refusals suspended it."""
    patience: Patience = attrs.field(factory=Patience)

    @property
    def mail_waits(self) -> bool:
        return bool(self.waiting)

    def mail(self, account: Address) -> None:
        """Mail came for this account."""
        self.waiting.pop(account, None)
        self.waiting[account] = None
        if len(self.waiting) > MAX_WAITING:
            del self.waiting[next(iter(self.waiting))]

    @property
    def idle(self) -> bool:
        return not (self.mail_waits or self.knocking)


@attrs.define(eq=False)
class Doors:
    """Knocks through *channel*: never twice at a time at one target, never more than *max_in_flight*."""

    channel: IKnocker
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch."""
    tasks: Tasks
    log: Log
    counters: NotifyCounters
    window: float
    max_in_flight: int
    knocked: Callable[[Address], None]
    """Is told of each account whose owner has been told of new mail."""
    in_flight: int = attrs.field(default=0, init=False)
    _doors: OrderedDict[Target, _Door] = attrs.field(factory=OrderedDict, init=False)
    _ready: deque[_Door] = attrs.field(factory=deque, init=False)
    _starting: bool = attrs.field(default=False, init=False)

    def mail(self, target: Target, account: Address) -> None:
        """Mail came for *account*, which is to be told at *target*."""
        door = self._door(target)
        if door is None:
            self.counters.dropped += 1
        elif door.shut_until > self.clock.seconds():
            self.counters.suspended += 1
        else:
            self.counters.suppressed += door.mail_waits
            door.mail(account)
            self._proceed(door)

    def refused_since(self, target: Target) -> float | None:
        """Since when (seconds since the epoch) this target is suspended for refusing; None if it is not."""
        door = self._doors.get(target)
        if door is None or door.shut_until <= self.clock.seconds():
            return None
        return door.refused_since

    def reopen(self, target: Target) -> None:
        """End the target's suspension."""
        if target in self._doors:
            self._doors[target].shut_until = 0.0

    def withdraw(self) -> list[Address]:
        """Take back every knock that has not begun; answer whose mail they would have told of."""
        accounts: list[Address] = []
        for door in self._doors.values():
            if door.timer is not None:
                door.timer.cancel()
                door.timer = None
            accounts.extend(door.waiting)
            door.waiting.clear()
            door.queued = False
        self._ready.clear()
        return accounts

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
        if door.knocking or door.queued or door.timer is not None:
            return  # what comes next will see that mail waits
        wait = door.quiet_until - self.clock.seconds()
        if wait > 0:
            wait = min(wait, max(self.window, RETRY_AFTER))  # even if the clock is set back
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
        if self._starting:
            return  # a knock that ended at once; the loop below goes on
        self._starting = True
        while self._ready and self.in_flight < self.max_in_flight:
            door = self._ready.popleft()
            told, door.waiting = door.waiting, {}
            door.queued = False
            door.knocking = True
            door.quiet_until = self.clock.seconds() + self.window
            self.in_flight += 1
            self.tasks.start(self._knock(door, told))
        self._starting = False

    async def _knock(self, door: _Door, told: dict[Address, None]) -> None:
        """One knock; a failure that is no refusal and no time-out goes to the tasks' owner."""
        began, account = self.clock.seconds(), next(reversed(told))
        try:
            outcome = await self._outcome(door, told)
            target, took = door.target, round((self.clock.seconds() - began) * 1000)
            self.log.debug(
                "notify.knocked",
                channel=self.channel.name,
                account=account,
                address=target.address,
                port=target.port,
                outcome=outcome,
                ms=took,
            )
        finally:
            door.knocking = False
            self.in_flight -= 1
            if door.mail_waits:
                self._proceed(door)
            self._start_ready()

    async def _outcome(self, door: _Door, told: dict[Address, None]) -> str:
        try:
            outcome = await self.channel.knock(door.target.address, door.target.port)
        except PermanentFailure:
            self.counters.refused += 1
            self._suspend(door, door.patience.refused(), "refused")
            return "refused"
        except TemporaryFailure:
            self.counters.timed_out += 1
            if not self._suspend(door, door.patience.timed_out(), "timed-out"):
                self._wait_again(door, told)
                door.quiet_until = self.clock.seconds() + RETRY_AFTER
            return "timed-out"
        except CancelledError:
            raise
        except Exception:
            self.counters.failed += 1
            raise
        door.patience.sent()
        if outcome == ANSWERED:
            self.counters.answered += 1
        else:
            self.counters.sent += 1
        for account in told:
            self.knocked(account)
        return outcome

    def _wait_again(self, door: _Door, untold: dict[Address, None]) -> None:
        since, door.waiting = door.waiting, untold
        for account in since:
            door.mail(account)

    def _suspend(self, door: _Door, pause: float, reason: str) -> bool:
        if not pause:
            return False
        self.counters.suspensions += 1
        self.counters.suspended += door.mail_waits
        door.waiting.clear()
        door.shut_until = self.clock.seconds() + pause
        door.refused_since = self.now() if reason == "refused" else None
        self.log.info(
            "notify.suspended",
            channel=self.channel.name,
            address=door.target.address,
            port=door.target.port,
            reason=reason,
            seconds=int(pause),
        )
        return True
