"""NotifyMail by an account's own setting: what is shown of it, and a knock by hand."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.directory.logins import MemoryLogins
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, NO_SUCH_ACCOUNT
from mailsuite.model.subscription import Cursor, preference_id
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.notifier import Notifier, NotifierSettings
from mailsuite.notify.own_knocks import NOT_NOW, SWITCHED_OFF, Knocked, KnockState, OwnKnocks
from mailsuite.notify.targets import Target, TargetRules, Untold
from mailsuite.observe.log import Log
from tests.notify.fakes import HOME, Accounts, Channel, account

NOON = 1_700_000_000.0
JOE = Address("joe", "example.net")
DOOR = Target(HOME, 79)


class Doorstep:
    """All around it."""

    def __init__(self, state: NotifyState | None = NotifyState.LAST_IP, port: int = 79) -> None:
        self.clock = Clock()
        self.clock.advance(NOON)
        self.accounts, self.sightings, self.logins = Accounts(), MemorySightings(), MemoryLogins()
        self.accounts.put(account(state=state, port=port))
        self.channel = Channel(self.clock)
        self.book = Book(MemorySubscriptions(), self.clock)
        self.notifier = Notifier(
            LocalBus(self.clock, Log()),
            MemoryEventLog(),
            self.book,
            self.accounts,
            self.sightings,
            {"tcp": self.channel},
            self.clock,
            Log(),
            NotifierSettings(rules=TargetRules(is_own=lambda address: False)),
            self.clock.seconds,
        )
        self.knocks = OwnKnocks(self.accounts, self.sightings, self.logins, self.notifier, self.clock.seconds)

    @property
    def settings(self) -> NotifierSettings:
        return self.notifier.settings

    @settings.setter
    def settings(self, settings: NotifierSettings) -> None:
        self.notifier.reload(settings)

    def fail(self) -> None:
        """Nobody listens, three times."""
        for _ in range(3):
            done = Deferred.fromCoroutine(self.knocks.knock(JOE))
            self.channel.open[0].refused()
            assert done.result.result == "refused"
            self.clock.advance(10.0)

    def seen(self, seconds: float = 60.0) -> None:
        run_now(self.sightings.record(JOE, HOME, NOON - seconds))

    def login(self, service: str, at: float) -> None:
        run_now(self.logins.record(LoginRecord(JOE, "", service, "PLAIN", HOME, at)))

    def state(self) -> KnockState:
        return run_now(self.knocks.state(JOE))


@pytest.fixture
def step() -> Doorstep:
    made = Doorstep()
    made.seen()
    return made


def test_where_it_goes_and_how_it_went(step: Doorstep) -> None:
    assert step.state() == KnockState(True, NotifyState.LAST_IP, DOOR, None, None, None, None)
    cursor = Cursor(preference_id(JOE), acked=3, last_ok=NOON - 5, last_result="sent", sent=2, useful=1)
    step.book.keep(cursor)
    step.login("pop3", NOON - 2)
    step.login("submission", NOON - 1)  # whoever sends has not fetched
    state = step.state()
    assert (state.cursor, state.last_login, state.suspended_until) == (cursor, NOON - 2, None)


def test_who_has_failed_too_often_is_left_alone(step: Doorstep) -> None:
    step.fail()
    assert step.state().suspended_until == NOON + 20 + 3600
    assert step.state().cursor.fails == 3


def test_why_there_is_nobody_to_knock_at() -> None:
    unseen, off, elsewhere = Doorstep(), Doorstep(NotifyState.OFF), Doorstep(port=1079)
    assert (unseen.state().target, unseen.state().untold) == (None, Untold.NOT_SEEN)
    assert (off.state().state, off.state().untold) == (NotifyState.OFF, Untold.OFF)
    assert elsewhere.state().untold is Untold.PORT_REFUSED
    assert run_now(unseen.knocks.knock(JOE)) == Knocked(None, "no login from anywhere in time")
    assert run_now(off.knocks.knock(JOE)) is None
    assert run_now(elsewhere.knocks.knock(JOE)) == Knocked(None, "the port is not allowed")
    for each in (unseen, off, elsewhere):
        assert each.channel.knocks == []


def test_the_general_state_where_the_account_says_nothing() -> None:
    step = Doorstep(state=None)
    assert step.state().state is NotifyState.OFF
    rules = attrs.evolve(step.settings.rules, default_state=NotifyState.LAST_IP)
    step.settings = attrs.evolve(step.settings, rules=rules)
    step.seen()
    assert (step.state().state, step.state().target) == (NotifyState.LAST_IP, DOOR)


def test_the_server_has_it_switched_off(step: Doorstep) -> None:
    step.settings = attrs.evolve(step.settings, enabled=False)
    assert step.state().enabled is False
    assert run_now(step.knocks.knock(JOE)) == Knocked(None, SWITCHED_OFF)
    assert step.channel.knocks == []


@pytest.mark.parametrize(
    ("end", "result"),
    [("sent", "sent"), ("answered", "answered"), ("refused", "refused"), ("timed_out", "timed-out")],
)
def test_a_knock_by_hand(step: Doorstep, end: str, result: str) -> None:
    done = Deferred.fromCoroutine(step.knocks.knock(JOE))
    (knock,) = step.channel.knocks
    assert (knock.peer, knock.port) == (HOME, 79)
    step.clock.advance(0.25)
    getattr(knock, end)()
    assert done.result == Knocked(DOOR, result, 0.25)


def test_by_hand_nobody_is_flooded(step: Doorstep) -> None:
    """Two at once, then one in ten seconds; whoever asks, and for whichever account."""
    step.channel.at_once = "sent"
    step.accounts.put(account("ann"))
    run_now(step.sightings.record(Address("ann", "example.net"), HOME, NOON))
    for who in ("joe", "ann"):
        knocked = run_now(step.knocks.knock(Address(who, "example.net")))
        assert knocked is not None
        assert knocked.result == "sent"
    assert run_now(step.knocks.knock(JOE)) == Knocked(DOOR, NOT_NOW)
    step.clock.advance(10.0)
    again = run_now(step.knocks.knock(JOE))
    assert again is not None
    assert again.result == "sent"


def test_who_is_left_alone_is_knocked_at_by_hand(step: Doorstep) -> None:
    step.fail()
    step.channel.at_once = "sent"
    assert run_now(step.knocks.knock(JOE)) == Knocked(DOOR, "sent", 0.0)
    assert step.state().suspended_until is None


def test_no_account_and_no_directory(step: Doorstep) -> None:
    nobody = Address("nobody", "example.net")
    for ask in (step.knocks.state, step.knocks.knock):
        with pytest.raises(PermanentFailure) as refusal:
            run_now(ask(nobody))
        assert refusal.value.reply == NO_SUCH_ACCOUNT
    step.sightings.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    for ask in (step.knocks.state, step.knocks.knock):
        with pytest.raises(TemporaryFailure):
            run_now(ask(JOE))
    assert step.channel.knocks == []
