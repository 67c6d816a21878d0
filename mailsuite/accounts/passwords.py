"""Password hashes: argon2id (RFC 9106) in threads, the same work whoever asks; and those of other servers."""

from __future__ import annotations

import enum
import unicodedata
from functools import partial
from typing import Protocol

import attrs
from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import error_to_str

from mailsuite.accounts.libcrypt import ICrypt, NotComputable, system_crypt
from mailsuite.accounts.schemes import Imported, matches
from mailsuite.interfaces import IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.hashes.crypt import reads_whole
from mailsuite.model.hashes.stored import read_hash
from mailsuite.model.hashes.values import Argon2, Crypt, Digest, HashRefused, StoredHash
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
"""OWASP's choice of 19 MiB and two passes: 20 ms of one core."""
MAX_PASSWORD_OCTETS = 1024
"""Above what POP3 (255, RFC 2449 section 4) and SASL PLAIN (255 characters, RFC 4616) carry."""

_NOBODYS = (
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}"
    "$bm9ib2R5cy1zYWx0LTAwMQ$bm8gcGFzc3dvcmQgaXMga25vd24gZm9yIHRoaXMgMDE"
)
"""Written by hand, so nobody knows a password for it. Its one use is to cost what a real hash costs."""
_EXHAUSTED = frozenset(error_to_str(code) for code in (-22, -33))
"""ARGON2_MEMORY_ALLOCATION_ERROR and ARGON2_THREAD_FAIL of argon2.h: our trouble, not the password's."""


class Hasher(Protocol):
    """The two calls of argon2.PasswordHasher that stand here."""

    def hash(self, password: bytes) -> str: ...

    def verify(self, hash: str, password: bytes) -> bool: ...


def _argon2id() -> Hasher:
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


class PasswordRefused(ValueError):
    """Nobody can have this as a password; the message says why, in words for a person."""


class _Outcome(enum.Enum):
    MATCH = enum.auto()
    MISMATCH = enum.auto()
    BROKEN = enum.auto()


@attrs.frozen
class Passwords:
    """Makes hashes and checks passwords against them.

    A call costs one argon2 computation in a thread; a hash that another server made costs its own besides,
    right or wrong, until it is replaced at the next good login. Raises TemporaryFailure(OVERLOADED) where
    no thread or no memory is to be had.
    """

    threads: IThreads
    log: Log = attrs.field(factory=Log)
    hasher: Hasher = attrs.field(factory=_argon2id)
    crypt: ICrypt = attrs.field(factory=system_crypt)
    slow: IThreads | None = None
    """Where hashes are checked that cost more than ours, so that guessing at an account with such a one holds
    up no other; None: with all the others."""

    async def hash(self, password: str) -> str:
        """A new hash in PHC string form, with a salt of its own. Raises PasswordRefused."""
        secret = prepared(password)
        if not secret:
            raise PasswordRefused("the password is empty")
        if len(secret) > MAX_PASSWORD_OCTETS:
            raise PasswordRefused(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
        return await self.threads.run(partial(self._hash, secret))

    async def verify(self, stored: str, password: str, account: Address | None = None) -> bool:
        """Whether *password* is the one behind *stored*.

        Where there is no hash (the account is unknown, or has no password) *stored* is empty: the answer
        is no and has cost what any other costs, and so for a hash that we cannot read, which is logged.
        """
        secret = prepared(password)
        read = _read(stored)
        against = read if len(secret) <= MAX_PASSWORD_OCTETS else None
        threads = self.threads if self.slow is None or _costs_as_ours(against) else self.slow
        outcome = await threads.run(partial(self._verify, against, secret[:MAX_PASSWORD_OCTETS]))
        if stored and (read is None or outcome is _Outcome.BROKEN):
            self.log.warning("password.hash_unreadable", account=account)
        return outcome is _Outcome.MATCH

    def needs_rehash(self, stored: str) -> bool:
        """Whether *stored*, whose password was just right, is weaker than what hash() makes now."""
        read = _read(stored)
        if not isinstance(read, Argon2) or read.variant != "argon2id":
            return True
        return read.memory_kib < MEMORY_KIB or read.passes < PASSES

    def is_certain(self, stored: str, password: str) -> bool:
        """Whether *password*, which was just right for *stored*, must be the one that it was made of.

        Some old forms read the beginning of a password only: then it may be one with a mistake behind that,
        and the owner's own would be refused by whatever is made of this one.
        """
        read = _read(stored)
        return not isinstance(read, Crypt) or reads_whole(read, prepared(password))

    def _hash(self, secret: bytes) -> str:
        try:
            return self.hasher.hash(secret)
        except HashingError as error:
            raise TemporaryFailure(OVERLOADED, str(error)) from error

    def _verify(self, against: StoredHash | None, secret: bytes) -> _Outcome:
        if isinstance(against, Argon2):
            outcome = self._verify_argon2(against.text, secret)
            if outcome is not _Outcome.BROKEN:  # else it failed before any work was done
                return outcome
        else:
            outcome = self._verify_imported(against, secret) if against is not None else _Outcome.MISMATCH
        self._verify_argon2(_NOBODYS, secret)
        return outcome

    def _verify_argon2(self, against: str, secret: bytes) -> _Outcome:
        try:
            self.hasher.verify(against, secret)
        except VerifyMismatchError:
            return _Outcome.MISMATCH
        except (VerificationError, InvalidHashError) as error:
            if str(error) in _EXHAUSTED:
                raise TemporaryFailure(OVERLOADED, str(error)) from error
            return _Outcome.BROKEN
        return _Outcome.MATCH

    def _verify_imported(self, against: Imported, secret: bytes) -> _Outcome:
        try:
            return _Outcome.MATCH if matches(against, secret, self.crypt) else _Outcome.MISMATCH
        except NotComputable:
            return _Outcome.BROKEN
        except MemoryError as error:
            raise TemporaryFailure(OVERLOADED, str(error)) from error


def _read(stored: str) -> StoredHash | None:
    try:
        return read_hash(stored)
    except HashRefused:
        return None


def _costs_as_ours(stored: StoredHash | None) -> bool:
    """Whether a verification takes hardly longer than that of our own hashes; what is none takes as long, and
    a plain digest some microseconds more."""
    if stored is None or isinstance(stored, Digest):
        return True
    return isinstance(stored, Argon2) and stored.memory_kib * stored.passes <= MEMORY_KIB * PASSES


def prepared(password: str) -> bytes:
    """The octets that are hashed: UTF-8 of the composed form, so that the same keys give the same octets
    on every system (RFC 8265 section 4.2.2). Octets that were no UTF-8 stand for themselves."""
    try:
        return unicodedata.normalize("NFC", password).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return password.encode("utf-8", "surrogatepass")
