"""The dispatcher: hears that an account's log has grown, and has those told who follow it.

Each subscription has a cursor in the log, and is told of what lies behind it: at once (leading edge), and
then once more at the end of the window if more has come (trailing edge), so that the last notice is never
older than the last mail. Never two notices are under way to one subscription. What is not over when the
process ends is found again at the next start, by the cursor. Nothing here is in the way of mail, and nothing
can raise into the bus.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IEventBus, INotifyChannel
from mailsuite.model.address import Address
from mailsuite.model.events import Event, LogGrown
from mailsuite.model.failure import MailFailure
from mailsuite.model.subscription import Attempt, Standing
from mailsuite.notify.agenda import Agenda
from mailsuite.notify.endings import end_of_patience
from mailsuite.notify.followers import Follower
from mailsuite.notify.lines import Lines
from mailsuite.notify.trials import Trials
from mailsuite.notify.turns import AGAIN_AFTER, DispatcherSettings, Rest, Turns

MAX_RUNNING: Final = 256
"""Turns at a time, over all subscriptions."""
SPREAD: Final = 0.005
"""Seconds between two subscriptions that are due at the start."""
LOOK_EVERY: Final = 600.0
"""Seconds after which all cursors are held against the log again: a hint may have been lost."""
HEADS_AT_ONCE: Final = 500
"""Accounts whose logs are asked about in one go."""
USEFUL_WITHIN: Final = 60.0
"""Seconds: an owner who comes so soon came because he was told."""
_LINE: Final = "line "
_LOOK: Final = "look"
"""On the agenda beside the ids of subscriptions, which begin otherwise."""


@attrs.define(eq=False)
class Dispatcher:
    """Listens between start() and stop()."""

    bus: IEventBus
    turns: Turns
    clock: IReactorTime
    _followers: dict[str, Follower] = attrs.field(factory=dict, init=False)
    _ready: deque[tuple[Follower, str]] = attrs.field(factory=deque, init=False)
    """Whose turn it is as soon as there are fewer, and the destination that lets them in."""
    _running: int = attrs.field(default=0, init=False)
    _beginning: bool = attrs.field(default=False, init=False)
    _works: bool = attrs.field(default=False, init=False)
    _leave: tuple[Callable[[], None], ...] = attrs.field(default=(), init=False)
    _agenda: Agenda = attrs.field(init=False)
    _lines: Lines = attrs.field(init=False)
    _trials: Trials = attrs.field(init=False)
    _tasks: Tasks = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        now = self.turns.now
        self._agenda = Agenda(self.clock, now, self._comes_up)
        self._lines = Lines(
            self.turns.handing.destinations,
            now,
            lambda key, at: self._agenda.put(_LINE + key, at),
            lambda id, key: self._begin(self._follower(id), key),
        )
        self.turns.handing.freed = self._lines.freed
        self._trials = Trials(self.turns, self._follower)
        self._tasks = Tasks(lambda failure: self.turns.log.failure("notify.failed", failure))

    # From outside

    @property
    def in_flight(self) -> int:
        """Turns under way."""
        return self._running

    @property
    def waiting(self) -> int:
        """Those who are to be told and have to wait for a destination, or for others."""
        return len(self._lines) + len(self._ready)

    def start(self) -> None:
        """Listen, and have those told who have not been told of all that happened before. Once started,
        starting again changes nothing."""
        if not self._works:
            self._works = True
            self._leave = (self.bus.subscribe(self._heard), self.turns.book.watch(self._changed))
            self._tasks.start(self._look(SPREAD, at_start=True))

    async def stop(self) -> None:
        """Cancel what is under way, and return when nothing is left. Any number of times."""
        self._works = False
        for leave in self._leave:
            leave()
        self._leave = ()
        self._agenda.stop()
        self._tasks.cancel()
        await self._tasks.finished()
        self._lines.dissolve()
        self._ready.clear()
        self._followers.clear()

    def reload(
        self, settings: DispatcherSettings, channels: Mapping[str, INotifyChannel] | None = None
    ) -> None:
        """Go on by other settings, from the next notice on; None: with the same channels. While it is
        switched off nobody is told, and cursors stay where they are."""
        self.turns.settings = settings
        if channels is not None:
            self.turns.channels = channels
        for follower in self._followers.values():
            follower.judge_anew()
        if self._works:
            self._tasks.start(self._look(SPREAD))

    def came(self, account: Address) -> None:
        """The owner has logged in: what he was told lately was useful."""
        now = self.turns.now()
        for standing in self.turns.book.of(account):
            follower, cursor = self._followers.get(standing.subscription.id), standing.cursor
            if follower is not None and not follower.useful and now - cursor.last_ok <= USEFUL_WITHIN:
                follower.useful = True
                self.turns.book.keep(attrs.evolve(cursor, useful=cursor.useful + 1))

    async def tell_now(self, id: str) -> Attempt:
        """Tell a notice of nothing; as Trials.tell_now()."""
        return await self._trials.tell_now(id)

    async def replay(self, id: str, seq: int) -> Attempt:
        """Tell again what was given up; as Trials.replay()."""
        return await self._trials.replay(id, seq)

    # What happens

    def _heard(self, event: Event) -> None:
        if not isinstance(event, LogGrown) or not self.turns.book.follows(event.account):
            return
        for standing in self.turns.book.of(event.account):
            if standing.cursor.acked < event.head:
                self._due(standing.subscription.id)

    def _changed(self, id: str) -> None:
        if self.turns.book.find(id) is None:
            self._agenda.drop(id)
            self._followers.pop(id, None)
            return
        if id in self._followers:
            self._followers[id].judge_anew()
        self._due(id)

    def _comes_up(self, name: str) -> None:
        if name == _LOOK:
            self._tasks.start(self._look(0.0))
        elif name.startswith(_LINE):
            self._lines.come_up(name.removeprefix(_LINE))
        else:
            self._due(name)

    async def _look(self, spread: float, *, at_start: bool = False) -> None:
        """Hold all cursors against the log."""
        self._agenda.put(_LOOK, self.turns.now() + LOOK_EVERY)
        behind = 0
        ids = [each.subscription.id for each in self.turns.book.all()]
        try:
            for some in _portions(ids, HEADS_AT_ONCE):
                standings = [standing for id in some if (standing := self.turns.tellable(id))]
                heads = await self.turns.events.heads({each.subscription.account for each in standings})
                for standing in standings:
                    if at_start:
                        self._correct(standing, heads[standing.subscription.account])
                    if standing.cursor.acked < heads[standing.subscription.account]:
                        at = self.turns.now() + behind * spread
                        self._agenda.put(standing.subscription.id, max(at, standing.cursor.due))
                        behind += 1
        except MailFailure as failure:
            self.turns.log.warning("notify.log_unread", reason=failure.reason)
            self._agenda.put(_LOOK, self.turns.now() + AGAIN_AFTER)

    def _correct(self, standing: Standing, head: int) -> None:
        """A cursor beyond its log, which has lost its end with the power: what comes next is not yet told."""
        if standing.cursor.acked > head:
            self.turns.book.keep(attrs.evolve(standing.cursor, acked=head))

    # Whose turn it is

    def _follower(self, id: str) -> Follower:
        return self._followers.setdefault(id, Follower(id))

    def _due(self, id: str) -> None:
        """Something may be to be told."""
        standing = self.turns.tellable(id)
        if standing is None or not self._works:
            return
        follower = self._follower(id)
        if follower.busy:
            follower.again = True
            self._lose_patience(standing)
            return
        at = self.turns.due_at(standing, follower)
        if at > self.turns.now():
            self._agenda.put(id, at)
        elif self._lines.is_closed(standing.subscription.target_key):
            self._join(standing, follower)
        else:
            self._begin(follower, "")

    def _join(self, standing: Standing, follower: Follower, *, in_front: bool = False) -> None:
        follower.busy = True
        self._lines.join(standing.subscription.target_key, follower.id, in_front=in_front)
        self._lose_patience(standing)

    def _lose_patience(self, standing: Standing) -> None:
        """Who waits for a destination that is left alone does so for no longer than his retries take."""
        subscription, cursor, now = standing.subscription, standing.cursor, self.turns.now()
        if not self.turns.handing.destinations.open_until(subscription.target_key):
            return
        terms = self.turns.channels[subscription.channel].terms
        if not cursor.failing_since:
            cursor = attrs.evolve(cursor, failing_since=now)
            self.turns.book.keep(cursor)
        if terms.retries and now >= end_of_patience(cursor, terms):
            self._tasks.start(self.turns.after.despair(subscription, terms))
        elif terms.retries:
            self._agenda.put(subscription.id, end_of_patience(cursor, terms))

    def _begin(self, follower: Follower, destination: str) -> None:
        """Its turn begins as soon as there are fewer; *destination* is one that lets it in, or empty."""
        follower.busy = True
        if self._running >= MAX_RUNNING:
            self._ready.append((follower, destination))
            return
        self._running += 1
        self._tasks.start(self._turn(follower, destination))

    async def _turn(self, follower: Follower, destination: str) -> None:
        passed = _Once(lambda: self._lines.passed(destination)) if destination else _Once(_nothing)
        rest = Rest(self.turns.now() + AGAIN_AFTER)
        try:
            follower.again = False
            rest = await self.turns.take(follower, passed)
        except MailFailure as failure:
            self.turns.log.warning("notify.put_off", subscription=follower.id, reason=failure.reason)
        except CancelledError:
            if not self._works:
                raise
        except Exception:
            self.turns.log.failure("notify.failed", Failure(), subscription=follower.id)
        finally:
            self._running -= 1
            follower.busy = False
            if self._works:
                passed()
                self._rest(follower, rest)
                self._begin_next()

    def _rest(self, follower: Follower, rest: Rest) -> None:
        standing = self.turns.tellable(follower.id)
        if standing is None:
            if self.turns.book.find(follower.id) is None:  # it was removed while it stood in line
                self._followers.pop(follower.id, None)
            return
        if rest.joins:
            self._join(standing, follower, in_front=True)
            return
        if follower.again:
            rest = attrs.evolve(rest, at=min(rest.at, self.turns.due_at(standing, follower)))
        if rest.at < math.inf:
            self._agenda.put(follower.id, max(rest.at, self.turns.now()))
        elif follower.is_spent:
            self._followers.pop(follower.id, None)

    def _begin_next(self) -> None:
        if self._beginning:
            return  # a turn that ended at once; the loop below goes on
        self._beginning = True
        while self._ready and self._running < MAX_RUNNING:
            follower, destination = self._ready.popleft()
            self._begin(follower, destination)
        self._beginning = False


def _nothing() -> None:
    """Where nobody waits behind."""


@attrs.define
class _Once:
    """Calls once, however often it is called."""

    call: Callable[[], None]
    _done: bool = False

    def __call__(self) -> None:
        if not self._done:
            self._done = True
            self.call()


def _portions(ids: list[str], size: int) -> Iterable[list[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
