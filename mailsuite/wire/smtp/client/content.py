"""The message on its way out: pure CRLF, dot-stuffed for DATA (RFC 5321 section 4.5.2), framed for BDAT (RFC
3030 section 2). All work on octets is a handful of passes at the speed of C.

A bare CR or LF in text becomes CRLF, as a listener with ``normalise`` makes it: then no server can take one
for the end of a line where another does not, and nothing of the text is lost. So a message that comes from
a file or a program can be no half of an attack on a third server. What the change costs is a signature over
such lines, which RFC 6376 section 5.3 wants put right before signing.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from mailsuite.wire.smtp.text import has_bare_newline, with_crlf

CHUNK_OCTETS = 64 * 1024
"""A chunk of BDAT is sent when so much is there: a reply for each few packets would cost more than it
tells."""


class Content(Protocol):
    """Turns a message, piece by piece, into what goes on the wire."""

    def add(self, data: bytes) -> tuple[bytes, ...]:
        """Take the next octets; answers what can go now, empty where nothing can."""

    def finish(self) -> tuple[bytes, ...]:
        """The message is whole: the rest of it, with what tells its end."""


@attrs.define
class PureLines:
    """Text whose lines all end with CRLF, the last one too. The outcome does not depend on the pieces."""

    _held: bytes = attrs.field(default=b"", init=False)
    """A CR that an LF may follow."""
    at_start: bool = attrs.field(default=True, init=False)
    """The next octet begins a line."""

    def add(self, data: bytes) -> bytes:
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        return self._take(data[: len(data) - len(self._held)])

    def finish(self) -> bytes:
        end, self._held = self._take(self._held), b""
        return end if self.at_start else end + b"\r\n"

    def _take(self, part: bytes) -> bytes:
        if has_bare_newline(part):
            part = with_crlf(part)
        if part:
            self.at_start = part.endswith(b"\n")
        return part


@attrs.define
class DotStuffed:
    """After DATA."""

    _lines: PureLines = attrs.field(factory=PureLines, init=False)

    def add(self, data: bytes) -> tuple[bytes, ...]:
        at_start = self._lines.at_start
        return _stuffed(self._lines.add(data), at_start)

    def finish(self) -> tuple[bytes, ...]:
        return (self._lines.finish() + b".\r\n",)


@attrs.define
class Chunks:
    """Behind BDAT. The last chunk is held back until it is known to be the last."""

    _lines: PureLines | None
    """None: octets go as they are."""
    _held: list[bytes] = attrs.field(factory=list, init=False)
    _octets: int = attrs.field(default=0, init=False)

    def add(self, data: bytes) -> tuple[bytes, ...]:
        chunk = self._chunk("") if self._octets >= CHUNK_OCTETS else ()
        self._hold(self._lines.add(data) if self._lines is not None else data)
        return chunk

    def finish(self) -> tuple[bytes, ...]:
        if self._lines is not None:
            self._hold(self._lines.finish())
        return self._chunk(" LAST")

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._octets += len(data)

    def _chunk(self, last: str) -> tuple[bytes, ...]:
        chunk = (f"BDAT {self._octets}{last}\r\n".encode("ascii"), *self._held)
        self._held, self._octets = [], 0
        return chunk


def _stuffed(part: bytes, at_start: bool) -> tuple[bytes, ...]:
    """Encoded attachments have no dot at all, and looking for one octet is far faster than for two."""
    if b"." not in part:
        return (part,) if part else ()
    first = b"." if at_start and part.startswith(b".") else b""
    return (first, part.replace(b"\n.", b"\n..")) if first else (part.replace(b"\n.", b"\n.."),)
