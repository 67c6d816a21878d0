"""What the client has sent and nobody has read yet: lines of commands, and octets of a message."""

from __future__ import annotations

import attrs

from mailsuite.wire.buffer import START_OCTETS, LineBuffer, Overlong
from mailsuite.wire.sasl.steps import MAX_LINE_OCTETS
from mailsuite.wire.smtp.commands import MAX_COMMAND_OCTETS, longest, verb_of


@attrs.define(eq=False)
class Intake:
    """Octets in the order in which they came, to be read as lines or as they are."""

    continued: bool = attrs.field(default=False, init=False)
    """The line that was read last goes on behind one that LF alone has ended: for whoever takes only CR LF
    for an end they are one line."""
    _lines: LineBuffer = attrs.field(factory=lambda: LineBuffer(MAX_LINE_OCTETS), init=False)
    _piece: bytes = attrs.field(default=b"", init=False)
    """Octets of a message that stand before those in ``_lines``: spared the way through the buffer."""
    _broken: bool = attrs.field(default=False, init=False)

    def __len__(self) -> int:
        """Octets that wait."""
        return len(self._piece) + len(self._lines)

    def receive(self, data: bytes, of_message: bool) -> None:
        """Append what has arrived; *of_message*: it will be taken by take(), at least the first of it."""
        if of_message and not len(self):
            self._piece = data
        else:
            self._lines.feed(data)

    def next_line(self) -> bytes | Overlong | None:
        """Take the next line, line end included; None where it has not come whole."""
        line = self._lines.next_line()
        if line is not None:
            self.continued = self._broken
            self._broken = not (line.crlf if isinstance(line, Overlong) else line.endswith(b"\r\n"))
        return line

    def take(self, octets: int | None = None) -> bytes:
        """Take what there is of a message, at most so many *octets*: of the first piece, or of all."""
        data, self._piece = self._piece, b""
        if not data:
            return self._lines.take_all() if octets is None else self._lines.take(octets)
        if octets is not None and len(data) > octets:
            self.put_back(data[octets:])
            return data[:octets]
        return data

    def put_back(self, rest: bytes) -> None:
        """What take() gave and was no part of the message stands before all else again."""
        behind = self._lines.take_all()
        self._lines.feed(rest)
        self._lines.feed(behind)

    def clear(self) -> None:
        """Forget everything."""
        self._piece = b""
        self._lines.clear()

    def extent(self, line: bytes | Overlong | None) -> tuple[int, bytes]:
        """How long what next_line() gave is so far, its end come or not, and its first octets."""
        if line is None:
            return self._lines.unfinished
        if isinstance(line, Overlong):
            return line.octets, line.start
        return len(line), line[:START_OCTETS]

    def is_tls(self, line: bytes | Overlong | None) -> bool:
        """Whether this begins as a TLS record that holds a handshake (RFC 8446 section 5.1)."""
        return self.extent(line)[1].startswith(b"\x16\x03")

    def is_oversize(self, line: bytes | Overlong | None) -> bool:
        """Whether this is a command that no honest client sends (row S-I04): too long, and none of those that
        extensions make longer."""
        octets, start = self.extent(line)
        return octets > MAX_COMMAND_OCTETS >= longest(verb_of(start))
