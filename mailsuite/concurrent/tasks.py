"""The one owner of coroutines: keeps them, cancels them, handles their failure in one place."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.python.failure import Failure


@attrs.define
class Tasks:
    """A set of running coroutines with one place for their failures.

    *failed* is told of every failure but a cancellation.
    """

    failed: Callable[[Failure], None]
    _running: set[Deferred[Any]] = attrs.field(factory=set, init=False)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run *coroutine* until it first waits, and keep it until it ends."""
        running: Deferred[Any] = Deferred.fromCoroutine(coroutine)
        if running.called and not running.paused and not isinstance(running.result, Failure):
            return  # the usual case: it never had to wait
        self._running.add(running)
        running.addBoth(self._ended, running)

    def _ended(self, result: Any, running: Deferred[Any]) -> None:
        self._running.discard(running)
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.failed(result)

    def cancel(self) -> None:
        """Cancel whatever runs; what it was doing is told by CancelledError."""
        for running in list(self._running):
            running.cancel()

    async def finished(self) -> None:
        """Wait until all that runs now has ended, one way or the other."""
        await DeferredList([_witness(running) for running in self._running])

    def __len__(self) -> int:
        return len(self._running)


def _witness(running: Deferred[Any]) -> Deferred[None]:
    """A Deferred that fires when *running* has ended, and leaves its result alone."""
    done: Deferred[None] = Deferred()

    def pass_through(result: Any) -> Any:
        done.callback(None)
        return result

    running.addBoth(pass_through)
    return done
