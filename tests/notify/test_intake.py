"""What happens to accounts that somebody follows comes into their log; no trouble of the log harms mail."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.bus.local import LocalBus
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.interfaces import INoticeIntake
from mailsuite.model.account import Account, Domain, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.events import Event, LogGrown
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import Entry, Happening, Kind, Level
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, DISK_FULL
from mailsuite.model.subscription import (
    NoticeFilter,
    QuietTimes,
    Subscription,
    SubscriptionState,
)
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify.book import Book
from mailsuite.notify.intake import LOSSES_TOLD_EVERY, MAX_PENDING, PATIENCE, Intake, IntakeSettings
from mailsuite.notify.targets import TargetRules
from mailsuite.notify.unfetched import MAX_ACCOUNTS, MAX_MESSAGES
from mailsuite.observe.log import Log

T = TypeVar("T")
JOE, ANN, BOB = (Address(name, "example.net") for name in ("joe", "ann", "bob"))
FULL = TemporaryFailure(DISK_FULL, "no space on /var")
AWAY = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")


class SlowLog(MemoryEventLog):
    """Appends when a test lets it, and remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.held: Deferred[None] | None = None
        self.durable: list[bool] = []
        self.reads = 0

    async def append(self, happenings: Sequence[Happening], *, is_durable: bool = True) -> tuple[Entry, ...]:
        self.durable.append(is_durable)
        if self.held is not None:
            await self.held
        return await super().append(happenings, is_durable=is_durable)

    async def read(self, account: Address, after: int, limit: int) -> Any:
        self.reads += 1
        return await super().read(account, after, limit)


class LooseDirectory(MemoryDirectory):
    """Has methods that a test can replace."""


def subscription(account: Address = JOE, id: str = "sub_1", **changes: Any) -> Subscription:
    wish = Subscription(id, account, "", "webhook", "https://example.org/", "example.org:443")
    return attrs.evolve(wish, **changes)


def mail(account: Address = JOE, uidl: str = "u1") -> Happening:
    return Happening(account, Kind.MAIL_NEW, 1.0, uidl, 100)


def cleared(account: Address = JOE, uidl: str = "u1") -> Happening:
    return Happening(account, Kind.MAIL_CLEARED, 2.0, uidl)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.event_log = SlowLog()
        self.book = Book(MemorySubscriptions(), self.clock, log)
        accounts = [Account(JOE), Account(ANN)]
        self.directory = LooseDirectory(
            [*accounts, Account(BOB, notify=NotifyPreference(NotifyState.LAST_IP))]
        )
        bus = LocalBus(self.clock, log)
        self.heard: list[Event] = []
        bus.subscribe(self.heard.append)
        self.intake = Intake(self.event_log, self.book, self.directory, bus, self.clock, log)

    def tearDown(self) -> None:
        self.now(self.intake.stop())

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def follow(self, account: Address = JOE, id: str = "sub_1", **changes: Any) -> None:
        self.now(self.book.add(subscription(account, id, **changes), 0))

    def happens(self, *happenings: Happening) -> None:
        self.now(self.intake.happened(happenings))

    def logged(self, account: Address = JOE) -> list[tuple[Kind, str]]:
        entries = self.now(self.event_log.read(account, 0, 1000)).entries
        return [(each.happening.kind, each.happening.uidl) for each in entries]

    def told(self) -> list[Event]:
        self.clock.advance(0)
        return self.heard


class FollowedTests(Case):
    def levels(self, *accounts: Address) -> dict[Address, Level]:
        return dict(self.now(self.intake.followed(accounts or (JOE, ANN, BOB))))

    def test_it_is_what_its_interface_says(self) -> None:
        verifyObject(INoticeIntake, self.intake)

    def test_whoever_has_a_subscription_or_wants_to_be_knocked_at(self) -> None:
        self.assertEqual(self.levels(), {BOB: Level.KNOCK})
        self.follow(level=Level.COUNT)
        self.assertEqual(self.levels(), {JOE: Level.COUNT, BOB: Level.KNOCK})

    def test_the_highest_level_of_all_that_follow(self) -> None:
        for number, level in enumerate((Level.COUNT, Level.SUBJECT, Level.KNOCK)):
            self.follow(id=f"sub_{number}", level=level)
        self.assertEqual(self.levels(JOE), {JOE: Level.SUBJECT})

    def test_the_server_says_how_much_may_be_told(self) -> None:
        self.follow(level=Level.PREVIEW)
        for cap in Level:
            self.intake.settings = IntakeSettings(max_level=cap)
            self.assertEqual(self.levels(JOE), {JOE: cap})

    def test_and_so_does_the_domain(self) -> None:
        self.follow(level=Level.PREVIEW)
        for said, level in (
            (Level.COUNT, Level.COUNT),
            (Level.PREVIEW, Level.SUBJECT),
            (None, Level.SUBJECT),
        ):
            self.now(self.directory.change_domain(Domain("example.net", notify_max_level=said)))
            self.assertEqual(self.levels(JOE), {JOE: level})

    def test_a_filter_asks_for_texts_that_are_not_told(self) -> None:
        self.intake.settings = IntakeSettings(max_level=Level.COUNT)
        wishes: list[dict[str, Any]] = [
            {"filter": NoticeFilter(senders=("*@example.org",))},
            {"filter": NoticeFilter(subjects=("*",))},
            {"filter": NoticeFilter(lists=("*",))},
            {"quiet": QuietTimes("UTC", (), breakthrough=("boss@example.org",))},
        ]
        for number, wish in enumerate(wishes):
            self.follow(id=f"sub_{number}", **wish)
            self.assertEqual(self.levels(JOE), {JOE: Level.SENDER})
            self.now(self.book.remove(f"sub_{number}"))
        self.follow(filter=NoticeFilter(labels=("shop",)), quiet=QuietTimes("UTC", ()))
        self.assertEqual(self.levels(JOE), {JOE: Level.COUNT})

    def test_the_master_switch(self) -> None:
        self.follow()
        self.intake.settings = IntakeSettings(enabled=False)
        self.assertEqual(self.levels(), {})

    def test_the_switch_of_notifymail(self) -> None:
        self.follow()
        self.intake.settings = IntakeSettings(notifymail=None)
        self.assertEqual(self.levels(), {JOE: Level.COUNT})

    def test_what_accounts_want_that_say_nothing(self) -> None:
        self.intake.settings = IntakeSettings(notifymail=TargetRules(NotifyState.LAST_IP))
        self.assertEqual(self.levels(JOE, Address("nobody", "example.net")), {JOE: Level.KNOCK})

    def test_the_switch_of_the_domain(self) -> None:
        self.follow()
        self.now(self.directory.change_domain(Domain("example.net", notify=False)))
        self.assertEqual(self.levels(), {})

    def test_one_that_was_never_verified_follows_nobody(self) -> None:
        self.follow(state=SubscriptionState.UNVERIFIED)
        self.assertEqual(self.levels(JOE), {})

    def test_where_the_directory_cannot_say(self) -> None:
        async def away(name: object) -> None:
            raise AWAY

        self.follow(level=Level.SENDER)
        self.directory.domain = self.directory.account = away  # type: ignore[assignment, method-assign]
        self.assertEqual(self.levels(), {JOE: Level.SENDER, ANN: Level.KNOCK, BOB: Level.KNOCK})
        self.assertIn("notify.lookup_failed account=joe@example.net detail=locked", self.lines[0])

    def test_nobody_asks_the_directory_where_that_says_nothing(self) -> None:
        def never(name: object) -> Any:
            raise AssertionError

        self.intake.settings = IntakeSettings(notifymail=None)
        self.directory.domain = self.directory.account = never  # type: ignore[assignment, method-assign]
        self.assertEqual(self.levels(), {})


class HappenedTests(Case):
    def test_what_happened_is_in_the_log_and_told_after_it(self) -> None:
        self.follow()
        self.happens(mail(), mail(uidl="u2"), mail(BOB))
        self.assertEqual(self.logged(), [(Kind.MAIL_NEW, "u1"), (Kind.MAIL_NEW, "u2")])
        self.assertEqual(self.logged(BOB), [(Kind.MAIL_NEW, "u1")])
        self.assertEqual(self.told(), [LogGrown(JOE, 2), LogGrown(BOB, 1)])
        self.assertEqual(self.event_log.durable, [True])

    def test_nothing_of_whom_nobody_follows(self) -> None:
        self.happens(mail(), mail(ANN))
        self.happens()
        self.assertEqual((self.logged(), self.logged(ANN), self.told()), ([], [], []))
        self.assertEqual(self.event_log.durable, [])

    def test_it_is_waited_for(self) -> None:
        self.follow()
        self.event_log.held = Deferred()
        happening = Deferred.fromCoroutine(self.intake.happened([mail()]))
        self.clock.advance(PATIENCE / 2)
        self.assertNoResult(happening)
        self.event_log.held.callback(None)
        self.successResultOf(happening)
        self.assertEqual(self.logged(), [(Kind.MAIL_NEW, "u1")])
        self.told()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.lines, [])

    def test_for_a_second_and_no_longer_and_then_for_nobody(self) -> None:
        self.follow()
        self.event_log.held = Deferred()
        first = Deferred.fromCoroutine(self.intake.happened([mail()]))
        second = Deferred.fromCoroutine(self.intake.happened([mail(uidl="u2")]))
        self.clock.advance(PATIENCE)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(len(self.lines), 1)
        self.assertIn("notify.log_slow pending=2", self.lines[0])
        self.happens(mail(uidl="u3"))  # at once
        self.event_log.held.callback(None)
        self.assertEqual([uidl for _, uidl in self.logged()], ["u1", "u2", "u3"])
        self.event_log.held = Deferred()  # it has answered, and is waited for again
        third = Deferred.fromCoroutine(self.intake.happened([mail(uidl="u4")]))
        self.assertNoResult(third)
        self.event_log.held.callback(None)
        self.successResultOf(third)

    def test_who_stops_waiting_changes_nothing(self) -> None:
        self.follow()
        self.event_log.held = Deferred()
        happening = Deferred.fromCoroutine(self.intake.happened([mail()]))
        happening.cancel()
        self.failureResultOf(happening, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.event_log.held.callback(None)
        self.assertEqual(len(self.logged()), 1)

    def test_a_log_that_cannot_be_written_loses_notices_alone(self) -> None:
        self.follow()
        self.event_log.refuse_with = FULL
        self.happens(mail(), mail(uidl="u2"))
        self.happens(mail())
        self.assertEqual(self.intake.lost, 3)
        self.assertEqual(len(self.lines), 1)
        self.assertIn('notify.lost count=2 reason="no space on /var"', self.lines[0])
        self.clock.advance(LOSSES_TOLD_EVERY)
        self.happens(mail())
        self.assertIn("notify.lost count=2 ", self.lines[1])
        self.event_log.refuse_with = None
        self.happens(mail())
        self.assertEqual((len(self.logged()), len(self.lines)), (1, 2))
        self.assertEqual(self.told(), [LogGrown(JOE, 1)])

    def test_losses_that_nobody_heard_of_are_told_at_the_end(self) -> None:
        self.follow()
        self.event_log.refuse_with = FULL
        self.happens(mail())
        self.happens(mail())
        self.now(self.intake.stop())
        self.assertEqual(len(self.lines), 2)
        self.assertIn("notify.lost count=1 ", self.lines[1])

    def test_a_mistake_of_ours_harms_nobody_else(self) -> None:
        self.follow()
        self.event_log.held = Deferred()
        happening = Deferred.fromCoroutine(self.intake.happened([mail()]))
        self.event_log.held.errback(ValueError("of the log"))
        self.successResultOf(happening)
        self.assertIn(" error   notify.failed traceback=", self.lines[0])
        self.assertIn("notify.lost count=1 ", self.lines[1])

    def test_no_more_wait_than_there_is_room_for(self) -> None:
        self.follow()
        self.event_log.held = Deferred()
        many = [mail(uidl=str(number)) for number in range(MAX_PENDING)]
        waiting = Deferred.fromCoroutine(self.intake.happened(many))
        self.happens(mail())
        self.assertEqual(self.intake.lost, 1)
        self.assertIn('notify.lost count=1 reason="too many wait for it"', self.lines[0])
        self.event_log.held.callback(None)
        self.successResultOf(waiting)
        self.happens(mail())
        self.assertEqual(self.intake.lost, 1)

    def test_the_end_waits_for_what_is_under_way(self) -> None:
        self.follow()
        self.event_log.held = Deferred()
        happening = Deferred.fromCoroutine(self.intake.happened([mail()]))
        stopping = Deferred.fromCoroutine(self.intake.stop())
        self.assertNoResult(stopping)
        self.event_log.held.callback(None)
        self.successResultOf(stopping)
        self.successResultOf(happening)


class ClearedTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.follow()

    def test_what_was_told_of_is_cleared_once(self) -> None:
        self.happens(mail())
        self.happens(cleared())
        self.happens(cleared())
        self.assertEqual(self.logged(), [(Kind.MAIL_NEW, "u1"), (Kind.MAIL_CLEARED, "u1")])
        self.assertEqual(self.event_log.durable, [True, False])
        self.assertEqual(self.told(), [LogGrown(JOE, 1), LogGrown(JOE, 2)])

    def test_what_nobody_was_told_of_leaves_no_trace(self) -> None:
        self.happens(*(cleared(uidl=str(number)) for number in range(1000)))
        self.assertEqual((self.logged(), self.told()), ([], []))

    def test_it_is_known_after_a_restart(self) -> None:
        for uidl in ("u1", "u2", "u3"):
            self.happens(mail(uidl=uidl))
        self.happens(cleared(uidl="u1"), Happening(JOE, Kind.QUOTA_REACHED, 3.0, size=80))
        again = Intake(
            self.event_log, self.book, self.directory, self.intake.bus, self.clock, self.intake.log
        )
        for uidl in ("u1", "u2", "u9"):
            self.now(again.happened([cleared(uidl=uidl)]))
        self.assertEqual(self.logged()[5:], [(Kind.MAIL_CLEARED, "u2")])

    def test_the_log_is_read_once(self) -> None:
        self.happens(mail())
        reads = self.event_log.reads
        for number in range(5):
            self.happens(cleared(uidl=str(number)))
        self.happens(mail(uidl="u2"))
        self.happens(cleared(uidl="u2"))
        self.assertEqual(self.event_log.reads, reads + 2)
        self.assertIn((Kind.MAIL_CLEARED, "u2"), self.logged())

    def test_news_and_what_was_fetched_together(self) -> None:
        self.happens(mail())
        self.happens(cleared(), mail(uidl="u2"))
        self.assertEqual(self.logged()[1:], [(Kind.MAIL_NEW, "u2"), (Kind.MAIL_CLEARED, "u1")])
        self.assertEqual(self.event_log.durable, [True, True])

    def test_of_an_account_that_fetches_nothing_the_newest_are_known(self) -> None:
        self.happens(cleared())
        for number in range(MAX_MESSAGES + 1):
            self.happens(mail(uidl=str(number)))
        self.happens(cleared(uidl="0"), cleared(uidl="1"))
        self.assertEqual(self.logged()[-1], (Kind.MAIL_CLEARED, "1"))
        self.assertNotIn((Kind.MAIL_CLEARED, "0"), self.logged())

    def test_so_many_accounts_are_remembered(self) -> None:
        unfetched = self.intake.unfetched
        others = [Address(f"joe{number}", "example.net") for number in range(MAX_ACCOUNTS)]
        self.happens(mail())
        self.now(unfetched.cleared([cleared(uidl="u9"), *(cleared(each) for each in others)]))
        reads = self.event_log.reads
        self.now(unfetched.cleared([cleared(others[-1])]))
        self.assertEqual(self.event_log.reads, reads)
        self.assertEqual(self.now(unfetched.cleared([cleared()])), [cleared()])
        self.assertEqual(self.event_log.reads, reads + 2)

    def test_two_that_ask_at_once(self) -> None:
        self.happens(mail())
        read, held = self.event_log.read, Deferred[None]()

        async def slow(account: Address, after: int, limit: int) -> Any:
            stretch = await read(account, after, limit)
            await held
            return stretch

        self.event_log.read = slow  # type: ignore[method-assign]
        asking = [Deferred.fromCoroutine(self.intake.unfetched.cleared([cleared()])) for _ in range(2)]
        held.callback(None)
        self.assertEqual([self.successResultOf(each) for each in asking], [[cleared()], []])

    def test_a_log_that_cannot_be_read(self) -> None:
        self.happens(mail())
        self.event_log.refuse_with = AWAY
        self.happens(cleared())
        self.assertIn("notify.lost count=1 reason=locked", self.lines[0])
        self.event_log.refuse_with = None
        self.happens(cleared())
        self.assertEqual(len(self.logged()), 2)


class EraseTests(Case):
    def test_an_account_that_is_gone_leaves_nothing(self) -> None:
        self.follow()
        self.follow(ANN, "sub_2")
        self.happens(mail(), mail(ANN), cleared())
        self.now(self.intake.erase(JOE))
        self.assertEqual((self.logged(), len(self.logged(ANN))), ([], 1))
        self.assertEqual((self.book.of(JOE), len(self.book.of(ANN))), ((), 1))
        self.happens(mail(uidl="u2"))
        self.assertEqual(self.logged(), [])
        self.follow()
        self.happens(cleared(), mail(uidl="u3"))
        self.assertEqual(self.logged(), [(Kind.MAIL_NEW, "u3")])
        self.assertEqual(self.told()[-1], LogGrown(JOE, 1))

    def test_a_device_that_is_gone_takes_along_what_it_made(self) -> None:
        self.follow()
        self.follow(id="sub_2", device="phone")
        self.happens(mail())
        self.now(self.intake.erase(JOE, "phone"))
        self.assertEqual([each.subscription.id for each in self.book.of(JOE)], ["sub_1"])
        self.assertEqual(len(self.logged()), 1)


class AnyOrderTests(Case):
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.sampled_from(["new", "fetch"]), st.sampled_from("abcd")),
                st.tuples(st.sampled_from(["restart", "fail", "other"]), st.just("")),
            ),
            max_size=30,
        )
    )
    @settings(max_examples=60)
    def test_a_message_is_cleared_once_after_it_was_told_of(self, steps: list[tuple[str, str]]) -> None:
        """Whatever happens in between; and with a log that fails now and then never before, nor twice."""
        Case.setUp(self)
        self.follow()
        intake = self.intake
        news: set[str] = set()
        for number, (step, uidl) in enumerate(steps):
            self.event_log.refuse_with = None
            if step == "new" and uidl not in news:
                news.add(uidl)
                self.now(intake.happened([mail(uidl=uidl)]))
            elif step == "fetch":
                self.now(intake.happened([cleared(uidl=uidl)]))
            elif step == "other":
                self.now(intake.happened([Happening(JOE, Kind.QUOTA_REACHED, float(number), size=80)]))
            elif step == "fail":
                self.event_log.refuse_with = FULL
                self.now(intake.happened([cleared(uidl=each) for each in "abcd"]))
            elif step == "restart":
                intake = Intake(
                    self.event_log, self.book, self.directory, intake.bus, self.clock, self.intake.log
                )
        self.event_log.refuse_with = None
        told = self.logged()
        for uidl in "abcd":
            kinds = [kind for kind, each in told if each == uidl]
            self.assertIn(kinds, ([], [Kind.MAIL_NEW], [Kind.MAIL_NEW, Kind.MAIL_CLEARED]))
            self.assertEqual(bool(kinds), uidl in news)
        if "fail" not in {step for step, _ in steps}:
            fetched = {
                uidl
                for number, (step, uidl) in enumerate(steps)
                if step == "fetch" and ("new", uidl) in steps[:number]
            }
            self.assertEqual({uidl for kind, uidl in told if kind is Kind.MAIL_CLEARED}, fetched)
