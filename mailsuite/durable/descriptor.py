"""File descriptors that threads use and the reactor closes, and results that nobody may be waiting for."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import attrs

from mailsuite.interfaces import IThreads

T = TypeVar("T")


@attrs.define(eq=False)
class Descriptor:
    """Closed when close() was called *and* no thread works with it: its number may not be reused sooner."""

    number: int
    _borrowers: int = attrs.field(default=0, init=False)
    closed: bool = attrs.field(default=False, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    @contextlib.contextmanager
    def borrowed(self) -> Iterator[int]:
        """The number, open until the end of the ``with``. Raises RuntimeError after close()."""
        with self._guard:
            if self.closed:
                raise RuntimeError("used after it was closed")
            self._borrowers += 1
        try:
            yield self.number
        finally:
            with self._guard:
                self._borrowers -= 1
                close_now = self._is_free()
            if close_now:
                os.close(self.number)

    def close(self) -> None:
        """Any number of times; never waits for a thread."""
        with self._guard:
            if self.closed:
                return
            self.closed = True
            close_now = self._is_free()
        if close_now:
            os.close(self.number)

    def _is_free(self) -> bool:
        return self.closed and not self._borrowers


@attrs.define(eq=False)
class _Handover(Generic[T]):
    """A result that a thread leaves and a coroutine takes, if it is still there."""

    discard: Callable[[T], None]
    _abandoned: bool = attrs.field(default=False, init=False)
    _left: list[T] = attrs.field(factory=list, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def leave(self, result: T) -> T:
        with self._guard:
            abandoned = self._abandoned
            if not abandoned:
                self._left.append(result)
        if abandoned:
            self.discard(result)
        return result

    def abandon(self) -> None:
        with self._guard:
            self._abandoned = True
            left, self._left = self._left, []
        for result in left:
            self.discard(result)


async def run_owned(threads: IThreads, work: Callable[[], T], discard: Callable[[T], None]) -> T:
    """Run *work* in a thread; a result that the cancelled caller cannot take any more is discarded."""
    handover = _Handover(discard)
    try:
        return await threads.run(lambda: handover.leave(work()))
    except BaseException:  # GeneratorExit among them: the caller is gone
        handover.abandon()
        raise
