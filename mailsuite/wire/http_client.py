"""HTTP/1.1 as a client that posts something small and wants to know little of the answer (RFC 9110 and 9112).

The server may be anybody's, and so nothing that it sends is kept beyond a few octets: of an answer there is
the status, the fields of its head, and the beginning of its body, as it came. Once the head is there the
answer is given: whatever is wrong behind it costs the connection alone.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

MAX_HEAD: Final = 16 << 10
"""Octets of an answer's head, with all informational ones before it; Apache takes half as much in a field."""
MAX_INFORMATIONAL: Final = 8
"""Answers 1xx before the one that counts (RFC 9110 section 15.2 knows two, and we ask for neither)."""
MAX_BODY: Final = 4 << 10
"""Octets of a body that are looked at (notifications.md section 9)."""
MAX_FRAMING: Final = 6 * MAX_BODY
"""Octets of chunk sizes and trailers; chunks of a single octet take five each."""
MAX_RETRY_AFTER: Final = 86_400.0
"""Seconds: the longest that a server may ask us to wait; the longest pause of our own schedules."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 section 5.6.2."""
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: .*)?", re.DOTALL)
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_OURS: Final = frozenset({"host", "content-length", "connection", "transfer-encoding", "expect", "upgrade"})

_Reading = Generator[None, None, None]


class HttpError(Exception):
    """The answer is none; the message says why, in words of ours."""


def encode_post(path: str, authority: str, fields: Mapping[str, str], body: bytes) -> bytes:
    """A whole request. Raises ValueError where a field could be read as something else, or is ours to write:
    host, length and all that is about the connection."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {authority}"]
    for name, value in fields.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"{name!r} is no field of a request that can be asked for")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the field {name} has a character that cannot be sent")
        lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class AnswerReader:
    """Reads one answer to a POST."""

    def __init__(self) -> None:
        self.status = 0
        """0: the head is not there yet."""
        self.fields: dict[bytes, bytes] = {}
        """Of the head, by names in lower case; of several of one name the first."""
        self.body = bytearray()
        """As much as has come, up to MAX_BODY; never decompressed."""
        self.is_done = False
        """All has come that is wanted."""
        self.can_go_on = False
        """The connection can carry another request: the answer was read to its end, and nobody wants to
        close."""
        self._buffer = bytearray()
        self._left = MAX_HEAD
        self._lengths: list[bytes] = []
        self._minor = 0
        self._reading = self._answer()

    def receive(self, data: bytes) -> None:
        """Take what has come. Raises HttpError as long as there is no status."""
        if self.is_done:
            self.can_go_on = False  # it speaks out of turn
            return
        self._buffer += data
        try:
            next(self._reading)
        except StopIteration:
            self.is_done = True
            self.can_go_on = self.can_go_on and not self._buffer
        except HttpError:
            self.is_done = True
            self.can_go_on = False
            if not self.status:
                raise

    def closed(self) -> None:
        """The server has closed. Raises HttpError as long as there is no status."""
        self.is_done = True
        self.can_go_on = False
        if not self.status:
            raise HttpError("the connection was closed before an answer")

    # The answer, in the order in which it comes

    def _answer(self) -> _Reading:
        status = yield from self._head()
        for _ in range(MAX_INFORMATIONAL):
            if status >= 200:
                break
            status = yield from self._head()
        if status < 200:
            raise HttpError("the answer never comes to the point")
        self.status = status
        self._left = MAX_FRAMING
        yield from self._whole_body()

    def _head(self) -> Generator[None, None, int]:
        line = yield from self._line()
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise HttpError("the answer is no HTTP/1.1")
        self._minor, status = int(match[1]), int(match[2])
        if status == 101:  # RFC 9110 section 15.2.2: by our wish alone
            raise HttpError("the server changes the protocol")
        self.fields.clear()
        self._lengths.clear()
        while line := (yield from self._line()):
            if line[:1] not in b" \t":  # else the rest of the field before (RFC 9112 section 5.2)
                self._take_field(line)
        return status

    def _take_field(self, line: bytes) -> None:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise HttpError("the head of the answer has a line that is no field")
        name = match[1].lower()
        self.fields.setdefault(name, match[2])
        if name == b"content-length":
            self._lengths += [each.strip() for each in match[2].split(b",")]

    def _whole_body(self) -> _Reading:
        """RFC 9112 section 6.3; of the methods there is POST alone."""
        tokens = {each.strip() for each in self.fields.get(b"connection", b"").lower().split(b",")}
        keeps = self._minor >= 1 and b"close" not in tokens
        coding = self.fields.get(b"transfer-encoding")
        if self.status in {204, 304}:
            pass
        elif coding is not None:
            if coding.lower() != b"chunked":
                raise HttpError("the answer has a transfer coding that nobody asked for")
            keeps = keeps and not self._lengths
            yield from self._chunks()
        elif self._lengths:
            yield from self._octets(self._length())
        else:
            keeps = False
            yield from self._octets(MAX_BODY + 1)
        self.can_go_on = keeps

    def _length(self) -> int:
        first = self._lengths[0]
        if not _LENGTH.fullmatch(first) or any(each != first for each in self._lengths):
            raise HttpError("the answer has no length that can be read")
        return int(first)

    def _chunks(self) -> _Reading:
        """RFC 9112 section 7.1."""
        while True:
            match = _CHUNK_SIZE.fullmatch((yield from self._line()))
            if match is None:
                raise HttpError("the answer has a chunk without a size")
            size = int(match[1], 16)
            if not size:
                break
            yield from self._octets(size)
            if (yield from self._line()):
                raise HttpError("a chunk of the answer is longer than it says")
        while (yield from self._line()):
            pass  # trailers

    # Octets

    def _octets(self, count: int) -> _Reading:
        """So many of the body; raises HttpError where it gets longer than anybody wants to know."""
        while True:
            taken = min(count, len(self._buffer), MAX_BODY - len(self.body))
            self.body += self._buffer[:taken]
            del self._buffer[:taken]
            count -= taken
            if not count:
                return
            if len(self.body) >= MAX_BODY:
                raise HttpError("the answer is longer than is looked at")
            yield

    def _line(self) -> Generator[None, None, bytes]:
        """The next line without its end; a lone LF ends it, too (RFC 9112 section 2.2)."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) <= self._left:
            searched = len(self._buffer)
            yield
        self._left -= end + 1
        if end < 0 or self._left < 0:
            raise HttpError("the head of the answer is too long")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")


def retry_after(value: bytes, now: float) -> float:
    """The seconds that a Retry-After field asks for (RFC 9110 section 10.2.3), by number or by date, at the
    time *now* (seconds since the epoch); 0.0: none, or none that can be read."""
    text = value.decode("ascii", "replace").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER) if len(text) <= 9 else MAX_RETRY_AFTER
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        seconds = date.timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
