"""What programs write behind ``sendmail``, as far as it means anything here; the letters are Postfix's."""

from __future__ import annotations

import getopt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from mailsuite.cli.sysexits import Exit, MailFailed

Mode = Literal["deliver", "smtp", "queue", "aliases"]

_LETTERS: Final = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx"
_MODES: Final[dict[str, Mode]] = {"m": "deliver", "s": "smtp", "p": "queue", "i": "aliases"}
_CALLED: Final[dict[str, Mode]] = {"mailq": "queue", "newaliases": "aliases"}
_FLAGS: Final[dict[str, dict[str, Any]]] = {
    "I": {"mode": "aliases"},
    "q": {"mode": "queue"},
    "t": {"from_header": True},
    "v": {"verbose": True},
    "i": {"dot_ends": False},
}
_VALUES: Final = {"f": "sender", "r": "sender", "F": "full_name"}
_BODIES: Final = ("7BIT", "8BITMIME")
_RETURNED: Final = ("FULL", "HDRS")
_EVENTS: Final = frozenset({"SUCCESS", "FAILURE", "DELAY"})
MAX_ID: Final = 100
"""Characters of an envelope id (RFC 3461 section 4.4)."""


@attrs.frozen
class Options:
    """What was asked for."""

    mode: Mode = "deliver"
    recipients: tuple[str, ...] = ()
    from_header: bool = False
    """Send to whom the header names, too."""
    sender: str | None = None
    """None: whoever calls."""
    full_name: str = ""
    dot_ends: bool = True
    """A line that is a lone dot ends the message."""
    verbose: bool = False
    config: Path | None = None
    body: str = "8BITMIME"
    notify: str = ""
    returned: str = ""
    id: str = ""
    warnings: tuple[str, ...] = ()


def read_options(called: str, arguments: Sequence[str]) -> Options:
    """What *arguments* ask of a program that was *called* so. Raises MailFailed, with USAGE."""
    flush = [each for each in arguments if each == "-q"]
    try:
        given, rest = getopt.getopt([each for each in arguments if each != "-q"], _LETTERS)
    except getopt.GetoptError as error:
        raise MailFailed(Exit.USAGE, f"{error.msg}; usage: sendmail [options] [recipient]...") from error
    options = Options(mode=_CALLED.get(called, "deliver"), recipients=tuple(rest))
    if flush:
        options = attrs.evolve(options, mode="queue")
    for option, value in given:
        options = _with(options, option[1:], value)
    if not options.full_name.isprintable():
        raise MailFailed(Exit.USAGE, "-F: a name has no line ends and no other control characters")
    if options.from_header and options.mode != "deliver":
        raise MailFailed(Exit.USAGE, "-t is for handing in a message, and for nothing else")
    return options


def _with(options: Options, letter: str, value: str) -> Options:
    """*options*, and one letter more. What sendmail knows and nobody needs any more is passed over."""
    changed = {**_FLAGS.get(letter, {}), **({_VALUES[letter]: value} if letter in _VALUES else {})}
    if changed:
        return attrs.evolve(options, **changed)
    match letter:
        case "b" if value in _MODES:
            return attrs.evolve(options, mode=_MODES[value])
        case "b" | "n" | "X":
            raise MailFailed(Exit.USAGE, f"-{letter}{value} is not supported")
        case "o" if value == "i":
            return attrs.evolve(options, dot_ends=False)
        case "C":
            return attrs.evolve(options, config=Path(value))
        case "B" if value.upper() in _BODIES:
            return attrs.evolve(options, body=value.upper())
        case "B":
            raise MailFailed(Exit.USAGE, "-B needs 8BITMIME or 7BIT")
        case "N" | "R" | "V":
            return _told(options, letter, value)
    return options


def _told(options: Options, letter: str, value: str) -> Options:
    """What the sender wants to hear of it; a value that means nothing is told, and passed over."""
    words = value.upper().split(",")
    if letter == "N" and (words == ["NEVER"] or (words and _EVENTS.issuperset(words))):
        return attrs.evolve(options, notify=",".join(dict.fromkeys(words)))
    if letter == "R" and value.upper() in _RETURNED:
        return attrs.evolve(options, returned=value.upper())
    if letter == "V" and value.isascii() and value.isprintable() and 0 < len(value) <= MAX_ID:
        return attrs.evolve(options, id=value)
    return attrs.evolve(options, warnings=(*options.warnings, f"-{letter} {value}: this means nothing"))
