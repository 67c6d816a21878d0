"""What a session is finding out for its client: one answer at a time, and somebody owns each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks


@attrs.define(eq=False)
class Answers:
    """Runs what ends with an answer. *failed* is told of what nobody foresaw; *found* is called at the end
    of each, as long as there is a client."""

    _failed: Callable[[Failure], None]
    _found: Callable[[], None]
    busy: bool = attrs.field(default=False, init=False)
    """An answer is being found."""
    _abandoned: bool = attrs.field(default=False, init=False)
    _settled: Deferred[None] | None = attrs.field(default=None, init=False)
    _tasks: Tasks = attrs.field(init=False)
    _for_the_client: Tasks = attrs.field(init=False)
    """Answers that are worth nothing once the client has gone."""

    def __attrs_post_init__(self) -> None:
        self._tasks, self._for_the_client = Tasks(self._failed), Tasks(self._failed)

    def find(self, coroutine: Coroutine[Any, Any, None], for_the_client: bool = False) -> None:
        """Run *coroutine*, to its end though the client goes away meanwhile; unless it is *for_the_client*
        alone and changes nothing that others see: then it is cancelled at that moment."""
        self.busy = True
        (self._for_the_client if for_the_client else self._tasks).start(self._find(coroutine))

    def abandon(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The client is gone: run *last* when no answer is being found any more. A commit that began is
        never cut short."""
        self._abandoned = True
        self._tasks.start(self._settle(last))
        self._for_the_client.cancel()

    async def _find(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except CancelledError:
            if not self._abandoned:
                self._failed(Failure())
        except Exception:  # subclasses of the session answer the failures that they foresee
            self._failed(Failure())
        self.busy = False
        if self._settled is not None:
            self._settled.callback(None)
        elif not self._abandoned:
            self._found()

    async def _settle(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self.busy:
            self._settled = Deferred()
            await self._settled
        await last()
