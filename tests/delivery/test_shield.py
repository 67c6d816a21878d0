"""Work under a shield: waited for like any other, but cancelling the wait does not reach it."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.shield import to_its_end


class ShieldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.failures: list[Failure] = []
        self.tasks = Tasks(self.failures.append)
        self.gate: Deferred[str] = Deferred()
        self.steps: list[str] = []

    async def work(self) -> str:
        self.steps.append("begun")
        word = await self.gate
        self.steps.append("ended")
        return word

    def wait(self) -> Deferred[str]:
        return Deferred.fromCoroutine(to_its_end(self.work(), self.tasks))

    def test_begins_at_once_and_answers_the_result(self) -> None:
        waiting = self.wait()
        self.assertEqual(self.steps, ["begun"])
        self.assertNoResult(waiting)
        self.gate.callback("done")
        self.assertEqual(self.successResultOf(waiting), "done")
        self.assertEqual(len(self.tasks), 0)

    def test_answers_the_failure_to_who_waits_and_to_nobody_else(self) -> None:
        waiting = self.wait()
        self.gate.errback(ValueError("no"))
        self.failureResultOf(waiting, ValueError)
        self.assertEqual(self.failures, [])

    def test_work_goes_on_when_the_wait_is_cancelled(self) -> None:
        waiting = self.wait()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.steps, ["begun"])
        self.assertEqual(len(self.tasks), 1)
        self.gate.callback("done")
        self.assertEqual(self.steps, ["begun", "ended"])
        self.assertEqual(len(self.tasks), 0)
        self.assertEqual(self.failures, [])

    def test_a_failure_nobody_waits_for_goes_to_the_owner(self) -> None:
        waiting = self.wait()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.gate.errback(ValueError("no"))
        (failure,) = self.failures
        failure.trap(ValueError)

    def test_a_cancellation_of_the_work_itself_is_its_failure(self) -> None:
        waiting = self.wait()
        self.gate.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.failures, [])
