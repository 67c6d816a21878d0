"""The header of a message as fields, and from fields to octets (RFC 5322 sections 2.2 and 4.5).

The header ends at the first line that is neither a field nor the continuation of one. Programs differ in
what they make of such a line, and what one takes for a field is text to another; so whoever stores the
message puts an empty line there, which all of them understand. Everything else stays octet for octet.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

OF_INTEREST = frozenset(
    (
        b"authentication-results",
        b"bcc",
        b"date",
        b"delivered-to",
        b"from",
        b"message-id",
        b"received",
        b"resent-bcc",
        b"return-path",
        b"sender",
        b"tls-required",
    )
)
"""Names in lower case that Header can be asked for, where its reader asks for no others."""

_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_NAME = re.compile(rb"([!-9;-~]++)[ \t]*+:")
"""A blank before the colon is obsolete, and taken (RFC 5322 section 4.5)."""
_MBOX_LINE = re.compile(rb">?From ")
"""How a message begins in an mbox file. Scripts send it along; Postfix makes a field of it, too."""


@attrs.define
class Header:
    """What read_header() found. Fields can be left out and put behind the others."""

    fields: list[bytes]
    """In order, folded as they came, without the CRLF behind each."""
    rest: list[bytes]
    """Lines from the first on that is no field; continuations stand with what they continue."""
    _places: dict[bytes, list[int]]
    _left_out: set[int] = attrs.field(factory=set, init=False)
    _added: list[tuple[bytes, bytes]] = attrs.field(factory=list, init=False)

    def has(self, name: bytes) -> bool:
        return name in self._places

    def count(self, name: bytes) -> int:
        return len(self._places.get(name, ()))

    def values(self, name: bytes) -> list[bytes]:
        """What stands behind the colon of each field of that name, which is one that it was read for."""
        return [self.fields[place].partition(b":")[2] for place in self._places.get(name, ())]

    def leave_out(self, name: bytes) -> None:
        """All fields of that name, those that were added, too."""
        self._left_out.update(self._places.get(name, ()))
        self._added = [added for added in self._added if added[0] != name]

    def leave_out_one(self, name: bytes, index: int) -> None:
        """The field whose value is values(name)[index]."""
        self._left_out.add(self._places[name][index])

    def add(self, name: bytes, field: bytes) -> None:
        """Put a whole field, without the CRLF behind it, behind all others."""
        self._added.append((name, field))

    @property
    def has_bare_newline(self) -> bool:
        """Whether a CR stands without LF behind it, or an LF without CR before it."""
        lines = b"\r\n".join(self.fields)
        ends = lines.count(b"\r\n")
        return lines.count(b"\r") != ends or lines.count(b"\n") != ends

    def octets(self, behind: bytes | bytearray) -> bytes:
        """The fields; an empty line and the rest, where there is some; and what stood *behind* it all: from
        the CRLF of the last line on, or nothing where that line has none."""
        kept = self.fields
        if self._left_out:
            kept = [field for place, field in enumerate(kept) if place not in self._left_out]
        lines = kept + [field for _, field in self._added]
        if self.rest:
            lines += [b"", *self.rest]
        return b"\r\n".join(lines) + (behind if lines else behind[2:])


def read_header(block: bytes, most: int, names: Collection[bytes] = OF_INTEREST) -> Header:
    """Read what stands before the first empty line, without the CRLF at its end, for fields of these *names*.
    Linear; never fails.

    Where there are more fields than *most*, those beyond are one, unread.
    """
    fields = _FIELD_END.split(block, most) if block else []
    places: dict[bytes, list[int]] = {}
    for place, field in enumerate(fields):
        found = _NAME.match(field)
        if found is None:
            if place or not _MBOX_LINE.match(field):
                return Header(fields[:place], fields[place:], places)
            fields[0] = b"X-Mailbox-Line: " + field
            continue
        name = found[1].lower()
        if name in names:
            places.setdefault(name, []).append(place)
    return Header(fields, [], places)
