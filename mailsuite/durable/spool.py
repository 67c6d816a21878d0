"""A large message goes to its file while it arrives, a piece at a time, in a thread of the pool."""

from __future__ import annotations

from functools import partial

import attrs
from twisted.internet.defer import Deferred

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.files import temporary_failure
from mailsuite.durable.parcel import Parcel
from mailsuite.interfaces import IThreads

MAX_PENDING_OCTETS = 512 * 1024
"""Octets in memory above which the writer should wait; it goes on at half of that."""


@attrs.define(eq=False)
class Spool:
    """Owned by one message. At most one call in a thread at any time, so the order is kept."""

    parcel: Parcel
    threads: IThreads
    tasks: Tasks
    _pending: list[bytes] = attrs.field(factory=list, init=False)
    _octets: int = attrs.field(default=0, init=False)
    _complete: bool = attrs.field(default=False, init=False)
    _running: bool = attrs.field(default=False, init=False)
    _failure: Exception | None = attrs.field(default=None, init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)

    @property
    def congested(self) -> bool:
        return self._octets > MAX_PENDING_OCTETS

    def write(self, data: bytes) -> None:
        """Take octets. After a failure they are dropped: finished() tells."""
        if self._failure is None:
            self._pending.append(data)
            self._octets += len(data)
            self._run()

    async def drained(self) -> None:
        if self.congested:
            while self._octets > MAX_PENDING_OCTETS // 2:
                await self._progress()

    async def finished(self) -> None:
        """All octets are in the file, and durable. Raises what went wrong on the way."""
        self._complete = True
        self._run()
        while self._running:
            await self._progress()
        if self._failure is not None:
            raise self._failure

    async def stopped(self) -> None:
        """Forget what is not written; return when no thread is at work on the file."""
        self._drop()
        self._complete = False
        while self._running:
            await self._progress()

    def _run(self) -> None:
        if not self._running:
            self._running = True
            self.tasks.start(self._work())

    async def _work(self) -> None:
        try:
            while self._pending:
                pieces, self._pending = self._pending, []
                await self.threads.run(partial(self.parcel.append, pieces))
                self._octets = max(0, self._octets - sum(map(len, pieces)))
                self._wake()
            if self._complete and self._failure is None:
                await self.threads.run(self.parcel.sync)
        except OSError as error:
            self._failure = temporary_failure(error)
        except Exception as error:
            self._failure = error
        finally:
            if self._failure is not None:
                self._drop()
            self._running = False
            self._wake()

    def _drop(self) -> None:
        self._pending.clear()
        self._octets = 0

    async def _progress(self) -> None:
        """Wait for the next piece to be written, or for the end."""
        waiter: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in tuple(waiting):  # one that is cancelled meanwhile takes itself out
            if not waiter.called:
                waiter.callback(None)
