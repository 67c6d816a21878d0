"""Text of header fields as people read it: encoded words are decoded (RFC 2047), and nothing fails.

One pass; what comes out is Unicode without surrogates, and not yet safe to show.
"""

from __future__ import annotations

import binascii
import re
from itertools import groupby

import attrs

_CHARSET = re.compile(
    r"us-ascii|utf-8|iso-8859-[0-9]{1,2}|windows-125[0-8]|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-jp|euc-kr|shift_jis"
    r"|iso-2022-jp|iso-2022-kr",
    re.I,
)
"""Charsets that mail is written in. Python knows codecs by other names that are none of text."""
_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,40})?\?([bq])\?([^?\r\n]*)\?=", re.I)
"""An encoded word, with the language of RFC 2231 section 5. Blanks within are wrong, and common."""
_FOLD = re.compile(r"\r\n(?=[ \t])")
_OCTET = re.compile(rb"=([0-9A-F]{2})", re.I)


@attrs.frozen
class _Piece:
    """What stands between two others, in the octets of one charset; the empty charset: as it stood."""

    charset: str
    octets: bytes


def decoded(value: bytes) -> str:
    """The text of a field without structure, or of a phrase; octets beyond ASCII are taken for UTF-8. A word
    that cannot be decoded stays as it is."""
    text = _FOLD.sub("", value.decode("utf-8", "replace"))
    return "".join(
        text_of(b"".join(piece.octets for piece in run), charset)
        for charset, run in groupby(_pieces(text), lambda piece: piece.charset)
    )


def text_of(octets: bytes, charset: str) -> str:
    """Octets of a charset that strangers name; of one that is none of text, or unknown, as UTF-8."""
    try:
        text = octets.decode(charset if _CHARSET.fullmatch(charset) else "utf-8", "replace")
    except LookupError:
        text = octets.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode("utf-8")


def unquoted(text: bytes) -> bytes:
    """What quoted-printable or Q says of single octets; what it says wrongly stays."""
    return _OCTET.sub(lambda found: bytes((int(found[1], 16),)), text)


def _pieces(text: str) -> list[_Piece]:
    """A character may begin in one word and end in the next, though it should not (RFC 2047 section 5): words
    of one charset in a row are put together."""
    pieces: list[_Piece] = []
    place = 0
    for found in _WORD.finditer(text):
        octets = _octets(found[2], found[3])
        if octets is None:
            continue
        between = text[place : found.start()]
        if between.strip(" \t") or not pieces:  # blanks between two words are none of the text (section 6.2)
            pieces.append(_Piece("", between.encode("utf-8", "replace")))
        pieces.append(_Piece(found[1].lower(), octets))
        place = found.end()
    pieces.append(_Piece("", text[place:].encode("utf-8", "replace")))
    return pieces


def _octets(encoding: str, content: str) -> bytes | None:
    """What an encoded word holds; None: nothing that could be read."""
    octets = content.encode("utf-8", "replace")
    if encoding in "qQ":
        return unquoted(octets.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(octets + b"=" * (-len(octets.rstrip(b"=")) % 4))
    except binascii.Error:
        return None
