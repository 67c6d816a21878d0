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
from mailsuite.model.account import Origin
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure

MAX_ROUNDS = 3
"""What is stored while a round runs may still be sealed as before; the next round finds it."""


@attrs.define
class _Round:
    """What one walk over all secrets came to."""

    devices: int = 0
    verifiers: int = 0
    unreadable: int = 0


@attrs.define
class KeyRotation:
    """Rotates the key that secrets are sealed under. Raises RegistryError.

    First the new key is on the disk, beside the old ones; then each device and each account's verifiers are
    sealed again, one by one; and only when a walk finds nothing under an old key are the old ones dropped.
    Killed at any point, every secret still opens, and the next rotation finishes the work.
    """

    directory: IAccountDirectory
    vault: Vault
    path: Path
    threads: IThreads
    reseal_file: Callable[[], Awaitable[None]]
    """Makes the devices of the configuration file anew; they are sealed in memory only."""
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)

    async def rotate(self) -> Document:
        """Rotate; answers what was done, in numbers. One after the other."""
        await self._turn.acquire()
        try:
            return await self._rotate()
        except KeyringError as error:
            raise RegistryError("unavailable", str(error)) from error
        finally:
            self._turn.release()

    async def _rotate(self) -> Document:
        ring = self.vault.keyring
        self.vault.use(await self.threads.run(partial(ring.with_new_key, self.path)))
        total = _Round()
        with in_words("the keys"):
            await self.reseal_file()
            for _ in range(MAX_ROUNDS):
                last = await self._round()
                total.devices += last.devices
                total.verifiers += last.verifiers
                total.unreadable = last.unreadable
                done = not (last.devices or last.verifiers)
                if done:
                    ring = self.vault.keyring
                    self.vault.use(await self.threads.run(partial(ring.drop_old_keys, self.path)))
                    break
        return {**attrs.asdict(total), "dropped": done}

    async def _round(self) -> _Round:
        """Walk over all that is stored, and seal again what is not under the newest key."""
        found = _Round()
        for account, device in await self.directory.all_devices():
            if device.origin is not Origin.FILE:
                await self._device(account, device, found)
        for account, sealed in await self.directory.all_verifiers():
            await self._verifiers(account, sealed, found)
        return found

    async def _device(self, account: Address, device: Device, found: _Round) -> None:
        try:
            resealed = self.vault.reseal_device(account, device)
        except SealBroken:  # no key of ours opens it, so no key is kept for it
            found.unreadable += 1
            return
        if resealed is not None:
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
        if resealed is None or await self.directory.verifiers(account) != sealed:
            return  # a new password has brought others meanwhile, and the next round looks at those
        try:
            await self.directory.keep_verifiers(account, resealed)
        except PermanentFailure:
            return
        found.verifiers += 1
