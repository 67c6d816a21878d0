"""What a password that was just seen right is good for: a better hash, and the verifiers of SCRAM."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.origin import Origin
from mailsuite.observe.log import Log

K = TypeVar("K")

MAX_REMEMBERED = 10_000
"""Accounts that need nothing; who is forgotten is looked at again."""


@attrs.define(eq=False)
class Renewal:
    """Hashes anew what is hashed in an old way, and keeps SCRAM verifiers where there are none.

    It happens in the background, once at a time for an account, and harms no login: what cannot be done now
    is logged, and done at another login. A password that was changed meanwhile is left alone, and so is one
    of which nobody can say that it was typed as it is. *tasks* owns the work: whoever closes the directory
    waits for it first.
    """

    directory: IAccountDirectory
    vault: Vault
    passwords: Passwords
    tasks: Tasks
    log: Log = attrs.field(factory=Log)
    turn: DeferredLock = attrs.field(factory=DeferredLock)
    """That of the Registry: an account that it is about to write must not have the old hash back."""
    max_remembered: int = MAX_REMEMBERED
    _under_way: set[Address] = attrs.field(factory=set, init=False)
    _done: OrderedDict[Address, str] = attrs.field(factory=OrderedDict, init=False, repr=False)
    """The hash of each account that was found to need nothing."""
    _successors: OrderedDict[tuple[Address, str], str] = attrs.field(
        factory=OrderedDict, init=False, repr=False
    )
    """What took the place of an old hash, for the same password."""

    def begin(self, account: Account, password: str) -> None:
        """*password* was right for *account*; see what it is good for."""
        address, stored = account.address, account.password_hash
        if address in self._under_way or self._done.get(address) == stored:
            return
        if not self.passwords.is_certain(stored, password):
            self.log.info("login.hash_kept", account=address, reason="it reads the beginning only")
            self._remember(self._done, address, stored)
            return
        self._under_way.add(address)
        self.tasks.start(self._renew(account, password))

    def successor(self, account: Address, stored: str) -> str:
        """The newer hash of the same password that has taken the place of *stored*, or was about to;
        else *stored* itself."""
        return self._successors.get((account, stored), stored)

    async def _renew(self, account: Account, password: str) -> None:
        try:
            stored = await self._rehash(account, password)
            if stored and await self._keep_verifiers(account.address, stored, password):
                self._remember(self._done, account.address, stored)
        except MailFailure as failure:
            self.log.warning("login.renewal_failed", account=account.address, reason=failure.reason)
        finally:
            self._under_way.discard(account.address)

    async def _rehash(self, account: Account, password: str) -> str:
        """The hash that stands now; empty where it is no longer that of this password."""
        before = account.password_hash
        if account.origin is not Origin.DATABASE or not self.passwords.needs_rehash(before):
            return before
        stored = await self.passwords.hash(password)
        self._remember(self._successors, (account.address, before), stored)
        async with self.turn:
            replaced = await self.directory.replace_hash(account.address, before, stored)
        if not replaced:
            return ""
        self.log.info("login.rehashed", account=account.address)
        return stored

    async def _keep_verifiers(self, address: Address, stored: str, password: str) -> bool:
        """Whether there are some for that hash, now at the latest."""
        before = await self.directory.verifiers(address)
        if self._has_verifiers(address, before, stored):
            return True
        sealed = await self.vault.seal_verifiers(address, password, stored)
        now = await self.directory.account(address)
        if now is None or now.password_hash != stored:
            return False
        return await self.directory.replace_verifiers(address, before, sealed)

    def _has_verifiers(self, address: Address, sealed: bytes, stored: str) -> bool:
        try:
            return self.vault.open_verifiers(address, sealed, stored) is not None
        except SealBroken as error:
            self.log.error("seal.broken", account=address, device="", reason=str(error))
            return False

    def _remember(self, entries: OrderedDict[K, str], key: K, stored: str) -> None:
        entries[key] = stored
        entries.move_to_end(key)
        if len(entries) > self.max_remembered:
            entries.popitem(last=False)
