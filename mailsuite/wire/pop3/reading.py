"""From octets to what a client says: commands, responses to challenges, and lines that are too much."""

from __future__ import annotations

import attrs

from mailsuite.model.response import BAD_LINE_END, LINE_TOO_LONG, Response
from mailsuite.wire.buffer import LineBuffer, Overlong
from mailsuite.wire.pop3.commands import Command, parse
from mailsuite.wire.pop3.events import Violation
from mailsuite.wire.pop3.masking import masked_start
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.steps import MAX_LINE_OCTETS


@attrs.frozen
class Reply:
    """What a client says to a challenge."""

    line: bytes | None = attrs.field(repr=False)
    """Without its line end; None where it can be no response, whatever stands in it."""


Said = Command | Response | Reply | Violation
"""A Response is the answer to a line that is no command."""


@attrs.define
class Reader:
    """Lines, read as the listener's settings say (features rows P-02 and S-I04).

    A command line with its line end has at most ``max_command`` octets, the line of an exchange at most
    MAX_LINE_OCTETS. One octet more, before the line end has come, is a Violation, or is dropped up to the
    next line end and then answered like any bad line.
    """

    _settings: SessionSettings
    _exchanging: bool = attrs.field(default=False, init=False)
    _buffer: LineBuffer = attrs.field(init=False)

    @_buffer.default
    def _buffer_of_commands(self) -> LineBuffer:
        return LineBuffer(self._settings.max_command)

    def __len__(self) -> int:
        """Octets that nobody has read."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer.feed(data)

    def clear(self) -> None:
        self._buffer.clear()

    def expect(self, exchanging: bool) -> None:
        """Whether the next line answers a challenge."""
        self._exchanging = exchanging
        self._buffer.limit = MAX_LINE_OCTETS if exchanging else self._settings.max_command

    def next(self) -> Said | None:
        """What the client says next; None where that has not arrived whole."""
        line = self._buffer.next_line()
        if line is None:
            return self._judged(self._buffer.overrun)
        if isinstance(line, Overlong):
            return self._judged(line) or (Reply(None) if self._exchanging else LINE_TOO_LONG)
        broken = self._settings.strict_crlf and not line.endswith(b"\r\n")
        if self._exchanging:
            return Reply(None if broken else line.removesuffix(b"\n").removesuffix(b"\r"))
        if broken:
            return BAD_LINE_END
        return parse(line, utf8=self._settings.utf8, last=self._settings.last)

    def _judged(self, line: Overlong | None) -> Violation | None:
        if line is None or self._settings.overlong == "error":
            return None
        if self._exchanging:
            return Violation("oversize-response", octets=line.octets)
        return Violation("oversize-command", masked_start(line.start), line.octets)
