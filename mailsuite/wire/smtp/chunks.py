"""A message that is sent by BDAT (RFC 3030): its octets are counted, so nothing in them ends it.

Text is held to what holds for DATA, so that the way by which a message came makes no difference to what it
may have in it; with BODY=BINARYMIME octets are octets, and none is touched.
"""

from __future__ import annotations

import re

import attrs

from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import CHUNK_SYNTAX, Reply, chunk_taken
from mailsuite.wire.smtp.text import Text, with_crlf

_CHUNK = re.compile(r"(?P<octets>[0-9]{1,20})(?P<last> +LAST)?", re.ASCII | re.IGNORECASE)


@attrs.define
class Chunk:
    """One BDAT command whose octets come."""

    octets: int
    last: bool
    left: int = attrs.field(init=False)
    """Octets that have not come."""
    reply: Reply = attrs.field(init=False)
    """What to say behind them, where they do not end the message."""
    refused: bool = attrs.field(default=False, init=False)
    """They are dropped."""

    @left.default
    def _all(self) -> int:
        return self.octets

    @reply.default
    def _taken(self) -> Reply:
        return chunk_taken(self.octets)

    def refuse(self, reply: Reply) -> None:
        """Drop its octets, and say why behind them."""
        self.refused, self.reply = True, reply


def parse_chunk(argument: str) -> Chunk:
    """Read the argument of BDAT. Raises PermanentFailure: then nobody knows how many octets follow."""
    found = _CHUNK.fullmatch(argument)
    if not found:
        raise PermanentFailure(CHUNK_SYNTAX)
    return Chunk(int(found["octets"]), found["last"] is not None)


@attrs.define
class ChunkedText(Text):
    """A message of lines, out of its chunks. A last line without end gets one, as DATA always has it."""

    _held: bytes = attrs.field(default=b"", init=False)
    """A CR that an LF may follow."""

    def scan(self, data: bytes) -> bytes:
        """Take what has arrived; answer the message's next octets, none once it has a defect."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        return self._take(data[: len(data) - len(self._held)])

    def finish(self) -> bytes:
        """The message is over: its last octets."""
        end, self._held = self._take(self._held), b""
        return end if self._at_start else end + self._take(b"\r\n")

    def _take(self, part: bytes) -> bytes:
        part = with_crlf(part) if self.look_at(part) else part
        self.look_for_dots(part)
        return self.count(part)


@attrs.define
class ChunkedBinary(Text):
    """A message of octets, out of its chunks. No line is too long in it, and no newline is bare."""

    def scan(self, data: bytes) -> bytes:
        """Take what has arrived; answer it, or nothing once the message is too big."""
        if data:
            # Whatever a reader takes for the end of a line may be one.
            starts = self._at_start and data[:1] == b"."
            self.dot_lines = self.dot_lines or starts or b"\n." in data or b"\r." in data
            self._at_start = data[-1:] in (b"\r", b"\n")
        return self.count(data)

    def finish(self) -> bytes:
        """The message is over. It ends as it ends."""
        return b""
