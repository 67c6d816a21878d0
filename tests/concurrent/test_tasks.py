"""The owner of coroutines."""

import contextlib
import gc

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.tasks import Tasks


class TasksCase(SynchronousTestCase):
    def setUp(self):
        self.lost = []
        self.tasks = Tasks(self.lost.append)
        self.steps = []

    async def follow(self, *waits):
        """Wait for each in turn; say how far it came."""
        for number, wait in enumerate(waits):
            try:
                await wait
            except CancelledError:
                self.steps.append(f"{number} cancelled")
                raise
            self.steps.append(number)

    async def call(self, function, *waits):
        function()
        await self.follow(*waits)


class RunningTests(TasksCase):
    def test_it_runs_at_once_until_it_waits(self):
        first, second = Deferred(), Deferred()
        first.callback(None)
        self.tasks.start(self.follow(first, second))
        self.assertEqual((self.steps, len(self.tasks)), ([0], 1))
        second.callback(None)
        self.assertEqual((self.steps, len(self.tasks)), ([0, 1], 0))

    def test_one_that_never_waits_is_over(self):
        self.tasks.start(self.follow())
        self.assertEqual((len(self.tasks), self.lost), (0, []))

    def test_one_that_waits_is_kept_though_nobody_else_does(self):
        wait = Deferred()
        self.tasks.start(self.follow(wait))
        gc.collect()
        wait.callback(None)
        self.assertEqual(self.steps, [0])

    def test_a_failure_is_told_once_at_once_or_later(self):
        wait = Deferred()
        self.tasks.start(self.call(lambda: 1 / 0))
        self.tasks.start(self.follow(wait))
        wait.errback(KeyError())
        self.assertEqual([failure.type for failure in self.lost], [ZeroDivisionError, KeyError])
        self.assertEqual(len(self.tasks), 0)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_failure_names_where_it_arose(self):
        wait = Deferred()

        async def breaks_here():
            await wait
            raise ValueError

        self.tasks.start(breaks_here())
        wait.callback(None)
        self.assertIn("breaks_here", self.lost[0].getTraceback())

    def test_a_task_may_start_another(self):
        wait = Deferred()
        self.tasks.start(self.call(lambda: self.tasks.start(self.follow(wait))))
        self.assertEqual(len(self.tasks), 1)
        wait.callback(None)
        self.assertEqual((self.steps, len(self.tasks)), ([0], 0))


class CancelTests(TasksCase):
    def test_every_one_is_cancelled_where_it_waits(self):
        self.tasks.start(self.follow(Deferred()))
        self.tasks.start(self.follow(Deferred()))
        self.tasks.cancel()
        self.assertEqual(self.steps, ["0 cancelled", "0 cancelled"])
        self.assertEqual((len(self.tasks), self.lost), (0, []))

    def test_with_nothing_running_there_is_nothing_to_cancel(self):
        self.tasks.cancel()
        self.assertEqual(self.lost, [])

    def test_what_fails_while_it_is_cancelled_is_told(self):
        async def breaks():
            try:
                await Deferred()
            finally:
                raise ZeroDivisionError

        self.tasks.start(breaks())
        self.tasks.cancel()
        self.assertTrue(self.lost[0].check(ZeroDivisionError))

    def test_one_that_cleans_up_first_is_waited_for(self):
        cleaning = Deferred()

        async def cleans():
            try:
                await Deferred()
            finally:
                await cleaning

        self.tasks.start(cleans())
        self.tasks.cancel()
        self.assertEqual(len(self.tasks), 1)
        cleaning.callback(None)
        self.assertEqual((len(self.tasks), self.lost), (0, []))

    def test_one_that_ends_another_while_it_is_cancelled(self):
        wait = Deferred(lambda cancelled: other.callback(None))
        other = Deferred()
        self.tasks.start(self.follow(wait))
        self.tasks.start(self.follow(other))
        self.tasks.cancel()
        self.assertEqual((len(self.tasks), self.lost), (0, []))

    def test_one_that_cancels_itself_hears_it_where_it_waits_next(self):
        """As a session does that closes its own connection."""
        ready, never = Deferred(), Deferred()

        async def closes():
            await ready
            await self.call(self.tasks.cancel, never)

        self.tasks.start(closes())
        ready.callback(None)
        self.assertEqual((self.steps, len(self.tasks), self.lost), (["0 cancelled"], 0, []))

    def test_one_that_cancels_itself_before_it_ever_waited(self):
        self.tasks.start(self.call(self.tasks.cancel, Deferred()))
        self.assertEqual((self.steps, len(self.tasks), self.lost), (["0 cancelled"], 0, []))

    def test_what_needs_no_waiting_is_no_place_to_hear_it(self):
        fired = Deferred()
        fired.callback(None)
        self.tasks.start(self.call(self.tasks.cancel, fired, Deferred()))
        self.assertEqual((self.steps, len(self.tasks)), ([0, "1 cancelled"], 0))

    def test_what_waits_for_another_is_a_place_to_hear_it(self):
        inner, outer = Deferred(), Deferred()
        outer.addCallback(lambda _: inner)
        outer.callback(None)
        self.tasks.start(self.call(self.tasks.cancel, outer))
        self.assertEqual((self.steps, len(self.tasks)), (["0 cancelled"], 0))

    def test_one_that_cancels_itself_and_ends_has_ended(self):
        self.tasks.start(self.call(self.tasks.cancel))
        self.assertEqual((len(self.tasks), self.lost), (0, []))

    def test_it_is_cancelled_once(self):
        async def goes_on():
            self.tasks.cancel()
            for _ in range(2):
                with contextlib.suppress(CancelledError):
                    await self.follow(waits.pop(0))

        waits = [Deferred(), Deferred()]
        last = waits[-1]
        self.tasks.start(goes_on())
        self.assertEqual((self.steps, len(self.tasks)), (["0 cancelled"], 1))
        last.callback(None)
        self.assertEqual((self.steps, len(self.tasks)), (["0 cancelled", 0], 0))


class FinishedTests(TasksCase):
    def finished(self):
        return Deferred.fromCoroutine(self.tasks.finished())

    def test_nothing_has_finished(self):
        self.successResultOf(self.finished())

    def test_it_waits_for_all_that_runs_however_it_ends(self):
        good, bad, slow = Deferred(), Deferred(), Deferred()
        for wait in (good, bad, slow):
            self.tasks.start(self.follow(wait))
        finished, again = self.finished(), self.finished()
        good.callback(None)
        bad.errback(ZeroDivisionError())
        self.assertNoResult(finished)
        slow.cancel()
        self.successResultOf(finished)
        self.successResultOf(again)
        self.assertEqual([failure.type for failure in self.lost], [ZeroDivisionError])

    def test_what_begins_later_is_not_waited_for(self):
        early, late = Deferred(), Deferred()
        self.tasks.start(self.follow(early))
        finished = self.finished()
        self.tasks.start(self.follow(late))
        early.callback(None)
        self.successResultOf(finished)
        self.assertEqual(len(self.tasks), 1)

    def test_who_stops_waiting_stops_nothing_else(self):
        wait = Deferred()
        self.tasks.start(self.follow(wait))
        finished = self.finished()
        finished.cancel()
        self.failureResultOf(finished, CancelledError)
        wait.callback(None)
        self.assertEqual((self.steps, self.lost), ([0], []))
        del finished
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
