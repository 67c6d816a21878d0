"""A message of the queue as a courier reads it: from its beginning, as often as it takes; and what it is."""

from __future__ import annotations

from types import TracebackType

import attrs

from mailsuite.interfaces import IOutboundQueue, IQueuedContent
from mailsuite.model.envelope import BodyType
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueuedMessage
from mailsuite.model.reply import MESSAGE_GONE

READ_OCTETS = 256 * 1024
"""Read from the disk at once: one turn through a thread for nearly every message there is."""

_HEADER_END = b"\r\n\r\n"


@attrs.define(eq=False)
class Content:
    """Used by ``async with``. Its first piece is kept, so that a small message is read once."""

    queue: IOutboundQueue
    message: QueuedMessage
    _source: IQueuedContent | None = attrs.field(default=None, init=False)
    _first: bytes | None = attrs.field(default=None, init=False)
    _read: int = attrs.field(default=0, init=False)
    """Octets, from the beginning."""

    async def __aenter__(self) -> Content:
        try:
            await self.first()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._close()

    async def first(self) -> bytes:
        """The first piece, which holds the header of nearly every message. Raises TemporaryFailure."""
        if self._first is None:
            self._source = self.queue.content(self.message.id)
            self._first = await self._source.read(READ_OCTETS)
        return self._first

    def rewind(self) -> None:
        """Read from the beginning again."""
        if self._read > len(self._first or b""):
            self._close()
        self._read = 0

    async def read(self) -> bytes:
        """The next piece; empty at the end. Raises TemporaryFailure, also where the content ends too early:
        half a message would be taken for a whole one."""
        if self._read >= self.message.size > 0:
            return b""
        first = await self.first()
        piece = first if not self._read else await self._more(len(first))
        if not piece and self.message.size:
            raise TemporaryFailure(MESSAGE_GONE, f"only {self._read} of {self.message.size} octets are there")
        self._read += len(piece)
        return piece

    async def _more(self, skipped: int) -> bytes:
        """What follows behind the first piece."""
        if self._source is None:
            self._source = self.queue.content(self.message.id)
            while skipped and (piece := await self._source.read(skipped)):
                skipped -= len(piece)
        return await self._source.read(READ_OCTETS)

    async def body_type(self, said: BodyType) -> BodyType:
        """What the content is, where its sender *said* so much. That a text is called 8BITMIME says little:
        many clients call each so, and what is ASCII all the same goes to servers that take no more. Reads on
        in what is long and looks harmless; rewinds."""
        if said is BodyType.BINARY:
            return said
        self.rewind()
        ascii = True
        while ascii and (piece := await self.read()):
            ascii = piece.isascii()
        self.rewind()
        return BodyType.SEVEN_BIT if ascii else BodyType.EIGHT_BIT

    async def has_utf8_header(self) -> bool:
        """Whether the header has octets beyond ASCII (RFC 6532). A header that is longer than the first piece
        is judged by that."""
        first = await self.first()
        if first.isascii():
            return False
        end = first.find(_HEADER_END)
        return not first[: end if end >= 0 else len(first)].isascii()

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()
