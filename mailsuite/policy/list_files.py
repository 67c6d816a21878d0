"""Files that hold a list, one entry on each line: access lists, and lists of senders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mailsuite.concurrent.watch import Stamp

MAX_FILE_OCTETS: Final = 16 << 20
"""Of one file; our own limit, room for half a million addresses, which is more than public lists have."""
UNLIKE_ANY: Final[Stamp] = (-1, -1, -1, -1)
"""As no file ever stands, so that the watch calls."""


def entries(path: Path, error: type[Exception]) -> Iterator[tuple[int, str]]:
    """The number and the text of each line that has an entry; what stands behind ``#`` is a remark. Blocks.
    Raises *error* with the name of the file where it cannot be read."""
    for number, line in enumerate(_text(path, error).split("\n"), 1):
        text = line.partition("#")[0].strip()
        if text:
            yield number, text


def _text(path: Path, error: type[Exception]) -> str:
    """The file as text; what is no UTF-8 in a remark harms nobody, and in an entry it is told."""
    try:
        if path.exists() and not path.is_file():  # a pipe would keep the thread for ever
            raise error(f"{path}: is no regular file")
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as failure:
        raise error(f"{path}: cannot be read: {failure.strerror}") from failure
    if len(octets) > MAX_FILE_OCTETS:
        raise error(f"{path}: has more than the {MAX_FILE_OCTETS} octets that a list may have")
    return octets.decode("utf-8-sig", "backslashreplace")
