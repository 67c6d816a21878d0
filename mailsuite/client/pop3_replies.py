"""What a POP3 server says, for one that only looks (RFC 1939 section 3, RFC 2449): replies out of octets."""

from __future__ import annotations

import re
from typing import Final

import attrs

MAX_LINE: Final = 8192
"""Octets; RFC 2449 section 4 allows 512, be liberal with a foreign server."""
MAX_LISTING: Final = 16 * 1024 * 1024
"""Octets of a multi-line answer: the UIDLs of some 200,000 messages."""
_CODE: Final = re.compile(r"\[([A-Za-z0-9/-]{1,64})\]")
"""RFC 2449 section 8."""


class NotPop3(Exception):
    """What came is no answer of a POP3 server, or a longer one than we take."""


@attrs.frozen
class Reply:
    """One answer."""

    is_ok: bool
    text: str
    """What stands behind +OK or -ERR; it is the server's, not safe to show as it is."""
    lines: tuple[str, ...] = ()
    """Of a multi-line answer, without the stuffed dots; what is not ASCII is replaced."""

    @property
    def code(self) -> str:
        """The response code (RFC 2449 section 8, RFC 3206) in upper case; empty where there is none."""
        found = _CODE.match(self.text)
        return found[1].upper() if found else ""


@attrs.define
class ReplyReader:
    """Takes octets cut anywhere; one answer is awaited at a time."""

    _buffer: bytearray = attrs.field(factory=bytearray, init=False)
    _status: Reply | None = attrs.field(default=None, init=False)
    _lines: list[str] = attrs.field(factory=list, init=False)
    _octets: int = attrs.field(default=0, init=False)

    def feed(self, data: bytes, is_multiline: bool) -> Reply | None:
        """The answer, once it is whole. Raises NotPop3, also where something follows it."""
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            reply = self._line(line, is_multiline)
            if reply is not None:
                if self._buffer:
                    raise NotPop3("the server said more than it was asked")
                return reply
        if len(self._buffer) > MAX_LINE:
            raise NotPop3("a line of the server has no end")
        return None

    def _line(self, line: bytes, is_multiline: bool) -> Reply | None:
        if len(line) > MAX_LINE:
            raise NotPop3("a line of the server is too long")
        text = line.decode("ascii", "replace")
        if self._status is None:
            status = _status(text)
            if is_multiline and status.is_ok:
                self._status = status
                return None
            return status
        if text == ".":
            reply = attrs.evolve(self._status, lines=tuple(self._lines))
            self._status, self._lines, self._octets = None, [], 0
            return reply
        self._octets += len(line) + 2
        if self._octets > MAX_LISTING:
            raise NotPop3("the list of the server is too long")
        self._lines.append(text.removeprefix("."))
        return None


def _status(text: str) -> Reply:
    word, _, rest = text.partition(" ")
    if word not in {"+OK", "-ERR"}:
        raise NotPop3("that is not what a POP3 server says")
    return Reply(word == "+OK", rest)
