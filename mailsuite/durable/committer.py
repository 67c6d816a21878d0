"""The one thread of a process that commits (DESIGN section 9).

What comes in while a batch is being synced is the next batch. There is no timer: a lone message waits for
nobody. Each batch is handed back to the reactor with one call.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.concurrent.threads import CallsFromThread
from mailsuite.durable.batch import Job, carry_out
from mailsuite.durable.files import Files, temporary_failure
from mailsuite.durable.parcel import Parcel
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.observe.log import Log

MAX_BATCH_FILES = 64
"""Beyond, waiting for the whole batch costs the first more than the others gain (spec/performance.md 4.1)."""
MAX_BATCH_OCTETS = 4 * 1024 * 1024


@attrs.frozen(eq=False)
class _Order:
    """A job, and who waits for it."""

    job: Job
    done: Deferred[None] = attrs.field(factory=Deferred)


@attrs.define(eq=False)
class Committer:
    """Takes jobs from the reactor's thread, carries them out in its own."""

    reactor: CallsFromThread
    log: Log
    files: Files
    _orders: SimpleQueue[_Order | None] = attrs.field(factory=SimpleQueue, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="committer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what was ordered, then end. Blocks until then; later orders are refused as temporary."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._orders.put(None)
            thread.join()

    async def commit(self, parcels: Sequence[Parcel], *, prepare: bool, publish: bool) -> None:
        """Prepare the parcels, publish them, or both; all or none, durably.

        Raises TemporaryFailure; then nothing of them is left. Whoever is cancelled here must undo().
        """
        if self._thread is None:
            raise TemporaryFailure(STORE_UNAVAILABLE, "the committer does not run")
        job = Job(parcels, prepare=prepare, publish=publish)
        await self._order(job)
        if isinstance(job.error, OSError):
            raise temporary_failure(job.error) from job.error
        if job.error is not None:
            raise job.error

    async def undo(self, parcels: Sequence[Parcel]) -> None:
        """Remove whatever there is of the parcels, after what was ordered before. Raises nothing.

        When the committer has stopped, the process is about to end and it is done on the spot.
        """
        job = Job(parcels, undo=True)
        if self._thread is None:
            carry_out([job], self.files)
            self._report(job)
        else:
            await self._order(job)

    async def _order(self, job: Job) -> None:
        order = _Order(job)
        self._orders.put(order)
        await order.done

    def _report(self, job: Job) -> None:
        for error in job.left_behind:
            self.log.error("store.undo_failed", reason=str(error))

    def _settle(self, batch: Sequence[_Order], crash: Failure | None) -> None:
        """In the reactor's thread: everybody of this batch goes on."""
        for order in batch:
            self._report(order.job)
            if crash is None:  # where it was cancelled meanwhile this is ignored, and an undo follows
                order.done.callback(None)
            else:
                order.done.errback(crash)

    # In the committer's own thread.

    def _work(self) -> None:
        carried: _Order | None = None
        ended = False
        while not ended:
            first = carried or self._orders.get()
            if first is None:
                return
            batch, carried, ended = self._gather(first)
            crash = None
            try:
                carry_out([order.job for order in batch], self.files)
            except BaseException:  # the thread must outlive whatever this is
                crash = Failure()
            self.reactor.callFromThread(self._settle, batch, crash)

    def _gather(self, first: _Order) -> tuple[list[_Order], _Order | None, bool]:
        """What waits, up to a batch's bounds; the order that did not fit; whether this is the last batch."""
        batch = [first]
        count, octets = _weight(first)
        while True:
            try:
                order = self._orders.get_nowait()
            except Empty:
                return batch, None, False
            if order is None:
                return batch, None, True
            more_files, more_octets = _weight(order)
            if count + more_files > MAX_BATCH_FILES or octets + more_octets > MAX_BATCH_OCTETS:
                return batch, order, False
            batch.append(order)
            count, octets = count + more_files, octets + more_octets


def _weight(order: _Order) -> tuple[int, int]:
    """Files, and octets still to be written."""
    parcels = order.job.parcels
    return len(parcels), sum(parcel.size for parcel in parcels if not parcel.synced)
