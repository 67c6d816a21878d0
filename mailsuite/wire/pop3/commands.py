"""Command lines into values (RFC 1939 section 3, RFC 2449 section 4, RFC 6856 section 2.2; row P-02)."""

from __future__ import annotations

import enum
import re
import stringprep

import attrs

from mailsuite.model.response import (
    BAD_ARGUMENTS,
    BAD_CHARACTER,
    BAD_TEXT,
    LINE_TOO_LONG,
    UNKNOWN_COMMAND,
    Response,
)

MAX_COMMAND_OCTETS = 255
"""A command with its CRLF (RFC 2449 section 4). Longer ones are answered -ERR."""

_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_DIGEST = re.compile(rb"[0-9a-f]{32}")


class Keyword(enum.Enum):
    """The commands, by the word they begin with."""

    USER = "USER"
    PASS = "PASS"  # noqa: S105 - the name of a command
    APOP = "APOP"
    AUTH = "AUTH"
    STLS = "STLS"
    UTF8 = "UTF8"
    CAPA = "CAPA"
    QUIT = "QUIT"
    STAT = "STAT"
    LIST = "LIST"
    UIDL = "UIDL"
    RETR = "RETR"
    TOP = "TOP"
    DELE = "DELE"
    RSET = "RSET"
    NOOP = "NOOP"
    LAST = "LAST"


_ARGUMENTS = {
    Keyword.USER: (1, 1),
    Keyword.APOP: (2, 2),
    Keyword.AUTH: (0, 2),
    Keyword.LIST: (0, 1),
    Keyword.UIDL: (0, 1),
    Keyword.RETR: (1, 1),
    Keyword.TOP: (2, 2),
    Keyword.DELE: (1, 1),
}
"""The least and the most arguments that a command takes; those not named take none. PASS has its own rule."""

_WITH_TEXT = (Keyword.USER, Keyword.PASS, Keyword.APOP)
"""Their arguments are a person's own words, and may be UTF-8 where that is offered."""

_KEYWORDS = {
    keyword.value.encode("ascii"): (keyword, *_ARGUMENTS.get(keyword, (0, 0))) for keyword in Keyword
}


@attrs.frozen
class Command:
    """A command whose form is right. PASS has its password as the one argument."""

    keyword: Keyword
    arguments: tuple[bytes, ...] = attrs.field(default=(), repr=False)


def parse(line: bytes, *, utf8: bool = False, last: bool = False) -> Command | Response:
    """Read one line with its line end, CRLF or LF alone. A line that is no command gives its answer.

    *utf8*: names and passwords may be UTF-8, whether or not the client has said UTF8 (RFC 6856 section 2.2).
    *last*: LAST is a command.
    """
    if len(line) > MAX_COMMAND_OCTETS:
        return LINE_TOO_LONG
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    word, _, rest = text.partition(b" ")
    known = _KEYWORDS.get(word.upper())
    if not _PRINTABLE.fullmatch(text):
        if not utf8 or known is None or known[0] not in _WITH_TEXT:
            return BAD_CHARACTER
        if not is_text(rest):
            return BAD_TEXT
    if known is None or (known[0] is Keyword.LAST and not last):
        return UNKNOWN_COMMAND
    keyword, least, most = known
    if keyword is Keyword.PASS:
        # Everything behind the single space is the password, spaces included (RFC 1939 section 7, PASS).
        return Command(keyword, (rest,)) if rest else BAD_ARGUMENTS
    arguments = tuple(rest.split())
    if not least <= len(arguments) <= most:
        return BAD_ARGUMENTS
    return Command(keyword, arguments)


def parse_number(word: bytes) -> int | None:
    """The number that decimal digits alone spell; no sign, no fraction."""
    return int(word) if word.isdigit() else None


_PROHIBITED = (
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
"""RFC 4013 section 2.3, which RFC 6856 section 2.2 asks to refuse. Of what else stands there, spaces are
mapped to the usual one, and UTF-8 has no surrogates."""


def is_text(octets: bytes) -> bool:
    """Whether this is UTF-8 that a name or a password may be made of."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(prohibited(character) for character in text for prohibited in _PROHIBITED)


def is_digest(word: bytes) -> bool:
    """Whether this is an MD5 digest as APOP shows it: 32 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(word) is not None
