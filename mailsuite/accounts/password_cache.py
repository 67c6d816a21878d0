"""Remembers for a while which password was right, so that a poll does not cost an argon2 each time."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import attrs

from mailsuite.accounts.attempt import octets
from mailsuite.model.address import Address

LIFE = 600.0
"""Seconds from the verification; a hit does not prolong it."""
MAX_ENTRIES = 10_000
"""About 2 MB."""


@attrs.define(eq=False)
class PasswordCache:
    """Passwords that were verified lately, as digests under a key that lives only in this process.

    The stored hash is part of the digest, so a new password empties the cache of the old one by itself;
    whoever asks takes the stored hash from the directory each time, so a removed account has none. Wrong
    passwords are never kept.
    """

    seconds: Callable[[], float]
    life: float = LIFE
    max_entries: int = MAX_ENTRIES
    _key: bytes = attrs.field(factory=lambda: secrets.token_bytes(32), init=False, repr=False)
    _verified: OrderedDict[bytes, float] = attrs.field(factory=OrderedDict, init=False, repr=False)

    def knows(self, account: Address, stored: str, password: str) -> bool:
        """Whether this password was right for this account and this hash, a short time ago."""
        since = self._verified.get(self._digest(account, stored, password))
        return since is not None and self._is_fresh(since)

    def remember(self, account: Address, stored: str, password: str) -> None:
        """This password was right just now."""
        digest = self._digest(account, stored, password)
        self._verified[digest] = self.seconds()
        self._verified.move_to_end(digest)
        self._forget_oldest()

    def __len__(self) -> int:
        return len(self._verified)

    def _is_fresh(self, since: float) -> bool:
        return 0 <= self.seconds() - since < self.life  # below 0: the clock was set back

    def _forget_oldest(self) -> None:
        while self._verified:
            oldest = next(iter(self._verified.values()))
            if len(self._verified) <= self.max_entries and self._is_fresh(oldest):
                return
            self._verified.popitem(last=False)

    def _digest(self, account: Address, stored: str, password: str) -> bytes:
        return blake2b(framed(str(account), stored, password), key=self._key, digest_size=32).digest()


def framed(*parts: str) -> bytes:
    """The parts one after the other, each behind its length: different parts, different octets."""
    framing = bytearray()
    for part in map(octets, parts):
        framing += len(part).to_bytes(8, "big") + part
    return bytes(framing)
