"""Server-sent events (WHATWG HTML, section 9.2): what a stream says, written and read.

The writer leaves nobody a way to begin a field or an event of their own. The reader takes octets cut
anywhere, knows an event as soon as its empty line is there, and keeps no more of it than it is allowed to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

MEDIA_TYPE: Final = "text/event-stream"
MAX_LINE: Final = 65_536
MAX_EVENT: Final = 131_072
"""Octets that a reader bears: many times what a notice has."""

_MESSAGE: Final = "message"
"""The type of an event that names none."""
_END: Final = re.compile(rb"\r\n|\n|\r")
_LINES: Final = re.compile(r"\r\n|\n|\r")
_BREAKS: Final = re.compile(r"[\r\n\0]")
_DIGITS: Final = re.compile(r"[0-9]{1,12}")
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark, which may begin a stream."""


class StreamTooLarge(ValueError):
    """A line or an event has passed the limit: the stream is to be given up."""


@attrs.frozen
class Event:
    """One event. As it was read, ``id`` is the last one that the stream has given until then."""

    data: str
    """Lines, ended by LF."""
    type: str = _MESSAGE
    id: str | None = None
    """From where to go on after a break. To be written: None says nothing of it, an empty one forgets it."""

    def encode(self) -> bytes:
        """The octets of it. ValueError where the type or the id has a CR, LF or NUL, or the type is empty.

        CR LF and CR in the data are read back as LF. What has no place in UTF-8 becomes ``?``.
        """
        if not self.type or _BREAKS.search(self.type):
            raise ValueError("no type that an event can have")
        if self.id is not None and _BREAKS.search(self.id):
            raise ValueError("no id that an event can have")
        lines = [] if self.id is None else [f"id: {self.id}"]
        if self.type != _MESSAGE:
            lines.append(f"event: {self.type}")
        lines += (f"data: {line}" for line in _LINES.split(self.data))
        return _block(lines)


def comment(text: str = "") -> bytes:
    """What readers pass over, and what keeps proxies from taking the stream for dead."""
    return _block([f": {line}" for line in _LINES.split(text)])


def reconnect_after(milliseconds: int, id: int | None = None) -> bytes:
    """How long the reader is to wait before it comes back after a break, and from where to go on then, though
    there was no event yet; None says nothing of that. ValueError below zero."""
    if milliseconds < 0:
        raise ValueError("no time to wait")
    return _block([f"retry: {milliseconds}"] if id is None else [f"retry: {milliseconds}", f"id: {id}"])


@attrs.define
class EventReader:
    """Takes a stream from its beginning. After StreamTooLarge it is of no use any more; what the stream ends
    with and is no whole event is not told, as the standard has it."""

    max_line: int = MAX_LINE
    max_event: int = MAX_EVENT
    last_id: str = ""
    """What to send as Last-Event-ID after a break. May be given, to go on where another stream has ended."""
    retry: int | None = attrs.field(default=None, init=False)
    """Milliseconds that the stream wants us to wait after a break; None: it has not said."""
    _line: bytearray = attrs.field(factory=bytearray, init=False)
    _after_cr: bool = attrs.field(default=False, init=False)
    """The last octet was a CR that has ended a line: an LF that follows belongs to it."""
    _at_start: bool = attrs.field(default=True, init=False)
    _id: str | None = attrs.field(default=None, init=False)
    _type: str = attrs.field(default="", init=False)
    _data: list[str] = attrs.field(factory=list, init=False)
    _octets: int = attrs.field(default=0, init=False)
    """Of the data that has come for this event."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are whole by now. Raises StreamTooLarge."""
        events: list[Event] = []
        for line in self._lines(data):
            if line:
                self._field(line)
            else:
                events += self._dispatched()
        return events

    def _lines(self, data: bytes) -> Iterator[bytes]:
        start = 1 if self._after_cr and data.startswith(b"\n") else 0
        if data:
            self._after_cr = data.endswith(b"\r")
        for end in _END.finditer(data, start):
            self._take(data[start : end.start()])
            start = end.end()
            line = bytes(self._line)
            self._line.clear()
            if self._at_start:
                line = line.removeprefix(_MARK)
                self._at_start = False
            yield line
        self._take(data[start:])

    def _take(self, octets: bytes) -> None:
        if len(self._line) + len(octets) > self.max_line:
            raise StreamTooLarge(f"a line has more than {self.max_line} octets")
        self._line += octets

    def _field(self, line: bytes) -> None:
        """A line that is not empty: a field, a comment, or something that nobody knows yet."""
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._octets += len(line)
                if self._octets > self.max_event:
                    raise StreamTooLarge(f"an event has more than {self.max_event} octets")
                self._data.append(value)
            case "event":
                self._type = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if _DIGITS.fullmatch(value):
                self.retry = int(value)

    def _dispatched(self) -> list[Event]:
        """What the empty line ends; nothing where no data has come."""
        if self._id is not None:
            self.last_id = self._id
        data, type = self._data, self._type or _MESSAGE
        self._data, self._type, self._octets = [], "", 0
        return [Event("\n".join(data), type, self.last_id)] if data else []


def _block(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")
