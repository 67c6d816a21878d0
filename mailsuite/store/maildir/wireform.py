"""Files into wire form: every line ends with CRLF, the last one too (RFC 1939 section 3, RFC 5321 2.3.8).

Works on chunks: nothing is done line by line. A CR that stands alone is left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import attrs

READ_OCTETS = 65_536
"""What one read answers at most, as IMessageBody says."""
CONVERTED_READ_OCTETS = READ_OCTETS // 2 - 1
"""Conversion at most doubles; the end may add two octets."""

_NOWAIT: int = getattr(os, "RWF_NOWAIT", -1)
"""Linux has it; elsewhere no preadv() takes such flags."""

Pread = Callable[[int, int, int], bytes]
"""As os.pread(): descriptor, octets, position."""


def pread_cached(descriptor: int, octets: int, position: int) -> bytes:
    """As os.pread() of what is in memory already: raises OSError where a disk would have to be waited for, or
    the system cannot tell."""
    buffer = bytearray(octets)
    found = os.preadv(descriptor, [buffer], position, _NOWAIT)
    return bytes(memoryview(buffer)[:found])


class SizeMismatch(OSError):
    """The file does not hold what was announced."""


def to_crlf(chunk: bytes, after_cr: bool) -> bytes:
    """*chunk* with CR put before each LF that has none; *after_cr*: the octet before the chunk is CR."""
    if chunk.count(b"\n") == chunk.count(b"\r\n"):
        return chunk
    if after_cr and chunk.startswith(b"\n"):
        return b"\n" + to_crlf(chunk[1:], False)
    return chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def measure(descriptor: int) -> int:
    """How many octets the file has in wire form."""
    size = position = 0
    last = b"\n"
    while chunk := os.pread(descriptor, READ_OCTETS, position):
        position += len(chunk)
        bare = chunk.count(b"\n") - chunk.count(b"\r\n")
        if last == b"\r" and chunk.startswith(b"\n"):
            bare -= 1
        size += len(chunk) + bare
        last = chunk[-1:]
    return size if last == b"\n" else size + 2


@attrs.define(eq=False)
class PlainReader:
    """Reads a file that is in wire form: exactly ``size`` octets, or SizeMismatch."""

    size: int
    answered: int = attrs.field(default=0, init=False)
    """Octets so far."""

    @property
    def done(self) -> bool:
        return self.answered == self.size

    def read(self, descriptor: int, pread: Pread = os.pread) -> bytes:
        """The next octets, b"" at the end. Blocks as *pread* does; where that fails, nothing has changed."""
        chunk = pread(descriptor, min(READ_OCTETS, self.size - self.answered), self.answered)
        if not (chunk or self.done):
            raise _cut_short(self.size, self.answered)
        self.answered += len(chunk)
        return chunk


@attrs.define(eq=False)
class ConvertingReader:
    """Reads a file of any line ends: the wire form of its first ``stored`` octets, or SizeMismatch where they
    are not there. How many octets that makes shows at the end, whatever was ``announced``."""

    stored: int
    announced: int
    """What the file's name says, or an earlier look found. Some count no line end for a last line that has
    none (Dovecot); then it gets none."""
    answered: int = attrs.field(default=0, init=False)
    """Octets so far."""
    done: bool = attrs.field(default=False, init=False)
    _position: int = attrs.field(default=0, init=False)
    _last: bytes = attrs.field(default=b"\n", init=False)

    def read(self, descriptor: int, pread: Pread = os.pread) -> bytes:
        """The next octets, b"" at the end. Blocks as *pread* does; where that fails, nothing has changed."""
        raw = pread(descriptor, min(CONVERTED_READ_OCTETS, self.stored - self._position), self._position)
        chunk = to_crlf(raw, self._last == b"\r")
        self._position += len(raw)
        self._last = raw[-1:] or self._last
        if self._position == self.stored and not self.done:
            self.done = True
            if self._last != b"\n" and self.answered + len(chunk) != self.announced:
                chunk += b"\r\n"
        elif not (raw or self.done):
            raise _cut_short(self.stored, self._position)
        self.answered += len(chunk)
        return chunk


def _cut_short(size: int, found: int) -> SizeMismatch:
    return SizeMismatch(f"the file had {size} octets, {found} are there")
