"""One message on its way into one maildir."""

from __future__ import annotations

import enum
import re

import attrs
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.durable.committer import Committer
from mailsuite.durable.intake import Intake
from mailsuite.durable.parcel import Parcel
from mailsuite.interfaces import IDelivery, IThreads
from mailsuite.model.address import Address
from mailsuite.model.message import Stored
from mailsuite.store.maildir.header import HeaderProbe
from mailsuite.store.maildir.place import MaildirPlace
from mailsuite.store.maildir.tallies import Tally

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
    _intake: Intake = attrs.field(init=False)
    _last: bytes = attrs.field(default=b"\n", init=False)
    """The octet before the next chunk; a message begins as a line does."""
    _header: HeaderProbe = attrs.field(factory=HeaderProbe, init=False)
    _announced: bool = attrs.field(default=False, init=False)
    """Others may see it."""

    @_intake.default
    def _own_intake(self) -> Intake:
        return Intake(self.parcel, self._threads, self._tasks)

    @property
    def congested(self) -> bool:
        return self._intake.congested

    def write(self, data: bytes) -> None:
        self._expect(Step.WRITING)
        if not data:
            return
        place = self.place
        if not place.dot_lines:
            place.dot_lines = _has_dot_line(data) or (self._last == b"\n" and data.startswith(b"."))
        self._last = data[-1:]
        if not self._header.complete:
            self._header.feed(data)
        self._intake.write(data)

    async def drained(self) -> None:
        await self._intake.drained()

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
        was_handed_over = self._intake.handed_over
        await self._intake.undo(self._committer)
        if was_handed_over and self._announced:
            self._tally.withdrawn(self.place.unique)

    # The steps of a transaction as the store takes them, for several deliveries at once.

    def seal(self) -> None:
        """No more octets; from here on the store has it in hand."""
        self._expect(Step.WRITING, Step.PREPARED)
        self._step = Step.BUSY
        self._intake.handed_over = True
        self.place.utf8_header = self._header.is_utf8

    async def spooled(self) -> None:
        """Return when what was spooled is durable. Raises what went wrong while it was."""
        await self._intake.spooled()

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
