"""Bounded pools of threads behind IThreads, and the same without threads for tests."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
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


class _PoliteThread(threading.Thread):
    """Lets the other threads of this process go first, where the system schedules threads (Linux)."""

    def __init__(self, nice: int, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._nice = nice

    def run(self) -> None:
        if self._nice and sys.platform == "linux":
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        super().run()


@implementer(IThreads)
@attrs.define
class Pool:
    """At most *size* threads, and at most *queue* calls that wait for one."""

    reactor: CallsFromThread
    name: str
    size: int
    queue: int
    nice: int = 0
    """How far the threads stand back behind the reactor's (setpriority(2)): for what burns the processor."""
    _waiting: int = attrs.field(default=0, init=False)
    _threads: ThreadPool = attrs.field(init=False)

    @_threads.default
    def _make_threads(self) -> ThreadPool:
        threads = ThreadPool(0, self.size, self.name)
        threads.threadFactory = partial(_PoliteThread, self.nice)  # type: ignore[assignment]
        return threads

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


@attrs.define(eq=False)
class _Order(Generic[T]):
    """A piece of work that can be called off until it has begun."""

    work: Callable[[], T]
    begun: bool = False
    called_off: bool = False
    expired: bool = False

    def carry_out(self) -> T:
        if self.called_off:
            return cast(T, None)  # nobody looks at it
        self.begun = True
        return self.work()

    def expire(self, running: Deferred[T]) -> None:
        if not self.begun:
            self.called_off = self.expired = True
            running.cancel()


@implementer(IThreads)
@attrs.frozen
class Patient:
    """Threads of which nobody expects an answer after *patience* seconds of waiting for their turn.

    Raises TemporaryFailure(OVERLOADED) then, and the work is not done; nor is that of a caller who was
    cancelled before its turn. So it is for computations, not for what changes something.
    """

    threads: IThreads
    clock: IReactorTime
    patience: float

    async def run(self, work: Callable[[], T]) -> T:
        order = _Order(work)
        running = Deferred.fromCoroutine(self.threads.run(order.carry_out))
        timer = self.clock.callLater(self.patience, order.expire, running)
        try:
            return await running
        except CancelledError:
            if order.expired:
                detail = f"no thread was free for {self.patience:g} seconds"
                raise TemporaryFailure(OVERLOADED, detail) from None
            raise
        finally:
            order.called_off = True
            if timer.active():
                timer.cancel()


@implementer(IThreads)
class Inline:
    """Runs the work at once, in the caller: for tests, and for programs that have no reactor."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()
