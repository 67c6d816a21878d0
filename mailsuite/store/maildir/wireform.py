"""Files into wire form: every line ends with CRLF, the last one too (RFC 1939 section 3, RFC 5321 2.3.8).

Works on chunks: nothing is done line by line. A CR that stands alone is left as it is.
"""

from __future__ import annotations

import os

import attrs

READ_OCTETS = 65_536
"""What one read answers at most, as IMessageBody says."""
CONVERTED_READ_OCTETS = READ_OCTETS // 2 - 1
"""Conversion at most doubles; the end may add two octets."""


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
class WireReader:
    """Reads a file from its start: exactly ``size`` octets of wire form, or SizeMismatch."""

    size: int
    convert: bool
    done: bool = attrs.field(default=False, init=False)
    _position: int = attrs.field(default=0, init=False)
    _answered: int = attrs.field(default=0, init=False)
    _last: bytes = attrs.field(default=b"\n", init=False)

    def read(self, descriptor: int) -> bytes:
        """The next octets, b"" at the end. Blocks."""
        if self.done:
            return b""
        chunk, self.done = self._converted(descriptor) if self.convert else self._raw(descriptor)
        self._answered += len(chunk)
        if self._answered > self.size or (self.done and self._answered < self.size):
            raise SizeMismatch(f"{self.size} octets were announced, {self._answered} are there")
        return chunk

    def _raw(self, descriptor: int) -> tuple[bytes, bool]:
        chunk = os.pread(descriptor, min(READ_OCTETS, self.size - self._answered), self._answered)
        return chunk, not chunk or self._answered + len(chunk) == self.size

    def _converted(self, descriptor: int) -> tuple[bytes, bool]:
        raw = os.pread(descriptor, CONVERTED_READ_OCTETS, self._position)
        self._position += len(raw)
        chunk = to_crlf(raw, self._last == b"\r")
        self._last = raw[-1:] or self._last
        # Look ahead only where the end must be near: a small message is read in one go.
        near_end = self._answered + len(chunk) + 2 >= self.size
        at_end = not raw or (near_end and not os.pread(descriptor, 1, self._position))
        lacks_line_end = self._last != b"\n" and self._answered + len(chunk) + 2 == self.size
        return (chunk + b"\r\n" if at_end and lacks_line_end else chunk), at_end
