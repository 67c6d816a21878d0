"""What the log may show of a line that a client sent: nothing that is, or may be, a secret (row S-I07)."""

from __future__ import annotations

import re

from mailsuite.wire.pop3.commands import Keyword
from mailsuite.wire.sasl.mechanisms import MECHANISMS

MAX_SHOWN_OCTETS = 256
"""Of one line; a command has 255 octets at most (RFC 2449 section 4)."""

MASK = "***"

_SECRETIVE = ("PASS", "APOP", "AUTH")
_HARMLESS = [keyword.value for keyword in Keyword if keyword.value not in _SECRETIVE]
_COMMAND = re.compile(
    rb"[ \t]*(?:(%b)(?![A-Za-z0-9])|(%b)(?=[ \t]|\Z))"
    % ("|".join(_SECRETIVE).encode("ascii"), "|".join(_HARMLESS).encode("ascii")),
    re.IGNORECASE,
)
_SECRETIVE_START = re.compile(rb"[^A-Za-z0-9]*(PASS|APOP|AUTH)", re.IGNORECASE)


def masked(line: bytes, exchanging: bool) -> str:
    """One line of a client, its line end removed or not, in printable ASCII.

    *exchanging*: the line answers a challenge (AUTH); of it nothing is shown but ``*``, which cancels.
    PASS is shown without the password, APOP without the digest, AUTH without an initial response. A line
    that is no command is not shown, for it may be a password that came too late.
    """
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    if exchanging:
        return "*" if text == b"*" else MASK
    word = _command(text)
    return _without_secret(word, text) if word else f"{MASK} ({len(text)} octets)"


def masked_start(start: bytes) -> bytes:
    """The first octets of an over-long line; the command alone where what follows is a secret, and nothing
    of a line that is no command: it may be the response behind an AUTH that was refused."""
    word = _command(start)
    return word.encode("ascii") if word in _SECRETIVE else start if word else b""


def may_be_secretive(line: bytes) -> bool:
    """Whether *line*, and what a client says behind it before it has the answer, may be secret."""
    return _SECRETIVE_START.match(line) is not None


def _command(text: bytes) -> str:
    """The command that a line begins with, in upper case; empty where it is none."""
    found = _COMMAND.match(text)
    return (found[1] or found[2]).decode("ascii").upper() if found else ""


def _without_secret(word: str, text: bytes) -> str:
    arguments = text.split()[1:]
    if word == Keyword.PASS.value:
        return f"{word} {MASK}"
    if word == Keyword.APOP.value:
        return " ".join([word, *(escaped(name) for name in arguments[:1]), MASK])
    if word == Keyword.AUTH.value:
        mechanism = arguments[0].decode("latin-1").upper() if arguments else ""
        shown = [mechanism] if mechanism in MECHANISMS else []
        return " ".join([word, *shown, *([MASK] if len(arguments) > len(shown) else [])])
    return escaped(text)


def escaped(octets: bytes) -> str:
    """Printable ASCII as it is, all else as in Python's bytes, at most MAX_SHOWN_OCTETS of them."""
    cut = "" if len(octets) <= MAX_SHOWN_OCTETS else "..."
    return repr(octets[:MAX_SHOWN_OCTETS])[2:-1].replace("\\\\", "\\x5c").replace("\\'", "'") + cut
