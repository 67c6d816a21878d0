"""Pools of threads: order, bounds, failures, and callers that went away."""

import os
import threading

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.concurrent.threads import Inline, Patient, Pool
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from tests.concurrent.turns import PATIENCE, Turns


class PoolTests(SynchronousTestCase):
    def setUp(self):
        self.reactor = Turns()
        self.pool = self.make(1, 2)

    def make(self, size, waiting):
        pool = Pool(self.reactor, "test", size, waiting)
        pool.start()
        self.addCleanup(pool.stop)
        return pool

    def run_in(self, work, pool=None):
        return Deferred.fromCoroutine((pool or self.pool).run(work))

    def gate(self):
        """An event that blocks a thread; opened at the end whatever happens."""
        gate = threading.Event()
        self.addCleanup(gate.set)
        return gate

    def test_provides_the_interface(self):
        verifyObject(IThreads, self.pool)

    def test_the_work_is_done_elsewhere_and_answered_here(self):
        running = self.run_in(threading.get_ident)
        self.assertNoResult(running)
        self.reactor.turn()
        self.assertNotEqual(self.successResultOf(running), threading.get_ident())

    def test_what_is_raised_is_raised_here(self):
        running = self.run_in(lambda: 1 / 0)
        self.reactor.turn()
        self.failureResultOf(running, ZeroDivisionError)
        again = self.run_in(lambda: "alive")
        self.reactor.turn()
        self.assertEqual(self.successResultOf(again), "alive")

    def test_one_thread_works_in_order(self):
        order = []
        for number in range(3):
            self.run_in(lambda number=number: order.append(number))
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual(order, [0, 1, 2])

    def test_two_threads_work_at_once(self):
        pool = self.make(2, 0)
        meeting = threading.Barrier(2)
        both = [self.run_in(lambda: meeting.wait(PATIENCE), pool) for _ in range(2)]
        for _ in both:
            self.reactor.turn()
        self.assertEqual(sorted(self.successResultOf(one) for one in both), [0, 1])

    def test_never_more_threads_than_its_size(self):
        pool = self.make(2, 8)
        lock, seen, gate = threading.Lock(), set(), self.gate()

        def work():
            with lock:
                seen.add(threading.get_ident())
            gate.wait(PATIENCE)

        for _ in range(10):
            self.run_in(work, pool)
        gate.set()
        for _ in range(10):
            self.reactor.turn()
        self.assertLessEqual(len(seen), 2)

    def test_what_is_too_much_is_refused_at_once(self):
        gate = self.gate()
        waiting = [self.run_in(lambda: gate.wait(PATIENCE)) for _ in range(3)]
        failure = self.failureResultOf(self.run_in(lambda: None), TemporaryFailure).value
        self.assertEqual(failure.reply, OVERLOADED)
        self.assertIn("test: 3 calls", failure.detail)
        gate.set()
        for _ in waiting:
            self.reactor.turn()
        again = self.run_in(lambda: "room")
        self.reactor.turn()
        self.assertEqual(self.successResultOf(again), "room")

    def test_what_failed_leaves_room(self):
        for _ in range(5):
            running = self.run_in(lambda: 1 / 0)
            self.reactor.turn()
            self.failureResultOf(running, ZeroDivisionError)

    def test_work_whose_caller_went_away_is_done_and_holds_its_place_until_then(self):
        gate, done = self.gate(), []
        blocking = self.run_in(lambda: gate.wait(PATIENCE))
        left = [self.run_in(lambda: done.append("done")), self.run_in(lambda: 1 / 0)]
        for running in left:
            running.cancel()
            self.failureResultOf(running, CancelledError)
        self.failureResultOf(self.run_in(lambda: None), TemporaryFailure)
        gate.set()
        for _ in range(3):
            self.reactor.turn()
        self.assertTrue(self.successResultOf(blocking))
        self.assertEqual(done, ["done"])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopping_finishes_what_was_given(self):
        done = []
        for number in range(3):
            self.run_in(lambda number=number: done.append(number))
        self.pool.stop()
        self.assertEqual(done, [0, 1, 2])

    def test_after_the_end_nothing_waits_for_ever(self):
        self.pool.stop()
        failure = self.failureResultOf(self.run_in(lambda: None), TemporaryFailure).value
        self.assertIn("ended", failure.detail)

    def test_polite_threads_stand_back(self):
        pool = Pool(self.reactor, "test", 1, 2, nice=7)
        pool.start()
        self.addCleanup(pool.stop)
        both = [
            self.run_in(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), one)
            for one in (pool, self.pool)
        ]
        for _ in both:
            self.reactor.turn()
        polite, other = (self.successResultOf(one) for one in both)
        self.assertEqual(polite, max(other, 7))


class PatientTests(PoolTests):
    """All that holds for a pool, but for work whose caller went away."""

    def setUp(self):
        self.clock = Clock()
        super().setUp()

    def make(self, size, waiting):
        return Patient(super().make(size, waiting), self.clock, 5.0)

    def test_provides_the_interface(self):
        verifyObject(IThreads, self.pool)

    def test_stopping_finishes_what_was_given(self):
        self.pool = self.pool.threads
        super().test_stopping_finishes_what_was_given()

    def test_after_the_end_nothing_waits_for_ever(self):
        self.pool.threads.stop()
        failure = self.failureResultOf(self.run_in(lambda: None), TemporaryFailure).value
        self.assertIn("ended", failure.detail)

    test_work_whose_caller_went_away_is_done_and_holds_its_place_until_then = None

    def test_work_whose_caller_went_away_is_not_done(self):
        gate, done = self.gate(), []
        blocking = self.run_in(lambda: gate.wait(PATIENCE))
        left = self.run_in(lambda: done.append("done"))
        left.cancel()
        self.failureResultOf(left, CancelledError)
        gate.set()
        for _ in range(2):
            self.reactor.turn()
        self.assertTrue(self.successResultOf(blocking))
        self.assertEqual(done, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_waits_too_long_is_told_so(self):
        gate, begun, done = self.gate(), threading.Event(), []

        def block():
            begun.set()
            return gate.wait(PATIENCE)

        blocking = self.run_in(block)
        self.assertTrue(begun.wait(PATIENCE))
        waiting = self.run_in(lambda: done.append("done"))
        self.clock.advance(4.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        failure = self.failureResultOf(waiting, TemporaryFailure).value
        self.assertEqual(failure.reply, OVERLOADED)
        self.assertIn("5 seconds", failure.detail)
        self.assertNoResult(blocking)  # what has begun comes to its end
        gate.set()
        for _ in range(2):
            self.reactor.turn()
        self.assertTrue(self.successResultOf(blocking))
        self.assertEqual(done, [])


class InlineTests(SynchronousTestCase):
    def test_provides_the_interface(self):
        verifyObject(IThreads, Inline())

    def test_it_is_done_here_and_now(self):
        running = Deferred.fromCoroutine(Inline().run(threading.get_ident))
        self.assertEqual(self.successResultOf(running), threading.get_ident())

    def test_what_is_raised_is_raised(self):
        self.failureResultOf(Deferred.fromCoroutine(Inline().run(lambda: 1 / 0)), ZeroDivisionError)
