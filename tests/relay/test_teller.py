"""Whoever has notices written: one at a time, again where there is more, and again where it went wrong."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.relay.rounds import PAUSE
from mailsuite.relay.teller import HINT_PAUSE, Teller


class Notices:
    """Answers what the test says, one after the other; then that nothing is left."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def work(self) -> float | None:
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deferred):
            await answer
            return None
        found: float | None = answer
        return found


def _notices(*answers: Any) -> Any:
    return Notices(*answers)


class TellerCase(SynchronousTestCase):
    def begin(self, *answers: Any) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.notices = _notices(*answers)
        self.teller = Teller(self.notices, self.clock, Log(lambda line, level: self.lines.append(line)))
        self.teller.start()

    def test_as_often_as_there_is_more(self) -> None:
        self.begin(0.0, 0.0, None)
        self.assertEqual((self.notices.calls, self.clock.getDelayedCalls()), (3, []))

    def test_when_it_is_time(self) -> None:
        self.begin(30.0)
        self.clock.advance(29)
        self.assertEqual(self.notices.calls, 1)
        self.clock.advance(1)
        self.assertEqual(self.notices.calls, 2)

    def test_who_looks_meanwhile_is_heard_afterwards(self) -> None:
        first: Deferred[None] = Deferred()
        self.begin(first)
        self.teller.look()
        self.assertEqual(self.notices.calls, 1)
        first.callback(None)
        self.assertEqual(self.notices.calls, 2)

    def test_a_look_takes_the_place_of_a_later_one(self) -> None:
        self.begin(30.0, 60.0)
        self.teller.look()
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), 60)

    def test_hints_are_heard_together(self) -> None:
        self.begin()
        for _ in range(100):
            self.teller.hint()
        self.assertEqual(self.notices.calls, 1)
        self.clock.advance(HINT_PAUSE)
        self.assertEqual(self.notices.calls, 2)
        self.teller.hint()
        self.successResultOf(Deferred.fromCoroutine(self.teller.stop()))
        self.teller.hint()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_queue_that_is_away(self) -> None:
        self.begin(TemporaryFailure(STORE_UNAVAILABLE, "away"))
        self.assertIn("relay.queue_unavailable", self.lines[0])
        self.clock.advance(PAUSE)
        self.assertEqual(self.notices.calls, 2)

    def test_a_mistake_of_ours_does_not_end_it(self) -> None:
        self.begin(RuntimeError("as the test wants it"))
        self.assertIn("notice.failed", self.lines[0])
        self.clock.advance(PAUSE)
        self.assertEqual(self.notices.calls, 2)

    def test_the_end(self) -> None:
        self.begin(30.0)
        stopping = Deferred.fromCoroutine(self.teller.stop())
        self.successResultOf(stopping)
        self.teller.look()
        self.assertEqual((self.notices.calls, self.clock.getDelayedCalls()), (1, []))

    def test_what_is_being_written_is_finished(self) -> None:
        first: Deferred[None] = Deferred()
        self.begin(first)
        stopping = Deferred.fromCoroutine(self.teller.stop())
        self.assertNoResult(stopping)
        first.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_cancelled_does_not_come_back(self) -> None:
        first: Deferred[None] = Deferred()
        self.begin(first)
        self.teller._rounds.tasks.cancel()
        self.assertEqual((self.lines, self.clock.getDelayedCalls()), ([], []))
        self.teller.look()
        self.assertEqual(self.notices.calls, 2)
