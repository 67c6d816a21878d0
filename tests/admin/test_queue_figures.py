"""Figures of the outbound queue."""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailsuite.admin.queue_figures import PAUSE, SHARE, QueueFigures
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueueFilter, QueueState
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from tests.admin.queues import BUSY, NOW, QueueApiCase
from tests.observe.test_metrics import figures

OLDEST = ("mailsuite_queue_oldest_seconds",)


class FiguresTests(QueueApiCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.metrics = Metrics()
        self.figures = self.over(self.outbound.queue)
        self.figures.show(self.metrics)

    def over(self, queue: Any) -> QueueFigures:
        log = Log(lambda line, level: self.lines.append(line))
        return QueueFigures(queue, self.clock, lambda: self.now, log)

    def shown(self) -> dict[tuple[str, ...], float]:
        """By name and state."""
        return {key: value for key, value in figures(self.metrics).items() if "_queue_" in key[0]}

    def states(self) -> dict[str, float]:
        return {key[1]: value for key, value in self.shown().items() if len(key) == 2}

    def test_before_anybody_has_looked_nothing_is_known(self) -> None:
        self.assertEqual(self.states(), {})
        self.assertTrue(math.isnan(self.shown()[OLDEST]))

    def test_messages_by_state(self) -> None:
        self.put("m1", age=60)
        self.record({0: BUSY})
        self.put("m2")
        self.put("m3")
        self.answer(self.outbound.queue.hold(QueueFilter(ids=frozenset({"m3"})), NOW))
        self.figures.start()
        self.assertEqual(self.states(), {"ready": 1, "waiting": 1, "leased": 0, "held": 1})
        self.assertEqual(self.shown()[OLDEST], 60)
        self.now += 5
        self.assertEqual(self.shown()[OLDEST], 65)

    def test_it_looks_again(self) -> None:
        self.figures.start()
        self.assertEqual((self.states()["ready"], self.shown()[OLDEST]), (0, 0))
        self.put("m1")
        self.clock.advance(PAUSE)
        self.assertEqual(self.states()["ready"], 1)
        self.answer(self.figures.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_longer_it_takes_the_less_often(self) -> None:
        slow = _Slow(self.outbound.queue)
        looking = self.over(slow)
        looking.start()
        self.clock.advance(2)
        slow.waiting.callback(None)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime() - self.clock.seconds(), 2 * SHARE)
        self.answer(looking.stop())

    def test_the_end_waits_for_a_look_that_is_under_way(self) -> None:
        slow = _Slow(self.outbound.queue)
        looking = self.over(slow)
        looking.start()
        stopping = Deferred.fromCoroutine(looking.stop())
        self.assertNoResult(stopping)
        slow.waiting.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_queue_that_cannot_is_not_known(self) -> None:
        self.put("m1")
        self.figures.start()
        self.queue.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "bad disk")
        self.clock.advance(PAUSE)
        self.assertEqual(self.states(), {})
        self.assertTrue(math.isnan(self.shown()[OLDEST]))
        self.queue.refuse_with = None
        self.clock.advance(PAUSE)
        self.assertEqual(self.states()["ready"], 1)

    def test_a_mistake_of_ours_is_logged_and_not_the_end(self) -> None:
        looking = self.over(None)
        looking.start()
        self.assertIn("queue.figures_failed", self.lines[0])
        self.clock.advance(PAUSE)
        self.assertEqual(len(self.lines), 2)


class _Slow:
    """Waits once for each look, with counting what is ready."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.find = queue.find
        self.waiting: Deferred[None] = Deferred()

    async def count(self, which: QueueFilter, now: float) -> int:
        if which.state is QueueState.READY:
            await self.waiting
        return int(await self._queue.count(which, now))
