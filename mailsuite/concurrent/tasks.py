"""The one owner of coroutines: keeps them, cancels them, handles their failure in one place."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure


@attrs.define
class Tasks:
    """A set of running coroutines with one place for their failures.

    *failed* is told of every failure but a cancellation.
    """

    failed: Callable[[Failure], None]
    _running: set[_Task] = attrs.field(factory=set, init=False)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run *coroutine* until it first waits, and keep it until it ends."""
        task = _Task(coroutine)
        self._running.add(task)
        # Most never wait: for them a Deferred would cost more than all that they do.
        try:
            task.begin()
        except StopIteration:
            self._running.discard(task)
        except BaseException:
            self._ended(Failure(), task)
        else:
            task.ended = Deferred.fromCoroutine(task)
            task.ended.addBoth(self._ended, task)

    def _ended(self, result: Any, task: _Task) -> None:
        self._running.discard(task)
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.failed(result)

    def cancel(self) -> None:
        """Cancel whatever runs; what it was doing is told by CancelledError.

        The one that calls this itself, perhaps by closing its own connection, hears it where it waits next.
        """
        for task in list(self._running):
            task.cancel()

    async def finished(self) -> None:
        """Wait until all that runs now has ended, one way or the other. Not for one of them to call."""
        for task in list(self._running):
            if task.ended is not None:
                await _witness(task.ended)

    def __len__(self) -> int:
        return len(self._running)


@attrs.define(eq=False)
class _Task(Coroutine[Any, Any, Any]):
    """A coroutine that can be cancelled also while it executes.

    Deferred.cancel() reaches a coroutine only where it waits; one that executes would never hear of it.
    """

    coroutine: Coroutine[Any, Any, Any]
    ended: Deferred[Any] | None = None
    _executing: bool = False
    _doomed: bool = False
    _first: Any = None
    """What it has begun to wait for, until somebody asks."""

    def cancel(self) -> None:
        if self._executing or self.ended is None:
            self._doomed = True
        else:
            self.ended.cancel()

    def begin(self) -> None:
        """Execute up to where it first waits. Raises StopIteration where it never does, and its failure."""
        self._first = self._step(self.coroutine.send, None)

    def send(self, value: Any) -> Any:
        first, self._first = self._first, None
        return self._step(self.coroutine.send, value) if first is None else first

    def throw(self, *exception: Any) -> Any:
        return self._step(self.coroutine.throw, *exception)

    def close(self) -> None:
        self.coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.coroutine.__await__()

    def _step(self, resume: Callable[..., Any], *arguments: Any) -> Any:
        """Let the coroutine execute up to the next Deferred it waits for."""
        self._executing = True
        try:
            awaited = resume(*arguments)
        finally:
            self._executing = False
        if self._doomed:  # a Deferred that has its result is never waited for, so this one has none
            self._doomed = False
            awaited.cancel()
        return awaited


def _witness(running: Deferred[Any]) -> Deferred[None]:
    """A Deferred that fires when *running* has ended, and leaves its result alone."""
    done: Deferred[None] = Deferred()

    def pass_through(result: Any) -> Any:
        done.callback(None)
        return result

    running.addBoth(pass_through)
    return done
