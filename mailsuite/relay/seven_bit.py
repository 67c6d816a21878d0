"""A message with octets beyond ASCII, made one without for a server without 8BITMIME (RFC 6152 section 3).

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
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

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
_ONLY_ASCII: Final = bytes(octet if octet < 0x80 else ord("?") for octet in range(256))
_UNTOUCHABLE: Final = frozenset({"multipart/signed", "multipart/encrypted"})


class _Unchangeable(Exception):
    """It has to go as it is, or not at all."""


def seven_bit(message: bytes) -> bytes | None:
    """The message with nothing beyond ASCII; None where it may not, or cannot, be made such a one."""
    if len(message) > MAX_OCTETS:
        return None
    try:
        return _converted(message, 0, "text/plain", top=True)
    except _Unchangeable:
        return None


def _converted(entity: bytes, depth: int, default: str, top: bool = False) -> bytes:
    """A message, or a part of one: header, empty line, body."""
    if entity.isascii():
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
    encoding, body = _encoded(*_said(fields), body, depth)
    if encoding or "Content-Transfer-Encoding" in fields:
        header = _labelled(header, encoding or b"7bit")
    return header + _CRLF + _CRLF + body


def _said(fields: Message) -> tuple[str, str, str]:
    """Type, encoding and boundary, in lower case but for that."""
    try:
        encoding = str(fields.get("Content-Transfer-Encoding", "")).strip().lower()
        return fields.get_content_type(), encoding, fields.get_boundary() or ""
    except Exception as error:  # Python's parser stumbles over parameters that nobody writes but to that end
        raise _Unchangeable from error


def _encoded(kind: str, encoding: str, boundary: str, body: bytes, depth: int) -> tuple[bytes, bytes]:
    """What the encoding of the body is called, empty where there is none; and the body in it."""
    if kind in _UNTOUCHABLE or encoding not in _PLAIN:
        raise _Unchangeable
    if kind.startswith("multipart/"):
        part = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return b"", _parts(body, boundary, depth, part)
    if kind == "message/rfc822":
        return b"", _converted(body, depth + 1, "text/plain", top=True)
    if kind.startswith("message/"):  # RFC 2046 section 5.2
        raise _Unchangeable
    if kind.startswith("text/"):
        return b"quoted-printable", quoted_printable(body)
    return b"base64", base64.encodebytes(body).replace(b"\n", _CRLF)


def _parts(body: bytes, boundary: str, depth: int, default: str) -> bytes:
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
        pieces += [_piece(body[begin : found.start()], depth, default, inside), found[0]]
        begin, inside = found.end(), found[1] is None
        if not inside:
            break
    if not pieces:
        raise _Unchangeable
    return b"".join((*pieces, _piece(body[begin:], depth, default, inside)))


def _piece(text: bytes, depth: int, default: str, is_part: bool) -> bytes:
    """What stands between two delimiters; a part begins behind the CRLF of the first."""
    if not is_part:
        return text.translate(_ONLY_ASCII)
    return text[:2] + _converted(text[2:], depth + 1, default)


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
