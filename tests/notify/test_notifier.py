"""The notifier from the bus to the channel, under a clock."""

from __future__ import annotations

from unittest import mock

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.bus.local import LocalBus
from mailsuite.concurrent.now import run_now
from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address
from mailsuite.model.events import LogGrown
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import Happening, Kind, MessageFacts
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify import doors, notifier
from mailsuite.notify.book import Book
from mailsuite.notify.notifier import Notifier, NotifierSettings
from mailsuite.notify.patience import REFUSED_PAUSE, RETRY_AFTER, TIMED_OUT_PAUSE
from mailsuite.notify.targets import Target, TargetRules
from mailsuite.observe.log import Log
from tests.notify.fakes import AWAY, HOME, Accounts, Channel, Sightings, account

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
WINDOW = 10.0
START = 1_000_000.0


class NotifierTestCase(SynchronousTestCase):
    settings = NotifierSettings()

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.lines: list[str] = []
        log = Log(lambda line, urgent: self.lines.append(line), level="debug")
        self.bus = LocalBus(self.clock, log)
        self.accounts = Accounts()
        self.sightings = Sightings()
        self.channel = Channel(self.clock)
        self.told: list[Address] = []
        self.event_log = MemoryEventLog()
        self.kept = MemorySubscriptions()
        self.book = Book(self.kept, Clock(), log)
        self.notifier = Notifier(
            self.bus,
            self.event_log,
            self.book,
            self.accounts,
            self.sightings,
            {"tcp": self.channel, "udp": Channel(self.clock, "recorder-udp")},
            self.clock,
            log,
            self.settings,
            self.clock.seconds,
            self.told.append,
        )
        self.counters = self.notifier.counters
        self.notifier.start()
        self.accounts.put(account("joe"), account("ann"))
        self.sightings.seen = {JOE: (HOME, START), ANN: (AWAY, START)}

    def tearDown(self) -> None:
        self.assertFalse([line for line in self.lines if "AssertionError" in line])  # the channel's check

    def mail(self, to: Address = JOE) -> None:
        self.publish(to)
        self.clock.advance(0)

    def publish(self, to: Address = JOE, **facts: bool) -> None:
        """As the intake does it."""
        happening = Happening(to, Kind.MAIL_NEW, self.clock.seconds(), "uidl", 100, MessageFacts(**facts))
        [entry] = self.successResultOf(Deferred.fromCoroutine(self.event_log.append([happening])))
        self.bus.publish(LogGrown(to, entry.seq))

    def stop(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.notifier.stop()))

    def events(self, name: str) -> list[str]:
        return [line for line in self.lines if f" {name} " in line]

    @property
    def times(self) -> list[float]:
        return [round(knock.at - START, 3) for knock in self.channel.knocks]


class TellingTests(NotifierTestCase):
    def test_mail_makes_one_knock_at_the_last_address(self) -> None:
        self.mail()
        [knock] = self.channel.knocks
        self.assertEqual((knock.peer, knock.port), (HOME, 79))
        knock.sent()
        self.assertEqual(self.counters.sent, 1)
        self.assertEqual(self.notifier.in_flight, 0)
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_publishing_returns_before_anything_happens(self) -> None:
        self.publish()
        self.assertEqual((self.accounts.asked, self.channel.knocks), ([], []))

    def test_accounts_that_are_off_unknown_or_not_seen_hear_nothing(self) -> None:
        self.accounts.put(account("off", NotifyState.OFF), account("unset", None), account("unseen"))
        for name in ("off", "unset", "unseen", "nobody"):
            self.mail(Address(name, "example.net"))
        self.assertEqual(self.channel.knocks, [])
        self.assertEqual(self.counters.no_target, 1)
        self.assertIn("no login from anywhere", self.events("notify.no_target")[0])

    def test_a_preference_counts_from_the_next_mail_on(self) -> None:
        self.mail()
        self.channel.knocks[0].sent()
        self.accounts.put(account("joe", NotifyState.OFF))
        self.clock.advance(WINDOW)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)

    def test_a_knock_is_one_debug_line(self) -> None:
        self.mail()
        self.clock.advance(0.25)
        self.channel.knocks[0].answered()
        [line] = self.events("notify.knocked")
        self.assertIn("debug", line)
        self.assertTrue(
            line.endswith(
                f"channel=recorder account=joe@example.net address={HOME} port=79 outcome=answered ms=250"
            )
        )
        self.assertEqual((self.counters.sent, self.counters.answered), (0, 1))


class CoalescingTests(NotifierTestCase):
    def test_a_hundred_mails_in_a_second_make_two_knocks(self) -> None:
        for _ in range(100):
            self.mail()
            self.clock.advance(0.01)
            if self.channel.open:
                self.channel.open[0].sent()
        self.clock.advance(WINDOW - 1)
        self.channel.open[0].sent()
        self.clock.advance(3600)
        self.assertEqual(self.times, [0.0, WINDOW])
        self.assertEqual(self.counters.suppressed, 98)

    def test_mail_during_a_knock_is_told_by_another(self) -> None:
        self.mail()
        self.clock.advance(WINDOW + 1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)
        self.channel.knocks[0].sent()
        self.assertEqual(self.times, [0.0, WINDOW + 1])

    def test_the_trailing_knock_begins_a_window_too(self) -> None:
        for second in range(30):
            if second in {0, 1, 11, 12, 19}:
                self.mail()
            while self.channel.open:
                self.channel.open[0].sent()
            self.clock.advance(1)
        self.assertEqual(self.times, [0.0, 10.0, 20.0])

    def test_after_the_window_mail_is_told_at_once(self) -> None:
        self.mail()
        self.channel.knocks[0].sent()
        self.clock.advance(WINDOW)
        self.mail()
        self.assertEqual(self.times, [0.0, WINDOW])

    def test_accounts_behind_one_address_share_its_knocks(self) -> None:
        self.sightings.seen[ANN] = (HOME, START)
        self.mail(JOE)
        self.channel.knocks[0].sent()
        self.mail(ANN)
        self.clock.advance(WINDOW)
        self.assertEqual(self.times, [0.0, WINDOW])

    def test_other_ports_and_addresses_have_windows_of_their_own(self) -> None:
        self.notifier.reload(NotifierSettings(rules=TargetRules(ports=frozenset({79, 1079}))))
        self.accounts.put(account("bob", port=1079))
        self.sightings.seen[bob := Address("bob", "example.net")] = (HOME, START)
        for to in (JOE, ANN, bob):
            self.mail(to)
        targets = [(knock.peer, knock.port) for knock in self.channel.knocks]
        self.assertEqual(targets, [(HOME, 79), (AWAY, 79), (HOME, 1079)])

    def test_two_hundred_messages_cannot_make_more_than_forty_knocks(self) -> None:
        for _ in range(200):
            self.mail()
            self.clock.advance(1)
            while self.channel.open:
                self.channel.open[0].sent()
        self.assertLessEqual(len(self.channel.knocks), 21)

    def test_a_thousand_accounts_are_no_weapon_against_one_address(self) -> None:
        names = [f"user{number}" for number in range(1000)]
        self.accounts.put(*(account(name, NotifyState.STATIC, HOME) for name in names))
        for round_ in range(15):
            for name in names:
                self.mail(Address(name, "example.net"))
            while self.channel.open:
                self.channel.open[0].sent()
            self.clock.advance(1)
            self.assertLessEqual(len(self.channel.knocks), 1 + round_ // WINDOW + 1)
        self.assertEqual(len(self.channel.knocks), 2)

    def test_a_clock_that_is_set_back_delays_nobody_for_long(self) -> None:
        self.mail()
        self.channel.knocks[0].sent()
        self.clock.rightNow -= 3600
        self.mail()
        self.clock.advance(RETRY_AFTER)
        self.assertEqual(len(self.channel.knocks), 2)


class FailureTests(NotifierTestCase):
    def refuse(self, times: int) -> None:
        for _ in range(times):
            self.mail()
            self.channel.open[0].refused()
            self.clock.advance(WINDOW)

    def test_a_refusal_is_not_tried_again(self) -> None:
        self.refuse(1)
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 1)
        self.assertEqual(self.counters.refused, 1)

    def test_three_refusals_suspend_for_an_hour(self) -> None:
        self.refuse(3)
        self.assertEqual(self.counters.suspensions, 1)
        [line] = self.events("notify.suspended")
        self.assertIn("info", line)
        self.assertIn(f"address={HOME} port=79 reason=refused seconds=3600", line)
        self.clock.advance(REFUSED_PAUSE - WINDOW - 1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 3)
        self.assertEqual(self.counters.suspended, 1)
        self.clock.advance(1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 4)

    def test_after_the_pause_one_refusal_suspends_again(self) -> None:
        self.refuse(3)
        self.clock.advance(REFUSED_PAUSE)
        self.refuse(1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 4)

    def test_a_login_ends_the_suspension(self) -> None:
        self.refuse(3)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 3)
        self.sightings.seen[JOE] = (HOME, self.clock.seconds())
        self.mail()
        self.assertEqual(len(self.channel.knocks), 4)
        self.channel.open[0].sent()
        self.clock.advance(WINDOW)
        self.refuse(2)
        self.assertEqual(self.counters.suspensions, 1)

    def test_somebody_elses_login_does_not(self) -> None:
        self.refuse(3)
        self.sightings.seen[ANN] = (HOME, self.clock.seconds())
        self.mail(JOE)
        self.assertEqual(len(self.channel.knocks), 3)

    def test_mail_during_the_third_refusal_is_not_told(self) -> None:
        self.refuse(2)
        self.mail()
        self.mail()
        self.channel.open[0].refused()
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 3)
        self.assertEqual(self.counters.suspended, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_time_out_is_tried_once_more(self) -> None:
        self.mail()
        self.clock.advance(5)
        self.channel.open[0].timed_out()
        self.clock.advance(RETRY_AFTER - 1)
        self.assertEqual(len(self.channel.knocks), 1)
        self.clock.advance(1)
        self.assertEqual(self.times, [0.0, 35.0])
        self.channel.open[0].sent()
        self.clock.advance(3600)
        self.assertEqual((self.counters.timed_out, self.counters.sent), (1, 1))
        self.assertEqual(len(self.channel.knocks), 2)

    def test_mail_before_the_retry_waits_for_it(self) -> None:
        self.mail()
        self.channel.open[0].timed_out()
        self.clock.advance(WINDOW + 1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)
        self.clock.advance(RETRY_AFTER - WINDOW - 1)
        self.assertEqual(self.times, [0.0, RETRY_AFTER])

    def time_out_twice(self) -> None:
        self.mail()
        self.channel.open[0].timed_out()
        self.clock.advance(RETRY_AFTER)
        self.channel.open[0].timed_out()

    def test_two_time_outs_suspend_for_six_hours(self) -> None:
        self.time_out_twice()
        self.assertIn("reason=timed-out seconds=21600", self.events("notify.suspended")[0])
        self.sightings.seen[JOE] = (HOME, self.clock.seconds())  # a login does not help a firewall
        self.clock.advance(TIMED_OUT_PAUSE - 1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 2)
        self.clock.advance(1)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 3)
        self.channel.open[0].timed_out()
        self.assertIn("seconds=43200", self.events("notify.suspended")[1])

    def test_a_new_address_is_a_new_target(self) -> None:
        self.time_out_twice()
        self.sightings.seen[JOE] = (AWAY, self.clock.seconds())
        self.mail()
        self.assertEqual(self.channel.knocks[-1].peer, AWAY)

    def test_refusal_long_ago_does_not_explain_a_later_time_out(self) -> None:
        self.refuse(3)
        self.clock.advance(REFUSED_PAUSE)
        self.time_out_twice()
        self.sightings.seen[JOE] = (HOME, self.clock.seconds())
        self.mail()
        self.assertEqual(len(self.channel.knocks), 5)

    def test_no_failure_of_a_listener_is_logged_as_an_error(self) -> None:
        self.refuse(3)
        self.clock.advance(REFUSED_PAUSE)
        self.time_out_twice()
        self.assertFalse([line for line in self.lines if " error " in line or " warning " in line])

    def test_a_mistake_of_ours_is_logged_and_the_door_stays_usable(self) -> None:
        self.mail()
        self.mail()
        self.channel.open[0].done.errback(ZeroDivisionError())
        self.assertIn("ZeroDivisionError", self.events("notify.failed")[0])
        self.assertEqual((self.counters.failed, self.notifier.in_flight), (1, 0))
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 2)

    def test_a_failing_directory_costs_that_notice_only(self) -> None:
        for failure, event in (
            (TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked"), "notify.lookup_failed"),
            (ZeroDivisionError(), "notify.failed"),
        ):
            self.accounts.failure = failure
            self.mail()
            self.assertEqual(len(self.events(event)), 1)
        self.accounts.failure = None
        self.mail()
        self.assertEqual((self.counters.failed, len(self.channel.knocks)), (2, 1))

    def test_a_directory_that_has_failed_is_asked_again(self) -> None:
        self.accounts.failure = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        self.mail()
        self.clock.advance(notifier.AGAIN_AFTER)
        self.assertEqual((self.counters.failed, self.channel.knocks), (2, []))
        self.accounts.failure = None
        self.clock.advance(notifier.AGAIN_AFTER)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_a_log_that_has_failed_is_read_again(self) -> None:
        self.publish()
        self.event_log.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        self.clock.advance(0)
        self.assertEqual((self.counters.failed, self.channel.knocks), (1, []))
        self.event_log.refuse_with = None
        self.clock.advance(notifier.AGAIN_AFTER)
        self.assertEqual(len(self.channel.knocks), 1)
        self.channel.knocks[0].sent()
        self.clock.advance(3600)
        self.assertEqual((len(self.channel.knocks), self.clock.getDelayedCalls()), (1, []))

    def test_who_has_the_address_next_is_knocked_at_whatever_was_under_way(self) -> None:
        for _ in range(5):
            self.publish()
        self.clock.advance(0)
        [knock] = self.channel.knocks
        run_now(self.book.remove_of(JOE))  # as the intake erases an account
        run_now(self.event_log.erase(JOE))
        knock.sent()
        self.clock.advance(WINDOW)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 2)
        self.channel.knocks[1].sent()
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 2)
        cursor = self.book.preference(JOE)
        assert cursor is not None
        self.assertEqual(cursor.acked, 1)


class BudgetTests(NotifierTestCase):
    settings = NotifierSettings(max_in_flight=2)

    def crowd(self, size: int, first: int = 0, stride: int = 1) -> None:
        for number in range(first, size):
            address = HOME + number * stride
            self.accounts.put(account(f"user{number}", NotifyState.STATIC, address))
            self.mail(Address(f"user{number}", "example.net"))

    def test_no_more_knocks_at_a_time_than_allowed(self) -> None:
        self.crowd(10)
        self.assertEqual(len(self.channel.knocks), 2)
        while self.channel.open:
            self.channel.open[0].sent()
        self.assertEqual(len(self.channel.knocks), 10)
        self.assertEqual(self.channel.most_open, 2)
        self.assertEqual([knock.peer for knock in self.channel.knocks], [HOME + n for n in range(10)])

    def test_a_larger_budget_serves_those_who_wait(self) -> None:
        self.crowd(10)
        self.notifier.reload(NotifierSettings(max_in_flight=5))
        self.channel.open[0].sent()
        self.assertEqual(len(self.channel.open), 5)

    def test_mail_for_a_door_that_waits_for_the_budget_is_told_by_its_knock(self) -> None:
        self.crowd(3)
        self.mail(Address("user2", "example.net"))
        self.assertEqual(self.counters.suppressed, 1)
        while self.channel.open:
            self.channel.open[0].sent()
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 3)

    def test_a_channel_that_ends_at_once_makes_no_deep_recursion(self) -> None:
        self.crowd(450, stride=256)
        self.channel.at_once = "sent"
        self.channel.open[0].sent()
        self.assertEqual(self.counters.sent, 449)

    def test_what_is_remembered_is_bounded(self) -> None:
        with mock.patch.object(doors, "MAX_DOORS", 4):
            self.crowd(4)
            while self.channel.open:
                self.channel.open[0].sent()
            self.crowd(6, first=4)
            self.assertEqual(len(self.notifier._doors._doors), 4)
            self.assertEqual(self.counters.dropped, 0)

    def test_the_target_unused_for_longest_is_forgotten(self) -> None:
        with mock.patch.object(doors, "MAX_DOORS", 2):
            self.crowd(2)
            while self.channel.open:
                self.channel.open[0].sent()
            self.clock.advance(WINDOW)
            self.crowd(1)
            self.channel.open[0].sent()
            self.crowd(3, first=2)
        remembered = {target.address for target in self.notifier._doors._doors}
        self.assertEqual(remembered, {HOME, HOME + 2})

    def test_reopening_a_forgotten_target(self) -> None:
        self.notifier._doors.reopen(Target(HOME, 79))
        self.assertIsNone(self.notifier._doors.refused_since(Target(HOME, 79)))

    def test_too_much_at_once_is_dropped_and_counted(self) -> None:
        with mock.patch.object(doors, "MAX_DOORS", 4):
            self.crowd(6)
        self.assertEqual(self.counters.dropped, 2)

    def test_accounts_that_wait_for_the_directory_are_bounded(self) -> None:
        self.accounts.gate = gate = Deferred()
        with mock.patch.object(notifier, "MAX_DUE", 3):
            self.mail(JOE)
            for number in (0, 1, 2, 3, 2):
                self.mail(Address(f"user{number}", "example.net"))
        self.assertEqual(self.counters.dropped, 1)
        gate.callback(None)
        self.assertEqual(len(self.accounts.asked), 4)

    def test_a_slow_directory_is_asked_for_one_account_at_a_time_and_once_for_a_burst(self) -> None:
        self.accounts.gate = gate = Deferred()
        for _ in range(50):
            self.mail(JOE)
        self.assertEqual(self.accounts.asked, [JOE])
        gate.callback(None)
        self.assertEqual(self.accounts.asked, [JOE, JOE])
        self.channel.open[0].sent()
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 1, "which told of all that was in the log by then")
        self.assertEqual(self.counters.needless, 1)


class SwitchTests(NotifierTestCase):
    off = NotifierSettings(enabled=False)

    def test_off_makes_no_connection(self) -> None:
        self.notifier.reload(self.off)
        self.mail()
        self.assertEqual((self.accounts.asked, self.channel.knocks), ([], []))

    def test_switching_off_drops_what_waits_and_cancels_what_runs(self) -> None:
        self.mail(JOE)
        self.mail(JOE)
        self.mail(ANN)
        self.channel.knocks[1].timed_out()
        self.notifier.reload(self.off)
        self.assertTrue(self.channel.knocks[0].cancelled)
        self.assertEqual((self.notifier.in_flight, self.clock.getDelayedCalls()), (0, []))
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 2)

    def test_switching_off_forgets_what_waits_for_the_directory(self) -> None:
        self.accounts.gate = gate = Deferred()
        self.mail(JOE)
        self.mail(ANN)
        self.notifier.reload(self.off)
        self.assertTrue(gate.called)
        self.notifier.reload(NotifierSettings())
        self.assertEqual(self.channel.knocks, [])
        self.mail(JOE)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_switching_on_counts_from_the_next_mail(self) -> None:
        self.notifier.reload(self.off)
        self.mail()
        self.notifier.reload(NotifierSettings())
        self.clock.advance(3600)
        self.assertEqual(self.channel.knocks, [])
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)

    def test_new_rules_judge_what_waits_again(self) -> None:
        self.mail(JOE)
        self.mail(ANN)
        for knock in list(self.channel.open):
            knock.sent()
        self.mail(JOE)
        self.mail(ANN)
        self.accounts.put(account("ann", NotifyState.STATIC, HOME, 1079))
        self.notifier.reload(NotifierSettings(rules=TargetRules(ports=frozenset({1079}))))
        self.clock.advance(WINDOW)
        self.assertEqual([(k.peer, k.port) for k in self.channel.knocks[2:]], [(HOME, 1079)])
        self.assertEqual(self.counters.no_target, 1)

    def test_rules_that_change_while_the_sightings_are_asked(self) -> None:
        gate: Deferred[None] = Deferred()
        plain_last = self.sightings.last

        async def slow_last(who: Address, since: float) -> object:
            await gate
            return await plain_last(who, since)

        with mock.patch.object(Sightings, "last", lambda self, who, since: slow_last(who, since)):
            self.mail(JOE)
            self.notifier.reload(NotifierSettings(rules=TargetRules(ports=frozenset({1079}))))
            gate.callback(None)
        self.assertEqual(self.channel.knocks, [])
        self.assertEqual(self.counters.no_target, 1)

    def test_a_shorter_window_counts_from_the_next_knock(self) -> None:
        self.notifier.reload(NotifierSettings(window=1.0))
        self.mail()
        self.channel.knocks[0].sent()
        self.mail()
        self.clock.advance(1)
        self.assertEqual(self.times, [0.0, 1.0])

    def test_no_window_at_all(self) -> None:
        self.notifier.reload(NotifierSettings(window=0.0))
        self.mail()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)
        self.channel.knocks[0].sent()
        self.assertEqual(self.times, [0.0, 0.0])

    def test_stopping_leaves_nothing_behind(self) -> None:
        self.mail(JOE)
        self.mail(JOE)
        self.stop()
        self.assertTrue(self.channel.knocks[0].cancelled)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.mail(JOE)
        self.assertEqual(len(self.channel.knocks), 1)
        self.stop()
        self.assertFalse([line for line in self.lines if " error " in line])

    def test_starting_twice_is_starting_once_and_it_can_start_again(self) -> None:
        self.notifier.start()
        self.stop()
        self.mail()
        self.assertEqual(self.channel.knocks, [])
        self.notifier.start()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)

    def test_the_counters_can_be_read_as_numbers(self) -> None:
        self.mail()
        self.channel.open[0].sent()
        self.assertEqual({n: v for n, v in attrs.asdict(self.counters).items() if v}, {"sent": 1})
