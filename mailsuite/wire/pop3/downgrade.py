"""What a client without UTF8 sees of a message whose header has UTF-8 in it (RFC 6856 section 2.1).

The surrogate is that of RFC 6858; where RFC 6857 keeps more of the message, it is followed:

- From, To and their like: a name beyond ASCII is encoded (RFC 2047), a domain is given in A-labels, and an
  address that ASCII cannot say becomes one that nobody has, whose name tells what it was. Addresses in ASCII
  stay, octet by octet.
- Subject and all fields without a structure that we know are encoded.
- Parameters of Content-Type and Content-Disposition are encoded by RFC 2231.
- Message-ID, In-Reply-To and References move to Downgraded-Message-ID and so on.
- Of Received go the clauses that cannot be said; comments are encoded, everywhere.
- What is left and no field of ASCII goes without a word (RFC 6858 section 2.4).

Fields in ASCII stay as they are. The body, and with it the headers of its parts, is not looked at: a part
whose own header has UTF-8 is passed on as it is, where RFC 6858 section 2.2 would drop a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailsuite.wire.pop3.downgraded_addresses import addresses, path
from mailsuite.wire.pop3.downgraded_values import comments_alone, parameters, phrases, trace
from mailsuite.wire.pop3.encoded_words import encoded, folded, words_of

MAX_LINE_OCTETS = 998
"""Without CRLF (RFC 5322 section 2.1.1)."""

_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_FIELD_END = re.compile(rb"\r\n(?![ \t])")

_Words = Callable[[str], list[str] | None]
"""A value beyond ASCII into words of ASCII; None where there are none that would say it."""


def is_internationalized(header: bytes) -> bool:
    """Whether this is a header by RFC 6532: UTF-8, and not all of it ASCII.

    A header in some other code, of a program that knew nothing of RFC 2047, is not: nobody can say what it
    means, and clients have always been given it as it is.
    """
    if header.isascii():
        return False
    try:
        header.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def surrogate(header: bytes) -> bytes:
    """The header of the surrogate message, in ASCII, in lines of at most MAX_LINE_OCTETS that end with CRLF
    where the lines of *header* do.

    The empty line behind a header stays, and so does all that may stand behind it. A header that is not
    internationalized is answered as it is.
    """
    if not is_internationalized(header):
        return header
    fields, rest = _fields(header)
    return b"".join(field if field.isascii() else _downgraded(field) for field in fields) + rest


def _fields(header: bytes) -> tuple[list[bytes], bytes]:
    """The fields with their line ends, and what stands behind the last: the empty line, or nothing."""
    fields: list[bytes] = []
    position = 0
    while position < len(header) and not header.startswith(b"\r\n", position):
        found = _FIELD_END.search(header, position)
        end = found.end() if found else len(header)
        fields.append(header[position:end])
        position = end
    return fields, header[position:]


def _downgraded(field: bytes) -> bytes:
    """One field beyond ASCII; nothing where it cannot be said."""
    line_end = b"\r\n" if field.endswith(b"\r\n") else b""
    found = _FIELD.fullmatch(field.decode("utf-8").removesuffix("\r\n"))
    if found is None:
        return b""
    name, value = found[1], _CONTROL.sub(" ", found[2])
    kind = name.lower()
    words = _BY_NAME.get(kind, _unstructured)(value)
    if words is None:
        return b""
    lines = folded(f"Downgraded-{name}" if kind in _IDENTIFICATION else name, words).encode("ascii")
    return b"" if any(len(line) > MAX_LINE_OCTETS for line in lines.split(b"\r\n")) else lines + line_end


def _unstructured(value: str) -> list[str]:
    return encoded(words_of(value))


_ADDRESSES = (
    *("from", "sender", "reply-to", "to", "cc", "bcc"),
    *("resent-from", "resent-sender", "resent-reply-to", "resent-to", "resent-cc", "resent-bcc"),
    "disposition-notification-to",
)
_COMMENTS_ALONE = (
    *("date", "resent-date", "mime-version", "content-id", "content-transfer-encoding"),
    *("content-language", "accept-language", "auto-submitted"),
)
_IDENTIFICATION = frozenset(
    ("message-id", "resent-message-id", "in-reply-to", "references", "original-recipient", "final-recipient")
)
"""RFC 6857 section 3.1.10."""

_BY_NAME: dict[str, _Words] = {
    **dict.fromkeys(_ADDRESSES, addresses),
    "return-path": path,
    **dict.fromkeys(_COMMENTS_ALONE, comments_alone),
    "received": trace,
    "keywords": phrases,
    "content-type": parameters,
    "content-disposition": parameters,
}
"""RFC 6857 section 3.2. All others have no structure, for what we know."""
