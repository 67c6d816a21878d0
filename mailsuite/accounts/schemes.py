"""Checks passwords against the hashes that other servers made, argon2 apart. All of it blocks."""

from __future__ import annotations

import hashlib
import hmac

from mailsuite.accounts.libcrypt import ICrypt
from mailsuite.model.hashes.values import (
    MAX_MEMORY_KIB,
    Crypt,
    Digest,
    Pbkdf2,
    Scram,
    Scrypt,
)
from mailsuite.wire.sasl.scram_keys import stored_key

Imported = Crypt | Digest | Pbkdf2 | Scrypt | Scram
"""Hashes that are checked here."""

MAX_CRYPT_OCTETS = 511
"""CRYPT_MAX_PASSPHRASE_SIZE of libxcrypt, less its NUL: no hash was ever made of a longer password."""
_SCRYPT_MEMORY = 2 * MAX_MEMORY_KIB * 1024 - 1
"""What OpenSSL may take, above the 128 * r * (N + p) octets of RFC 7914; no more fits into its integer."""


def matches(stored: Imported, secret: bytes, crypt: ICrypt) -> bool:
    """Whether *secret* is what *stored* was made of, compared in constant time.

    Raises NotComputable where the system cannot compute this form, MemoryError where it has no memory.
    """
    # HMAC, which most are made of, fills its key with NULs: one more at the end is no other password to it.
    return _fits(stored, secret, crypt) and not secret.endswith(b"\0")


def _fits(stored: Imported, secret: bytes, crypt: ICrypt) -> bool:
    match stored:
        case Crypt(text):
            return _crypt_matches(text.encode("ascii"), secret, crypt)
        case Digest(algorithm, digest, salt):
            found = hashlib.new(algorithm, secret + salt, usedforsecurity=False).digest()
            return hmac.compare_digest(found, digest)
        case Pbkdf2(algorithm, rounds, salt, digest):
            found = hashlib.pbkdf2_hmac(algorithm, secret, salt, rounds, len(digest))
            return hmac.compare_digest(found, digest)
        case Scrypt():
            return hmac.compare_digest(_scrypt(stored, secret), stored.digest)
        case Scram(algorithm, iterations, salt, kept):  # made without SASLprep by Dovecot
            salted = hashlib.pbkdf2_hmac(algorithm, secret, salt, iterations)
            return hmac.compare_digest(stored_key(salted, algorithm), kept)


def _crypt_matches(stored: bytes, secret: bytes, crypt: ICrypt) -> bool:
    """A NUL ends what crypt(3) sees: what is behind it must not go unchecked."""
    whole = b"\0" not in secret and len(secret) <= MAX_CRYPT_OCTETS
    return hmac.compare_digest(crypt(secret if whole else b"", stored), stored) and whole


def _scrypt(stored: Scrypt, secret: bytes) -> bytes:
    try:
        return hashlib.scrypt(
            secret,
            salt=stored.salt,
            n=1 << stored.log_cost,
            r=stored.block_size,
            p=stored.lanes,
            maxmem=_SCRYPT_MEMORY,
            dklen=len(stored.digest),
        )
    except ValueError as error:  # the parameters were looked at when the hash was read
        raise MemoryError("scrypt has no memory") from error
