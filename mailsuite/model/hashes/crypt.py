"""The forms of crypt(5) that are taken, and what they cost.

Only recognised here: computed they are by the system's own library, which may know fewer of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mailsuite.model.hashes.values import (
    MAX_BCRYPT_COST,
    MAX_SHA_CRYPT_ROUNDS,
    Crypt,
    HashRefused,
    bounded,
    bounded_memory,
)

_ITOA64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SALT = r"[!-#%-9;-~]"
"""Printable, and neither ``$`` nor ``:``."""

_MD5 = re.compile(rf"\$1\${_SALT}{{0,8}}\$[./0-9A-Za-z]{{22}}")
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./0-9A-Za-z]{53}")
_SHA256 = re.compile(rf"\$5\$(?:rounds=([1-9][0-9]{{3,8}})\$)?{_SALT}{{0,16}}\$[./0-9A-Za-z]{{43}}")
_SHA512 = re.compile(rf"\$6\$(?:rounds=([1-9][0-9]{{3,8}})\$)?{_SALT}{{0,16}}\$[./0-9A-Za-z]{{86}}")
_YESCRYPT = re.compile(r"\$g?y\$j([./0-9A-Za-j])([./0-9A-Za-j])\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}")
"""The flavour ``j`` and the two parameters of crypt_gensalt(3), each one character: N, and the block size."""
_DES = re.compile(r"[./0-9A-Za-z]{13}")


DES_CHARACTERS: Final = 8
BCRYPT_OCTETS: Final = 72
"""What these two read of a password (crypt(5)); whatever stands behind it makes no difference to them."""


def reads_whole(stored: Crypt, secret: bytes) -> bool:
    """Whether *secret*, if it fits *stored*, must be the password itself, and is not only like it as far as
    the form reads. DES reads seven bits of each octet besides."""
    if stored.text.startswith("$2"):
        return len(secret) < BCRYPT_OCTETS
    return stored.text.startswith("$") or (len(secret) < DES_CHARACTERS and secret.isascii())


def read_crypt(text: str) -> Crypt:
    """One of crypt(5)'s forms, DES among them. Raises HashRefused."""
    return read_modular(text) if text.startswith("$") else read_des(text)


def read_modular(text: str) -> Crypt:
    """A form that says by ``$...$`` which it is. Raises HashRefused."""
    check = _CHECKS.get(text[1:].partition("$")[0])
    if check is None:
        raise HashRefused("the hash is of a kind that is not known here")
    check(text)
    return Crypt(text)


def read_des(text: str) -> Crypt:
    """crypt(3) of old: thirteen characters that do not say what they are, of a password's first eight.
    Raises HashRefused."""
    _found(_DES, text)
    return Crypt(text)


def _found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise HashRefused("the hash is cut off, or is none of the form that it claims to be")
    return found


def _check_md5(text: str) -> None:
    _found(_MD5, text)


def _check_bcrypt(text: str) -> None:
    cost = bounded(_found(_BCRYPT, text)[1], MAX_BCRYPT_COST, "the cost")
    if cost < 4:
        raise HashRefused("bcrypt has no cost below 4")


def _check_sha256(text: str) -> None:
    _check_rounds(_found(_SHA256, text)[1])


def _check_sha512(text: str) -> None:
    _check_rounds(_found(_SHA512, text)[1])


def _check_rounds(rounds: str | None) -> None:
    if rounds is not None:
        bounded(rounds, MAX_SHA_CRYPT_ROUNDS, "the rounds")


def _check_yescrypt(text: str) -> None:
    log_cost, block_size = (_ITOA64.index(character) + 1 for character in _found(_YESCRYPT, text).groups())
    bounded_memory(128 * block_size << log_cost)


_CHECKS: Final[dict[str, Callable[[str], None]]] = {
    "1": _check_md5,
    "2a": _check_bcrypt,
    "2b": _check_bcrypt,
    "2y": _check_bcrypt,
    "5": _check_sha256,
    "6": _check_sha512,
    "y": _check_yescrypt,
    "gy": _check_yescrypt,
}
MODULAR: Final = frozenset(_CHECKS)
"""What stands between the first two ``$``."""
