"""Has notices written whenever some are owed, by one at a time."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.notices import Notices
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

PAUSE = 10.0
"""Seconds until the queue is asked again after it could not be reached."""

HINT_PAUSE = 0.25
"""Seconds within which it is asked after something was done to it; most of what is done owes nothing."""


@attrs.define(eq=False)
class Teller:
    """start() and stop() it once."""

    notices: Notices
    clock: IReactorTime
    log: Log
    _tasks: Tasks = attrs.field(init=False)
    _works: bool = attrs.field(default=False, init=False)
    _again: bool = attrs.field(default=False, init=False)
    _runs: bool = attrs.field(default=False, init=False)
    _call: IDelayedCall | None = attrs.field(default=None, init=False)
    _hinted: IDelayedCall | None = attrs.field(default=None, init=False)

    @_tasks.default
    def _own_tasks(self) -> Tasks:
        return Tasks(lambda failure: self.log.failure("notice.failed", failure))

    def start(self) -> None:
        """Begin with what is owed from before."""
        self._runs = True
        self.look()

    async def stop(self) -> None:
        """Finish what is being written."""
        self._runs = False
        for call in (self._call, self._hinted):
            if call is not None and call.active():
                call.cancel()
        await self._tasks.finished()

    def look(self) -> None:
        """Something may be owed."""
        self._again = True
        if self._runs and not self._works:
            self._works = True
            self._tasks.start(self._work())

    def hint(self) -> None:
        """Something was done to the queue, whatever it was."""
        if self._runs and (self._hinted is None or not self._hinted.active()):
            self._hinted = self.clock.callLater(HINT_PAUSE, self.look)

    async def _work(self) -> None:
        wait: float | None = None
        try:
            while self._again and self._runs:
                self._again = False
                wait = await self.notices.work()
                self._again = self._again or wait == 0.0
        except MailFailure as failure:
            self.log.error("relay.queue_unavailable", reason=failure.reason)
            wait = PAUSE
        except Exception:
            self.log.failure("notice.failed", Failure())
            wait = PAUSE
        finally:
            self._works = False
        if self._call is not None and self._call.active():
            self._call.cancel()
        if wait is not None and self._runs:
            self._call = self.clock.callLater(wait, self.look)
