"""Bounded pools of threads behind IThreads, and the same without threads for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED

T = TypeVar("T")


class CallsFromThread(Protocol):
    """The half of IReactorFromThreads that a pool needs."""

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None: ...


@implementer(IThreads)
@attrs.define
class Pool:
    """At most *size* threads, and at most *queue* calls that wait for one."""

    reactor: CallsFromThread
    name: str
    size: int
    queue: int
    _waiting: int = attrs.field(default=0, init=False)
    _threads: ThreadPool = attrs.field(init=False)

    @_threads.default
    def _make_threads(self) -> ThreadPool:
        return ThreadPool(0, self.size, self.name)

    def start(self) -> None:
        """Threads are made when there is work for them."""
        self._threads.start()

    def stop(self) -> None:
        """Finish what was queued, then end the threads. Blocks until they have ended.

        What is given to run() afterwards is refused. Any number of times.
        """
        if not self._threads.joined:
            self._threads.stop()

    async def run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self.size + self.queue:
            raise TemporaryFailure(OVERLOADED, f"{self.name}: {self._waiting} calls are waiting")
        if self._threads.joined:
            raise TemporaryFailure(OVERLOADED, f"{self.name}: the threads have ended")
        done: Deferred[T] = Deferred()

        def deliver(success: bool, result: T | Failure) -> None:
            self.reactor.callFromThread(self._deliver, done, result)

        self._waiting += 1
        self._threads.callInThreadWithCallback(deliver, work)
        return await done

    def _deliver(self, done: Deferred[T], result: T | Failure) -> None:
        self._waiting -= 1
        if done.called:  # cancelled meanwhile; the thread could not be stopped
            return
        done.callback(result)


@implementer(IThreads)
class Inline:
    """Runs the work at once, in the caller: for tests, and for programs that have no reactor."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()
