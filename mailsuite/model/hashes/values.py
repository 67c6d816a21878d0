"""Password hashes as values, and how much work one may ask for."""

from __future__ import annotations

import binascii
from typing import Final, Literal

import attrs

MAX_MEMORY_KIB: Final = 1024 * 1024
"""A stored hash that asks for more than the bounds here is not tried: one login must not take the machine.
Each of them is a few seconds of one core."""
MAX_MEMORY_PASSES_KIB: Final = 4 * MAX_MEMORY_KIB
"""argon2: its memory, times the passes over it."""
MAX_PASSES: Final = 64
MAX_LANES: Final = 64
MAX_PBKDF2_ROUNDS: Final = 2_000_000
"""Also of SCRAM, which is the same computation."""
MAX_SHA_CRYPT_ROUNDS: Final = 1_000_000
MAX_BCRYPT_COST: Final = 15

MAX_SALT_OCTETS: Final = 128
MAX_DIGEST_OCTETS: Final = 64
MIN_DIGEST_OCTETS: Final = 16
"""Of a derived key: fewer can be hit by chance."""

Algorithm = Literal["md5", "sha1", "sha256", "sha512"]


class HashRefused(ValueError):
    """It is no hash that a password can be checked against here. The message says why, and quotes nothing:
    what is no hash may be the password itself."""


@attrs.frozen
class Argon2:
    """RFC 9106, in PHC string form."""

    variant: Literal["argon2id", "argon2i"]
    memory_kib: int
    passes: int
    text: str = attrs.field(repr=False)


@attrs.frozen
class Crypt:
    """What crypt(5) describes: the system's library computes it."""

    text: str = attrs.field(repr=False)


@attrs.frozen
class Digest:
    """A plain digest of the password and what stands behind it."""

    algorithm: Algorithm
    digest: bytes = attrs.field(repr=False)
    salt: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class Pbkdf2:
    """RFC 8018 section 5.2."""

    algorithm: Algorithm
    rounds: int
    salt: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)


@attrs.frozen
class Scrypt:
    """RFC 7914; N is a power of two."""

    log_cost: int
    block_size: int
    lanes: int
    salt: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)


@attrs.frozen
class Scram:
    """What a server of SCRAM keeps (RFC 5802 section 3), which a password can be checked against, too."""

    algorithm: Literal["sha1", "sha256"]
    iterations: int
    salt: bytes = attrs.field(repr=False)
    stored_key: bytes = attrs.field(repr=False)


StoredHash = Argon2 | Crypt | Digest | Pbkdf2 | Scrypt | Scram


def bounded(value: str, maximum: int, what: str) -> int:
    """The number that is written there, from 1 to *maximum*. Raises HashRefused."""
    number = int(value)
    if not 0 < number <= maximum:
        raise HashRefused(f"{what} of a hash must be from 1 to {maximum:,}, which is much work already")
    return number


def bounded_memory(octets: int) -> None:
    """Refuse what fills more than MAX_MEMORY_KIB."""
    if octets > MAX_MEMORY_KIB * 1024:
        raise HashRefused("the hash asks for more than 1 GiB of memory")


def base64_octets(text: str) -> bytes:
    """What base64 says, with or without its padding, with ``.`` or ``+`` as passlib and others write it.

    Raises HashRefused.
    """
    bare = text.replace(".", "+").rstrip("=")
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError as error:
        raise HashRefused("the hash is not in base64, as its form wants") from error


def hex_octets(text: str) -> bytes:
    """What hexadecimal digits say. Raises HashRefused."""
    try:
        return binascii.unhexlify(text)
    except ValueError as error:
        raise HashRefused("the hash is not in hexadecimal digits, as its form wants") from error
