"""One message on its way into the queue: its content into the spool, then its rows."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable

import attrs
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.committer import Committer
from mailsuite.durable.intake import Intake
from mailsuite.durable.parcel import Parcel
from mailsuite.interfaces import IQueuing, IThreads
from mailsuite.model.envelope import OutboundEnvelope


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
    _intake: Intake = attrs.field(init=False)
    _has_rows: bool = attrs.field(default=False, init=False)
    """Perhaps."""

    @_intake.default
    def _own_intake(self) -> Intake:
        return Intake(self.parcel, self._threads, self._tasks)

    @property
    def congested(self) -> bool:
        return self._intake.congested

    def write(self, data: bytes) -> None:
        self._expect(Step.WRITING)
        self._intake.write(data)

    async def drained(self) -> None:
        await self._intake.drained()

    async def prepare(self) -> None:
        self._expect(Step.WRITING)
        self._intake.handed_over = True
        try:
            await self._intake.spooled()
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
            await self._intake.undo(self._committer)
        self._settled()

    async def abort(self) -> None:
        self._step = Step.ENDED
        if not self._has_rows or await self._withdraw():
            self._has_rows = False
            await self._intake.undo(self._committer)
        self._settled()

    def _expect(self, step: Step) -> None:
        if self._step is not step:
            raise RuntimeError(f"the message is {self._step.value}")
