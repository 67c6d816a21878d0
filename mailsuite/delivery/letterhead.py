"""What a submission server adds to a message and takes out of it (RFC 6409 section 8).

Date, Message-ID and From are added behind the other fields where they are missing; Bcc goes. Nothing that is
there is rewritten, so signatures stay whole. A message that names no recipient stays so: RFC 5322 section
3.6 does not ask for one, and neither Postfix nor sendmail adds one any more.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime

import attrs

from mailsuite.delivery.header_fields import Header
from mailsuite.model.address import Address
from mailsuite.wire.pop3.encoded_words import encode_text, folded

MAX_NAME_CHARACTERS = 200
"""Of a person's name in From; our own limit, above any name there is."""

_NO_TEXT = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
"""Blanks of any kind, controls, and what stands for octets that are no text."""
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~\- ]+")
"""Atoms; without ``=``, so that nothing is taken for an encoded word."""
_TO_ESCAPE = re.compile(r"([\"\\])")


def new_token() -> str:
    """128 random bits in hexadecimal."""
    return secrets.token_hex(16)


@attrs.frozen
class Letterhead:
    """What one submitted message gets where it has none of it."""

    author: Address | None
    """Who sends: the reverse-path, or the account where that is null. None, where nobody has logged in
    either: then nobody is written into From."""
    hostname: str
    """Ours; the right side of a Message-ID, so that nobody else's can be the same."""
    seconds: float
    """Since the epoch."""
    name: str = ""
    """The author's, as the account has it."""
    token: str = attrs.field(factory=new_token)
    """An RFC 5322 atom that nobody can foretell."""

    def complete(self, header: Header) -> None:
        """Add what is missing, and leave out what is for nobody else's eyes."""
        if self.author is not None and not header.has(b"from"):
            header.add(b"from", from_field(self.author, self.name))
        if not header.has(b"date"):
            date = format_datetime(datetime.fromtimestamp(self.seconds, UTC))
            header.add(b"date", f"Date: {date}".encode("ascii"))
        if not header.has(b"message-id"):
            header.add(b"message-id", f"Message-ID: <{self.token}@{self.hostname}>".encode("ascii"))
        header.leave_out(b"bcc")
        header.leave_out(b"resent-bcc")


def from_field(author: Address, name: str = "") -> bytes:
    """``From: Joe Doe <joe@example.net>``, folded, without the CRLF at its end. Letters outside ASCII are
    encoded in the name (RFC 2047); in the address they stay (RFC 6532)."""
    words = _words(_NO_TEXT.sub(" ", name)[:MAX_NAME_CHARACTERS].strip())
    return folded("From", [*words, f"<{author}>"] if words else [str(author)]).encode("utf-8", "replace")


def sender_field(sender: Address) -> bytes:
    """``Sender: joe@example.net``, without the CRLF at its end."""
    return folded("Sender", [str(sender)]).encode("utf-8", "replace")


def _words(name: str) -> list[str]:
    """The name of a person as it may be sent (RFC 5322 section 3.4)."""
    if not name.isascii():
        return encode_text(name)
    if not name or _PLAIN.fullmatch(name):
        return name.split()
    return ['"' + _TO_ESCAPE.sub(r"\\\1", name) + '"']
