"""Figures of the outbound queue for Prometheus, looked up beside the mail.

To count a million messages costs a second of a thread that nothing waits for, so it is done now and then, and
the less often the longer it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IQueueDesk
from mailsuite.model.failure import MailFailure
from mailsuite.model.outbound import QueueFilter, QueueState
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics

PAUSE: Final = 15.0
"""Seconds between two looks: as often as Prometheus asks."""
SHARE: Final = 50
"""A look that takes a second is followed by a pause of so many."""
STATES: Final = (QueueState.READY, QueueState.WAITING, QueueState.LEASED, QueueState.HELD)


@attrs.define(eq=False)
class QueueFigures:
    """Between start() and stop(), both once."""

    queue: IQueueDesk
    clock: IReactorTime
    now: Callable[[], float]
    log: Log
    _counts: Mapping[str, float] = attrs.field(factory=dict, init=False)
    _oldest: float | None = attrs.field(default=None, init=False)
    """When it arrived."""
    _known: bool = attrs.field(default=False, init=False)
    _runs: bool = attrs.field(default=False, init=False)
    _next: IDelayedCall | None = attrs.field(default=None, init=False)
    _tasks: Tasks = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tasks = Tasks(lambda failure: self.log.failure("queue.figures_failed", failure))

    def show(self, metrics: Metrics) -> None:
        """Among *metrics*; once."""
        metrics.gauges(
            "mailsuite_queue_messages",
            "Messages in the outbound queue with a recipient in this state.",
            "state",
            lambda: self._counts,
        )
        metrics.gauge(
            "mailsuite_queue_oldest_seconds",
            "Since the message that has waited longest in the outbound queue arrived; 0: there is none.",
            self._age,
        )

    def start(self) -> None:
        """Look now, and go on."""
        self._runs = True
        self._tasks.start(self._look())

    async def stop(self) -> None:
        """Finish the look that is under way."""
        self._runs = False
        if self._next is not None and self._next.active():
            self._next.cancel()
        await self._tasks.finished()

    def _age(self) -> float:
        if not self._known:
            return math.nan
        return 0.0 if self._oldest is None else max(0.0, self.now() - self._oldest)

    async def _look(self) -> None:
        began = self.clock.seconds()
        try:
            await self._learn()
        except MailFailure:  # whoever needs the queue for mail logs it
            self._known, self._counts = False, {}
        finally:
            if self._runs:
                pause = max(PAUSE, SHARE * (self.clock.seconds() - began))
                self._next = self.clock.callLater(pause, lambda: self._tasks.start(self._look()))

    async def _learn(self) -> None:
        now = self.now()
        counts = {state.value: await self.queue.count(QueueFilter(state=state), now) for state in STATES}
        oldest = await self.queue.find(QueueFilter(), now, count=1)
        self._counts = counts
        self._oldest = oldest[0].message.arrived if oldest else None
        self._known = True
