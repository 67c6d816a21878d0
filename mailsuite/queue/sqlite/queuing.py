"""One message on its way into the queue: its content into the spool, then its rows."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable

import attrs
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.committer import Committer
from mailsuite.durable.parcel import Parcel
from mailsuite.durable.spool import Spool
from mailsuite.interfaces import IQueuing, IThreads
from mailsuite.model.envelope import OutboundEnvelope

MAX_BUFFERED_OCTETS = 256 * 1024
"""Content up to this size waits in memory and is written by the committer (DESIGN section 9)."""


class Step(enum.Enum):
    WRITING = "being written"
    PREPARED = "prepared"
    ENDED = "aborted"


@implementer(IQueuing)
@attrs.define(eq=False)
class Queuing:
    """The rows are the business of *put* and *withdraw*, which answer whether the file is wanted, and whether
    it is not wanted any more."""

    envelope: OutboundEnvelope
    parcel: Parcel
    _committer: Committer
    _threads: IThreads
    _tasks: Tasks
    _put: Callable[[int], Awaitable[bool]]
    _withdraw: Callable[[], Awaitable[bool]]
    _settled: Callable[[], None]
    """Is told that the file has its rows, or is gone."""
    _step: Step = attrs.field(default=Step.WRITING, init=False)
    _spool: Spool | None = attrs.field(default=None, init=False)
    _is_on_disk: bool = attrs.field(default=False, init=False)
    _has_rows: bool = attrs.field(default=False, init=False)
    """Perhaps."""

    @property
    def congested(self) -> bool:
        return self._spool is not None and self._spool.congested

    def write(self, data: bytes) -> None:
        self._expect(Step.WRITING)
        self.parcel.size += len(data)
        if self._spool is not None:
            self._spool.write(data)
            return
        self.parcel.pieces.append(data)
        if self.parcel.size > MAX_BUFFERED_OCTETS:
            buffered, self.parcel.pieces = b"".join(self.parcel.pieces), []
            self._is_on_disk = True
            self._spool = Spool(self.parcel, self._threads, self._tasks)
            self._spool.write(buffered)

    async def drained(self) -> None:
        if self._spool is not None:
            await self._spool.drained()

    async def prepare(self) -> None:
        self._expect(Step.WRITING)
        self._is_on_disk = True
        try:
            if self._spool is not None:
                await self._spool.finished()
            await self._committer.commit([self.parcel], prepare=True, publish=True)
        except Exception:  # a cancellation, too
            await self.abort()
            raise
        self._step = Step.PREPARED

    async def commit(self) -> None:
        self._expect(Step.PREPARED)
        is_first, self._has_rows = not self._has_rows, True
        try:
            is_wanted = await self._put(self.parcel.size)
        except Exception:  # a cancellation, too
            await self.abort()
            raise
        if is_first and not is_wanted:
            self._has_rows = False
            await self._remove()
        self._settled()

    async def abort(self) -> None:
        self._step = Step.ENDED
        if not self._is_on_disk:
            self.parcel.pieces.clear()
        elif not self._has_rows or await self._withdraw():
            self._has_rows = False
            await self._remove()
        self._settled()

    async def _remove(self) -> None:
        if self._spool is not None:
            await self._spool.stopped()
        await self._committer.undo([self.parcel])
        self._is_on_disk = False

    def _expect(self, step: Step) -> None:
        if self._step is not step:
            raise RuntimeError(f"the message is {self._step.value}")
