"""The frame of a notice: parts of a multipart, each encoded so that it can go anywhere (RFC 2045, RFC 2046).

Pure: octets in, octets out.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence

import attrs

CRLF = b"\r\n"
MAX_LINE = 998
"""Octets of a line without CRLF (RFC 5322 section 2.1.1); what is sent as 7bit or 8bit has none that is
longer (RFC 2045 section 2.7)."""

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_SOFT_BREAK = b"=\n"
_LONG = re.compile(rb"[^\r\n]{%d}" % (MAX_LINE + 1))


@attrs.frozen
class Part:
    """A body part."""

    type: str
    """With its parameters."""
    encoding: str
    body: bytes
    """As it is sent."""
    language: str = ""

    def octets(self) -> bytes:
        fields = [f"Content-Type: {self.type}", f"Content-Transfer-Encoding: {self.encoding}"]
        if self.language:
            fields.append(f"Content-Language: {self.language}")
        return "\r\n".join((*fields, "", "")).encode("ascii") + self.body


def is_plain(octets: bytes) -> bool:
    """Whether it can be sent as 8bit: lines that are short enough, no NUL, no CR or LF alone."""
    return not (b"\0" in octets or _BARE.search(octets) or _LONG.search(octets))


def text_part(type: str, text: str, language: str = "") -> Part:
    """Text, CRLF at the end of its lines, in seven bits: as it is where it is ASCII, else in a form that is
    readable still (RFC 2045 section 6.7)."""
    octets = text.encode("utf-8", "replace")
    if octets.isascii() and is_plain(octets):
        return Part(type, "7bit", octets, language)
    return Part(type, "quoted-printable", quoted_printable(octets), language)


def quoted_printable(octets: bytes) -> bytes:
    """Line ends stay; a CR or LF that is none is encoded like any other octet."""
    return CRLF.join(
        binascii.b2a_qp(line, istext=False).replace(_SOFT_BREAK, b"=\r\n") for line in octets.split(CRLF)
    )


def boundary_for(parts: Sequence[bytes], seed: str) -> str:
    """A boundary that stands in none of the parts; always the same for the same.

    Whoever writes a message cannot foretell it without the parts; and where they could, it would be another.
    """
    count = 0
    while True:
        digest = hashlib.sha256(f"{seed} {count}".encode()).hexdigest()[:32]
        boundary = f"=_{digest}"
        if not any(boundary.encode("ascii") in part for part in parts):
            return boundary
        count += 1


def joined(parts: Sequence[bytes], boundary: str) -> bytes:
    """The body of the multipart (RFC 2046 section 5.1.1)."""
    line = b"--" + boundary.encode("ascii")
    return b"".join(line + CRLF + part + CRLF for part in parts) + line + b"--" + CRLF
