"""Whatever happens in whatever order: budgets hold, and the last mail is told of or its target suspended."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address
from mailsuite.model.events import LogGrown
from mailsuite.model.notice import Happening, Kind
from mailsuite.model.subscription import Cursor, Subscription
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.notifier import Notifier, NotifierSettings
from mailsuite.notify.targets import Target
from mailsuite.observe.log import Log
from tests.notify.fakes import HOME, Accounts, Channel, Sightings, account

WINDOW = 10.0
MAX_IN_FLIGHT = 2
DOORS = 3
KNOCK_WITHIN = 7.0

step = st.one_of(
    st.tuples(st.just("mail"), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.5, 5.0, 10.0, 31.0, 4000.0])),
    st.tuples(st.sampled_from(["sent", "answered", "refused", "timed_out"]), st.integers(0, 5)),
    st.tuples(st.just("login"), st.integers(0, 4)),
    st.tuples(st.just("move"), st.integers(0, 4)),
    st.tuples(st.sampled_from(["restart", "kill"]), st.just(0)),
)


class World:
    """Five accounts that share three doors; the fifth is told by a subscription."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.bus = LocalBus(self.clock, Log())
        self.channel = Channel(self.clock)
        self.sightings = Sightings()
        self.failures: list[str] = []
        self.log = Log(lambda line, urgent: self.failures.append(line) if urgent else None)
        self.accounts = Accounts()
        self.event_log = MemoryEventLog()
        self.kept = MemorySubscriptions()
        self.names = [Address(f"user{number}", "example.net") for number in range(5)]
        self.accounts.put(*(account(name.local, NotifyState.LAST_IP) for name in self.names[:-1]))
        self.accounts.put(account(self.names[-1].local, NotifyState.OFF))
        wish = Subscription("sub_4", self.names[-1], "", "notifymail", "last-ip:79", "last-ip:79")
        run_now(self.kept.add(wish, 0))
        self.at = {name: HOME + number % DOORS for number, name in enumerate(self.names)}
        for name in self.names:
            self.login(name)
        self.last_mail: dict[object, float] = {}
        self.killed_at: list[float] = []
        self.start()

    def start(self) -> None:
        self.book = Book(self.kept, Clock(), self.log)
        run_now(self.book.load())
        self.notifier = Notifier(
            self.bus,
            self.event_log,
            self.book,
            self.accounts,
            self.sightings,
            {"tcp": self.channel},
            self.clock,
            self.log,
            NotifierSettings(window=WINDOW, max_in_flight=MAX_IN_FLIGHT),
            self.clock.seconds,
        )
        self.notifier.start()

    def restart(self) -> None:
        """A knock that is broken off leaves no trace, as when it is killed."""
        if self.channel.open:
            self.killed_at.append(self.clock.seconds())
        run_now(self.notifier.stop())
        run_now(self.book.stop())
        self.start()

    def kill(self) -> None:
        """What the book had not written is lost, and when the last knocks were with it."""
        run_now(self.notifier.stop())
        self.killed_at.append(self.clock.seconds())
        self.start()

    def login(self, name: Address) -> None:
        self.sightings.seen[name] = (self.at[name], self.clock.seconds())

    def mail(self, name: Address) -> None:
        self.login(name)  # within the expiry
        happening = Happening(name, Kind.MAIL_NEW, self.clock.seconds(), "uidl")
        [entry] = run_now(self.event_log.append([happening]))
        self.bus.publish(LogGrown(name, entry.seq))
        self.clock.advance(0)
        if not self.is_shut(self.at[name]):
            self.last_mail[self.at[name]] = self.clock.seconds()

    def is_shut(self, peer: object) -> bool:
        return self.notifier._doors.shut_for(Target(peer, 79)) > 0

    def wait(self, seconds: float) -> None:
        """Everything happens at its time, and no knock takes longer than a channel may."""
        until = self.clock.seconds() + seconds
        while (now := self.clock.seconds()) < until:
            dates = [call.getTime() for call in self.clock.getDelayedCalls()]
            dates += [knock.at + KNOCK_WITHIN for knock in self.channel.open]
            self.clock.advance(max(0.0, min([until, *dates]) - now))
            for knock in list(self.channel.open):
                if self.clock.seconds() >= knock.at + KNOCK_WITHIN:
                    knock.timed_out()

    def do(self, what: str, which: float) -> None:
        if what == "mail":
            self.mail(self.names[int(which)])
        elif what == "wait":
            self.wait(which)
        elif what == "login":
            self.login(self.names[int(which)])
        elif what == "move":
            name = self.names[int(which)]
            self.at[name] = HOME + (int(self.at[name]) - int(HOME) + 1) % DOORS
            self.login(name)
        elif what in {"restart", "kill"}:
            getattr(self, what)()
        elif self.channel.open:
            getattr(self.channel.open[int(which) % len(self.channel.open)], what)()

    def settle(self) -> None:
        """Every listener answers from now on, until nothing is left to do."""
        for _ in range(100):
            while self.channel.open:
                self.channel.open[0].sent()
            if not self.clock.getDelayedCalls():
                return
            self.clock.advance(1)
        raise AssertionError("it never comes to rest")

    def acked(self, name: Address) -> int:
        if name == self.names[-1]:
            return self.book.of(name)[0].cursor.acked
        return (self.book.preference(name) or Cursor("")).acked


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=60))
def test_budgets_and_the_last_mail(steps: list[tuple[str, float]]) -> None:
    world = World()
    for what, which in steps:
        world.do(what, which)
    shut = {HOME + number for number in range(DOORS) if world.is_shut(HOME + number)}
    world.settle()

    assert [line for line in world.failures if " info " not in line] == []
    assert world.channel.most_open <= MAX_IN_FLIGHT
    by_door: dict[object, list[float]] = {}
    for knock in world.channel.knocks:
        by_door.setdefault(knock.peer, []).append(knock.at)
    for times in by_door.values():
        for earlier, later in itertools.pairwise(times):
            was_killed = any(earlier <= at <= later for at in world.killed_at)
            assert was_killed or later - earlier >= WINDOW - 1e-6
    heads = run_now(world.event_log.heads(world.names))
    for name in world.names:
        assert world.acked(name) == heads[name] or world.at[name] in shut
    if not {"restart", "kill"} & {what for what, _ in steps}:  # after those they are told where they are then
        for peer, at in world.last_mail.items():
            assert peer in shut or by_door[peer][-1] >= at
    assert world.notifier.in_flight == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 30), max_size=50), st.floats(0, 20))
def test_one_listener_at_any_pace(gaps: list[float], duration: float) -> None:
    """Random arrival times, and knocks that take a while: the last knock begins after the last mail."""
    world = World()
    name = world.names[0]
    for gap in gaps:
        world.clock.advance(gap)
        for knock in list(world.channel.open):
            if world.clock.seconds() - knock.at >= duration:
                knock.sent()
        world.mail(name)
    world.settle()
    if gaps:
        assert world.channel.knocks[-1].at >= world.last_mail[world.at[name]]
    made = len(world.channel.knocks)
    assert world.notifier.counters.sent == made
    assert made + world.notifier.counters.suppressed == len(gaps)


def test_stopping_at_any_moment() -> None:
    world = World()
    for name in world.names:
        world.mail(name)
    done = Deferred.fromCoroutine(world.notifier.stop())
    assert done.called
    assert world.clock.getDelayedCalls() == []
    assert world.channel.open == []
