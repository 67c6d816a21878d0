"""Whatever happens in whatever order: budgets hold, and the last mail is told of or its target suspended."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.bus.local import LocalBus
from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address
from mailsuite.model.events import MessageStored
from mailsuite.notify.notifier import Notifier, NotifierSettings
from mailsuite.observe.log import Log
from tests.notify.fakes import HOME, Accounts, Channel, Sightings, account

WINDOW = 10.0
MAX_IN_FLIGHT = 2
DOORS = 3
PAUSE_AT_MOST = 8 * 86400

step = st.one_of(
    st.tuples(st.just("mail"), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.5, 5.0, 10.0, 31.0, 4000.0])),
    st.tuples(st.sampled_from(["sent", "answered", "refused", "timed_out"]), st.integers(0, 5)),
    st.tuples(st.just("login"), st.integers(0, 4)),
    st.tuples(st.just("move"), st.integers(0, 4)),
)


class World:
    """Five accounts that share three doors."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.bus = LocalBus(self.clock, Log())
        self.channel = Channel(self.clock)
        self.sightings = Sightings()
        self.failures: list[str] = []
        accounts = Accounts()
        self.names = [Address(f"user{number}", "example.net") for number in range(5)]
        accounts.put(*(account(name.local, NotifyState.LAST_IP) for name in self.names))
        self.at = {name: HOME + number % DOORS for number, name in enumerate(self.names)}
        for name in self.names:
            self.login(name)
        log = Log(lambda line, urgent: self.failures.append(line) if urgent else None)
        self.notifier = Notifier(
            self.bus,
            accounts,
            self.sightings,
            self.channel,
            self.clock,
            log,
            NotifierSettings(window=WINDOW, max_in_flight=MAX_IN_FLIGHT),
            self.clock.seconds,
        )
        self.notifier.start()
        self.last_mail: dict[object, float] = {}

    def login(self, name: Address) -> None:
        self.sightings.seen[name] = (self.at[name], self.clock.seconds())

    def mail(self, name: Address) -> None:
        self.login(name)  # within the expiry
        self.bus.publish(MessageStored(name, "uidl", 1))
        self.clock.advance(0)
        suspended = self.notifier._doors._doors[self.key(name)].shut_until > self.clock.seconds()
        if not suspended:
            self.last_mail[self.at[name]] = self.clock.seconds()

    def key(self, name: Address) -> object:
        return next(target for target in self.notifier._doors._doors if target.address == self.at[name])

    def do(self, what: str, which: float) -> None:
        if what == "mail":
            self.mail(self.names[int(which)])
        elif what == "wait":
            self.clock.advance(which)
        elif what == "login":
            self.login(self.names[int(which)])
        elif what == "move":
            name = self.names[int(which)]
            self.at[name] = HOME + (int(self.at[name]) - int(HOME) + 1) % DOORS
            self.login(name)
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


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=60))
def test_budgets_and_the_last_mail(steps: list[tuple[str, float]]) -> None:
    world = World()
    for what, which in steps:
        world.do(what, which)
    shut = {
        target.address
        for target, door in world.notifier._doors._doors.items()
        if door.shut_until > world.clock.seconds()
    }
    world.settle()

    assert world.failures == []
    assert world.channel.most_open <= MAX_IN_FLIGHT
    by_door: dict[object, list[float]] = {}
    for knock in world.channel.knocks:
        by_door.setdefault(knock.peer, []).append(knock.at)
    for times in by_door.values():
        assert all(later - earlier >= WINDOW for earlier, later in itertools.pairwise(times))
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
