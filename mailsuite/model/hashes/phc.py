"""The PHC string form (``$name$parameters$salt$hash``), and what passlib makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mailsuite.model.hashes.values import (
    MAX_DIGEST_OCTETS,
    MAX_LANES,
    MAX_MEMORY_KIB,
    MAX_MEMORY_PASSES_KIB,
    MAX_PASSES,
    MAX_PBKDF2_ROUNDS,
    MAX_SALT_OCTETS,
    MIN_DIGEST_OCTETS,
    Algorithm,
    Argon2,
    HashRefused,
    Pbkdf2,
    Scrypt,
    StoredHash,
    base64_octets,
    bounded,
    bounded_memory,
)

_ARGON2 = re.compile(
    r"\$(argon2id|argon2i)\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,10})"
    r"\$[A-Za-z0-9+/]{11,200}\$[A-Za-z0-9+/]{16,200}"
)
_SCRYPT = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,6}),p=([0-9]{1,6})"
    r"\$([A-Za-z0-9+/.]{1,200}={0,2})\$([A-Za-z0-9+/.]{1,200}={0,2})"
)
_PBKDF2 = re.compile(
    r"\$pbkdf2(-sha1|-sha256|-sha512|)\$(?:i=)?([0-9]{1,10})(?:,l=[0-9]{1,3})?"
    r"\$([A-Za-z0-9+/.]{1,200}={0,2})\$([A-Za-z0-9+/.]{1,200}={0,2})"
)
_ALGORITHMS: Final[dict[str, Algorithm]] = {
    "": "sha1",
    "-sha1": "sha1",
    "-sha256": "sha256",
    "-sha512": "sha512",
}


def read_argon2(text: str) -> Argon2:
    """``$argon2id$v=19$m=19456,t=2,p=1$salt$hash``. Raises HashRefused."""
    variant, *parameters = _parts(_ARGON2, text)
    memory = bounded(parameters[0], MAX_MEMORY_KIB, "the memory in KiB")
    passes = bounded(parameters[1], MAX_PASSES, "the passes")
    lanes = bounded(parameters[2], MAX_LANES, "the lanes")
    if memory < 8 * lanes:
        raise HashRefused("the hash has less memory than argon2 needs")
    bounded(str(memory * passes), MAX_MEMORY_PASSES_KIB, "the memory in KiB, times the passes,")
    return Argon2("argon2id" if variant == "argon2id" else "argon2i", memory, passes, text)


def read_scrypt(text: str) -> Scrypt:
    """``$scrypt$ln=16,r=8,p=1$salt$hash``. Raises HashRefused."""
    log_cost, block_size, lanes, salt, digest = _parts(_SCRYPT, text)
    parsed = Scrypt(int(log_cost), int(block_size), int(lanes), _salt(salt), _derived(digest))
    if not (0 < parsed.log_cost < 16 * parsed.block_size and parsed.lanes):  # RFC 7914 section 6
        raise HashRefused("the hash has a parameter that scrypt does not take")
    bounded_memory(128 * parsed.block_size * parsed.lanes << parsed.log_cost)
    return parsed


def read_pbkdf2(text: str) -> Pbkdf2:
    """``$pbkdf2-sha256$29000$salt$hash``, also with ``i=`` before the rounds. Raises HashRefused."""
    algorithm, rounds, salt, digest = _parts(_PBKDF2, text)
    count = bounded(rounds, MAX_PBKDF2_ROUNDS, "the rounds")
    return Pbkdf2(_ALGORITHMS[algorithm], count, _salt(salt), _derived(digest))


READERS: Final[dict[str, Callable[[str], StoredHash]]] = {
    "argon2id": read_argon2,
    "argon2i": read_argon2,
    "scrypt": read_scrypt,
    "pbkdf2": read_pbkdf2,
    "pbkdf2-sha1": read_pbkdf2,
    "pbkdf2-sha256": read_pbkdf2,
    "pbkdf2-sha512": read_pbkdf2,
}
"""By what stands between the first two ``$``."""


def _parts(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.fullmatch(text)
    if found is None:
        raise HashRefused("the hash is cut off, or has parameters that are not known here")
    return found.groups()


def _salt(text: str) -> bytes:
    salt = base64_octets(text)
    if len(salt) > MAX_SALT_OCTETS:
        raise HashRefused(f"the salt is longer than {MAX_SALT_OCTETS} octets")
    return salt


def _derived(text: str) -> bytes:
    digest = base64_octets(text)
    if not MIN_DIGEST_OCTETS <= len(digest) <= MAX_DIGEST_OCTETS:
        raise HashRefused(
            f"what is derived must be from {MIN_DIGEST_OCTETS} to {MAX_DIGEST_OCTETS} octets long"
        )
    return digest
