"""The dispatcher where there is much to look at, much at once, or time goes wrong."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import TellingFailed
from mailsuite.model.notice import Happening, Kind, MessageFacts
from mailsuite.model.subscription import (
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    Subscription,
    SubscriptionState,
    WhileQuiet,
)
from mailsuite.notices.memory import MemoryEventLog, MemorySubscriptions
from mailsuite.notify import gathering
from mailsuite.notify.outgoing.destinations import OPEN_SECONDS, End
from tests.notify.stage import JOE, Stage

NOON_TO_ONE = QuietTimes(
    "UTC", (QuietSpan(frozenset(range(7)), 720, 780),), WhileQuiet.HOLD, ("boss@example.org",)
)


@attrs.define(eq=False)
class CountingLog(MemoryEventLog):
    reads: int = 0

    async def read(self, account, after, limit):  # type: ignore[no-untyped-def]
        self.reads += 1
        return await super().read(account, after, limit)


class MuchThatWaits(SynchronousTestCase):
    """More waits for the end of a quiet time than is judged at a time."""

    def setUp(self) -> None:
        self.patch(gathering, "PAGE", 5)
        self.patch(gathering, "MAX_GATHERED", 10)
        self.stage = Stage(events=CountingLog())
        self.addCleanup(self.stage.stop)
        self.stage.follow(quiet=NOON_TO_ONE)

    def come(self, count: int, sender: str = "eve@example.org") -> None:
        facts = MessageFacts(sender=sender)
        happenings = (
            Happening(JOE, Kind.MAIL_NEW, self.stage.now(), f"{sender}{number}", 1, facts)
            for number in range(count)
        )
        self.stage.happen(*happenings)
        for _ in range(50):
            self.stage.run(0.01)

    def test_it_is_looked_at_once(self) -> None:
        self.come(35)
        before = self.stage.events.reads
        self.assertLess(before, 50)  # each entry is heard of by itself
        for _ in range(100):
            self.stage.run(0.01)
        self.assertEqual(self.stage.events.reads, before)
        self.assertEqual((self.stage.told(), self.stage.cursor().acked), ([], 0))

    def test_who_breaks_through_is_heard_behind_it(self) -> None:
        self.come(35)
        self.come(1, "boss@example.org")
        self.assertEqual([seq for _, seq, _ in self.stage.told()], [36])

    def test_all_of_it_is_told_when_it_is_over(self) -> None:
        self.come(35)
        self.come(1, "boss@example.org")
        self.stage.run(3700.0)
        self.assertEqual(self.stage.counted(), 36)
        self.assertEqual(self.stage.cursor().acked, 36)


@attrs.define(eq=False)
class SlowSubscriptions(MemorySubscriptions):
    gates: list[Deferred[None]] = attrs.field(factory=list)

    async def change(self, subscription: Subscription) -> None:
        gate: Deferred[None] = Deferred()
        self.gates.append(gate)
        await gate
        await super().change(subscription)


class LeftAlone(SynchronousTestCase):
    def test_its_owner_hears_of_it_once_however_much_comes_at_that_moment(self) -> None:
        stage = Stage(kept=SlowSubscriptions())
        self.addCleanup(stage.stop)
        stage.follow()
        key = "s1.example:443"
        for _ in range(10):
            self.assertTrue(stage.destinations.begin(key))
            stage.destinations.ended(key, End.FAILED)
        stage.mail("a")  # it waits in line, and the host stays dead for longer than all its retries take
        self.assertEqual(stage.told(), [])
        stage.channels["latest"].answer = lambda subscription, notice: TellingFailed("refused")
        for _ in range(3):
            stage.run(OPEN_SECONDS - 1.0)
            if stage.kept.gates:
                break
        self.assertTrue(stage.kept.gates)
        stage.mail("b", "c", "d")
        while any(not gate.called for gate in stage.kept.gates):
            next(gate for gate in stage.kept.gates if not gate.called).callback(None)
        self.assertEqual(stage.standing().subscription.state, SubscriptionState.SUSPENDED)
        self.assertEqual(len(stage.suspended), 1)
        self.assertEqual(len([line for line in stage.lines if "subscription_suspended" in line]), 1)


class ClockSetBack(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.stop)

    def test_a_retry_is_not_years_away(self) -> None:
        self.stage.follow()
        self.stage.channels["latest"].answer = lambda subscription, notice: TellingFailed("refused")
        self.stage.mail("a")
        self.assertEqual(self.stage.cursor().fails, 1)
        self.stage.run(1.0)  # that is written
        self.stage.channels["latest"].answer = lambda subscription, notice: 200
        self.stage.stop()
        self.stage.offset -= 4 * 365 * 86_400.0
        self.stage.restart()
        self.stage.mail("b")
        self.stage.run(86_400.0 + 60.0)
        self.assertEqual([count for _, _, count in self.stage.told()], [2])

    def test_mail_from_the_future_has_waited_long_enough(self) -> None:
        self.stage.follow(filter=NoticeFilter(if_unfetched_after=300.0))
        self.stage.mail("a")
        self.stage.offset -= 4 * 365 * 86_400.0
        self.stage.mail("b")
        self.stage.run(700.0)
        self.assertEqual(sum(count for _, _, count in self.stage.told()), 2)


class Leaving(SynchronousTestCase):
    def test_who_is_removed_in_line_is_forgotten(self) -> None:
        stage = Stage()
        self.addCleanup(stage.stop)
        stage.follow()
        key = "s1.example:443"
        for _ in range(10):
            stage.destinations.begin(key)
            stage.destinations.ended(key, End.FAILED)
        stage.mail("a")
        self.assertEqual(stage.dispatcher.waiting, 1)
        removing = stage.do(stage.book.remove("s1"))
        self.assertTrue(removing.called)
        stage.run(OPEN_SECONDS + 5.0)
        self.assertEqual((stage.dispatcher.waiting, dict(stage.dispatcher._followers)), (0, {}))
