"""Lines out of a stream of octets, in bounded memory and linear time whatever the sender does."""

from __future__ import annotations

import attrs

START_OCTETS = 32
"""Of an over-long line so many are kept for the log (features row S-I04)."""


@attrs.frozen
class Overlong:
    """A line that passed the limit. It was dropped up to and with its line end; the next one is whole."""

    octets: int
    """How long the line was, line end included."""
    crlf: bool
    """Whether CR LF ended it, rather than LF alone."""
    start: bytes
    """Its first START_OCTETS octets."""


@attrs.define
class LineBuffer:
    """Collects octets and gives them back line by line.

    A line ends at LF. It comes with its line end, so that the caller can tell CR LF from LF alone and
    refuse the latter. Never more of an unfinished line is kept than *limit* octets, and no octet is
    searched twice, so neither an endless line nor one that arrives octet by octet costs more than it
    weighs. What was fed and not yet taken is kept whole: to stop feeding is up to the caller.
    """

    limit: int
    """Octets that a line may have, line end included. May be changed between two lines."""
    _data: bytearray = attrs.field(factory=bytearray, init=False)
    _searched: int = attrs.field(default=0, init=False)
    _dropped: int = attrs.field(default=0, init=False)
    _start: bytes = attrs.field(default=b"", init=False)
    """The first octets of a line that is being dropped."""

    def __len__(self) -> int:
        """Octets that wait to be taken."""
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Append what has arrived."""
        self._data += data

    def next_line(self) -> bytes | Overlong | None:
        """Take the next line, with its line end; None where it has not arrived whole."""
        end = self._data.find(b"\n", self._searched) + 1
        if not end:
            self._searched = len(self._data)
            if self._dropped or len(self._data) > self.limit:
                self._drop(len(self._data) - 1)
            return None
        self._searched = 0
        octets = self._dropped + end
        if octets > self.limit:
            crlf = self._data[:end].endswith(b"\r\n")
            start = self._first_octets(end)
            del self._data[:end]
            self._forget_dropped()
            return Overlong(octets, crlf, start)
        line = bytes(self._data[:end])
        del self._data[:end]
        return line

    @property
    def overrun(self) -> Overlong | None:
        """An unfinished line that has passed the limit, as far as it has come; None: there is no such line.

        Looked at after next_line() gave None.
        """
        if not self._dropped:
            return None
        return Overlong(self._dropped + len(self._data), False, self._first_octets(len(self._data)))

    @property
    def unfinished(self) -> tuple[int, bytes]:
        """How many octets of a line have come that has not ended, and the first of them. Looked at after
        next_line() gave None."""
        return self._dropped + len(self._data), self._first_octets(len(self._data))

    def take_all(self) -> bytes:
        """Take everything as it stands: the way over to data that is no lines."""
        rest = bytes(self._data)
        self.clear()
        return rest

    def take(self, octets: int) -> bytes:
        """Take so many as they stand, or what there is: data whose length is known."""
        taken = bytes(self._data[:octets])
        del self._data[:octets]
        self._searched = max(0, self._searched - octets)
        return taken

    def clear(self) -> None:
        """Forget everything, a line in the middle of being dropped included."""
        self._data.clear()
        self._searched = 0
        self._forget_dropped()

    def _first_octets(self, end: int) -> bytes:
        """The first ones of the line whose part that was not dropped ends at *end*."""
        return (self._start + self._data[: min(end, START_OCTETS)])[:START_OCTETS]

    def _forget_dropped(self) -> None:
        self._dropped, self._start = 0, b""

    def _drop(self, octets: int) -> None:
        """Drop all but the last octet, which may be the CR of the line end."""
        if octets > 0:
            self._start = self._first_octets(octets)
            del self._data[:octets]
            self._dropped += octets
            self._searched = 1
