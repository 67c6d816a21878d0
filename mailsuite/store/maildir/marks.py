"""When a directory changed, as the system tells. Blocks: for a thread."""

from __future__ import annotations

import os

SETTLED_SECONDS = 2.0
"""How long before a listing the last change of its directories must be. A file system's clock ticks every
few milliseconds, or every second (ext3, NFS), so a directory that changes twice within a tick shows one time
for both. Dovecot distrusts a directory for as long (MAILDIR_SYNC_SECS)."""

SUBDIRECTORIES = ("new", "cur")

Mark = tuple[int, int, int, int]
"""Device, inode, and when the directory changed: as anybody may set it, and as the system alone does."""


def mark_of(directory: str) -> Mark | None:
    """None where there is no such directory."""
    try:
        status = os.stat(directory)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def marks_of(maildir: str) -> tuple[Mark | None, ...]:
    """Of all that holds messages which are not deleted."""
    return tuple([mark_of(f"{maildir}/{name}") for name in SUBDIRECTORIES])


def is_settled(mark: Mark | None, now: float) -> bool:
    """Whether what was listed at *now* (seconds since the epoch) holds as long as the mark stays."""
    return mark is None or max(mark[2], mark[3]) / 1e9 < now - SETTLED_SECONDS
