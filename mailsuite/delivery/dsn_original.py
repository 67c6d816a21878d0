"""What is known of the message that a notice is about: its beginning, read out of the queue. Pure but for
read_original()."""

from __future__ import annotations

import re

import attrs

from mailsuite.delivery.dsn_safe import readable
from mailsuite.delivery.header_text import decoded
from mailsuite.interfaces import IQueuedContent

MAX_RETURNED = 64 * 1024
"""Octets of a message that come back with a notice, at most; our own limit. Larger ones come back as their
header, which is cut there."""
MAX_SUBJECT_OCTETS = 2000
"""Of a subject that are looked at."""
MAX_SUBJECT_CHARACTERS = 150
"""Of a subject that are shown."""
_PIECE = 16 * 1024

_CRLF = b"\r\n"
_HEADER_END = b"\r\n\r\n"
_MESSAGE_ID = re.compile(rb"\s*(<[!-;=?-~]{1,250}@[!-;=?-~]{1,250}>)\s*")
_BULK = re.compile(rb"(?:^|\r\n)(?:List-[A-Za-z-]+[ \t]*:|Precedence[ \t]*:[ \t]*(?:bulk|list|junk)\b)", re.I)
"""What mailing lists and newsletters say of themselves (RFC 2369, RFC 2919, RFC 3834 section 2)."""


@attrs.frozen
class Original:
    """Made by original_of()."""

    header: bytes
    """With CRLF at its end, without the empty line; a part of it where it is too long."""
    content: bytes | None
    """All of the message, where it is not too long."""

    @property
    def message_id(self) -> str:
        """As References takes it; empty where there is none that is well formed."""
        found = _MESSAGE_ID.fullmatch(self._field(b"Message-ID"))
        return found[1].decode("ascii") if found else ""

    @property
    def subject(self) -> str:
        """For a person to know it again by; empty where there is none."""
        return readable(decoded(self._field(b"Subject")[:MAX_SUBJECT_OCTETS]), MAX_SUBJECT_CHARACTERS)

    @property
    def is_bulk(self) -> bool:
        """Whether it says of itself that it went to many."""
        return _BULK.search(self.header) is not None

    def _field(self, name: bytes) -> bytes:
        found = re.search(
            rb"(?:^|\r\n)" + name + rb"[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", self.header, re.IGNORECASE
        )
        return found[1] if found else b""


def original_of(octets: bytes, whole: bool) -> Original:
    """The message of which *octets* are the beginning, or the *whole*."""
    place = octets.find(_HEADER_END)
    if octets.startswith(_CRLF):
        header = b""
    elif place >= 0:
        header = octets[: place + len(_CRLF)]
    elif whole and octets:
        header = octets.removesuffix(_CRLF) + _CRLF
    else:
        before, end, _ = octets.rpartition(_CRLF)
        header = before + end
    return Original(header, octets if whole else None)


async def read_original(content: IQueuedContent) -> Original:
    """Read as much as a notice needs; the content is closed then. Fails as reading it does."""
    pieces, room = [], MAX_RETURNED + 1
    try:
        while room and (piece := await content.read(min(room, _PIECE))):
            pieces.append(piece)
            room -= len(piece)
    finally:
        content.close()
    octets = b"".join(pieces)
    return original_of(octets[:MAX_RETURNED], whole=len(octets) <= MAX_RETURNED)
