"""The file operations of the commit path, in one place, so that tests can record and fail each.

All block and raise OSError: they belong into the committer's thread or a pool's.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DISK_FULL, STORE_UNAVAILABLE

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_SYNC_FILE_RANGE_WRITE = 2

_libc = ctypes.CDLL(None, use_errno=True)
# Linux has these two in its libc and Python does not wrap them; elsewhere we do without.
_renameat2 = getattr(_libc, "renameat2", None)
_sync_file_range = getattr(_libc, "sync_file_range", None)
if _renameat2 is not None:
    _renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def temporary_failure(error: OSError) -> TemporaryFailure:
    """What a client is told about *error*: the disk is full, or the store is not available."""
    reply = DISK_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else STORE_UNAVAILABLE
    return TemporaryFailure(reply, str(error))


class Files:
    """The operations as the system has them."""

    def create(self, path: str) -> int:
        """A descriptor to write a new file with; a name that exists is an error."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of it."""
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    def start_writeback(self, descriptor: int) -> None:
        """Let the disk begin; the fsync that follows waits less. Only a hint, so never an error."""
        if _sync_file_range is not None:
            _sync_file_range(descriptor, 0, 0, _SYNC_FILE_RANGE_WRITE)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def move(self, source: str, target: str) -> None:
        """Rename, but never over another file; where it raises, the file has its old name, and no other
        unless the disk fails again."""
        if not _renamed(source, target):
            self.move_by_link(source, target)

    def move_by_link(self, source: str, target: str) -> None:
        """The same where the file system knows no exclusive rename (NFS, older ZFS)."""
        os.link(source, target, follow_symlinks=False)
        try:
            os.unlink(source)
        except OSError:
            if not _is_same_file(source, target):  # gone: NFS may carry out an unlink and answer ENOENT
                return
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise

    def publish(self, source: str, target: str) -> None:
        """The same for a message out of tmp, which is delivered once it has its new name: what is left in
        tmp goes with the stale files."""
        if not _renamed(source, target):
            os.link(source, target, follow_symlinks=False)
            with contextlib.suppress(OSError):
                os.unlink(source)

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def remove(self, path: str) -> None:
        """Unlink; a name that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            self.unlink(path)

    def make_directory(self, path: str) -> None:
        """Make one; a directory that exists already is no error."""
        try:
            os.mkdir(path, DIRECTORY_MODE)
        except FileExistsError:
            if not os.path.isdir(path):
                raise


def _renamed(source: str, target: str) -> bool:
    """Rename exclusively; False where the system cannot."""
    if _renameat2 is None:
        return False
    if not _renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE):
        return True
    number = ctypes.get_errno()
    if number not in {errno.ENOSYS, errno.EINVAL}:
        raise OSError(number, os.strerror(number), source, None, target)
    return False


def _is_same_file(path: str, other: str) -> bool:
    """False where there is nothing at *path*, or something else."""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except FileNotFoundError:
        return False
