"""Work in a process of its own, so that generators do not wait for each other, nor the server for them in
one interpreter. Times are of CLOCK_MONOTONIC, which all processes of a machine share."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")
PATIENCE = 300.0
"""Seconds until it is ready, and until it answers."""
READY = "ready"
_FORK = multiprocessing.get_context("fork")


class Apart(Generic[T]):
    """Runs *work* as long as it is entered. It is given its end of a pipe, says READY there, and what it
    returns is what result() answers."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work

    def __enter__(self) -> Apart[T]:
        self._pipe, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=_run, args=(self._work, theirs), daemon=True)
        self._process.start()
        theirs.close()
        if (said := self._said()) != READY:
            raise RuntimeError(said)
        return self

    def tell(self, word: object) -> None:
        """Put it into the pipe."""
        self._pipe.send(word)

    def result(self) -> T:
        """Have it come to its end, and wait for that. Raises RuntimeError where it failed."""
        with suppress(BrokenPipeError):
            self._pipe.send(None)
        kind, found = self._said()
        if kind == "failed":
            raise RuntimeError(found)
        answer: T = found
        return answer

    def _said(self) -> Any:
        if not self._pipe.poll(PATIENCE):
            raise TimeoutError("the generator does not answer")
        return self._pipe.recv()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()


def _run(work: Callable[[Connection], object], pipe: Connection) -> None:
    try:
        answer = ("done", work(pipe))
    except Exception as error:
        answer = ("failed", repr(error))
    with suppress(BrokenPipeError):
        pipe.send(answer)
