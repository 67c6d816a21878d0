"""What is the same for a message however its octets are sent: its size, its lines, and what is wrong with it.

All work on octets is a handful of passes at the speed of C; no Python runs for a line.
"""

from __future__ import annotations

import io

import attrs

from mailsuite.model.reply import BARE_NEWLINE, MESSAGE_TOO_BIG, TEXT_LINE_TOO_LONG, Reply


@attrs.define
class Text:
    """Counts and looks while a message passes by. What is found depends on the octets, not on the pieces."""

    max_octets: int
    """A message may have as many (RFC 1870), line ends counted, dots unstuffed."""
    max_line: int
    """A line may have as many octets before its CRLF, as it stands on the wire."""
    normalise: bool = False
    """A bare CR or LF becomes a CRLF, and is no defect."""

    size: int = attrs.field(default=0, init=False)
    """Octets of the message so far, those not handed out after a defect included."""
    dot_lines: bool = attrs.field(default=False, init=False)
    """Whether a line of the message begins with a dot."""
    bare_newline: bool = attrs.field(default=False, init=False)
    """Whether there was a CR without LF, or an LF without CR, and that is a defect."""
    overlong_line: bool = attrs.field(default=False, init=False)
    _line: int = attrs.field(default=0, init=False)
    """Octets of the line in progress that were looked at."""
    _at_start: bool = attrs.field(default=True, init=False)
    """The next octet of the message begins a line."""

    @property
    def too_big(self) -> bool:
        return self.size > self.max_octets

    @property
    def defect(self) -> Reply | None:
        """Why the message must not be taken. Where there is more than one reason the order is fixed."""
        if self.bare_newline:
            return BARE_NEWLINE
        if self.overlong_line:
            return TEXT_LINE_TOO_LONG
        return MESSAGE_TOO_BIG if self.too_big else None

    def look_at(self, part: bytes) -> bool:
        """Look at line ends and line lengths. *part* neither begins nor ends inside a CRLF. Answers whether a
        bare CR or LF is to be made a CRLF."""
        bare = has_bare_newline(part)
        if bare and not self.normalise:
            self.bare_newline = True
        self._measure(with_crlf(part) if bare and self.normalise else part)
        return bare and self.normalise

    def count(self, part: bytes) -> bytes:
        """Take the next octets as they are to be delivered; answers them, or none after a defect."""
        self.size += len(part)
        return part if self.defect is None else b""

    def look_for_dots(self, part: bytes) -> None:
        """Whether a line begins with a dot, in octets as they are to be delivered."""
        if part:
            starts = self._at_start and part[:1] == b"."
            # Looking for one octet is far faster, and many messages have it nowhere.
            self.dot_lines = self.dot_lines or starts or (b"." in part and b"\n." in part)
            self._at_start = part[-1:] == b"\n"

    def _measure(self, part: bytes) -> None:
        first = part.find(b"\r\n")
        if first < 0:
            self._line += len(part)
            longest = self._line
        else:
            last = part.rfind(b"\r\n")
            longest = self._line + first
            self._line = len(part) - last - 2
            if last - first > self.max_line:
                longest = max(longest, *map(len, part[first:last].split(b"\r\n")))
            longest = max(longest, self._line)
        if longest > self.max_line:
            self.overlong_line = True


def has_bare_newline(data: bytes) -> bool:
    """Whether a CR stands without LF behind it, or an LF without CR before it.

    Python's universal newlines keep book of exactly that, in one pass at about 2 GB/s. Counting "\\r",
    "\\n" and "\\r\\n" takes five times as long.
    """
    newlines = io.IncrementalNewlineDecoder(None, translate=False)
    newlines.decode(data.decode("latin-1"), final=True)
    return newlines.newlines not in (None, "\r\n")


def with_crlf(data: bytes) -> bytes:
    """The same lines, each ended by CRLF."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
