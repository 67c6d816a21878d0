"""The clock of a connection."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.timer import Timer


class TimerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[float] = []
        self.timer = Timer(self.clock, lambda: self.expired.append(self.clock.seconds()))

    def test_movement_puts_it_off(self) -> None:
        self.timer.watch(10.0)
        for _ in range(5):
            self.clock.advance(7.0)
            self.timer.moved()
        self.assertEqual(self.expired, [])
        self.clock.advance(9.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, [45.0])
        self.assertEqual(self.clock.getDelayedCalls(), [], "once is enough")

    def test_movement_costs_no_call(self) -> None:
        self.timer.watch(10.0)
        [call] = self.clock.getDelayedCalls()
        self.timer.moved()
        self.assertEqual(self.clock.getDelayedCalls(), [call])

    def test_a_limit_heeds_no_movement(self) -> None:
        self.timer.watch(10.0)
        self.timer.limit(4.0)
        self.clock.advance(3.0)
        self.timer.moved()
        self.clock.advance(1.0)
        self.assertEqual(self.expired, [4.0])

    def test_a_limit_may_be_longer_than_idleness(self) -> None:
        self.timer.limit(60.0)
        self.clock.pump([1.0] * 59)
        self.assertEqual(self.expired, [])
        self.clock.advance(1.0)
        self.assertEqual(self.expired, [60.0])

    def test_idleness_within_a_limit(self) -> None:
        self.timer.watch(10.0, 25.0)
        for _ in range(3):
            self.clock.advance(8.0)
            self.timer.moved()
        self.assertEqual(self.expired, [])
        self.clock.advance(1.0)
        self.assertEqual(self.expired, [25.0])
        self.timer.watch(10.0, 50.0)
        self.clock.advance(9.9)
        self.assertEqual(self.expired, [25.0])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, [25.0, 35.0])

    def test_a_limit_that_is_over_already(self) -> None:
        self.clock.advance(30.0)
        self.timer.watch(10.0, 25.0)
        self.assertEqual(self.expired, [], "not from within watch()")
        self.clock.advance(0.0)
        self.assertEqual(self.expired, [30.0])

    def test_a_limit_that_moves(self) -> None:
        until = 20.0
        self.timer.watch(100.0, until=lambda: until)
        self.clock.advance(19.0)
        until = 40.0
        self.clock.advance(20.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, [40.0])

    def test_a_shorter_wait_behind_a_longer_one(self) -> None:
        """Found by the look that is due; where none is in time, there is an earlier one instead. That one is
        not brought forward: Twisted would search all calls of all sessions for it."""
        self.timer.watch(300.0)
        self.clock.advance(130.0)
        [call] = self.clock.getDelayedCalls()
        at = call.getTime()
        self.timer.watch(180.0)
        self.assertEqual((self.clock.getDelayedCalls(), call.getTime()), ([call], at))
        self.timer.watch(5.0)
        [sooner] = self.clock.getDelayedCalls()
        self.assertEqual((call.active(), sooner.getTime()), (False, 135.0))
        self.clock.advance(5.0)
        self.assertEqual(self.expired, [135.0])

    def test_how_long_nothing_moved(self) -> None:
        self.timer.watch(10.0)
        self.clock.advance(4.0)
        self.assertEqual(self.timer.idle, 4.0)
        self.timer.moved()
        self.assertEqual(self.timer.idle, 0.0)

    def test_after_a_limit_idleness_counts_again(self) -> None:
        self.timer.limit(4.0)
        self.clock.advance(3.0)
        self.timer.watch(10.0)
        self.clock.advance(9.9)
        self.assertEqual(self.expired, [])
        self.clock.advance(0.1)
        self.assertEqual(self.expired, [13.0])

    def test_it_can_be_set_again_from_within(self) -> None:
        self.timer = Timer(
            self.clock, lambda: (self.expired.append(self.clock.seconds()), self.timer.watch(10.0))
        )
        self.timer.watch(10.0)
        self.clock.pump([10.0] * 3)
        self.assertEqual(self.expired, [10.0, 20.0, 30.0])

    def test_stop_any_number_of_times(self) -> None:
        self.timer.stop()
        self.timer.watch(10.0)
        self.timer.stop()
        self.timer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
