"""Replies of a server that may be anybody (RFC 5321 section 4.2), from octets to values, in bounded memory.

A line may end with LF alone: that is borne, here and nowhere else. What is said is data: it goes to the log,
to the queue and into a notice, so Reply has a bounded text without control characters.
"""

from __future__ import annotations

import re

import attrs

from mailsuite.model.reply import Reply
from mailsuite.wire.buffer import LineBuffer, Overlong

MAX_LINE_OCTETS = 4096
"""RFC 5321 section 4.5.3.1.5 has 512. Some servers write whole paragraphs; Postfix takes 2048
(line_length_limit) and goes on with the rest of the line."""
MAX_LINES = 128
"""Of one reply. The longest that honest servers give is the answer to EHLO, of some thirty."""
MAX_REPLY_OCTETS = 64 * 1024
MAX_TEXT_OCTETS = 2048
"""Of one reply, kept for the log, the queue and notices: four lines as long as RFC 5321 has them. The queue
keeps one for each recipient."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")
_HARMLESS = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), "\ufffd"),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
    0x09: " ",
}
"""Instead of controls, of ends of lines, and of what turns the direction of the text behind it."""


@attrs.frozen
class Answer:
    """A reply as it came, line ends and codes taken off."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def kind(self) -> int:
        """The first digit, the one that decides (RFC 5321 section 4.3.2)."""
        return self.code // 100

    @property
    def refuses(self) -> bool:
        return self.code >= 400

    @property
    def reply(self) -> Reply:
        """The reply for people.

        An enhanced code of another class than the reply's own stays in the text, where it means nothing: RFC
        2034 section 4 forbids it, and nobody shall make a failure permanent that is not.
        """
        lines = _bounded(self.lines)
        found = _ENHANCED.match(lines[0])
        enhanced = found[1] if found and int(found[1][0]) == self.kind else ""
        if enhanced:
            lines = tuple(_without(enhanced, line) for line in lines)
        return Reply(self.code, enhanced, lines, closes=self.code == 421)


@attrs.frozen
class Oddity:
    """What came is no reply."""

    oversize: bool
    detail: str


@attrs.define
class ReplyReader:
    """Collects octets and gives replies back. After an Oddity it is of no use."""

    _buffer: LineBuffer = attrs.field(factory=lambda: LineBuffer(MAX_LINE_OCTETS), init=False)
    _code: bytes = attrs.field(default=b"", init=False)
    _lines: list[bytes] = attrs.field(factory=list, init=False)
    """Of a reply that goes on."""
    _octets: int = attrs.field(default=0, init=False)

    @property
    def empty(self) -> bool:
        """Nothing has come that was not taken as a reply."""
        return not self._lines and not len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Append what has arrived; then take all answers that there are."""
        self._buffer.feed(data)

    def next_answer(self) -> Answer | Oddity | None:
        """The next reply; None where it has not come whole."""
        while (line := self._buffer.next_line()) is not None:
            outcome = self._take(line)
            if outcome is not None:
                return outcome
        if self._buffer.overrun is not None:
            return Oddity(True, "a reply line that does not end")
        return None

    def _take(self, line: bytes | Overlong) -> Answer | Oddity | None:
        if isinstance(line, Overlong):
            return Oddity(True, f"a reply line of {line.octets} octets")
        self._octets += len(line)
        found = _LINE.fullmatch(line.removesuffix(b"\n").removesuffix(b"\r"))
        if not found:
            return Oddity(False, "a line that is no reply")
        if self._code not in (b"", found[1]):
            return Oddity(False, "a reply with another code on each line")
        self._code = found[1]
        self._lines.append(found[3] or b"")
        if len(self._lines) > MAX_LINES or self._octets > MAX_REPLY_OCTETS:
            return Oddity(True, "a reply that does not end")
        if found[2] == b"-":
            return None
        answer = Answer(int(self._code), tuple(self._lines))
        self._code, self._lines, self._octets = b"", [], 0
        return answer


def _bounded(lines: tuple[bytes, ...]) -> tuple[str, ...]:
    """As text, up to MAX_TEXT_OCTETS of what came."""
    kept: list[str] = []
    room = MAX_TEXT_OCTETS
    for line in lines:
        text = line[:room].decode("utf-8", "replace").translate(_HARMLESS)
        if len(line) > room:
            kept.append(f"{text} ...")
            break
        kept.append(text)
        room -= len(line)
    return tuple(kept)


def _without(enhanced: str, line: str) -> str:
    return line[len(enhanced) :].lstrip(" ") if line.startswith(enhanced) else line
