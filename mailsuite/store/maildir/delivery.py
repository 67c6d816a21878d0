"""One message on its way into one maildir."""

from __future__ import annotations

import enum
import re

import attrs
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.committer import Committer
from mailsuite.durable.parcel import Parcel
from mailsuite.durable.spool import Spool
from mailsuite.interfaces import IDelivery, IThreads
from mailsuite.model.address import Address
from mailsuite.model.message import Stored
from mailsuite.store.maildir.header import HeaderProbe
from mailsuite.store.maildir.place import MaildirPlace
from mailsuite.store.maildir.tallies import Tally

MAX_BUFFERED_OCTETS = 256 * 1024
"""A message up to this size waits in memory and is written by the committer (DESIGN section 9)."""


_DOT_LINE = re.compile(rb"\n\.")


def _has_dot_line(data: bytes) -> bool:
    """Encoded attachments have no dot at all, and looking for one octet is fastest; on text the search is
    more than twice as fast as that of bytes."""
    return b"." in data and _DOT_LINE.search(data) is not None


class Step(enum.Enum):
    WRITING = "being written"
    BUSY = "being prepared or committed"
    PREPARED = "prepared"
    COMMITTED = "committed"
    ENDED = "aborted"


@implementer(IDelivery)
@attrs.define(eq=False)
class Delivery:
    """Buffers a small message; spools a large one to tmp while it arrives."""

    account: Address
    parcel: Parcel
    place: MaildirPlace
    """Of the parcel."""
    _committer: Committer
    _threads: IThreads
    _tasks: Tasks
    _tally: Tally
    """Of the maildir that it goes to."""
    _step: Step = attrs.field(default=Step.WRITING, init=False)
    _spool: Spool | None = attrs.field(default=None, init=False)
    _last: bytes = attrs.field(default=b"\n", init=False)
    """The octet before the next chunk; a message begins as a line does."""
    _header: HeaderProbe = attrs.field(factory=HeaderProbe, init=False)
    _handed_over: bool = attrs.field(default=False, init=False)
    """There may be something on the disk."""
    _announced: bool = attrs.field(default=False, init=False)
    """Others may see it."""

    @property
    def congested(self) -> bool:
        return self._spool is not None and self._spool.congested

    def write(self, data: bytes) -> None:
        self._expect(Step.WRITING)
        if not data:
            return
        parcel, place = self.parcel, self.place
        if not place.dot_lines:
            place.dot_lines = _has_dot_line(data) or (self._last == b"\n" and data.startswith(b"."))
        self._last = data[-1:]
        parcel.size += len(data)
        if not self._header.complete:
            self._header.feed(data)
        if self._spool is not None:
            self._spool.write(data)
            return
        parcel.pieces.append(data)
        if parcel.size > MAX_BUFFERED_OCTETS:
            self._begin_to_spool()

    def _begin_to_spool(self) -> None:
        buffered, self.parcel.pieces = b"".join(self.parcel.pieces), []
        self._handed_over = True
        self._spool = Spool(self.parcel, self._threads, self._tasks)
        self._spool.write(buffered)

    async def drained(self) -> None:
        if self._spool is not None:
            await self._spool.drained()

    async def prepare(self) -> None:
        self.seal()
        try:
            await self.spooled()
            await self._committer.commit([self.parcel], prepare=True, publish=False)
        except Exception:  # a cancellation, too
            await self.abort()
            raise
        self._step = Step.PREPARED

    async def commit(self) -> Stored:
        self._expect(Step.PREPARED)
        self._step = Step.BUSY
        self.announce()
        try:
            await self._committer.commit([self.parcel], prepare=False, publish=True)
        except Exception:  # a cancellation, too
            await self.abort()
            raise
        return self.committed()

    async def abort(self) -> None:
        self._step = Step.ENDED
        if not self._handed_over:
            self.parcel.pieces.clear()
            return
        # The pieces stay until the undo: the committer may be about to write and publish them.
        if self._spool is not None:
            await self._spool.stopped()
        await self._committer.undo([self.parcel])
        self._handed_over = False
        if self._announced:
            self._tally.withdrawn(self.place.unique)

    # The steps of a transaction as the store takes them, for several deliveries at once.

    def seal(self) -> None:
        """No more octets; from here on the store has it in hand."""
        self._expect(Step.WRITING, Step.PREPARED)
        self._step = Step.BUSY
        self._handed_over = True
        self.place.utf8_header = self._header.is_utf8

    async def spooled(self) -> None:
        """Return when what was spooled is durable. Raises what went wrong while it was."""
        if self._spool is not None:
            await self._spool.finished()

    def announce(self) -> None:
        """From here on it may become visible at any moment."""
        self._announced = True
        self._tally.coming(self.place.unique)

    def committed(self) -> Stored:
        self._step = Step.COMMITTED
        self._tally.arrived(self.place.unique, self.parcel.size)
        return Stored(self.account, self.place.unique, self.parcel.size)

    def _expect(self, *steps: Step) -> None:
        if self._step not in steps:
            raise RuntimeError(f"the delivery is {self._step.value}")
