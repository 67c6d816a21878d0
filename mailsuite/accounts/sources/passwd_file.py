"""A file of names and hashes, as Dovecot's passwd-file: ``name:hash:...``, one account a line."""

from __future__ import annotations

import errno
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from zope.interface import Interface, implementer

from mailsuite.accounts.passwd_files import RESTRICTING
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords, prepared
from mailsuite.accounts.sources.question import AvatarId, asked_about
from mailsuite.interfaces import IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.hashes.stored import of_foreign_file
from mailsuite.model.hashes.values import HashRefused
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.observe.log import Log

LOOK_AGAIN = 1.0
"""Seconds in which the file is not looked at twice."""
MAX_FILE_OCTETS = 64 << 20
"""About half a million accounts; far larger ones are a database's work."""

Version = tuple[int, int, int, int]
"""Device, inode, size and time of change: another one means that the file is another."""


@attrs.frozen
class Entries:
    """What the file says."""

    hashes: Mapping[str, str] = attrs.field(repr=False)
    """By name in lower case."""
    restricted: int = 0
    """Lines that were left out because they forbid logins."""


@implementer(ICredentialsChecker)
@attrs.define(eq=False)
class PasswdFileChecker:
    """Checks against the file as it was at most a second ago.

    *cache* goes by the hash, so a line that is changed or removed counts at once. Raises TemporaryFailure
    where the file cannot be read.
    """

    file: Path
    passwords: Passwords
    cache: PasswordCache
    threads: IThreads
    clock: IReactorTime
    timeout: float
    """For reading the file; a hash takes its turn among all that are verified here."""
    log: Log = attrs.field(factory=Log)
    _entries: Entries | None = attrs.field(default=None, init=False, repr=False)
    _version: Version | None = attrs.field(default=None, init=False)
    _looked_at: float = attrs.field(default=0.0, init=False)
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernamePassword) -> AvatarId:
        entries = await self._current()
        name = credentials.username.decode("utf-8", "surrogateescape").lower()
        stored = entries.hashes.get(name, "")
        _, local, domain = asked_about(credentials)
        account = Address(local, domain)
        password = credentials.password.decode("utf-8", "surrogateescape")
        if stored and self.cache.knows(account, stored, password):
            return credentials.username
        if not await self._fits(stored, password, account):
            raise UnauthorizedLogin("not the password of the file")
        self.cache.remember(account, stored, password)
        return credentials.username

    async def _fits(self, field: str, password: str, account: Address) -> bool:
        """Whether it is the password of that field. A name that is not in the file costs what any other does:
        verify() takes care of that, and logs what it cannot read."""
        try:
            stored = of_foreign_file(field)
        except HashRefused:
            stored = field
        if isinstance(stored, str):
            return await self.passwords.verify(stored, password, account)
        await self.passwords.verify("", password, account)
        return hmac.compare_digest(prepared(stored.password), prepared(password))

    async def _current(self) -> Entries:
        async with self._turn:
            now = self.clock.seconds()
            if self._entries is None or not 0 <= now - self._looked_at < LOOK_AGAIN:
                await self._look()
                self._looked_at = now
            assert self._entries is not None  # noqa: S101
            return self._entries

    async def _look(self) -> None:
        version = self._version if self._entries is not None else None
        reading = Deferred.fromCoroutine(self.threads.run(lambda: read_if_changed(self.file, version)))
        reading.addTimeout(self.timeout, self.clock)
        try:
            found = await reading
        except TimedOut:
            detail = f"{self.file}: not read within {self.timeout:g} seconds"
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, detail) from None
        except OSError as error:
            self._entries = None
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, f"{self.file}: {error.strerror}") from None
        if found is None:
            return
        self._version, self._entries = found
        restricted = self._entries.restricted
        self.log.info("source.read", file=self.file, names=len(self._entries.hashes), restricted=restricted)


def read_if_changed(file: Path, known: Version | None) -> tuple[Version, Entries] | None:
    """The file, and which version of it; None where it is the *known* one. Blocks. Raises OSError."""
    if known is not None and _version(os.stat(file)) == known:
        return None
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no file")
        octets = stream.read(MAX_FILE_OCTETS + 1)
    if len(octets) > MAX_FILE_OCTETS:
        raise OSError(errno.EFBIG, f"has more than {MAX_FILE_OCTETS} octets")
    return _version(status), parse(octets.decode("utf-8", "surrogateescape"))


def _version(status: os.stat_result) -> Version:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def parse(text: str) -> Entries:
    """``name:hash:uid:gid:gecos:home:shell:extra fields``; all behind the hash may be left out.

    The hash is kept as it is written: what Dovecot says by it, of_foreign_file() knows. Empty lines and those
    that begin with # say nothing. Of two lines for a name the first holds, as a line below it might be an old
    one. A name without a hash has no password. An account whose extra fields restrict its logins is left out.
    """
    hashes: dict[str, str] = {}
    restricted = 0
    for line in text.split("\n"):  # and at nothing else that Unicode takes for a line's end
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        stored, *fields = rest.split(":", 6)
        key = name.strip().lower()
        if not key or key in hashes:
            continue
        if len(fields) == 6 and RESTRICTING.search(fields[5]):
            hashes[key] = ""
            restricted += 1
            continue
        hashes[key] = stored.strip()
    return Entries(hashes, restricted)
