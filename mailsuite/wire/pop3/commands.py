"""Command lines into values (RFC 1939 section 3, RFC 2449 section 4; features row P-02)."""

from __future__ import annotations

import enum
import re

import attrs

from mailsuite.model.response import BAD_ARGUMENTS, BAD_CHARACTER, LINE_TOO_LONG, UNKNOWN_COMMAND, Response

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

_KEYWORDS = {
    keyword.value.encode("ascii"): (keyword, *_ARGUMENTS.get(keyword, (0, 0))) for keyword in Keyword
}


@attrs.frozen
class Command:
    """A command whose form is right. PASS has its password as the one argument."""

    keyword: Keyword
    arguments: tuple[bytes, ...] = attrs.field(default=(), repr=False)


def parse(line: bytes) -> Command | Response:
    """Read one line with its line end, CRLF or LF alone. A line that is no command gives its answer."""
    if len(line) > MAX_COMMAND_OCTETS:
        return LINE_TOO_LONG
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    if not _PRINTABLE.fullmatch(text):
        return BAD_CHARACTER
    word, _, rest = text.partition(b" ")
    known = _KEYWORDS.get(word.upper())
    if known is None:
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


def is_digest(word: bytes) -> bool:
    """Whether this is an MD5 digest as APOP shows it: 32 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(word) is not None
