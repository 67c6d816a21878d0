"""At which percentage of its quota an account's owner was warned, kept in the maildir.

All blocks: for a thread.
"""

from __future__ import annotations

import contextlib
import os
import re

from mailsuite.store.maildir.inbox import Maildir

FILE = "mailsuite.warned"
_LEVEL = re.compile(rb"([0-9]{1,3})\n")


def read(maildir: str) -> int:
    """0 where nothing is kept, or nothing that we write: then there is a warning too many. Raises OSError."""
    try:
        with open(os.path.join(maildir, FILE), "rb") as file:
            found = _LEVEL.fullmatch(file.read(16))
    except FileNotFoundError:
        return 0
    return int(found[1]) if found else 0


def write(maildir: Maildir, level: int) -> None:
    """Durable when it returns. Raises OSError."""
    path, files = os.path.join(maildir.path, FILE), maildir.files
    if not level:
        if os.path.lexists(path):
            files.remove(path)
            files.sync_directory(maildir.path)
        return
    maildir.directories.ensure(maildir.path)
    beside = path + ".tmp"
    files.remove(beside)  # of a process that died
    number = files.create(beside)
    try:
        try:
            files.write(number, b"%d\n" % level)
            files.sync(number)
        finally:
            files.close(number)
        files.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(beside)
        raise
    files.sync_directory(maildir.path)
