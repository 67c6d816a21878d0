"""The first words of a message (features row N-09). Pure; reads what is there, guesses nothing, never fails.

They come from the first part that is plain text (RFC 2046), without what it quotes, up to the signature; a
message of HTML alone has none.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from mailsuite.delivery.header_fields import read_header
from mailsuite.delivery.header_text import text_of, unquoted

MAX_CHARACTERS: Final = 200
"""Our own limit: what a telephone shows on its locked screen."""
MAX_DEPTH: Final = 5
"""Parts within parts; our own limit. A signed letter with pictures and an attachment has 4."""
MAX_PARTS: Final = 10
"""Of one part that are looked at."""
MAX_FIELDS: Final = 50
"""Of the header of a part."""
MAX_TEXT_OCTETS: Final = 8 * 1024
"""Of a text that are decoded."""

_TYPE, _ENCODING = b"content-type", b"content-transfer-encoding"
_MEDIA = re.compile(rb"[ \t\r\n]*+([A-Za-z]++/[A-Za-z0-9.+-]++)")
_PARAMETER = r";[ \t\r\n]*+%s[ \t]*+=[ \t]*+(?:\"([^\"\r\n]{1,200})\"|([^ \t\r\n;\"]{1,200}))"
_BOUNDARY = re.compile((_PARAMETER % "boundary").encode(), re.I)
_CHARSET = re.compile((_PARAMETER % "charset").encode(), re.I)
_SOFT_BREAK = re.compile(rb"=[ \t]*\r\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]++")
_HEADER_END: Final = b"\r\n\r\n"
_CRLF: Final = b"\r\n"
_SIGNATURE: Final = "-- "


def preview(type: bytes, encoding: bytes, body: bytes, depth: int = 0) -> str:
    """The first MAX_CHARACTERS of the text in *body*, which may be cut anywhere; *type* and *encoding* are
    what Content-Type and Content-Transfer-Encoding say of it."""
    found = _MEDIA.match(type)
    media = found[1].lower() if found else b"text/plain"  # RFC 2045 section 5.2
    if media == b"text/plain":
        return _words(text_of(_octets(encoding, body), _parameter(_CHARSET, type).decode("ascii", "replace")))
    if media.startswith(b"multipart/") and depth < MAX_DEPTH:
        return _of_parts(_parameter(_BOUNDARY, type), body, depth + 1)
    return ""


def _of_parts(boundary: bytes, body: bytes, depth: int) -> str:
    """The first that has a text. What stands before the first boundary is for programs that know no MIME."""
    if not boundary:
        return ""
    line = b"\r\n--" + boundary
    for part in (_CRLF + body).split(line, MAX_PARTS + 1)[1 : MAX_PARTS + 1]:
        if part.startswith(b"--"):  # the last one
            return ""
        _, _, inner = part.partition(_CRLF)
        head, _, content = (b"", b"", inner[2:]) if inner.startswith(_CRLF) else inner.partition(_HEADER_END)
        header = read_header(head, MAX_FIELDS, (_TYPE, _ENCODING))
        type, encoding = (next(iter(header.values(name)), b"") for name in (_TYPE, _ENCODING))
        if words := preview(type, encoding, content, depth):
            return words
    return ""


def _parameter(pattern: re.Pattern[bytes], type: bytes) -> bytes:
    found = pattern.search(type)
    return (found[1] or found[2]) if found else b""


def _octets(encoding: bytes, body: bytes) -> bytes:
    """What a transfer encoding stands for (RFC 2045 section 6)."""
    beginning = body[:MAX_TEXT_OCTETS]
    match encoding.strip().lower():
        case b"base64":
            letters = _NOT_BASE64.sub(b"", beginning)
            whole = letters[: len(letters) - (len(letters) % 4 == 1)]  # one letter alone is no octet
            return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
        case b"quoted-printable":
            return unquoted(_SOFT_BREAK.sub(b"", beginning))
    return beginning


def _words(text: str) -> str:
    """What its author wrote, on one line."""
    kept: list[str] = []
    for line in text.splitlines():
        if line == _SIGNATURE:
            break
        if not line.startswith(">"):
            kept += line.split()
    return " ".join(kept)[:MAX_CHARACTERS].rstrip()
