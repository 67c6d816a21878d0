"""The dispatcher with time in our hands: when who is told, and what follows."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.events import LogGrown
from mailsuite.model.failure import (
    MailFailure,
    PermanentFailure,
    TargetGone,
    TellingFailed,
    TellingRefused,
    TemporaryFailure,
)
from mailsuite.model.notice import Happening, Kind, Level
from mailsuite.model.reply import NO_ANSWER
from mailsuite.model.subscription import (
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    SubscriptionState,
    WhileQuiet,
)
from mailsuite.notify.turns import DispatcherSettings
from tests.notify.stage import ANN, EPOCH, JOE, Stage

EVERY_DAY = frozenset(range(7))


def user(number: int) -> Address:
    return Address(f"user{number}", "example.net")


class DispatcherCase(SynchronousTestCase):
    settings = DispatcherSettings()

    def setUp(self) -> None:
        self.stage = Stage(self.settings)
        self.addCleanup(self.stage.stop)


class Edges(DispatcherCase):
    def test_the_first_is_told_at_once_and_the_others_at_the_end_of_the_window(self) -> None:
        self.stage.follow()
        self.stage.mail("a")
        self.assertEqual(self.stage.told(), [(0.0, 1, 1)])
        self.stage.run(3.0)
        self.stage.mail("b", "c")
        self.stage.run(6.9)
        self.assertEqual(len(self.stage.told()), 1)
        self.stage.run(0.2)
        self.assertEqual(self.stage.told()[1:], [(10.0, 3, 2)])
        self.stage.run(600.0)
        self.assertEqual(len(self.stage.told()), 2)
        self.assertEqual(self.stage.cursor().acked, 3)
        self.assertEqual(self.stage.cursor().sent, 2)

    def test_a_hundred_mails_in_a_second_are_two_notices_and_the_last_tells_of_the_last(self) -> None:
        self.stage.follow()
        for number in range(100):
            self.stage.mail(f"m{number}")
            self.stage.run(0.01)
        self.stage.run(60.0)
        self.assertEqual([count for _, _, count in self.stage.told()], [1, 99])
        self.assertEqual(self.stage.channels["latest"].told[-1].notice.shown.subject, "")
        self.assertEqual(self.stage.told()[-1][1], 100)

    def test_in_order_each_by_itself(self) -> None:
        self.stage.follow(channel="each", level=Level.SUBJECT)
        self.stage.mail("a", "b", "c")
        told = [(one.notice.seq, one.notice.shown.subject) for one in self.stage.channels["each"].told]
        self.assertEqual(told, [(1, "a"), (2, "b"), (3, "c")])

    def test_one_after_the_other(self) -> None:
        gates: list[Deferred[int]] = []

        def wait(*_: object) -> Deferred[int]:
            gates.append(Deferred())
            return gates[-1]

        self.stage.channels["each"].answer = wait
        self.stage.follow(channel="each")
        self.stage.mail("a")
        self.stage.mail("b", "c")
        self.assertEqual(len(gates), 1)
        gates[0].callback(200)
        self.stage.run(0.0)
        self.assertEqual(len(gates), 2)
        gates[1].callback(200)
        gates[2].callback(200)
        self.assertEqual(self.stage.cursor().acked, 3)
        self.assertEqual(self.stage.channels["each"].most_at_once, 1)

    def test_a_subscription_may_want_fewer_never_more(self) -> None:
        self.stage.follow(window=30.0)
        self.stage.follow("s2", account=ANN, window=1.0)
        for _ in range(2):
            self.stage.mail("a")
            self.stage.mail("b", account=ANN)
        self.stage.run(60.0)
        told = self.stage.channels["latest"].told
        self.assertEqual([one.at for one in told if one.subscription == "s1"], [0.0, 30.0])
        self.assertEqual([one.at for one in told if one.subscription == "s2"], [0.0, 10.0])

    def test_in_order_with_a_window(self) -> None:
        self.stage.follow(channel="each", window=20.0)
        self.stage.mail("a", "b", "c")
        self.stage.run(60.0)
        self.assertEqual([at for at, _, _ in self.stage.told("each")], [0.0, 20.0, 40.0])

    def test_a_webhook_may_want_the_newest_alone(self) -> None:
        self.stage.follow(channel="each", options={"mode": "latest"})
        self.stage.mail("a", "b", "c")
        self.assertEqual(self.stage.told("each"), [(0.0, 3, 3)])

    def test_kinds_have_notices_of_their_own(self) -> None:
        self.stage.follow(filter=NoticeFilter(kinds=frozenset({Kind.MAIL_NEW, Kind.QUOTA_REACHED})))
        self.stage.happen(
            Happening(JOE, Kind.MAIL_NEW, EPOCH, "a"),
            Happening(JOE, Kind.QUOTA_REACHED, EPOCH, size=80),
            Happening(JOE, Kind.MAIL_NEW, EPOCH, "b"),
        )
        self.stage.run(0.0)
        told = [
            (one.notice.kind, one.notice.seq, one.notice.count) for one in self.stage.channels["latest"].told
        ]
        self.assertEqual(told, [(Kind.QUOTA_REACHED, 2, 1), (Kind.MAIL_NEW, 3, 2)])
        self.assertEqual(self.stage.cursor().acked, 3)

    def test_a_clock_that_is_set_back_makes_nobody_wait(self) -> None:
        self.stage.follow()
        self.stage.mail("a")
        self.stage.offset -= 7200.0
        self.stage.mail("b")
        self.stage.run(10.1)
        self.assertEqual(len(self.stage.told()), 2)


class Wishes(DispatcherCase):
    def test_what_nobody_is_told_of_is_over(self) -> None:
        self.stage.follow(filter=NoticeFilter(senders=("ann@*",)))
        self.stage.mail("a", sender="eve@example.org")
        self.stage.mail("b", sender="ann@example.org", junk=True)
        self.assertEqual((self.stage.told(), self.stage.cursor().acked), ([], 2))

    def test_fetched_within_the_window(self) -> None:
        self.stage.follow()
        self.stage.mail("a")
        self.stage.mail("b", "c")
        self.stage.fetch("b")
        self.stage.run(20.0)
        self.assertEqual([count for _, _, count in self.stage.told()], [1, 1])
        self.stage.mail("d")
        self.stage.mail("e")
        self.stage.fetch("e")
        self.stage.run(60.0)
        self.assertEqual(len(self.stage.told()), 3)
        self.assertEqual(self.stage.cursor().acked, self.stage.head())

    def test_told_that_something_is_fetched(self) -> None:
        self.stage.follow(filter=NoticeFilter(kinds=frozenset({Kind.MAIL_CLEARED})))
        self.stage.mail("a", "b")
        self.stage.fetch("a", "b")
        self.assertEqual(self.stage.told(), [(0.0, 4, 2)])

    def test_the_phone_only_if_nobody_reacts(self) -> None:
        self.stage.follow(filter=NoticeFilter(if_unfetched_after=300.0), level=Level.SUBJECT)
        self.stage.mail("a")
        self.stage.run(100.0)
        self.stage.mail("b")
        self.stage.run(100.0)
        self.stage.mail("c")
        self.stage.fetch("b")
        self.stage.run(99.0)
        self.assertEqual(self.stage.told(), [])
        self.stage.run(1.1)
        self.assertEqual([one.notice.shown.subject for one in self.stage.channels["latest"].told], ["a"])
        self.stage.run(300.0)
        told = [(one.notice.shown.subject, one.notice.count) for one in self.stage.channels["latest"].told]
        self.assertEqual(told, [("a", 1), ("c", 1)])
        self.assertEqual(self.stage.cursor().acked, self.stage.head())

    def test_a_night(self) -> None:
        quiet = QuietTimes("UTC", (QuietSpan(EVERY_DAY, 13 * 60, 14 * 60),), WhileQuiet.DIGEST, ("boss@*",))
        self.stage.follow(quiet=quiet, level=Level.SUBJECT)
        self.stage.run(3600.0)
        self.stage.mail("a", "b")
        self.stage.run(600.0)
        self.stage.mail("c", sender="boss@example.net")
        self.stage.run(600.0)
        self.stage.mail("d")
        self.assertEqual([one.notice.shown.subject for one in self.stage.channels["latest"].told], ["c"])
        self.assertEqual(self.stage.cursor().acked, 0)
        self.stage.run(3600.0)
        last = self.stage.channels["latest"].told[-1]
        self.assertEqual((last.at, last.notice.count), (7200.0, 3))
        self.assertEqual([each.subject for each in last.notice.digest], ["a", "b", "d"])
        self.assertEqual((self.stage.cursor().acked, len(self.stage.channels["latest"].told)), (4, 2))

    def test_what_was_held_is_one_notice_also_in_order(self) -> None:
        quiet = QuietTimes("UTC", (QuietSpan(EVERY_DAY, 12 * 60, 13 * 60),))
        self.stage.follow(channel="each", quiet=quiet)
        self.stage.mail("a", "b", "c")
        self.stage.run(3601.0)
        self.stage.mail("d")
        self.assertEqual(self.stage.told("each"), [(3600.0, 3, 3), (3601.0, 4, 1)])

    def test_a_change_is_heard_at_once(self) -> None:
        quiet = QuietTimes("UTC", (QuietSpan(EVERY_DAY, 0, 0),))
        self.stage.follow(quiet=quiet)
        self.stage.mail("a")
        self.assertEqual(self.stage.told(), [])
        self.stage.change(quiet=None)
        self.assertEqual(self.stage.told(), [(0.0, 1, 1)])

    def test_what_the_domain_allows(self) -> None:
        self.stage.follow(level=Level.SUBJECT)
        self.stage.caps[JOE] = Level.COUNT
        self.stage.mail("a")
        self.assertEqual(self.stage.channels["latest"].told[-1].notice.level, Level.COUNT)
        self.stage.caps[JOE] = None
        self.stage.run(20.0)
        self.stage.mail("b")
        self.assertEqual((len(self.stage.told()), self.stage.cursor().acked), (1, 2))

    def test_some_have_gone_by_age(self) -> None:
        self.stage.follow()
        self.stage.change(state=SubscriptionState.PAUSED)
        self.stage.mail(*"abcdef")
        run_now(self.stage.events.trim(0.0, 2))
        self.stage.change(state=SubscriptionState.ACTIVE)
        notice = self.stage.channels["latest"].told[-1].notice
        self.assertEqual((notice.count, notice.at_least, notice.first), (2, True, 5))
        self.stage.run(20.0)
        self.stage.mail("g")
        self.assertFalse(self.stage.channels["latest"].told[-1].notice.at_least)


class Failures(DispatcherCase):
    def test_tried_again_until_it_is_given_up(self) -> None:
        self.stage.channels["latest"].answer = lambda *_: TellingFailed("refused")
        self.stage.follow()
        self.stage.mail("a")
        self.stage.run(60.0)
        self.stage.mail("b")
        self.stage.run(5000.0)
        self.assertEqual([one.at for one in self.stage.channels["latest"].asked], [0.0, 5.0, 65.0, 665.0])
        self.assertEqual([one.notice.seq for one in self.stage.channels["latest"].asked], [1, 1, 2, 2])
        self.assertEqual(self.stage.standing().subscription.state, SubscriptionState.SUSPENDED)
        self.assertEqual(self.stage.standing().subscription.reason, "refused")
        self.assertEqual(self.stage.suspended, [("s1", "refused")])
        self.assertEqual((self.stage.cursor().fails, self.stage.cursor().acked), (4, 0))
        self.assertEqual(len(run_now(self.stage.book.attempts("s1"))), 4)

    def test_once_resumed_it_is_told_of_all_since(self) -> None:
        self.test_tried_again_until_it_is_given_up()
        self.stage.channels["latest"].answer = lambda *_: 200
        self.stage.mail("c")
        self.stage.change(state=SubscriptionState.ACTIVE)
        self.stage.run(10.1)
        self.assertEqual([count for _, _, count in self.stage.told()], [3])

    def test_in_order_what_is_given_up_is_kept(self) -> None:
        self.stage.channels["each"].answer = lambda *_: TellingFailed("http 503", 503)
        self.stage.follow(channel="each")
        self.stage.mail("a", "b")
        self.stage.run(5000.0)
        self.assertEqual([one.notice.seq for one in self.stage.channels["each"].asked], [1] * 4)
        (letter,) = run_now(self.stage.kept.dead_letters("s1"))
        self.assertEqual((letter.first, letter.seq, letter.code, letter.result), (1, 1, 503, "http 503"))
        self.assertEqual(self.stage.cursor().acked, 1)
        self.stage.channels["each"].answer = lambda *_: 200
        self.stage.change(state=SubscriptionState.ACTIVE)
        self.stage.run(1.0)
        self.assertEqual([seq for _, seq, _ in self.stage.told("each")], [2])
        attempt = self.successResultOf(self.stage.do(self.stage.dispatcher.replay("s1", 1)))
        self.assertEqual((attempt.result, attempt.seq), ("ok", 1))
        self.assertEqual(run_now(self.stage.kept.dead_letters("s1")), ())
        self.assertEqual(self.stage.counted(), 2)

    def test_the_other_side_says_when(self) -> None:
        answers: list[object] = [
            TellingFailed("http 429", 429, 90.0),
            TellingFailed("http 429", 429, 1e9),
            200,
        ]
        self.stage.channels["latest"].answer = lambda *_: answers.pop(0)
        self.stage.follow()
        self.stage.mail("a")
        self.stage.run(200_000.0)
        self.assertEqual([one.at for one in self.stage.channels["latest"].asked], [0.0, 90.0, 86490.0])

    def test_what_is_refused_is_over(self) -> None:
        answers: list[object] = [TellingRefused("http 413", 413), 200]
        self.stage.channels["each"].answer = lambda *_: answers.pop(0)
        self.stage.follow(channel="each")
        self.stage.mail("a", "b")
        self.assertEqual([seq for _, seq, _ in self.stage.told("each")], [2])
        self.assertEqual([each.seq for each in run_now(self.stage.kept.dead_letters("s1"))], [1])
        self.assertEqual(self.stage.cursor().fails, 0)

    def test_who_refuses_everything_is_left_alone(self) -> None:
        self.stage.channels["each"].answer = lambda *_: TellingRefused("http 404", 404)
        self.stage.follow(channel="each")
        self.stage.mail(*"abcdef")
        self.assertEqual(len(self.stage.channels["each"].asked), 4)
        self.assertEqual(self.stage.standing().subscription.state, SubscriptionState.SUSPENDED)

    def test_who_is_gone_is_forgotten(self) -> None:
        self.stage.channels["latest"].answer = lambda *_: TargetGone("http 410", 410)
        self.stage.follow(target="https://secret.example/", secrets=(b"s",), options={"token": "t"})
        self.stage.mail("a")
        subscription = self.stage.standing().subscription
        self.assertEqual((subscription.state, subscription.reason), (SubscriptionState.DEAD, "http 410"))
        self.assertEqual((subscription.target, subscription.secrets, subscription.options), ("", (), {}))
        self.stage.mail("b")
        self.stage.run(1000.0)
        self.assertEqual(len(self.stage.channels["latest"].asked), 1)

    def test_what_is_told_once_at_most(self) -> None:
        answers: list[object] = [TellingFailed("timed-out"), 200]
        self.stage.channels["once"].answer = lambda *_: answers.pop(0)
        self.stage.follow(channel="once")
        self.stage.mail("a")
        self.stage.mail("b")
        self.stage.run(10.0)
        self.assertEqual(self.stage.told("once"), [(5.0, 2, 1)])

    def test_a_mistake_of_a_channel_is_logged_and_tried_again(self) -> None:
        answers: list[object] = [ZeroDivisionError("oops"), 200]
        self.stage.channels["latest"].answer = lambda *_: answers.pop(0)
        self.stage.follow()
        self.stage.mail("a")
        self.stage.run(10.0)
        self.assertEqual(self.stage.told(), [(5.0, 1, 1)])
        self.assertTrue([line for line in self.stage.lines if "ZeroDivisionError" in line])

    def test_a_channel_that_never_ends(self) -> None:
        answers: list[object] = [Deferred(), 200]
        self.stage.channels["latest"].answer = lambda *_: answers.pop(0)
        self.stage.follow()
        self.stage.mail("a")
        self.stage.run(89.0)
        self.assertEqual(self.stage.dispatcher.in_flight, 1)
        self.stage.run(10.0)
        self.assertEqual(self.stage.told(), [(95.0, 1, 1)])

    def test_a_log_that_cannot_be_read(self) -> None:
        self.stage.follow()
        self.stage.events.refuse_with = TemporaryFailure(NO_ANSWER, "disk")
        self.stage.bus.publish(LogGrown(JOE, 1))
        self.stage.run(1.0)
        self.stage.events.refuse_with = None
        self.stage.mail("a", heard=False)
        self.stage.run(5.0)
        self.assertEqual(len(self.stage.told()), 1)
        self.assertTrue([line for line in self.stage.lines if "notify.put_off" in line])

    def test_a_letter_that_cannot_be_kept_is_not_lost(self) -> None:
        self.stage.channels["each"].answer = lambda *_: TellingRefused("http 413", 413)
        self.stage.follow(channel="each")
        self.stage.kept.refuse_with = TemporaryFailure(NO_ANSWER, "disk")
        self.stage.mail("a")
        self.assertEqual(self.stage.cursor().acked, 0)
        self.stage.kept.refuse_with = None
        self.stage.run(6.0)
        self.assertEqual(
            (self.stage.cursor().acked, len(run_now(self.stage.kept.dead_letters("s1")))), (1, 1)
        )

    def test_a_hint_that_is_lost(self) -> None:
        self.stage.follow()
        self.stage.mail("a", heard=False)
        self.stage.run(599.0)
        self.assertEqual(self.stage.told(), [])
        self.stage.run(2.0)
        self.assertEqual(len(self.stage.told()), 1)


class Budgets(DispatcherCase):
    settings = DispatcherSettings(max_per_hour=3)

    def test_so_many_in_an_hour_and_then_all_in_one(self) -> None:
        self.stage.follow(channel="each")
        self.stage.mail(*"abcdefg")
        self.assertEqual(self.stage.told("each"), [(0.0, 1, 1), (0.0, 2, 1), (0.0, 3, 1)])
        self.stage.run(3599.0)
        self.stage.mail("h")
        self.assertEqual(len(self.stage.told("each")), 3)
        self.stage.run(2.0)
        self.assertEqual(self.stage.told("each")[3:], [(3600.0, 8, 5)])
        self.stage.mail("i")
        self.assertEqual(self.stage.told("each")[4:], [(3601.0, 9, 1)])

    def test_a_thousand_accounts_at_one_address(self) -> None:
        for number in range(1000):
            account = user(number)
            self.stage.follow(f"s{number}", account=account, target_key="victim.example:443")
            self.stage.mail("a", account=account)
        at_once = len(self.stage.told())
        self.assertLessEqual(at_once, 101)
        self.stage.run(10.0, step=0.5)
        self.assertLessEqual(len(self.stage.told()), at_once + 201)
        self.stage.run(60.0, step=0.5)
        self.assertEqual(len({one.subscription for one in self.stage.channels["latest"].told}), 1000)
        self.assertEqual(self.stage.dispatcher.waiting, 0)

    def test_few_at_a_time_to_one_host(self) -> None:
        gates: list[Deferred[int]] = []

        def wait(*_: object) -> Deferred[int]:
            gates.append(Deferred())
            return gates[-1]

        self.stage.channels["latest"].answer = wait
        for number in range(10):
            account = user(number)
            self.stage.follow(f"s{number}", account=account, target_key="slow.example:443")
            self.stage.mail("a", account=account)
        self.assertEqual((len(gates), self.stage.dispatcher.waiting), (4, 6))
        for expected in range(5, 11):
            gates[expected - 5].callback(200)
            self.stage.run(0.0)
            self.assertEqual(len(gates), expected)
        self.assertEqual(
            [one.subscription for one in self.stage.channels["latest"].asked], [f"s{n}" for n in range(10)]
        )

    def test_a_dead_host_is_left_alone_and_given_up_in_time(self) -> None:
        self.stage.channels["latest"].answer = lambda *_: TellingFailed("refused")
        for number in range(40):
            account = user(number)
            self.stage.follow(f"s{number}", account=account, target_key="dead.example:443")
            self.stage.mail("a", account=account)
        self.assertEqual(len(self.stage.channels["latest"].asked), 10)
        self.stage.run(3 * 3600.0, step=10.0)
        states = {self.stage.standing(f"s{number}").subscription.state for number in range(40)}
        self.assertEqual(states, {SubscriptionState.SUSPENDED})
        self.assertEqual(len(self.stage.suspended), 40)
        self.assertLessEqual(len(self.stage.channels["latest"].asked), 30)

    def test_one_who_waits_in_line_and_leaves(self) -> None:
        gates: list[Deferred[int]] = []

        def wait(*_: object) -> Deferred[int]:
            gates.append(Deferred())
            return gates[-1]

        self.stage.channels["latest"].answer = wait
        for number in range(7):
            account = user(number)
            self.stage.follow(f"s{number}", account=account, target_key="slow.example:443")
            self.stage.mail("a", account=account)
        run_now(self.stage.book.remove("s4"))
        self.stage.change("s5", state=SubscriptionState.PAUSED)
        gates[0].callback(200)
        self.stage.run(0.0)
        self.assertEqual([one.subscription for one in self.stage.channels["latest"].asked][4:], ["s6"])


class Lives(DispatcherCase):
    def test_start_and_stop_may_come_twice(self) -> None:
        self.stage.follow()
        self.stage.dispatcher.start()
        self.stage.mail("a")
        self.assertEqual(len(self.stage.told()), 1)
        self.stage.stop()
        self.stage.stop()
        self.stage.dispatcher.reload(DispatcherSettings())
        self.stage.mail("b")
        self.stage.run(60.0)
        self.assertEqual(len(self.stage.told()), 1)

    def test_a_restart_within_the_window(self) -> None:
        self.stage.follow()
        self.stage.mail("a")
        self.stage.mail("b")
        self.stage.run(1.0)
        self.stage.stop()
        self.stage.restart()
        self.stage.mail("c")
        self.stage.run(20.0)
        self.assertEqual(self.stage.told(), [(0.0, 1, 1), (10.0, 3, 2)])

    def test_what_was_under_way_is_told_again_with_the_same_id(self) -> None:
        self.stage.channels["each"].answer = lambda *_: Deferred()
        self.stage.follow(channel="each")
        self.stage.mail("a")
        self.stage.stop()
        self.stage.channels["each"].answer = lambda *_: 200
        self.stage.restart()
        self.stage.run(1.0)
        first, second = self.stage.channels["each"].asked
        self.assertEqual(first.notice.id, second.notice.id)

    def test_many_are_not_told_at_once_after_a_start(self) -> None:
        for number in range(300):
            self.stage.follow(f"s{number}", account=user(number))
            self.stage.mail("a", account=user(number), heard=False)
        self.stage.run(1.0)
        self.stage.stop()
        self.stage.restart()
        self.stage.run(0.5)
        self.assertLess(len(self.stage.told()), 150)
        self.stage.run(1.5)
        self.assertEqual(len(self.stage.told()), 300)

    def test_nobody_is_told_while_it_is_switched_off(self) -> None:
        self.stage.follow()
        self.stage.dispatcher.reload(DispatcherSettings(enabled=False))
        self.stage.mail("a")
        self.stage.run(60.0)
        self.assertEqual(self.stage.told(), [])
        self.stage.dispatcher.reload(DispatcherSettings())
        self.stage.run(1.0)
        self.assertEqual(len(self.stage.told()), 1)

    def test_channels_come_and_go(self) -> None:
        self.stage.follow()
        self.stage.dispatcher.reload(DispatcherSettings(), {})
        self.stage.mail("a")
        self.assertEqual(self.stage.told(), [])
        self.stage.dispatcher.reload(DispatcherSettings(), dict(self.stage.channels))
        self.stage.run(1.0)
        self.assertEqual(len(self.stage.told()), 1)

    def test_windows_of_the_configuration(self) -> None:
        self.stage.dispatcher.reload(DispatcherSettings(windows={"latest": 2.0}))
        self.stage.follow()
        self.stage.mail("a")
        self.stage.mail("b")
        self.stage.run(2.1)
        self.assertEqual([at for at, _, _ in self.stage.told()], [0.0, 2.0])

    def test_states_that_are_told_nothing(self) -> None:
        for state in SubscriptionState:
            self.stage.follow(state.value, state=state)
        self.stage.follow("expired", expires=EPOCH - 1.0)
        self.stage.mail("a")
        self.stage.run(60.0)
        self.assertEqual([one.subscription for one in self.stage.channels["latest"].told], ["active"])

    def test_who_came_was_told_something_useful(self) -> None:
        self.stage.follow()
        self.stage.dispatcher.came(JOE)
        self.stage.mail("a")
        self.assertEqual(self.stage.reached, [JOE])
        self.stage.run(30.0)
        self.stage.dispatcher.came(JOE)
        self.stage.dispatcher.came(JOE)
        self.stage.dispatcher.came(ANN)
        self.assertEqual(self.stage.cursor().useful, 1)
        self.stage.mail("b")
        self.stage.run(61.0)
        self.stage.dispatcher.came(JOE)
        self.assertEqual((self.stage.cursor().useful, self.stage.cursor().sent), (1, 2))

    def test_what_is_counted(self) -> None:
        counted: list[tuple[str, str | float]] = []

        class Meter:
            def ended(self, channel: str, result: str) -> None:
                counted.append((channel, result))

            def told(self, channel: str, seconds: float) -> None:
                counted.append((channel, round(seconds, 1)))

        answers: list[object] = [TellingFailed("refused"), 200, TellingRefused("http 413", 413)]
        self.stage.dispatcher.turns.handing.meter = Meter()
        self.stage.channels["each"].answer = lambda *_: answers.pop(0)
        self.stage.follow(channel="each")
        self.stage.mail("a", "b")
        self.stage.run(5.1)
        self.assertEqual(counted, [("each", "failed"), ("each", "ok"), ("each", 5.0), ("each", "refused")])

    def test_mail_for_others_costs_nothing(self) -> None:
        self.stage.follow()
        before = len(self.stage.clock.getDelayedCalls())
        self.stage.mail("a", account=ANN)
        self.assertEqual(self.stage.dispatcher._followers, {})
        self.assertEqual(len(self.stage.clock.getDelayedCalls()), before)
        self.assertEqual((self.stage.dispatcher.in_flight, self.stage.dispatcher.waiting), (0, 0))


class ByHand(DispatcherCase):
    def test_a_notice_of_nothing(self) -> None:
        self.stage.follow(quiet=QuietTimes("UTC", (QuietSpan(EVERY_DAY, 0, 0),)), level=Level.KNOCK)
        attempt = self.successResultOf(self.stage.do(self.stage.dispatcher.tell_now("s1")))
        self.assertEqual((attempt.result, attempt.subscription), ("ok", "s1"))
        notice = self.stage.channels["latest"].told[0].notice
        self.assertEqual((notice.kind, notice.level), (Kind.TEST, Level.KNOCK))
        self.assertEqual((self.stage.cursor().acked, self.stage.cursor().sent), (0, 1))
        self.assertEqual(run_now(self.stage.book.attempts("s1")), (attempt,))

    def test_it_fails_as_others_do_and_nothing_follows(self) -> None:
        self.stage.channels["latest"].answer = lambda *_: TellingFailed("http 500", 500)
        self.stage.follow()
        attempt = self.successResultOf(self.stage.do(self.stage.dispatcher.tell_now("s1")))
        self.assertEqual((attempt.result, attempt.code, self.stage.cursor().fails), ("http 500", 500, 0))
        self.stage.channels["latest"].answer = lambda *_: TargetGone("http 410", 410)
        self.successResultOf(self.stage.do(self.stage.dispatcher.tell_now("s1")))
        self.assertEqual(self.stage.standing().subscription.state, SubscriptionState.DEAD)

    def test_never_beside_another(self) -> None:
        gates: list[Deferred[int]] = []

        def wait(*_: object) -> Deferred[int]:
            gates.append(Deferred())
            return gates[-1]

        self.stage.channels["latest"].answer = wait
        self.stage.follow()
        self.stage.mail("a")
        trial = self.stage.do(self.stage.dispatcher.tell_now("s1"))
        self.assertNoResult(trial)
        self.assertEqual(len(gates), 1)
        gates[0].callback(200)
        gates[1].callback(200)
        self.assertEqual(self.successResultOf(trial).result, "ok")
        self.assertEqual(self.stage.channels["latest"].most_at_once, 1)

    def test_within_what_may_go_to_a_host(self) -> None:
        self.stage.follow()
        while self.stage.destinations.begin("s1.example:443"):
            pass
        attempt = self.successResultOf(self.stage.do(self.stage.dispatcher.tell_now("s1")))
        self.assertIn("not now", attempt.result)
        self.assertEqual(self.stage.channels["latest"].asked, [])

    def test_what_cannot_be_told(self) -> None:
        self.stage.follow()
        for id, seq in (("nobody", 1), ("s1", 1)):
            self.failureResultOf(self.stage.do(self.stage.dispatcher.replay(id, seq)), MailFailure)
        self.failureResultOf(self.stage.do(self.stage.dispatcher.tell_now("nobody")), MailFailure)
        self.stage.caps[JOE] = None
        self.failureResultOf(self.stage.do(self.stage.dispatcher.tell_now("s1")), MailFailure)

    def test_who_has_not_shown_that_he_wants_it(self) -> None:
        for state in (SubscriptionState.UNVERIFIED, SubscriptionState.DEAD):
            self.stage.follow(state.value, state=state)
            trial = self.stage.do(self.stage.dispatcher.tell_now(state.value))
            self.assertIn(state.value, str(self.failureResultOf(trial, PermanentFailure).value))
        self.assertEqual(self.stage.channels["latest"].asked, [])

    def test_the_log_has_it_no_more(self) -> None:
        self.stage.channels["each"].answer = lambda *_: TellingRefused("http 413", 413)
        self.stage.follow(channel="each")
        self.stage.mail("a", "b")
        run_now(self.stage.events.trim(0.0, 1))
        failure = self.failureResultOf(self.stage.do(self.stage.dispatcher.replay("s1", 1)), PermanentFailure)
        self.assertIn("no more", str(failure.value))
        self.stage.channels["each"].answer = lambda *_: TellingFailed("timed-out")
        attempt = self.successResultOf(self.stage.do(self.stage.dispatcher.replay("s1", 2)))
        self.assertEqual(attempt.result, "timed-out")
        self.assertEqual(len(run_now(self.stage.kept.dead_letters("s1"))), 2)


class Meanwhile(DispatcherCase):
    """What changes while something is under way."""

    def waiting(self, channel: str = "latest") -> list[Deferred[int]]:
        gates: list[Deferred[int]] = []

        def wait(*_: object) -> Deferred[int]:
            gates.append(Deferred())
            return gates[-1]

        self.stage.channels[channel].answer = wait
        return gates

    def test_it_is_removed(self) -> None:
        gates = self.waiting("each")
        self.stage.follow(channel="each")
        self.stage.mail("a", "b")
        run_now(self.stage.book.remove("s1"))
        gates[0].callback(200)
        self.stage.run(60.0)
        self.assertEqual((len(gates), self.stage.dispatcher.in_flight), (1, 0))

    def test_it_is_changed(self) -> None:
        gates = self.waiting("each")
        self.stage.follow(channel="each", level=Level.SUBJECT)
        self.stage.mail("a", "b")
        self.stage.change(level=Level.COUNT)
        gates[0].callback(200)
        self.stage.run(0.0)
        gates[1].callback(200)
        self.assertEqual(
            [one.notice.level for one in self.stage.channels["each"].told], [Level.SUBJECT, Level.COUNT]
        )
        self.assertEqual(self.stage.cursor().acked, 2)

    def test_its_channel_goes(self) -> None:
        gates = self.waiting("each")
        self.stage.follow(channel="each")
        self.stage.mail("a", "b")
        trial = self.stage.do(self.stage.dispatcher.tell_now("s1"))
        self.stage.dispatcher.reload(DispatcherSettings(), {})
        gates[0].callback(200)
        gates[1].callback(200)
        self.assertEqual(self.successResultOf(trial).result, "ok")
        self.stage.run(10.0)
        self.assertEqual((len(gates), self.stage.cursor().acked), (2, 1))
        self.assertFalse(self.stage.destinations.open_until("s1.example:443"))

    def test_it_is_changed_while_the_directory_thinks(self) -> None:
        gate: Deferred[Level] = Deferred()

        async def think(account: Address) -> Level:
            return await gate

        self.stage.dispatcher.turns.cap = think
        self.stage.follow(level=Level.SUBJECT)
        self.stage.mail("a")
        self.stage.change(filter=NoticeFilter(senders=("nobody@*",)))
        gate.callback(Level.PREVIEW)
        self.stage.run(1.0)
        self.assertEqual((self.stage.told(), self.stage.cursor().acked), ([], 1))

    def test_many_at_a_time(self) -> None:
        gates = self.waiting()
        for number in range(300):
            self.stage.follow(f"s{number}", account=user(number))
            self.stage.mail("a", account=user(number))
        self.assertEqual((len(gates), self.stage.dispatcher.waiting), (256, 44))
        for gate in gates[:44]:
            gate.callback(200)
        self.assertEqual((len(gates), self.stage.dispatcher.waiting), (300, 0))

    def test_what_its_owner_has_changed_stays(self) -> None:
        gates = self.waiting()
        self.stage.follow()
        self.stage.mail("a")
        self.stage.change(name="Phone")
        gates[0].errback(TargetGone("http 410", 410))
        subscription = self.stage.standing().subscription
        self.assertEqual((subscription.name, subscription.state), ("Phone", SubscriptionState.DEAD))

    def test_it_is_paused_and_fails(self) -> None:
        gates = self.waiting()
        self.stage.follow()
        self.stage.mail("a")
        self.stage.change(state=SubscriptionState.PAUSED)
        gates[0].errback(TargetGone("http 410", 410))
        self.assertEqual(self.stage.standing().subscription.state, SubscriptionState.PAUSED)

    def test_some_come_between_while_the_directory_thinks(self) -> None:
        thinking: list[Deferred[Level]] = []

        async def think(account: Address) -> Level:
            thinking.append(Deferred())
            return await thinking[-1]

        gates = self.waiting()
        self.stage.dispatcher.turns.cap = think
        for number in range(6):
            self.stage.follow(f"s{number}", account=user(number), target_key="slow.example:443")
            self.stage.mail("a", account=user(number))
        for one in thinking[:]:
            one.callback(Level.PREVIEW)
        self.assertEqual((len(gates), self.stage.dispatcher.waiting), (4, 2))
        self.stage.dispatcher.turns.cap = self.stage._cap
        for number in range(6):
            gates[number].callback(200)
            self.stage.run(0.0)
        self.assertEqual((len(self.stage.told()), self.stage.dispatcher.waiting), (6, 0))

    def test_many_in_order_have_turns(self) -> None:
        self.stage.follow(channel="each", window=0.0)
        self.stage.follow("s2", channel="each", account=ANN)
        self.stage.mail(*(f"m{number}" for number in range(60)))
        self.stage.mail("x", account=ANN)
        self.assertEqual(len(self.stage.told("each")), 61)
        self.assertEqual(self.stage.cursor().acked, 60)

    def test_a_channel_that_breaks_itself_off(self) -> None:
        answers: list[object] = [CancelledError(), 200]
        self.stage.channels["latest"].answer = lambda *_: answers.pop(0)
        self.stage.follow()
        self.stage.mail("a")
        self.stage.run(10.0)
        self.assertEqual(self.stage.told(), [(5.0, 1, 1)])

    def test_a_mistake_of_ours_is_logged_and_tried_again(self) -> None:
        async def fail(account: Address) -> Level:
            raise ZeroDivisionError("ours")

        self.stage.dispatcher.turns.cap = fail
        self.stage.follow()
        self.stage.mail("a")
        self.assertTrue([line for line in self.stage.lines if "ours" in line])
        self.stage.dispatcher.turns.cap = self.stage._cap
        self.stage.run(5.1)
        self.assertEqual(len(self.stage.told()), 1)


class Trouble(DispatcherCase):
    """What cannot be written or read."""

    def test_a_state_that_cannot_be_written(self) -> None:
        self.stage.channels["latest"].answer = lambda *_: TargetGone("http 410", 410)
        self.stage.follow()
        self.stage.kept.refuse_with = TemporaryFailure(NO_ANSWER, "disk")
        self.stage.mail("a")
        self.assertEqual(self.stage.standing().subscription.state, SubscriptionState.ACTIVE)
        self.assertTrue([line for line in self.stage.lines if "notify.unchanged" in line])

    def test_one_who_is_given_up_while_he_is_changed(self) -> None:
        self.stage.follow()
        subscription = self.stage.standing().subscription
        self.stage.change(name="Phone")
        channel, after = self.stage.channels["latest"], self.stage.dispatcher.turns.after
        run_now(after.despair(subscription, channel.terms))
        self.assertEqual((self.stage.suspended, self.stage.cursor().due), ([], 0.0))
        self.stage.kept.refuse_with = TemporaryFailure(NO_ANSWER, "disk")
        run_now(after.suspend(subscription, "why"))
        self.assertEqual(self.stage.suspended, [])
        self.stage.kept.refuse_with = None
        for _ in range(2):
            run_now(after.suspend(subscription, "why"))
        self.assertEqual(self.stage.suspended, [("s1", "why")])

    def test_an_owner_who_cannot_be_told(self) -> None:
        self.stage.channels["latest"].answer = lambda *_: TellingFailed("refused")
        for number, failure in enumerate((TemporaryFailure(NO_ANSWER, "queue"), ZeroDivisionError("oops"))):

            async def fail(*_: object, failure: Exception = failure) -> None:
                raise failure

            self.stage.dispatcher.turns.after.owner = fail
            self.stage.follow(f"s{number}", account=user(number))
            self.stage.mail("a", account=user(number))
            self.stage.run(2000.0)
            state = self.stage.standing(f"s{number}").subscription.state
            self.assertEqual(state, SubscriptionState.SUSPENDED)
        for text in ("notify.owner_untold", "ZeroDivisionError"):
            self.assertTrue([line for line in self.stage.lines if text in line], text)

    def test_heads_that_cannot_be_read_at_the_start(self) -> None:
        self.stage.follow()
        self.stage.mail("a", heard=False)
        self.stage.run(1.0)
        self.stage.stop()
        self.stage.events.refuse_with = TemporaryFailure(NO_ANSWER, "disk")
        self.stage.restart()
        self.stage.run(3.0)
        self.stage.events.refuse_with = None
        self.assertEqual(self.stage.told(), [])
        self.stage.run(3.0)
        self.assertEqual(len(self.stage.told()), 1)
        self.assertTrue([line for line in self.stage.lines if "notify.log_unread" in line])

    def test_a_log_that_has_lost_its_end(self) -> None:
        self.stage.follow()
        self.stage.mail("a", "b", "c")
        self.stage.run(1.0)
        self.stage.stop()
        run_now(self.stage.events.erase(JOE))
        self.stage.mail("a", "b", heard=False)
        self.stage.restart()
        self.stage.run(20.0)
        self.stage.mail("d")
        self.assertEqual(self.stage.told()[-1], (21.0, 3, 1))

    def test_who_is_told_once_at_most_and_waits_for_a_dead_host(self) -> None:
        self.stage.channels["once"].answer = lambda *_: TellingFailed("refused")
        for number in range(12):
            self.stage.follow(f"s{number}", "once", user(number), target_key="dead.example:1")
            self.stage.mail("a", account=user(number))
        self.stage.run(599.0)
        self.assertEqual(len(self.stage.channels["once"].asked), 10)
        self.stage.channels["once"].answer = lambda *_: 200
        self.stage.run(2.0)
        self.assertEqual(len(self.stage.told("once")), 2)
