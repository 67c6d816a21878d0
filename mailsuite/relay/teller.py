"""Has notices written whenever some are owed, by one at a time."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.notices import Notices
from mailsuite.observe.log import Log
from mailsuite.relay.rounds import Rounds

HINT_PAUSE = 0.25
"""Seconds within which it is asked after something was done to it; most of what is done owes nothing."""


@attrs.define(eq=False)
class Teller:
    """start() and stop() it once."""

    notices: Notices
    clock: IReactorTime
    log: Log
    _rounds: Rounds = attrs.field(init=False)
    _hinted: IDelayedCall | None = attrs.field(default=None, init=False)

    @_rounds.default
    def _own_rounds(self) -> Rounds:
        tasks = Tasks(lambda failure: self.log.failure("notice.failed", failure))
        return Rounds(self.notices.work, self.clock, tasks, self.log, "notice.failed")

    def start(self) -> None:
        """Begin with what is owed from before."""
        self._rounds.start()

    async def stop(self) -> None:
        """Finish what is being written."""
        self._rounds.stop()
        if self._hinted is not None and self._hinted.active():
            self._hinted.cancel()
        await self._rounds.tasks.finished()

    def look(self) -> None:
        """Something may be owed."""
        self._rounds.look()

    def hint(self) -> None:
        """Something was done to the queue, whatever it was."""
        if self._rounds.runs and (self._hinted is None or not self._hinted.active()):
            self._hinted = self.clock.callLater(HINT_PAUSE, self.look)
