"""Who follows whom, and where each stands: all of it in the memory of the one process that tells, written
through.

What somebody decided (a subscription, a change, a removal) is on the disk before it counts. Where a
subscription stands counts at once and is written a moment later, many at a time: a crash loses no more than
makes something come twice, with the same id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import ISubscriptions
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.subscription import (
    Attempt,
    Cursor,
    Standing,
    Subscription,
    SubscriptionState,
    is_preference,
    preference_id,
)
from mailsuite.observe.log import Log

WRITE_AFTER = 0.2
"""Seconds that a cursor waits for others to be written with."""
WRITE_AGAIN_AFTER = 5.0
"""Seconds, where that failed."""
MAX_ATTEMPTS_WAITING = 10_000
"""About 3 MB. While they cannot be written the oldest are forgotten: they are for people to look at, and
nothing goes by them."""
_FOLLOWING = {SubscriptionState.ACTIVE, SubscriptionState.PAUSED, SubscriptionState.SUSPENDED}


@attrs.define(eq=False)
class Book:
    """Belongs to the reactor's thread. Raises TemporaryFailure where something cannot be written or read, and
    then nothing has changed."""

    subscriptions: ISubscriptions
    clock: IReactorTime
    log: Log = attrs.field(factory=Log)
    _standings: dict[str, Standing] = attrs.field(factory=dict, init=False)
    _of: dict[Address, dict[str, None]] = attrs.field(factory=dict, init=False)
    """The ids of each account's, in the order they came."""
    _followed: dict[Address, int] = attrs.field(factory=dict, init=False)
    """How many of each account's subscriptions its log is kept for."""
    _preferences: dict[str, Cursor] = attrs.field(factory=dict, init=False)
    _moved: dict[str, None] = attrs.field(factory=dict, init=False)
    """The ids of those whose cursors are to be written."""
    _attempts: list[Attempt] = attrs.field(factory=list, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _watchers: tuple[Callable[[str], object], ...] = attrs.field(default=(), init=False)
    _tasks: Tasks = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tasks = Tasks(lambda failure: self.log.failure("notify.book_failed", failure))

    async def load(self) -> None:
        """Read all of it, once, at the start."""
        for standing in await self.subscriptions.all():
            self._put(standing)
        self._preferences = {cursor.subscription: cursor for cursor in await self.subscriptions.preferences()}

    # Looking.

    def follows(self, account: Address) -> bool:
        """Whether anybody follows this account by a subscription, or may again without asking for it anew."""
        return account in self._followed

    def of(self, account: Address) -> tuple[Standing, ...]:
        """The oldest first."""
        return tuple(self._standings[id] for id in self._of.get(account, ()))

    def find(self, id: str) -> Standing | None:
        return self._standings.get(id)

    def all(self) -> tuple[Standing, ...]:
        return tuple(self._standings.values())

    def preference(self, account: Address) -> Cursor | None:
        """Where the account's own NotifyMail stands; None: it was never told of anything."""
        return self._preferences.get(preference_id(account))

    async def attempts(self, id: str) -> tuple[Attempt, ...]:
        """The newest first, those of this moment among them."""
        await self._write()
        return await self.subscriptions.attempts(id)

    # Changing.

    async def add(self, subscription: Subscription, acked: int) -> None:
        """Raises PermanentFailure(ALREADY_EXISTS)."""
        await self.subscriptions.add(subscription, acked)
        self._put(Standing(subscription, Cursor(subscription.id, acked)))
        self._tell(subscription.id)

    async def change(self, subscription: Subscription) -> None:
        """Its account, device and channel stay as they are. Raises PermanentFailure(NO_SUCH_SUBSCRIPTION)."""
        await self.subscriptions.change(subscription)
        before = self._standings.get(subscription.id)
        if before is None:  # removed meanwhile
            return
        was = before.subscription
        after = attrs.evolve(subscription, account=was.account, device=was.device, channel=was.channel)
        self._count(was, -1)
        self._put(Standing(after, before.cursor))
        self._tell(subscription.id)

    async def remove(self, id: str) -> None:
        """Also the cursor of a preference. Raises PermanentFailure(NO_SUCH_SUBSCRIPTION)."""
        await self.subscriptions.remove(id)
        self._preferences.pop(id, None)
        self._moved.pop(id, None)
        self._attempts = [attempt for attempt in self._attempts if attempt.subscription != id]
        gone = self._standings.pop(id, None)
        if gone is None:
            return
        account = gone.subscription.account
        self._of[account].pop(id)
        if not self._of[account]:
            del self._of[account]
        self._count(gone.subscription, -1)
        self._tell(id)

    async def remove_of(self, account: Address, device: str | None = None) -> tuple[str, ...]:
        """Remove what this device of the account made; None: all of the account's. Answers the ids of those
        that were there to be removed: one that somebody else removes at that moment keeps no other."""
        ids = [
            each.subscription.id
            for each in self.of(account)
            if device is None or each.subscription.device == device
        ]
        removed = []
        for id in ids:
            with contextlib.suppress(PermanentFailure):
                await self.remove(id)
                removed.append(id)
        if device is None:
            await self.remove(preference_id(account))
        return tuple(removed)

    def keep(self, cursor: Cursor, attempt: Attempt | None = None) -> None:
        """Where a subscription stands from now on, and what was tried; of one that is gone it is ignored."""
        id = cursor.subscription
        if is_preference(id):
            self._preferences[id] = cursor
        elif id in self._standings:
            self._standings[id] = attrs.evolve(self._standings[id], cursor=cursor)
        else:
            return
        self._moved[id] = None
        if attempt is not None:
            self._attempts.append(attempt)
            del self._attempts[:-MAX_ATTEMPTS_WAITING]
        self._write_in(WRITE_AFTER)

    def watch(self, changed: Callable[[str], object]) -> Callable[[], None]:
        """Call *changed* with the id of each subscription that was added, changed or removed; not of those
        whose cursor moved. Call what is answered to hear no more."""
        self._watchers = (*self._watchers, changed)

        def unwatch() -> None:
            self._watchers = tuple(each for each in self._watchers if each is not changed)

        return unwatch

    async def stop(self) -> None:
        """Write what is to be written. What cannot be is logged, and lost."""
        await self._tasks.finished()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self._write()
        except MailFailure as failure:
            self.log.error("notify.cursors_lost", count=len(self._moved), reason=failure.reason)

    def _put(self, standing: Standing) -> None:
        subscription = standing.subscription
        self._standings[subscription.id] = standing
        self._of.setdefault(subscription.account, {})[subscription.id] = None
        self._count(subscription, 1)

    def _count(self, subscription: Subscription, change: int) -> None:
        if subscription.state in _FOLLOWING:
            account = subscription.account
            self._followed[account] = self._followed.get(account, 0) + change
            if not self._followed[account]:
                del self._followed[account]

    def _tell(self, id: str) -> None:
        for watcher in self._watchers:
            try:
                watcher(id)
            except Exception:
                self.log.failure("notify.watcher_failed", Failure(), subscription=id)

    # Writing behind.

    def _write_in(self, seconds: float) -> None:
        if self._timer is None and not self._tasks:
            self._timer = self.clock.callLater(seconds, self._time_to_write)

    def _time_to_write(self) -> None:
        self._timer = None
        self._tasks.start(self._write_and_go_on())

    async def _write_and_go_on(self) -> None:
        try:
            await self._write()
        except MailFailure as failure:
            self.log.warning("notify.cursors_unwritten", count=len(self._moved), reason=failure.reason)
            self._timer = self.clock.callLater(WRITE_AGAIN_AFTER, self._time_to_write)
        else:
            if self._moved:  # came meanwhile
                self._timer = self.clock.callLater(WRITE_AFTER, self._time_to_write)

    async def _write(self) -> None:
        """Once; what comes meanwhile waits for the next time. What cannot be written waits, too."""
        moved, self._moved = self._moved, {}
        attempts, self._attempts = self._attempts, []
        cursors = [cursor for id in moved if (cursor := self._cursor(id)) is not None]
        if not cursors and not attempts:
            return
        try:
            await self.subscriptions.record(cursors, attempts)
        except MailFailure:
            self._moved = moved | self._moved
            self._attempts = (attempts + self._attempts)[-MAX_ATTEMPTS_WAITING:]
            raise

    def _cursor(self, id: str) -> Cursor | None:
        return self._standings[id].cursor if id in self._standings else self._preferences.get(id)
