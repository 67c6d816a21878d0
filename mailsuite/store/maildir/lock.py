"""The locks of a maildrop: one session of each view at a time, across all processes (RFC 1939 section 4).

A flock(2) on a file of our own. It belongs to the open file, so it also keeps out a second session of the
same process, and the kernel frees it when the process dies. Other programs do not look at it, nor does
delivery.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from time import sleep

from mailsuite.durable.descriptor import Descriptor
from mailsuite.durable.directories import Directories
from mailsuite.durable.files import FILE_MODE, Files
from mailsuite.model.failure import MaildropInUse
from mailsuite.model.view import Box, View
from mailsuite.store.maildir.scan import MAX_TRIES

LOCK_FILE = "mailsuite.lock"
"""Of the classic inbox."""
PATIENCE = 5.0
"""Seconds. Within this process who changes views takes turns, and a thread never waits."""
PAUSE = 0.02
"""Seconds between two attempts to lock."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SUFFIXES = {Box.INBOX: ".lock", Box.TRASH: ".trash.lock", Box.RESTORE: ".restore.lock"}


def lock_name(view: View, views: str) -> str:
    """The lock of *view* below the maildir; those of devices stand in the directory *views*."""
    suffix = _SUFFIXES[view.box]
    return f"{views}/{view.device}{suffix}" if view.device else f"mailsuite{suffix}"


def take_lock(maildir: str, directories: Directories, name: str = LOCK_FILE) -> Descriptor:
    """Lock the maildir, made if it is missing; closing the descriptor is the release. Blocks: for a thread.

    Raises MaildropInUse, or OSError.
    """
    path = os.path.join(maildir, name)
    for _ in range(MAX_TRIES):
        try:
            number = _locked(path)
        except FileNotFoundError:
            directories.forget(maildir)
            directories.ensure(maildir)
            number = _locked(path)
        if _is_at(number, path):
            return Descriptor(number)
        os.close(number)  # the file was removed between our opening it and our locking it
    raise MaildropInUse


def remove_lock(path: str, files: Files) -> None:
    """Remove a lock's file, if nobody holds it. Whoever has opened it meanwhile finds out and tries anew."""
    with contextlib.suppress(MaildropInUse, OSError):
        number = _locked(path, _FLAGS & ~os.O_CREAT)
        try:
            files.remove(path)
        finally:
            os.close(number)


@contextlib.contextmanager
def patient_lock(path: str) -> Iterator[None]:
    """Hold the lock at *path*, after whoever holds it now: for work that waits for nothing but the disk.
    Raises OSError where another process holds it for longer than PATIENCE."""
    for _ in range(round(PATIENCE / PAUSE)):
        with contextlib.suppress(MaildropInUse):
            number = _locked(path)
            break
        sleep(PAUSE)
    else:
        raise OSError(errno.EBUSY, "another process holds the lock", path)
    try:
        yield
    finally:
        os.close(number)


def _locked(path: str, flags: int = _FLAGS) -> int:
    number = os.open(path, flags, FILE_MODE)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(number)
        raise MaildropInUse from error
    except BaseException:
        os.close(number)
        raise
    return number


def _is_at(number: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
