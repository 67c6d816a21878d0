"""Opening files without a thread, where the system has all of them in memory.

Linux alone, from 5.12 on: openat2(2) with RESOLVE_CACHED fails where a disk would have to be waited for. A
thread costs ten times as much as the call. Elsewhere, and where anything at all is unusual, it raises
OSError, and the way through a thread tells why.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from typing import Final

from mailsuite.store.maildir.scan import OPEN_FLAGS, NotRegular

_OPENAT2: Final = 437
"""The number of the call, the same on every architecture."""
_RESOLVE_CACHED: Final = 0x20
_AT_FDCWD: Final = -100


class _OpenHow(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW: Final = _OpenHow(OPEN_FLAGS, 0, _RESOLVE_CACHED)
# A call that never waits keeps the interpreter's lock: to give it away costs more than the call.
_syscall = ctypes.PyDLL(None, use_errno=True).syscall if sys.platform == "linux" else None
if _syscall is not None:
    _syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    _syscall.restype = ctypes.c_long


def open_regular_cached(path: str) -> tuple[int, os.stat_result]:
    """As scan.open_regular(), but never waits for a disk: raises OSError where it would have to."""
    if _syscall is None:
        raise OSError(errno.ENOSYS, "only Linux can tell", path)
    number = _syscall(_OPENAT2, _AT_FDCWD, os.fsencode(path), ctypes.addressof(_HOW), ctypes.sizeof(_HOW))
    if number < 0:
        raise OSError(ctypes.get_errno(), "not in memory", path)
    status = os.fstat(number)
    if stat.S_ISREG(status.st_mode):
        return number, status
    os.close(number)
    raise NotRegular(0, "not a regular file", path)
