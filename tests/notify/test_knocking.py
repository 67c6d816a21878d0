"""What the notifier goes by: the log and its cursors, subscriptions, logins, and what was before a start."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.model.account import Domain, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.notice import Happening, Kind
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.subscription import (
    Attempt,
    Cursor,
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    Subscription,
    SubscriptionState,
    preference_id,
)
from mailsuite.notices.memory import MemoryEventLog
from mailsuite.notify import news
from mailsuite.notify.book import Book
from mailsuite.notify.channels.nm import NoRoute
from mailsuite.notify.news import STALE_AFTER
from mailsuite.notify.notifier import AGAIN_AFTER, USEFUL_WITHIN, Notifier, NotifierSettings
from mailsuite.notify.patience import (
    MAX_PAUSE,
    MAX_REFUSALS,
    MAX_TIMEOUTS,
    REFUSED_PAUSE,
    RETRY_AFTER,
)
from mailsuite.notify.targets import PROVED_FOR, TargetRules, Untold
from tests.notify.fakes import AWAY, HOME, Channel, account
from tests.notify.test_notifier import ANN, JOE, START, WINDOW, NotifierTestCase

RULES = TargetRules(udp=True, is_own=lambda address: False)


def subscription(id: str = "sub_1", target: str = "last-ip:79", device: str = "desk", **what: object):
    return Subscription(id, JOE, device, "notifymail", target, target, **what)


class KnockingTestCase(NotifierTestCase):
    settings = NotifierSettings(rules=RULES)

    def setUp(self) -> None:
        super().setUp()
        self.inside: set[tuple[Address, str | None]] = set()
        self.notifier.in_session = lambda account, device: (account, device) in self.inside

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def add(self, *wanted: Subscription, acked: int = 0) -> None:
        for each in wanted:
            self.answer(self.book.add(each, acked))

    def only_subscriptions(self) -> None:
        self.accounts.put(account("joe", NotifyState.OFF))

    def happen(self, kind: Kind, uidl: str = "uidl") -> None:
        happening = Happening(JOE, kind, self.clock.seconds(), uidl)
        self.answer(self.event_log.append([happening]))

    @property
    def preference(self) -> Cursor:
        return self.book.preference(JOE)

    @property
    def peers(self) -> list[str]:
        return [str(knock.peer) for knock in self.channel.knocks]

    def restart(self) -> None:
        """Killed: what the book had not written is lost."""
        for knock in list(self.channel.open):
            knock.done.cancel()
        self.notifier._unsubscribe()
        self.notifier._later.stop()
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.book = Book(self.kept, Clock(), self.notifier.log)
        self.answer(self.book.load())
        self.notifier = Notifier(
            self.bus,
            self.event_log,
            self.book,
            self.accounts,
            self.sightings,
            {"tcp": self.channel, "udp": Channel(self.clock, "recorder-udp")},
            self.clock,
            self.notifier.log,
            self.settings,
            self.clock.seconds,
            self.told.append,
        )
        self.counters = self.notifier.counters
        self.notifier.start()
        self.clock.advance(0)


@attrs.define(eq=False)
class NotingLog(MemoryEventLog):
    asked_after: list[int] = attrs.field(factory=list)

    async def read(self, account, after, limit):
        self.asked_after.append(after)
        return await super().read(account, after, limit)


class CursorTests(KnockingTestCase):
    def test_what_was_told_is_over(self) -> None:
        self.mail()
        self.assertIsNone(self.preference)
        self.clock.advance(0.25)
        self.channel.knocks[0].sent()
        self.assertEqual(
            self.preference,
            Cursor(
                preference_id(JOE),
                acked=1,
                last_ok=START + 0.25,
                last_try=START + 0.25,
                last_result="sent 198.41.0.4:79",
                sent=1,
            ),
        )
        [attempt] = self.answer(self.book.attempts(preference_id(JOE)))
        self.assertEqual((attempt.seq, attempt.at, attempt.took, attempt.result), (1, START, 0.25, "ok"))

    def test_a_refused_knock_is_over_too(self) -> None:
        self.mail()
        self.channel.knocks[0].refused()
        self.assertEqual((self.preference.acked, self.preference.fails), (1, 1))
        self.clock.advance(WINDOW)
        self.mail()
        self.channel.knocks[1].sent()
        self.assertEqual((self.preference.acked, self.preference.fails), (2, 0))

    def test_after_a_time_out_it_is_not_until_the_second_one(self) -> None:
        self.mail()
        self.channel.knocks[0].timed_out()
        self.assertEqual((self.preference.acked, self.preference.fails), (0, 1))
        self.clock.advance(RETRY_AFTER)
        self.channel.knocks[1].timed_out()
        self.assertEqual((self.preference.acked, self.preference.fails), (1, 2))

    def test_mail_for_a_suspended_target_is_over(self) -> None:
        for _ in range(3):
            self.mail()
            self.channel.open[0].refused()
            self.clock.advance(WINDOW)
        self.mail()
        self.assertEqual((len(self.channel.knocks), self.preference.acked), (3, 4))

    def test_mail_with_nowhere_to_go_is_over(self) -> None:
        self.sightings.seen.clear()
        self.mail()
        self.assertEqual((self.channel.knocks, self.preference.acked), ([], 1))

    def test_a_machine_without_ipv6_suspends_nobody_for_it(self) -> None:
        self.sightings.seen[JOE] = (AWAY, START)
        for _ in range(5):
            self.mail()
            self.channel.open[0].done.errback(NoRoute())
            self.clock.advance(WINDOW)
        self.assertEqual((self.counters.no_route, self.counters.suspensions), (5, 0))
        self.assertEqual((self.counters.timed_out, self.told), (0, []))
        self.assertEqual((self.preference.acked, self.preference.fails), (5, 0))
        self.assertFalse([line for line in self.lines if " info " in line or " warning " in line])


class NewsTests(KnockingTestCase):
    def test_what_the_server_keeps_quiet_about_makes_no_knock(self) -> None:
        for fact in ("junk", "bulk", "own", "auto"):
            self.publish(JOE, **{fact: True})
            self.clock.advance(0)
        self.assertEqual((self.channel.knocks, self.preference.acked), ([], 4))
        self.assertEqual(self.counters.needless, 4)
        self.publish(JOE)
        self.clock.advance(0)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_what_is_kept_quiet_about_can_be_changed(self) -> None:
        self.notifier.reload(attrs.evolve(self.settings, suppress=frozenset({"junk"})))
        self.publish(JOE, bulk=True)
        self.clock.advance(0)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_mail_that_is_fetched_inside_the_window_makes_no_second_knock(self) -> None:
        self.mail()
        self.channel.knocks[0].sent()
        self.mail()
        self.happen(Kind.MAIL_CLEARED)
        self.clock.advance(WINDOW)
        self.assertEqual((len(self.channel.knocks), self.preference.acked), (1, 3))
        self.mail()
        self.assertEqual(len(self.channel.knocks), 2, "and no window began")

    def test_while_somebody_is_in_the_inbox_it_waits(self) -> None:
        self.inside.add((JOE, None))
        self.mail()
        self.clock.advance(WINDOW)
        self.assertEqual(self.channel.knocks, [])
        self.inside.clear()
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 1, "the session showed what was there when it began")

    def test_what_the_session_fetched_is_over_when_it_ends(self) -> None:
        self.inside.add((JOE, None))
        self.mail()
        self.happen(Kind.MAIL_CLEARED)
        self.inside.clear()
        self.clock.advance(2 * WINDOW)
        self.assertEqual((self.channel.knocks, self.preference.acked), ([], 2))

    def test_what_has_grown_old_makes_no_knock(self) -> None:
        self.inside.add((JOE, None))
        self.mail()
        for _ in range(int(STALE_AFTER / WINDOW)):
            self.clock.advance(WINDOW)
        self.inside.clear()
        self.clock.advance(WINDOW)
        self.assertEqual((self.channel.knocks, self.preference.acked), ([], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_log_that_cannot_be_read_costs_that_notice(self) -> None:
        self.publish()
        self.event_log.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        self.clock.advance(0)
        self.assertEqual((self.channel.knocks, self.counters.failed), ([], 1))
        self.assertEqual(len(self.events("notify.lookup_failed")), 1)
        self.event_log.refuse_with = None
        self.mail()
        self.channel.knocks[0].sent()
        self.assertEqual(self.preference.acked, 2)

    def test_a_very_long_log_is_read_to_its_end(self) -> None:
        long = [Happening(JOE, Kind.MAIL_NEW, START, str(n)) for n in range(1200)]
        self.answer(self.event_log.append(long))
        self.mail()
        self.channel.knocks[0].sent()
        self.assertEqual(self.preference.acked, 1201)

    def test_a_domain_that_may_not_be_told_is_not(self) -> None:
        self.accounts.domains["example.net"] = Domain("example.net", notify=False)
        self.mail()
        self.assertEqual(self.channel.knocks, [])
        self.accounts.domains["example.net"] = Domain("example.net")
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)


class SubscriptionTests(KnockingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.only_subscriptions()
        self.answer(self.sightings.record(JOE, HOME, START, "desk"))
        self.answer(self.sightings.record(JOE, AWAY, START, "phone"))

    def acked(self, id: str = "sub_1") -> int:
        return self.book.find(id).cursor.acked

    def test_each_device_is_told_where_it_was(self) -> None:
        self.add(subscription(), subscription("sub_2", device="phone"))
        self.mail()
        self.assertEqual(self.peers, [str(HOME), str(AWAY)])
        for knock in list(self.channel.open):
            knock.sent()
        self.assertEqual((self.acked(), self.acked("sub_2"), self.told), (1, 1, [JOE, JOE]))

    def test_preference_and_subscription_for_one_listener_share_its_knocks(self) -> None:
        self.accounts.put(account("joe", NotifyState.STATIC, HOME))
        self.add(subscription())
        self.mail()
        self.channel.open[0].sent()
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 1)
        self.assertEqual((self.acked(), self.preference.acked), (1, 1))

    def test_several_static_targets(self) -> None:
        self.add(subscription(target=f"{HOME}:79"), subscription("sub_2", f"[{AWAY}]:79"))
        self.mail()
        self.assertEqual(self.peers, [str(HOME), str(AWAY)])

    def test_a_static_target_that_nobody_was_at(self) -> None:
        self.add(subscription(target="9.9.9.9:79", created=START - PROVED_FOR - 1))
        self.mail()
        self.assertEqual((self.channel.knocks, self.acked()), ([], 1))
        self.assertIn("no login from that address", self.events("notify.no_target")[0])
        self.add(subscription("sub_2", "9.9.9.9:79", options={"leave": "yes"}))
        self.mail()
        self.assertEqual(self.peers, ["9.9.9.9"])

    def test_udp(self) -> None:
        udp = self.notifier.knockers["udp"]
        self.add(subscription(options={"transport": "udp"}))
        self.mail()
        udp.knocks[0].sent()
        self.assertEqual((self.channel.knocks, self.acked()), ([], 1))

    def test_those_of_other_ways_are_others_business(self) -> None:
        self.add(attrs.evolve(subscription(), channel="webhook", target="https://a.example/"))
        self.mail()
        self.assertEqual((self.channel.knocks, self.counters.no_target), ([], 0))

    def test_who_is_not_active_or_has_expired_is_not_told(self) -> None:
        for number, state in enumerate(SubscriptionState):
            if state is not SubscriptionState.ACTIVE:
                self.add(subscription(f"sub_{number}", state=state))
        self.add(subscription("sub_old", expires=START))
        self.mail()
        self.assertEqual(self.channel.knocks, [])

    def test_what_a_filter_leaves_out_makes_no_knock(self) -> None:
        self.add(subscription(filter=NoticeFilter(senders=("boss@*",))))
        self.mail()
        self.assertEqual((self.channel.knocks, self.acked()), ([], 1))

    def test_only_if_nobody_has_fetched_it_by_then(self) -> None:
        self.add(subscription(filter=NoticeFilter(if_unfetched_after=300.0)))
        self.mail()
        self.clock.advance(299)
        self.assertEqual(self.channel.knocks, [])
        self.clock.advance(2)
        self.assertEqual(len(self.channel.knocks), 1)
        self.channel.open[0].sent()
        self.mail()
        self.happen(Kind.MAIL_CLEARED)
        self.clock.advance(301)
        self.assertEqual((len(self.channel.knocks), self.acked()), (1, 3))

    def test_what_came_in_quiet_hours_is_told_at_their_end_however_old_it_is(self) -> None:
        """It is the twelfth of January 1970, 13:46:40."""
        quiet = QuietTimes("UTC", (QuietSpan(frozenset(range(7)), 13 * 60, 15 * 60),))
        self.add(subscription(quiet=quiet))
        self.mail()
        self.clock.advance(WINDOW)
        self.assertEqual(self.channel.knocks, [])
        while self.clock.seconds() - START < 73 * 60:
            self.clock.advance(60)
        self.assertEqual(self.channel.knocks, [])
        self.clock.advance(60)
        self.clock.advance(0)
        self.channel.open[0].sent()
        self.assertEqual((len(self.channel.knocks), self.acked()), (1, 1))

    def test_one_that_is_removed_while_it_waits_is_not_told(self) -> None:
        self.add(subscription())
        self.mail()
        self.channel.open[0].sent()
        self.mail()
        self.answer(self.book.remove("sub_1"))
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_one_that_is_removed_during_its_knock_stays_so(self) -> None:
        self.add(subscription())
        self.mail()
        self.answer(self.book.remove("sub_1"))
        self.channel.open[0].sent()
        self.assertIsNone(self.book.find("sub_1"))

    def test_a_login_of_its_device_ends_a_suspension_and_no_other(self) -> None:
        self.add(subscription())
        for _ in range(3):
            self.mail()
            self.channel.open[0].refused()
            self.clock.advance(WINDOW)
        self.answer(self.sightings.record(JOE, AWAY, self.clock.seconds(), "phone"))
        self.mail()
        self.assertEqual(len(self.channel.knocks), 3)
        self.answer(self.sightings.record(JOE, HOME, self.clock.seconds(), "desk"))
        self.mail()
        self.assertEqual(len(self.channel.knocks), 4)

    def test_a_session_of_another_device_is_nobody_s_hindrance(self) -> None:
        self.add(subscription())
        self.inside.add((JOE, "phone"))
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)


class WeaponTests(KnockingTestCase):
    settings = NotifierSettings(window=0.0, rules=RULES)

    def test_a_thousand_accounts_are_no_weapon_where_no_window_stands_before_it(self) -> None:
        names = [f"user{number}" for number in range(1000)]
        self.accounts.put(*(account(name, NotifyState.STATIC, HOME) for name in names))
        for second in range(15):
            for name in names:
                self.mail(Address(name, "example.net"))
            while self.channel.open:
                self.channel.open[0].sent()
            self.clock.advance(1)
            self.assertLessEqual(len(self.channel.knocks), 2 + second // 10 + 1)
        self.assertEqual(len(self.channel.knocks), 3)

    def test_a_neighbourhood_has_a_budget_too(self) -> None:
        for number in range(250):
            self.accounts.put(account(f"user{number}", NotifyState.STATIC, HOME + number))
            self.mail(Address(f"user{number}", "example.net"))
            while self.channel.open:
                self.channel.open[0].sent()
        self.assertEqual(len(self.channel.knocks), 60)
        for _ in range(30):
            self.clock.advance(1)
            while self.channel.open:
                self.channel.open[0].sent()
        self.assertEqual(len(self.channel.knocks), 90)


class UsefulTests(KnockingTestCase):
    def knock(self) -> None:
        self.mail()
        self.channel.open[0].sent()

    def test_a_knock_that_a_login_follows_was_useful(self) -> None:
        self.knock()
        self.clock.advance(3)
        self.notifier.came(JOE)
        self.notifier.came(JOE)
        self.assertEqual((self.counters.useful, self.preference.useful), (1, 1))

    def test_a_login_long_after_was_somebody_s_own_idea(self) -> None:
        self.knock()
        self.clock.advance(USEFUL_WITHIN + 1)
        self.notifier.came(JOE)
        self.assertEqual((self.counters.useful, self.preference.useful), (0, 0))

    def test_others_logins_do_not_count(self) -> None:
        self.knock()
        self.notifier.came(ANN)
        self.assertEqual(self.counters.useful, 0)

    def test_how_long_it_took_is_measured(self) -> None:
        measured: list[object] = []

        class Meter:
            def ended(self, channel, result):
                measured.append((channel, result))

            def told(self, channel, seconds):
                measured.append((channel, seconds))

        self.notifier.meter = Meter()
        self.publish()
        self.clock.advance(0.5)
        self.channel.open[0].sent()
        self.assertEqual(measured, [("notifymail", "sent"), ("notifymail", 0.5)])


class RestartTests(KnockingTestCase):
    def test_mail_that_was_committed_and_not_told_is_told_once(self) -> None:
        """Killed between the commit and the knock."""
        self.happen(Kind.MAIL_NEW)
        self.assertEqual(self.channel.knocks, [])
        self.restart()
        self.channel.open[0].sent()
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_killed_during_the_knock(self) -> None:
        self.mail()
        self.restart()
        self.assertEqual(len(self.channel.knocks), 2)

    def test_what_was_told_before_is_not_told_again(self) -> None:
        self.mail()
        self.channel.open[0].sent()
        self.answer(self.book.stop())
        self.restart()
        self.assertEqual(len(self.channel.knocks), 1)

    def test_old_news_is_not_told(self) -> None:
        self.happen(Kind.MAIL_NEW)
        self.clock.advance(STALE_AFTER + 1)
        self.restart()
        self.assertEqual(self.channel.knocks, [])
        self.mail()
        self.channel.open[0].sent()
        self.assertEqual(self.preference.acked, 2)

    def test_a_suspension_outlives_it(self) -> None:
        for _ in range(3):
            self.mail()
            self.channel.open[0].refused()
            self.clock.advance(WINDOW)
        self.answer(self.book.stop())
        self.restart()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 3)
        self.clock.advance(REFUSED_PAUSE)
        self.mail()
        self.channel.open[0].refused()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 4, "one more refusal suspends again")

    def test_the_window_outlives_it(self) -> None:
        self.mail()
        self.channel.open[0].sent()
        self.answer(self.book.stop())
        self.clock.advance(4)
        self.restart()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)
        self.clock.advance(WINDOW - 4)
        self.assertEqual(len(self.channel.knocks), 2)

    def test_a_login_ends_it_all_the_same(self) -> None:
        self.test_a_suspension_outlives_it()
        self.answer(self.book.stop())
        self.clock.advance(WINDOW)
        self.restart()
        self.answer(self.sightings.record(JOE, HOME, self.clock.seconds()))
        self.mail()
        self.assertEqual(len(self.channel.knocks), 5)

    def test_a_new_address_is_not_suspended(self) -> None:
        self.test_a_suspension_outlives_it()
        self.answer(self.book.stop())
        self.restart()
        self.sightings.seen[JOE] = (AWAY, self.clock.seconds())
        self.mail()
        self.assertEqual(self.peers[-1], str(AWAY))

    def test_time_outs_outlive_it(self) -> None:
        self.mail()
        self.channel.open[0].timed_out()
        self.clock.advance(RETRY_AFTER)
        self.channel.open[0].timed_out()
        self.answer(self.book.stop())
        self.restart()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 2)

    def seen_now(self) -> None:
        self.sightings.seen[JOE] = (HOME, self.clock.seconds())

    def fail_until_suspended(self, outcome: str) -> None:
        for _ in range(MAX_REFUSALS if outcome == "refused" else MAX_TIMEOUTS):
            self.mail()
            getattr(self.channel.open[0], outcome)()
            self.clock.advance(RETRY_AFTER)

    def test_no_suspension_is_longer_because_the_clock_was_wrong(self) -> None:
        for outcome, longest in (("timed_out", MAX_PAUSE), ("refused", REFUSED_PAUSE)):
            self.clock.advance(60 * 86400.0)
            self.seen_now()
            self.fail_until_suspended(outcome)
            tried = len(self.channel.knocks)
            self.assertGreater(self.preference.due, self.clock.seconds())
            self.answer(self.book.stop())
            self.clock.rightNow -= 50 * 86400.0
            self.restart()
            self.clock.advance(longest + 1.0)
            self.seen_now()
            self.mail()
            self.assertEqual(len(self.channel.knocks), tried + 1, outcome)
            self.channel.open[0].sent()
            self.clock.advance(WINDOW)

    def test_a_log_that_cannot_be_asked_is_told_and_asked_again(self) -> None:
        self.happen(Kind.MAIL_NEW)
        self.event_log.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "locked")
        self.restart()
        self.assertEqual(len(self.events("notify.catch_up_failed")), 1)
        self.event_log.refuse_with = None
        self.clock.advance(AGAIN_AFTER)
        self.assertEqual(len(self.channel.knocks), 1)

    def test_no_more_is_read_than_retention_leaves(self) -> None:
        self.patch(news, "MAX_READ", 3)
        self.patch(news, "READ_AT_ONCE", 2)
        self.event_log = NotingLog()
        for _ in range(5):
            self.happen(Kind.MAIL_NEW)
        self.restart()
        self.channel.knocks[0].sent()
        self.assertEqual((self.preference.acked, self.event_log.asked_after), (5, [0, 2, 4]))

    def test_nobody_is_told_while_it_is_switched_off(self) -> None:
        self.happen(Kind.MAIL_NEW)
        self.settings = NotifierSettings(enabled=False)
        self.restart()
        self.assertEqual((self.channel.knocks, self.accounts.asked), ([], []))


class TrialTests(KnockingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.only_subscriptions()
        self.add(subscription(target=f"{HOME}:79", options={"leave": "yes"}), acked=7)
        self.answer(self.event_log.append([Happening(JOE, Kind.MAIL_NEW, START)] * 7))

    def tell_now(self, id: str = "sub_1") -> Deferred[Attempt]:
        return Deferred.fromCoroutine(self.notifier.tell_now(id))

    def test_a_trial_knocks_at_once_and_says_what_came_of_it(self) -> None:
        trying = self.tell_now()
        self.clock.advance(0.038)
        self.channel.open[0].answered()
        attempt = self.successResultOf(trying)
        self.assertEqual((attempt.subscription, attempt.seq, attempt.at), ("sub_1", 7, START))
        self.assertEqual(attempt.result, "ok, but something like a finger daemon answered")
        self.assertEqual(round(attempt.took, 3), 0.038)
        self.assertEqual((self.told, self.book.find("sub_1").cursor.acked), ([JOE], 7))

    def test_a_trial_ends_a_suspension_where_somebody_listens_now(self) -> None:
        for _ in range(3):
            trying = self.tell_now()
            self.channel.open[0].refused()
            self.assertEqual(self.successResultOf(trying).result, "refused")
            self.clock.advance(WINDOW)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 3)
        self.tell_now()
        self.channel.open[0].sent()
        self.clock.advance(WINDOW)
        self.mail()
        self.assertEqual(len(self.channel.knocks), 5)

    def test_trials_stay_within_the_budget(self) -> None:
        results = []
        for _ in range(4):
            trying = self.tell_now()
            if self.channel.open:
                self.channel.open[0].sent()
            results.append(self.successResultOf(trying).result)
        self.assertEqual(results, ["ok"] * 2 + ["too soon after the last one: wait 10 seconds"] * 2)
        self.assertEqual(len(self.channel.knocks), 2)

    def test_two_trials_at_once(self) -> None:
        first = self.tell_now()
        second = self.successResultOf(self.tell_now())
        self.assertEqual(second.result, "too soon after the last one: wait a moment")
        self.channel.open[0].timed_out()
        self.assertEqual(self.successResultOf(first).result, "timed-out")
        self.clock.advance(3600)
        self.assertEqual(len(self.channel.knocks), 1, "nobody waits for a trial's second try")

    def test_mail_during_a_trial_is_told_after_it(self) -> None:
        self.tell_now()
        self.mail()
        self.assertEqual(len(self.channel.knocks), 1)
        self.channel.open[0].sent()
        self.assertEqual(len(self.channel.knocks), 2)

    def test_mail_that_waits_for_a_trial_that_suspends_is_not_told(self) -> None:
        for _ in range(2):
            self.tell_now()
            self.channel.open[0].refused()
            self.clock.advance(WINDOW)
        self.tell_now()
        self.mail()
        self.channel.open[0].refused()
        self.clock.advance(WINDOW)
        self.assertEqual(len(self.channel.knocks), 3)

    def test_a_mistake_of_ours_in_a_trial_is_told_and_harms_nothing(self) -> None:
        trying = self.tell_now()
        self.channel.open[0].done.errback(ZeroDivisionError())
        self.failureResultOf(trying, ZeroDivisionError)
        self.assertEqual(self.notifier.in_flight, 0)

    def test_there_is_nothing_to_try(self) -> None:
        self.add(subscription("sub_2", target="9.9.9.9:79", created=START - PROVED_FOR - 1))
        self.assertEqual(self.successResultOf(self.tell_now("sub_2")).result, Untold.UNPROVED.value)
        self.add(attrs.evolve(subscription("sub_3"), channel="ntfy"))
        for id in ("sub_3", "sub_4"):
            self.failureResultOf(self.tell_now(id), PermanentFailure)
        self.notifier.reload(NotifierSettings(enabled=False))
        self.assertEqual(self.successResultOf(self.tell_now()).result, "switched off for the server")
        self.assertEqual(self.channel.knocks, [])
