"""The messages of one session: frozen numbers, deletion marks, running totals (RFC 1939 section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.model.response import MESSAGE_DELETED, NO_NUMBER, NO_SUCH_MESSAGE, Response
from mailsuite.wire.pop3.commands import parse_number
from mailsuite.wire.pop3.multiline import TERMINATOR

LINES_PER_CHUNK = 1000
"""Lines of a listing that are made at once: at most some 80 KB, as a UIDL has up to 70 octets."""


@attrs.define
class Snapshot:
    """What the client sees from login to QUIT. Numbers begin at 1; a mark hides a message from all but
    reset()."""

    _messages: tuple[MessageRef, ...]
    _all_octets: int = attrs.field(init=False)
    _marked: set[int] = attrs.field(factory=set, init=False)
    count: int = attrs.field(init=False)
    """Messages that are not marked."""
    octets: int = attrs.field(init=False)
    """Their size."""

    def __attrs_post_init__(self) -> None:
        self._all_octets = sum(message.size for message in self._messages)
        self.reset()

    def find(self, word: bytes) -> int | Response:
        """The number that *word* spells, or why there is no such message (features row P-08)."""
        number = parse_number(word)
        if number is None:
            return NO_NUMBER
        if not 1 <= number <= len(self._messages):
            return NO_SUCH_MESSAGE
        return MESSAGE_DELETED if number in self._marked else number

    def __getitem__(self, number: int) -> MessageRef:
        return self._messages[number - 1]

    def mark(self, number: int) -> None:
        """Mark a message that find() gave."""
        self._marked.add(number)
        self.count -= 1
        self.octets -= self[number].size

    def reset(self) -> None:
        """Take all marks away."""
        self._marked.clear()
        self.count = len(self._messages)
        self.octets = self._all_octets

    @property
    def marked(self) -> frozenset[int]:
        """The numbers of those that are marked."""
        return frozenset(self._marked)

    def chosen(self, numbers: Iterable[int]) -> tuple[MessageRef, ...]:
        """The messages of these numbers, oldest first."""
        return tuple(self[number] for number in sorted(numbers))

    def sizes(self) -> Iterator[bytes]:
        """The lines of LIST and the terminator, in chunks."""
        for first, messages in self._slices():
            yield _joined(
                [
                    f"{number} {message.size}\r\n"
                    for number, message in enumerate(messages, first)
                    if number not in self._marked
                ]
            )
        yield TERMINATOR

    def unique_ids(self) -> Iterator[bytes]:
        """The lines of UIDL and the terminator, in chunks."""
        for first, messages in self._slices():
            yield _joined(
                [
                    f"{number} {message.uidl}\r\n"
                    for number, message in enumerate(messages, first)
                    if number not in self._marked
                ]
            )
        yield TERMINATOR

    def _slices(self) -> Iterator[tuple[int, tuple[MessageRef, ...]]]:
        for start in range(0, len(self._messages), LINES_PER_CHUNK):
            yield start + 1, self._messages[start : start + LINES_PER_CHUNK]


def _joined(lines: list[str]) -> bytes:
    return "".join(lines).encode("ascii")
