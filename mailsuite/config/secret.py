"""A secret that does not show itself, and the files that secrets stand in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import attrs

from mailsuite.config.kinds import BadValue

MAX_SECRET_OCTETS = 1024
"""Of a password file; no password that a client can send is longer."""


@attrs.frozen(str=False)
class Secret:
    """Holds a password. Neither repr() nor str() tells it; whoever needs it asks for reveal()."""

    _value: str = attrs.field(repr=False)

    def reveal(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "(hidden)"


def unreadable(file: Path) -> str:
    """Why a file cannot be read, empty where it can. Does not open it: it may be a FIFO."""
    try:
        if not file.is_file():
            return "is no file" if file.exists() else "is not there"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    return "" if os.access(file, os.R_OK) else "cannot be read by this user"


def read_secret(file: Path, what: str = "a password", most: int = MAX_SECRET_OCTETS) -> str:
    """The one line, of *most* octets, that a file with a secret holds. Raises BadValue, which never quotes
    it."""
    reason = unreadable(file)
    if reason:
        raise BadValue(f"{file} {reason}")
    try:
        with file.open("rb") as stream:
            octets = stream.read(most + 1)
    except OSError as error:
        raise BadValue(f"{file} cannot be read: {error.strerror}") from None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise BadValue(f"{file} is not UTF-8") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or len(octets) > most or not line.isprintable():
        raise BadValue(f"{file} does not hold one line with {what}")
    return line


def is_open_to_others(file: Path) -> bool:
    """Whether group or others may read a file that holds a secret."""
    try:
        return bool(stat.S_IMODE(file.stat().st_mode) & 0o077)
    except OSError:
        return False
