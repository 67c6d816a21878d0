"""crypt(3) of the system, which computes what crypt(5) describes: by ctypes, in any thread.

A call lets go of the interpreter while it computes, and works in memory of its own.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
from collections.abc import Callable, Iterable
from functools import cache
from typing import Protocol

import attrs

WORKSPACE_OCTETS = 256 * 1024
"""More than ``struct crypt_data`` takes in any library: 32 KiB in libxcrypt, 128 KiB in glibc."""

_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
_FAILED = b"*"
"""How every failure token begins (crypt(3))."""
_EXHAUSTED = frozenset({errno.ENOMEM, errno.EAGAIN})


class NotComputable(Exception):
    """The library is missing, or does not know this form."""


class ICrypt(Protocol):
    """crypt(3), as bytes."""

    def __call__(self, secret: bytes, stored: bytes) -> bytes:
        """The hash of *secret* with the parameters and the salt of *stored*.

        Raises NotComputable, and MemoryError.
        """


@attrs.frozen
class SystemCrypt:
    """``crypt_rn`` of libxcrypt, or ``crypt_r`` where there is no such function."""

    compute: Callable[[bytes, bytes, ctypes.Array[ctypes.c_char]], bytes | None]

    def __call__(self, secret: bytes, stored: bytes) -> bytes:
        workspace = ctypes.create_string_buffer(WORKSPACE_OCTETS)
        ctypes.set_errno(0)
        try:
            result = self.compute(secret, stored, workspace)
            if result is not None and not result.startswith(_FAILED):
                return result
            if ctypes.get_errno() in _EXHAUSTED:
                raise MemoryError("crypt(3) has no memory")
            raise NotComputable("crypt(3) does not know this form")
        finally:
            ctypes.memset(workspace, 0, WORKSPACE_OCTETS)


def no_crypt(secret: bytes, stored: bytes) -> bytes:
    """Where the system has no crypt(3)."""
    raise NotComputable("there is no crypt(3) on this system")


@cache
def system_crypt() -> ICrypt:
    """The system's crypt(3)."""
    return load_crypt([*_LIBRARIES, ctypes.util.find_library("crypt"), None])


def load_crypt(names: Iterable[str | None]) -> ICrypt:
    """crypt(3) out of the first library that has it; None is what is loaded already."""
    for name in names:
        try:
            library = ctypes.CDLL(name, use_errno=True)
        except OSError:
            continue
        if found := in_library(library):
            return found
    return no_crypt


def in_library(library: ctypes.CDLL) -> SystemCrypt | None:
    """The function of this library, if it has one that can be called in any thread."""
    if (rn := getattr(library, "crypt_rn", None)) is not None:
        rn.restype = ctypes.c_char_p
        rn.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
        return SystemCrypt(lambda secret, stored, workspace: rn(secret, stored, workspace, len(workspace)))
    if (r := getattr(library, "crypt_r", None)) is not None:
        r.restype = ctypes.c_char_p
        r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
        return SystemCrypt(r)
    return None
