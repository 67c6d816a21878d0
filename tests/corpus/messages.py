"""The corpus: messages as they come from the world, and worse, by name.

Each is made when it is called for, the same every time: octets in wire form (CRLF line ends), nothing
stuffed. None has a CR or LF that stands alone, or a NUL: those of BROKEN have, and must be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.corpus.headers import HEADERS
from tests.corpus.letter import letter, lines
from tests.corpus.parts import PARTS
from tests.corpus.text import CHARACTERS, DOTS, ENDS, LINES, SIZES

MESSAGES: Mapping[str, Callable[[], bytes]] = {
    **ENDS,
    **DOTS,
    **LINES,
    **CHARACTERS,
    **HEADERS,
    **PARTS,
    **SIZES,
}
"""What every server should carry unharmed (lines above 998 octets are beyond RFC 5321, but exist)."""

NULL_SENDER = frozenset({"delivery-report", "read-receipt"})
"""Those that come from ``<>``, as reports do."""

_SMUGGLED = (
    b"MAIL FROM:<ann@example.test>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
)

BROKEN: Mapping[str, bytes] = {
    "lf-only": letter(b"unix", lines(b"one", b"two")).replace(b"\r\n", b"\n") + b"\r\n",
    "cr-only": letter(b"old mac", lines(b"one", b"two")).replace(b"\r\n", b"\r") + b"\r\n",
    "lf-in-header": letter(b"a\nBcc: x@elsewhere.example", lines(b"text")),
    "cr-in-header": letter(b"a\rBcc: x@elsewhere.example", lines(b"text")),
    "lf-in-body": letter(b"x", lines(b"one\ntwo")),
    "cr-in-body": letter(b"x", lines(b"one\rtwo")),
    "lf-first": b"\n" + letter(b"x", lines(b"text")),
    "cr-first": b"\r" + letter(b"x", lines(b"text")),
    "cr-before-crlf": letter(b"x", b"text\r\r\n"),
    "lf-behind-crlf": letter(b"x", b"text\r\n\nmore\r\n"),
    "lf-cr": letter(b"x", b"one\n\rtwo\r\n"),
    "lf-late": letter(b"x", lines(b"text") * 20_000 + b"one\ntwo\r\n"),
    "cr-late": letter(b"x", lines(b"text") * 100_000 + b"one\rtwo\r\n"),
    "lf-first-of-many": b"one\ntwo\r\n" + letter(b"x", lines(b"text") * 100_000),
    "cr-last": letter(b"x", b"text\r") + b"\r\n",
    "end-lf-dot-lf": letter(b"x", b"text\n.\n" + _SMUGGLED),
    "end-lf-dot-crlf": letter(b"x", b"text\n.\r\n" + _SMUGGLED),
    "end-crlf-dot-lf": letter(b"x", b"text\r\n.\n" + _SMUGGLED),
    "end-cr-dot-cr": letter(b"x", b"text\r.\r" + _SMUGGLED),
    "end-crlf-dot-cr": letter(b"x", b"text\r\n.\r" + _SMUGGLED),
    "end-cr-dot-crlf": letter(b"x", b"text\r.\r\n" + _SMUGGLED),
    "end-lf-lf-dot-crlf": letter(b"x", b"text\n\n.\r\n" + _SMUGGLED),
    "end-crlf-dot-cr-cr-lf": letter(b"x", b"text\r\n.\r\r\n" + _SMUGGLED),
}
"""Octets as they go over the wire before the CRLF.CRLF that ends the message: nothing is to be stuffed."""
