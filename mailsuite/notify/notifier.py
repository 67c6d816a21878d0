"""NotifyMail (RFC 4146): hears that an account's log has grown, and has its owner's computers knocked at.

What happened behind the cursor of a claim is told by a knock, or is over for another reason; a knock that was
not made when the process ended is made at the next start, unless it has grown old. A notice is a hint and
never in the way of mail: everything here happens later and is bounded. The mailbox is the truth.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IAccountDirectory, IEventBus, IEventLog, IKnocker, ISightings
from mailsuite.model.address import Address
from mailsuite.model.events import Event, LogGrown
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.reply import NO_SUCH_SUBSCRIPTION
from mailsuite.model.subscription import Attempt, preference_id
from mailsuite.notify.agenda import Agenda
from mailsuite.notify.book import Book
from mailsuite.notify.claims import Claims
from mailsuite.notify.counters import NotifyCounters
from mailsuite.notify.doors import Doors
from mailsuite.notify.handing import Meter
from mailsuite.notify.judging import SUPPRESSIBLE
from mailsuite.notify.knocks import CHANNEL, Claim, Knocked, result_of
from mailsuite.notify.news import STALE_AFTER, News, news_for
from mailsuite.notify.outgoing.knocks import KnockBudget
from mailsuite.notify.targets import Target, TargetRules, Untold
from mailsuite.observe.log import Log

T = TypeVar("T")

SWITCHED_OFF: Final = "switched off for the server"
MAX_DUE: Final = 100_000
"""Accounts with news that may wait for the directory's answer, about 20 MB; our own limit."""
USEFUL_WITHIN: Final = 60.0
"""Seconds from a knock to a login that it has led to."""
MAX_REMEMBERED: Final = 10_000
"""Accounts of which it is remembered when they were knocked at."""
AGAIN_AFTER: Final = 30.0
"""Seconds, where log, sightings or directory failed."""
_CATCH_UP: Final = "catch up"
"""On the agenda beside the ids of claims, which begin otherwise."""
LOOK_AGAIN_AFTER: Final = 1.0
"""Seconds at least until it is looked again whether somebody has left."""


def _nobody_asks(account: Address) -> None:
    """Where it makes no difference."""


def _nobody_is_there(account: Address, device: str | None) -> bool:
    return False


@attrs.frozen
class NotifierSettings:
    """``[notify]`` and ``[notify.notifymail]``, as far as they are the notifier's."""

    enabled: bool = True
    """Both switches: off, no connection is made at all."""
    window: float = 10.0
    """Seconds in which one knock tells of any number of messages."""
    max_in_flight: int = 256
    rules: TargetRules = attrs.field(factory=TargetRules)
    suppress: frozenset[str] = frozenset(SUPPRESSIBLE)
    """``notify.suppress``."""


@attrs.define(eq=False)
class Notifier:
    """Subscribes to the bus between start() and stop(); settings change by reload(). The book is loaded
    before start(), and stopped after stop()."""

    bus: IEventBus
    event_log: IEventLog
    book: Book
    accounts: IAccountDirectory
    sightings: ISightings
    knockers: Mapping[str, IKnocker]
    """By transport, tcp and udp."""
    clock: IReactorTime
    log: Log
    settings: NotifierSettings = attrs.field(factory=NotifierSettings)
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    told: Callable[[Address], None] = _nobody_asks
    """Hears of each account whose owner has been told of new mail (features row B-09)."""
    in_session: Callable[[Address, str | None], bool] = _nobody_is_there
    """Whether a POP3 session of this account is open, by this device or by any."""
    meter: Meter | None = None
    counters: NotifyCounters = attrs.field(factory=NotifyCounters, init=False)
    claims: Claims = attrs.field(init=False)
    _due: dict[Address, int] = attrs.field(factory=dict, init=False)
    """Accounts that are to be considered, with the head of their log, as far as it is known."""
    _considering: bool = attrs.field(default=False, init=False)
    _lately: OrderedDict[Address, dict[Claim, float]] = attrs.field(factory=OrderedDict, init=False)
    """Who was knocked at when, and has not come since."""
    _unsubscribe: Callable[[], None] | None = attrs.field(default=None, init=False)
    _tasks: Tasks = attrs.field(init=False)
    _budget: KnockBudget = attrs.field(init=False)
    _doors: Doors = attrs.field(init=False)
    _later: Agenda = attrs.field(init=False)
    _waits: dict[str, Address] = attrs.field(factory=dict, init=False)
    """Whose news is looked at once more when the agenda says so, by the ids of claims."""

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        self.claims = Claims(self.book, self.accounts, self.sightings, self.now, settings.rules)
        self._tasks = Tasks(lambda failure: self.log.failure("notify.failed", failure))
        self._budget = KnockBudget(self.clock.seconds, settings.max_in_flight)
        self._later = Agenda(self.clock, self.now, self._came_up)
        self._doors = Doors(
            self.knockers,
            self.clock,
            self.now,
            self._tasks,
            self.log,
            self.counters,
            self._budget,
            settings.window,
            desk=self,
        )

    @property
    def in_flight(self) -> int:
        """Knocks under way."""
        return self._budget.in_flight

    def start(self) -> None:
        """Listen to the bus, and look for what was not told of before. Once started, starting again changes
        nothing."""
        if self._unsubscribe is None:
            self._unsubscribe = self.bus.subscribe(self._heard)
            self._tasks.start(self._catch_up())

    async def stop(self) -> None:
        """Drop what waits, cancel what is under way, and return when nothing is left. Any number of times."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._drop_all()
        await self._tasks.finished()

    def reload(self, settings: NotifierSettings) -> None:
        """Go on by other settings, from the next knock that begins.

        Switching off drops what waits and cancels what is under way. After a change of the rules, what
        waits is judged again.
        """
        before, self.settings = self.settings, settings
        self.claims.rules = settings.rules
        self._doors.window = settings.window
        self._budget.max_in_flight = settings.max_in_flight
        if not settings.enabled:
            self._drop_all()
        elif settings.rules != before.rules:
            self._consider_later({claim.account: 0 for claim in self._doors.withdraw()})

    def came(self, account: Address) -> None:
        """The owner of an account has logged in."""
        now = self.now()
        for claim, at in self._lately.pop(account, {}).items():
            if 0 <= now - at <= USEFUL_WITHIN:
                self.counters.useful += 1
                self.claims.useful(claim)

    def suspended_for(self, claim: Claim, target: Target) -> float:
        """Seconds for which this target is left alone yet."""
        self._restore(claim, target)
        return self._doors.shut_for(target)

    async def knock_now(self, claim: Claim, target: Target) -> Knocked | float:
        """Knock past window and suspension, for somebody who wants to see it; or answer the seconds to wait
        where the budget does not allow it, infinity: until another knock has ended."""
        self._restore(claim, target)
        knocked = await self._doors.knock_now(target)
        if isinstance(knocked, Knocked):
            knocked = attrs.evolve(knocked, tried_again=False)
            self.knocked({claim: News(0)}, knocked)
        return knocked

    async def tell_now(self, id: str) -> Attempt:
        """Knock for this subscription likewise; answers what came of it. Raises
        PermanentFailure(NO_SUCH_SUBSCRIPTION), and MailFailure where the sightings cannot be asked."""
        standing = self.book.find(id)
        if standing is None or standing.subscription.channel != CHANNEL:
            raise PermanentFailure(NO_SUCH_SUBSCRIPTION)
        subscription, began = standing.subscription, self.now()
        attempt = Attempt(id, standing.cursor.acked, began, 0.0, SWITCHED_OFF)
        if not self.settings.enabled:
            return attempt
        target = await self.claims.subscribed(subscription)
        if isinstance(target, Untold):
            return attrs.evolve(attempt, result=target.value)
        knocked = await self.knock_now(Claim(id, subscription.account), target)
        if isinstance(knocked, Knocked):
            return attrs.evolve(attempt, took=knocked.took, result=result_of(knocked.outcome))
        wait = "a moment" if knocked == math.inf else f"{math.ceil(knocked)} seconds"
        return attrs.evolve(attempt, result=f"too soon after the last one: wait {wait}")

    def _drop_all(self) -> None:
        self._due.clear()
        self._later.stop()
        self._waits.clear()
        self._doors.withdraw()
        self._tasks.cancel()

    # Who is to be told

    def _heard(self, event: Event) -> None:
        if self.settings.enabled and isinstance(event, LogGrown):
            self._consider_later({event.account: event.head})

    async def _catch_up(self) -> None:
        """What was not told of when the process before this one ended."""
        if not self.settings.enabled:
            return
        try:
            self._consider_later(await self.event_log.grown_since(self.now() - STALE_AFTER))
        except MailFailure as failure:
            self.counters.failed += 1
            self.log.warning("notify.catch_up_failed", reason=failure.reason)
            self._later.put(_CATCH_UP, self.now() + AGAIN_AFTER)

    def _came_up(self, id: str) -> None:
        if id == _CATCH_UP:
            self._tasks.start(self._catch_up())
            return
        account = self._waits.pop(id, None)
        if account is not None:
            self._consider_later({account: 0})

    def _consider_later(self, accounts: Mapping[Address, int]) -> None:
        """One coroutine asks the directory for one account after the other; a flood to one account asks once
        for what has gathered meanwhile."""
        for account, head in accounts.items():
            if account in self._due or len(self._due) < MAX_DUE:
                self._due[account] = max(head, self._due.get(account, 0))
            else:
                self.counters.dropped += 1
        if self._due and not self._considering:
            self._considering = True
            self._tasks.start(self._consider_due())

    async def _consider_due(self) -> None:
        try:
            while self._due:
                address = next(iter(self._due))
                await self._safely(address, self._consider(address, self._due.pop(address)))
        finally:
            self._considering = False

    async def _consider(self, address: Address, head: int) -> None:
        rules = self.settings.rules
        targets = await self.claims.of(address)
        if rules is not self.settings.rules:  # they changed while the sightings were asked
            self._due[address] = head
            return
        at: dict[Target, list[Claim]] = {}
        for claim, target in targets.items():
            if isinstance(target, Untold):
                self.counters.no_target += 1
                self.log.debug("notify.no_target", account=address, reason=target.value)
                self.claims.settle(claim, head)
            else:
                at.setdefault(target, []).append(claim)
        for target, claims in at.items():
            await self._reopen_after_login(target, claims)
            if not self._doors.mail(target, claims):
                for claim in claims:
                    self.claims.settle(claim, head)

    async def _reopen_after_login(self, target: Target, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._restore(claim, target)
            since = self._doors.refused_since(target)
            if since is not None and await self.claims.came_since(claim, since):
                self._doors.reopen(target)

    def _restore(self, claim: Claim, target: Target) -> None:
        """What was known before the start of a target that was not met since."""
        if not self._doors.knows(target):
            stood = self.claims.stood(claim, target)
            if stood is not None:
                self._doors.remember(target, stood)

    # What there is to tell

    async def news(self, claim: Claim, target: Target) -> News | None:
        """As doors.Desk has it."""
        return await self._safely(claim.account, self._news(claim))

    async def _news(self, claim: Claim) -> News | None:
        subscription, cursor = self.claims.subscription(claim), self.claims.cursor(claim)
        if subscription is None or cursor is None:
            return None  # removed meanwhile
        now = self.now()
        news = await news_for(subscription, cursor.acked, self.event_log, now, self.settings.suppress)
        self.claims.go_back(claim, news.head)
        if news.at is not None and self.in_session(claim.account, self.claims.device(claim)):
            # The session shows the maildrop as it was when it began; after it, what it left is told of.
            news = attrs.evolve(news, at=None, ask_at=now + max(LOOK_AGAIN_AFTER, self.settings.window))
        if news.at is not None:
            return news
        if news.ask_at is not None:
            self._look_again(claim.id, claim.account, news.ask_at)
        else:
            self.counters.needless += 1
            self.claims.settle(claim, news.head)
        return None

    def _look_again(self, id: str, account: Address, at: float) -> None:
        if len(self._waits) < MAX_DUE or id in self._waits:
            self._waits[id] = account
            self._later.put(id, at)

    def knocked(self, news: Mapping[Claim, News], knocked: Knocked) -> None:
        """As doors.Desk has it."""
        if self.meter is not None:
            self.meter.ended(CHANNEL, knocked.outcome)
        for claim, found in news.items():
            self.claims.record(claim, found.head, knocked)
            if knocked.is_handed_over:
                self._remember(claim)
                self.told(claim.account)
                if self.meter is not None and found.at is not None:
                    self.meter.told(CHANNEL, max(0.0, self.now() - found.at))

    def _remember(self, claim: Claim) -> None:
        self._lately.setdefault(claim.account, {})[claim] = self.now()
        self._lately.move_to_end(claim.account)
        if len(self._lately) > MAX_REMEMBERED:
            self._lately.popitem(last=False)

    async def _safely(self, account: Address, work: Awaitable[T]) -> T | None:
        """No account's trouble keeps the next one from its notice."""
        try:
            return await work
        except MailFailure as failure:
            self.counters.failed += 1
            self.log.warning("notify.lookup_failed", account=account, detail=failure)
            self._look_again(preference_id(account), account, self.now() + AGAIN_AFTER)
        except CancelledError:
            raise
        except Exception:
            self.counters.failed += 1
            self.log.failure("notify.failed", Failure(), account=account)
        return None
