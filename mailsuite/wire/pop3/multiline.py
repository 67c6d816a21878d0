"""Multi-line responses: byte-stuffing and the part of a message that TOP asks for, chunk by chunk.

Both take a message in wire form (CRLF line ends) cut anywhere, and cost no Python per line: on a chunk
they are a replace(), find() or count().
"""

from __future__ import annotations

import attrs

TERMINATOR = b".\r\n"
"""The last line of a multi-line response (RFC 1939 section 3)."""


@attrs.define
class DotStuffer:
    """Doubles the dot at the start of a line (RFC 1939 section 3)."""

    _last: bytes = attrs.field(default=b"\r\n", init=False)
    """The last two octets so far. Where a message begins, a line begins."""

    def feed(self, chunk: bytes) -> bytes:
        """The next octets to send."""
        stuffed = chunk.replace(b"\r\n.", b"\r\n..")
        if self._last == b"\r\n" and chunk.startswith(b"."):
            stuffed = b"." + stuffed
        elif self._last.endswith(b"\r") and chunk.startswith(b"\n."):
            stuffed = b"\n." + stuffed[1:]
        self._last = chunk[-2:] if len(chunk) > 1 else (self._last + chunk)[-2:]
        return stuffed

    @property
    def after_line_end(self) -> bool:
        """What comes next begins a line."""
        return self._last == b"\r\n"

    def finish(self) -> bytes:
        """The terminator, with the line end before it that the message may lack."""
        return terminator(self.after_line_end)


def terminator(after_line_end: bool) -> bytes:
    """What ends a multi-line response whose text ended, or did not end, with CRLF."""
    return TERMINATOR if after_line_end else b"\r\n" + TERMINATOR


@attrs.define
class HeaderEnd:
    """Finds the empty line that ends a header. A message that begins with CRLF has an empty header."""

    found: bool = attrs.field(default=False, init=False)
    _last: bytes = attrs.field(default=b"\r\n", init=False)
    """The last octets so far, three at most."""

    def feed(self, chunk: bytes) -> int:
        """Where in *chunk* the body begins: at its end where all of it is header, at 0 where the header was
        over before."""
        if self.found:
            return 0
        edge = (self._last + chunk[:3]).find(b"\r\n\r\n")
        blank = edge - len(self._last) if edge >= 0 else chunk.find(b"\r\n\r\n")
        self.found = edge >= 0 or blank >= 0
        self._last = (self._last + chunk[-3:])[-3:]
        return blank + 4 if self.found else len(chunk)


@attrs.define
class TopLimiter:
    """Lets through the header, the empty line behind it, and so many lines of the body.

    RFC 1939 section 7, TOP. A message without an empty line is all header and passes whole.
    """

    _lines: int
    """Lines of the body that may still pass."""
    enough: bool = attrs.field(default=False, init=False)
    """Nothing further will pass: there is no need to read on."""
    _header: HeaderEnd = attrs.field(factory=HeaderEnd, init=False)
    _after_cr: bool = attrs.field(default=False, init=False)

    def feed(self, chunk: bytes) -> bytes:
        """The part of *chunk* that belongs to the answer."""
        if self.enough:
            return b""
        body = self._header.feed(chunk)
        end = self._end_of_lines(chunk, body) if self._header.found else len(chunk)
        self._after_cr = chunk.endswith(b"\r") if chunk else self._after_cr
        return chunk[:end]

    def _end_of_lines(self, chunk: bytes, body: int) -> int:
        """Where in *chunk*, whose part from *body* on is body, the last line that passes ends."""
        if body == 0 and self._after_cr and chunk.startswith(b"\n"):
            self._lines -= 1
            body = 1
        complete = chunk.count(b"\r\n", body)
        if complete < self._lines:
            self._lines -= complete
            return len(chunk)
        self.enough = True
        return len(chunk) - len(chunk[body:].split(b"\r\n", self._lines)[-1])
