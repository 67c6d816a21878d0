"""A message with octets beyond ASCII, made one without for a server without 8BITMIME (RFC 6152 section 3);
and one whose octets need not be lines, made lines for a server without BINARYMIME (RFC 3030 section 3).

Pure, and bounded; for a thread. Only that changes which has to: the body of each part that has such octets is
encoded, quoted-printable where it is text and base64 where it is not, and Content-Transfer-Encoding of the
part, and of those around it, says so. All else stays octet by octet.

A signature by DKIM does not survive that. The message goes all the same, as from Postfix and sendmail: to a
verifier a signature that is broken is none (RFC 6376 section 6.1). What may not be changed is not, so that
S/MIME and PGP/MIME arrive whole or not at all: multipart/signed and multipart/encrypted (RFC 1847 section 2).
Nor is what cannot be: header fields beyond ASCII (RFC 6532), and parts that are called encoded and are not.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

import attrs

MAX_OCTETS: Final = 1 << 20
"""Of a message that is encoded anew; our own limit. Larger ones with 8-bit text are hardly ever seen."""
MAX_NESTING: Final = 30
"""Parts within parts; our own limit, more than any mail has."""

_CRLF: Final = b"\r\n"
_HEADER_END: Final = re.compile(rb"\A\r\n|\r\n\r\n")
_ENCODING: Final = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})
"""Encodings that are none. What is called 7bit, and is not, was meant to be 8bit."""
_LONGEST_LINE: Final = 998
"""Octets without CRLF (RFC 5321 section 4.5.3.1.6)."""
_CALLED_BINARY: Final = re.compile(rb"content-transfer-encoding[ \t]*:\s*binary", re.IGNORECASE)
"""Perhaps: whoever finds it looks closer."""
_ONLY_ASCII: Final = bytes(octet if octet < 0x80 else ord("?") for octet in range(256))
_UNTOUCHABLE: Final = frozenset({"multipart/signed", "multipart/encrypted"})


_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)")
"""Line ends that are none: text that has them is octets."""

Fits = Callable[[bytes], bool]
"""Whether a message, a part or a body can go as it is."""


class _Unchangeable(Exception):
    """It has to go as it is, or not at all."""


def seven_bit(message: bytes) -> bytes | None:
    """The message with nothing beyond ASCII; None where it may not, or cannot, be made such a one."""
    return _made(message, bytes.isascii)


def in_lines(message: bytes) -> bytes | None:
    """The message with nothing beyond ASCII, all of it lines, and no part called binary; None where it may
    not, or cannot, be made such a one."""
    return _made(message, _is_in_lines)


def _is_in_lines(octets: bytes) -> bool:
    if not octets.isascii() or b"\0" in octets or _BARE.search(octets):
        return False
    return max(map(len, octets.split(_CRLF))) <= _LONGEST_LINE


def _made(message: bytes, fits: Fits) -> bytes | None:
    if len(message) > MAX_OCTETS:
        return None
    try:
        made = _converted(message, fits, 0, "text/plain", top=True)
    except _Unchangeable:
        return None
    return made if fits(made) else None


def _converted(entity: bytes, fits: Fits, depth: int, default: str, top: bool = False) -> bytes:
    """A message, or a part of one: header, empty line, body."""
    if fits(entity) and (fits is not _is_in_lines or not _CALLED_BINARY.search(entity)):
        return entity
    end = _HEADER_END.search(entity)
    if end is None or depth > MAX_NESTING:  # there is no body that could be encoded
        raise _Unchangeable
    header, body = entity[: end.start()], entity[end.end() :]
    if not header.isascii():
        raise _Unchangeable
    fields = BytesHeaderParser().parsebytes(header + _CRLF)
    fields.set_default_type(default)
    if top and "MIME-Version" not in fields:
        header = _with(header, b"MIME-Version: 1.0")
        if "Content-Type" not in fields:  # RFC 1428 section 3
            header = _with(header, b"Content-Type: text/plain; charset=unknown-8bit")
    encoding, body = _encoded(_said(fields), body, fits, depth)
    if encoding or "Content-Transfer-Encoding" in fields:
        header = _labelled(header, encoding or b"7bit")
    return header + _CRLF + _CRLF + body


@attrs.frozen
class _Said:
    """What a header says of the body behind it."""

    kind: str
    encoding: str
    boundary: str


def _said(fields: Message) -> _Said:
    """In lower case but for the boundary."""
    try:
        encoding = str(fields.get("Content-Transfer-Encoding", "")).strip().lower()
        return _Said(fields.get_content_type(), encoding, fields.get_boundary() or "")
    except Exception as error:  # Python's parser stumbles over parameters that nobody writes but to that end
        raise _Unchangeable from error


def _encoded(said: _Said, body: bytes, fits: Fits, depth: int) -> tuple[bytes, bytes]:
    """What the encoding of the body is called, empty where there is none; and the body in it."""
    kind = said.kind
    if kind in _UNTOUCHABLE or said.encoding not in _PLAIN:
        raise _Unchangeable
    if kind.startswith("multipart/"):
        part = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return b"", _parts(body, said.boundary, fits, depth, part)
    if kind == "message/rfc822":
        return b"", _converted(body, fits, depth + 1, "text/plain", top=True)
    if kind.startswith("message/"):  # RFC 2046 section 5.2
        raise _Unchangeable
    if fits(body):  # what it is called was wrong
        return b"", body
    if kind.startswith("text/") and not _BARE.search(body):
        return b"quoted-printable", quoted_printable(body)
    return b"base64", base64.encodebytes(body).replace(b"\n", _CRLF)


def _parts(body: bytes, boundary: str, fits: Fits, depth: int, default: str) -> bytes:
    """A multipart's body, with each part converted; what stands before and behind the parts, which nobody is
    shown, loses what is beyond ASCII."""
    if not boundary or not boundary.isascii():
        raise _Unchangeable
    delimiter = re.compile(
        rb"(?:\r\n|\A)--" + re.escape(boundary.encode("ascii")) + rb"(--)?[ \t]*(?=\r\n|\Z)"
    )
    pieces: list[bytes] = []
    begin, inside = 0, False
    for found in delimiter.finditer(body):
        pieces += [_piece(body[begin : found.start()], fits, depth, default, inside), found[0]]
        begin, inside = found.end(), found[1] is None
        if not inside:
            break
    if not pieces:
        raise _Unchangeable
    return b"".join((*pieces, _piece(body[begin:], fits, depth, default, inside)))


def _piece(text: bytes, fits: Fits, depth: int, default: str, is_part: bool) -> bytes:
    """What stands between two delimiters; a part begins behind the CRLF of the first."""
    if is_part:
        return text[:2] + _converted(text[2:], fits, depth + 1, default)
    shown = text.translate(_ONLY_ASCII)
    return shown if fits(shown) else _CRLF * shown.startswith(_CRLF)


def quoted_printable(text: bytes) -> bytes:
    """*text*, with CRLF line ends, as RFC 2045 section 6.7 has it."""
    encoded = binascii.b2a_qp(text, istext=True)
    # It breaks long lines as the first line ends; where none does, by a bare LF.
    return encoded if _CRLF in text else encoded.replace(b"\n", _CRLF)


def _labelled(header: bytes, encoding: bytes) -> bytes:
    """The header, with this encoding in the place of any other."""
    field = b"Content-Transfer-Encoding: " + encoding
    found = _ENCODING.search(header)
    if found is None:
        return _with(header, field)
    behind = _ENCODING.sub(b"", header[found.end() :])
    return (header[: found.start()] + field + _CRLF + behind).removesuffix(_CRLF)


def _with(header: bytes, field: bytes) -> bytes:
    return header + _CRLF + field if header else field
