"""A new sealing key, and everything sealed again under it. Whoever interrupts this has lost nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.documents import Document
from mailsuite.accounts.keyring import KeyringError, SealBroken
from mailsuite.accounts.refusal import RegistryError, in_words
from mailsuite.accounts.vault import Vault
from mailsuite.interfaces import IAccountDirectory, IThreads
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure

CLEAN_ROUNDS = 2
"""What was sealed a moment before the new key may be stored a moment later: at most one question to the
directory stands between the two (accounts/renewal.py looks at the account once more). The directory answers
in turn, and a walk asks twice, so the second of two walks that find nothing has seen it."""
MAX_ROUNDS = 6
"""Where there is never an end to it, the old keys stay until the next rotation."""


async def nothing_elsewhere() -> tuple[int, int]:
    """Where nobody else keeps anything sealed."""
    return 0, 0


@attrs.define
class _Round:
    """What one walk over all secrets came to."""

    devices: int = 0
    verifiers: int = 0
    subscriptions: int = 0
    unreadable: int = 0
    clean: bool = True
    """Nothing was under an old key, as far as could be seen."""


@attrs.define
class KeyRotation:
    """Rotates the key that secrets are sealed under. Raises RegistryError.

    First the new key is on the disk, beside the old ones; then each device and each account's verifiers are
    sealed again, one by one; and only when CLEAN_ROUNDS walks find nothing under an old key are the old ones
    dropped. Killed at any point, every secret still opens, and the next rotation finishes that work before
    it begins its own: there are never more than two keys.
    """

    directory: IAccountDirectory
    """All that is kept on the disk, also what the configuration file covers for now."""
    vault: Vault
    path: Path
    threads: IThreads
    reseal_file: Callable[[], Awaitable[None]]
    """Makes the devices of the configuration file anew; they are sealed in memory only."""
    reseal_subscriptions: Callable[[], Awaitable[tuple[int, int]]] = nothing_elsewhere
    """As ISubscriptions.reseal()."""
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)

    async def rotate(self) -> Document:
        """Rotate; answers what was done, in numbers. One after the other."""
        async with self._turn:
            try:
                return await self._rotate()
            except KeyringError as error:
                raise RegistryError("unavailable", str(error)) from error

    async def _rotate(self) -> Document:
        done = None
        with in_words("the keys"):
            if len(self.vault.keyring) > 1:  # else keys would come to keys, each time that one fails
                done = await self._seal_all()
            if done is None or done["dropped"]:
                ring = self.vault.keyring
                self.vault.use(await self.threads.run(partial(ring.with_new_key, self.path)))
                done = await self._seal_all()
        return done

    async def _seal_all(self) -> Document:
        """Seal everything under the newest key, and drop the others."""
        devices = verifiers = subscriptions = unreadable = clean = 0
        await self.reseal_file()
        for _ in range(MAX_ROUNDS):
            found = await self._round()
            devices += found.devices
            verifiers += found.verifiers
            subscriptions += found.subscriptions
            unreadable = found.unreadable
            clean = clean + 1 if found.clean else 0
            if clean == CLEAN_ROUNDS:
                ring = self.vault.keyring
                self.vault.use(await self.threads.run(partial(ring.drop_old_keys, self.path)))
                break
        return {
            "devices": devices,
            "verifiers": verifiers,
            "subscriptions": subscriptions,
            "unreadable": unreadable,
            "dropped": clean == CLEAN_ROUNDS,
        }

    async def _round(self) -> _Round:
        """Walk over all that is stored, and seal again what is not under the newest key."""
        found = _Round()
        for account, device in await self.directory.all_devices():
            await self._device(account, device, found)
        for account, sealed in await self.directory.all_verifiers():
            await self._verifiers(account, sealed, found)
        found.subscriptions, unreadable = await self.reseal_subscriptions()
        found.unreadable += unreadable
        found.clean &= not found.subscriptions
        return found

    async def _device(self, account: Address, device: Device, found: _Round) -> None:
        try:
            resealed = self.vault.reseal_device(account, device)
        except SealBroken:  # no key of ours opens it, so no key is kept for it
            found.unreadable += 1
            return
        if resealed is not None:
            found.clean = False
            try:
                await self.directory.change_device(account, resealed)
            except PermanentFailure:  # it was removed meanwhile
                return
            found.devices += 1

    async def _verifiers(self, account: Address, sealed: bytes, found: _Round) -> None:
        try:
            resealed = self.vault.reseal_verifiers(account, sealed)
        except SealBroken:
            found.unreadable += 1
            return
        if resealed is not None:
            found.clean = False
            if await self.directory.replace_verifiers(account, sealed, resealed):
                found.verifiers += 1  # else there are others now, or none, and the next round looks at them
