"""Threads that may never come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.threads import CallsFromThread
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED

T = TypeVar("T")


@implementer(IThreads)
@attrs.define(eq=False)
class Detached:
    """A thread of its own for each call, at most *size* at once.

    A caller who does not want to wait any longer cancels, and the thread is abandoned: it cannot be
    stopped, holds its place until its call returns, and does not keep the process from ending. Where all
    places are held by such threads, run() fails at once, and says so.
    """

    reactor: CallsFromThread
    name: str
    size: int
    running: int = attrs.field(default=0, init=False)
    abandoned: int = attrs.field(default=0, init=False)
    """Of those that run, how many nobody waits for."""

    async def run(self, work: Callable[[], T]) -> T:
        if self.running >= self.size:
            if self.abandoned == self.running:
                detail = f"{self.name}: none of {self.running} calls has come back"
                raise TemporaryFailure(DIRECTORY_UNAVAILABLE, detail)
            raise TemporaryFailure(OVERLOADED, f"{self.name}: {self.running} calls are under way")
        done: Deferred[T] = Deferred(self._abandon)
        thread = threading.Thread(target=self._work, args=(work, done), name=self.name, daemon=True)
        self.running += 1
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more
            self.running -= 1
            raise TemporaryFailure(OVERLOADED, f"{self.name}: {error}") from None
        return await done

    def _work(self, work: Callable[[], T], done: Deferred[T]) -> None:
        """In the thread."""
        result: T | Failure
        try:
            result = work()
        except BaseException:
            result = Failure()
            result.cleanFailure()  # the frames hold the password
        self.reactor.callFromThread(self._deliver, done, result)

    def _deliver(self, done: Deferred[T], result: T | Failure) -> None:
        self.running -= 1
        if done.called:
            self.abandoned -= 1
        else:
            done.callback(result)

    def _abandon(self, done: Deferred[T]) -> None:
        self.abandoned += 1
