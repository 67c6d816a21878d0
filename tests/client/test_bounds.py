"""Waiting for a bounded time, whatever a Deferred makes of being cancelled."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.bounds import within


class WithinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.inner: Deferred[int] = Deferred(lambda d: d.errback(Failure(ConnectingCancelledError(None))))
        self.waiting = Deferred.fromCoroutine(within(5, self.clock, self.inner))
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def test_in_time(self) -> None:
        self.clock.advance(4)
        self.inner.callback(7)
        self.assertEqual(self.successResultOf(self.waiting), 7)

    def test_a_failure(self) -> None:
        self.inner.errback(ZeroDivisionError())
        self.failureResultOf(self.waiting, ZeroDivisionError)

    def test_too_late(self) -> None:
        self.clock.advance(5)
        self.failureResultOf(self.waiting, TookTooLong)

    def test_cancelled(self) -> None:
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)
