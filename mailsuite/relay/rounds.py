"""Work that is done whenever somebody says that there may be some, and again when it is time for more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

PAUSE = 10.0
"""Seconds until the next round where one has failed."""


@attrs.define(eq=False)
class Rounds:
    """One round at a time; whoever asks for one meanwhile has another one behind it. start() and stop() it
    once."""

    work: Callable[[], Awaitable[float | None]]
    """One round: answers in how many seconds the next one comes; 0: at once; None: not before somebody asks.
    Where it fails with a MailFailure the queue could not be reached."""
    clock: IReactorTime
    tasks: Tasks
    """Owns the rounds."""
    log: Log
    mishap: str
    """The event of a failure that nobody has foreseen."""
    runs: bool = attrs.field(default=False, init=False)
    works: bool = attrs.field(default=False, init=False)
    """A round is under way."""
    _again: bool = attrs.field(default=False, init=False)
    _next: IDelayedCall | None = attrs.field(default=None, init=False)

    @property
    def waits(self) -> bool:
        """It is known when the next round comes."""
        return self._next is not None and self._next.active()

    def start(self) -> None:
        """Begin with a round."""
        self.runs = True
        self.look()

    def stop(self) -> None:
        """Begin no more; one that is under way is the tasks' business."""
        self.runs = False
        self._forget_next()

    def look(self) -> None:
        """There may be work."""
        self._again = True
        if self.runs and not self.works:
            self.works = True
            self.tasks.start(self._go_round())

    async def _go_round(self) -> None:
        wait: float | None = None
        try:
            while self._again and self.runs:
                self._again = False
                wait = await self.work()
                self._again = self._again or wait == 0.0
        except CancelledError:
            raise
        except MailFailure as failure:
            self.log.error("relay.queue_unavailable", reason=failure.reason)
            wait = PAUSE
        except Exception:
            self.log.failure(self.mishap, Failure())
            wait = PAUSE
        finally:
            self.works = False
        self._forget_next()
        if wait is not None and self.runs:
            self._next = self.clock.callLater(wait, self.look)

    def _forget_next(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
