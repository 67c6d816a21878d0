"""What the tests of the dispatcher share: a log, a book and channels in memory, and time in our hands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.interfaces import INotifyChannel
from mailsuite.model.address import Address
from mailsuite.model.events import LogGrown
from mailsuite.model.failure import TellingFailed
from mailsuite.model.notice import Entry, Happening, Kind, Level, MessageFacts, Notice
from mailsuite.model.subscription import ChannelTerms, Cursor, Standing, Subscription
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.aftermath import Aftermath
from mailsuite.notify.book import Book
from mailsuite.notify.dispatcher import Dispatcher
from mailsuite.notify.handing import Handing
from mailsuite.notify.outgoing.destinations import Destinations
from mailsuite.notify.rendering import NoticeKeys
from mailsuite.notify.turns import DispatcherSettings, Turns
from mailsuite.observe.log import Log

T = TypeVar("T")

JOE, ANN = Address("joe", "example.net"), Address("ann", "example.net")
EPOCH = 1_795_262_400.0  # 2026-11-21T12:00:00Z
LATEST = ChannelTerms(Level.PREVIEW, 10.0, each=False, retries=(5.0, 60.0, 600.0), jitter=0.0)
EACH = ChannelTerms(Level.PREVIEW, 0.0, each=True, retries=(5.0, 60.0, 600.0), jitter=0.0, buries=True)
ONCE = ChannelTerms(Level.PREVIEW, 5.0, each=False, retries=(), suspends=False, verifies=False)


@attrs.frozen
class Told:
    """Something that a channel was asked to tell."""

    at: float
    """Since EPOCH."""
    subscription: str
    notice: Notice


@implementer(INotifyChannel)
@attrs.define(eq=False)
class Channel:
    """Answers what ``answer`` does: a status, an exception, or a Deferred of one of them."""

    name: str
    terms: ChannelTerms
    seconds: Callable[[], float]
    answer: Callable[[Subscription, Notice], Any] = lambda subscription, notice: 200
    asked: list[Told] = attrs.field(factory=list)
    told: list[Told] = attrs.field(factory=list)
    """Those that were taken."""
    under_way: dict[str, int] = attrs.field(factory=dict)
    most_at_once: int = 0

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        id = subscription.id
        one = Told(round(self.seconds() - EPOCH, 3), id, notice)
        self.asked.append(one)
        self.under_way[id] = self.under_way.get(id, 0) + 1
        self.most_at_once = max(self.most_at_once, self.under_way[id])
        try:
            answer = self.answer(subscription, notice)
            if isinstance(answer, Deferred):
                answer = await answer
            if isinstance(answer, BaseException):
                raise answer
        finally:
            self.under_way[id] -= 1
        self.told.append(one)
        return int(answer)

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        return subscription

    async def verify(self, subscription: Subscription, code: str) -> bool:
        raise TellingFailed("nobody asks for it here")

    async def stop(self) -> None:
        """There is nothing to stop."""


@attrs.define(eq=False)
class Stage:
    """A dispatcher and all it meets."""

    settings: DispatcherSettings = attrs.field(factory=DispatcherSettings)
    clock: Clock = attrs.field(factory=Clock)
    lines: list[str] = attrs.field(factory=list)
    events: Any = attrs.field(factory=MemoryEventLog)
    kept: Any = attrs.field(factory=MemorySubscriptions)
    suspended: list[tuple[str, str]] = attrs.field(factory=list)
    reached: list[Address] = attrs.field(factory=list)
    offset: float = EPOCH
    caps: dict[Address, Level | None] = attrs.field(factory=dict)
    channels: dict[str, Channel] = attrs.field(init=False)
    destinations: Destinations = attrs.field(init=False)
    bus: LocalBus = attrs.field(init=False)
    book: Book = attrs.field(init=False)
    dispatcher: Dispatcher = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.channels = {
            name: Channel(name, terms, self.now)
            for name, terms in (("latest", LATEST), ("each", EACH), ("once", ONCE))
        }
        self.destinations = Destinations(self.now)
        self.restart(loads=False)

    def restart(self, *, loads: bool = True) -> None:
        """A new process: what was in memory alone is gone."""
        log = Log(lambda line, level: self.lines.append(line), "debug")
        self.bus = LocalBus(self.clock, log)
        self.book = Book(self.kept, self.clock, log)
        if loads:
            run_now(self.book.load())
        handing = Handing(self.destinations, self.clock, self.now, log)
        after = Aftermath(self.kept, self.book, self.now, log, self._owner)
        turns = Turns(
            self.events,
            self.book,
            self.channels,
            handing,
            after,
            NoticeKeys(bytes(32)),
            self.now,
            log,
            self.settings,
            cap=self._cap,
            told=self.reached.append,
            chance=lambda: 0.5,
        )
        self.dispatcher = Dispatcher(self.bus, turns, self.clock)
        self.dispatcher.start()

    async def _owner(self, subscription: Subscription, reason: str) -> None:
        self.suspended.append((subscription.id, reason))

    async def _cap(self, account: Address) -> Level | None:
        return self.caps.get(account, Level.PREVIEW)

    def now(self) -> float:
        return self.offset + self.clock.seconds()

    def follow(self, id: str = "s1", channel: str = "latest", account: Address = JOE, **fields: Any) -> None:
        values = {"device": "", "target": "x", "target_key": f"{id}.example:443", **fields}
        subscription = Subscription(id=id, account=account, channel=channel, **values)
        head = run_now(self.events.heads([account]))[account]
        run_now(self.book.add(subscription, head))

    def change(self, id: str = "s1", **fields: Any) -> None:
        run_now(self.book.change(attrs.evolve(self.standing(id).subscription, **fields)))

    def happen(self, *happenings: Happening, heard: bool = True) -> tuple[Entry, ...]:
        entries: tuple[Entry, ...] = run_now(self.events.append(happenings))
        if heard:
            for entry in entries:
                self.bus.publish(LogGrown(entry.happening.account, entry.seq))
        return entries

    def mail(self, *uidls: str, account: Address = JOE, heard: bool = True, **facts: Any) -> None:
        """A message for each, and a turn for the bus."""
        self.happen(
            *(
                Happening(account, Kind.MAIL_NEW, self.now(), uidl, 100, MessageFacts(subject=uidl, **facts))
                for uidl in uidls
            ),
            heard=heard,
        )
        if heard:
            self.run(0.0)

    def fetch(self, *uidls: str, account: Address = JOE) -> None:
        self.happen(*(Happening(account, Kind.MAIL_CLEARED, self.now(), uidl) for uidl in uidls))
        self.run(0.0)

    def run(self, seconds: float, step: float = 0.0) -> None:
        """Time goes by; timers that set timers have their turns."""
        if not step:
            target = self.clock.seconds() + seconds
            while (due := [call.getTime() for call in self.clock.getDelayedCalls()]) and min(due) <= target:
                self.clock.advance(max(0.0, min(due) - self.clock.seconds()) + 1e-6)
            self.clock.advance(max(0.0, target - self.clock.seconds()))
            return
        for _ in range(int(seconds / step)):
            self.run(step)

    def standing(self, id: str = "s1") -> Standing:
        standing = self.book.find(id)
        assert standing is not None
        return standing

    def cursor(self, id: str = "s1") -> Cursor:
        return self.standing(id).cursor

    def head(self, account: Address = JOE) -> int:
        return int(run_now(self.events.heads([account]))[account])

    def told(self, channel: str = "latest") -> list[tuple[float, int, int]]:
        """When, up to which seq, and of how many."""
        return [(one.at, one.notice.seq, one.notice.count) for one in self.channels[channel].told]

    def counted(self, channels: Iterable[str] = ("latest", "each", "once")) -> int:
        return sum(one.notice.count for name in channels for one in self.channels[name].told)

    def do(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        return Deferred.fromCoroutine(coroutine)

    def stop(self) -> None:
        stopping = self.do(self.dispatcher.stop())
        assert stopping.called, "something does not end"
