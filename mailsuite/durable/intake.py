"""The octets of one message on their way to its file: in memory where they are few, else by a spool."""

from __future__ import annotations

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.committer import Committer
from mailsuite.durable.parcel import Parcel
from mailsuite.durable.spool import Spool
from mailsuite.interfaces import IThreads

MAX_BUFFERED_OCTETS = 256 * 1024
"""A message up to this size waits in memory and is written by the committer (DESIGN section 9)."""


@attrs.define(eq=False)
class Intake:
    """Owned by one message. ``handed_over`` is for whoever hands the parcel to the committer to set."""

    parcel: Parcel
    threads: IThreads
    tasks: Tasks
    handed_over: bool = attrs.field(default=False, init=False)
    """There may be something on the disk."""
    _spool: Spool | None = attrs.field(default=None, init=False)

    @property
    def congested(self) -> bool:
        """Whether the writer should wait for drained()."""
        return self._spool is not None and self._spool.congested

    def write(self, data: bytes) -> None:
        """Take the next octets. Never blocks; a failure is told by spooled()."""
        parcel = self.parcel
        parcel.size += len(data)
        if self._spool is not None:
            self._spool.write(data)
            return
        parcel.pieces.append(data)
        if parcel.size > MAX_BUFFERED_OCTETS:
            self._begin_to_spool()

    def _begin_to_spool(self) -> None:
        buffered, self.parcel.pieces = b"".join(self.parcel.pieces), []
        self.handed_over = True
        self._spool = Spool(self.parcel, self.threads, self.tasks)
        self._spool.write(buffered)

    async def drained(self) -> None:
        """Return when more can be taken."""
        if self._spool is not None:
            await self._spool.drained()

    async def spooled(self) -> None:
        """Return when what was spooled is durable. Raises what went wrong while it was."""
        if self._spool is not None:
            await self._spool.finished()

    async def undo(self, committer: Committer) -> None:
        """Remove whatever there is. Any number of times."""
        if not self.handed_over:
            self.parcel.pieces.clear()
            return
        # The pieces stay until the undo: the committer may be about to write and publish them.
        if self._spool is not None:
            await self._spool.stopped()
        await committer.undo([self.parcel])
        self.handed_over = False
