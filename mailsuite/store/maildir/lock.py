"""The lock of a maildrop: one POP3 session at a time, across all processes (RFC 1939 section 4).

A flock(2) on a file of our own in the maildir. It belongs to the open file, so it also keeps out a second
session of the same process, and the kernel frees it when the process dies. Other programs do not look at
it, nor does delivery.
"""

from __future__ import annotations

import fcntl
import os

from mailsuite.model.failure import MaildropInUse
from mailsuite.store.maildir.descriptor import Descriptor
from mailsuite.store.maildir.directories import Directories
from mailsuite.store.maildir.files import FILE_MODE

LOCK_FILE = "mailsuite.lock"

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def take_lock(maildir: str, directories: Directories) -> Descriptor:
    """Lock the maildir, made if it is missing; closing the descriptor is the release. Blocks: for a thread.

    Raises MaildropInUse, or OSError.
    """
    path = os.path.join(maildir, LOCK_FILE)
    try:
        number = os.open(path, _FLAGS, FILE_MODE)
    except FileNotFoundError:
        directories.forget(maildir)
        directories.ensure(maildir)
        number = os.open(path, _FLAGS, FILE_MODE)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(number)
        raise MaildropInUse from error
    except BaseException:
        os.close(number)
        raise
    return Descriptor(number)
