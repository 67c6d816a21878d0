"""The accounts, devices and aliases that stand in the configuration, made ready for logins and for mail."""

from __future__ import annotations

from hashlib import blake2b

import attrs

from mailsuite.accounts.endings import (
    ACCOUNT_REMOVED,
    ACCOUNT_REPLACED,
    DEVICE_EXPIRED,
    DEVICE_NARROWED,
    DEVICE_PASSWORD,
    DEVICE_REMOVED,
    DEVICE_VIEW,
    barred,
)
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.vault import Vault
from mailsuite.config.schema import AccountBlock, Config, DeviceBlock
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, IPAddress
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.origin import Origin


async def file_directory(config: Config, passwords: Passwords, vault: Vault) -> MemoryDirectory:
    """What stands in the configuration; plain passwords are hashed and sealed now, all under one key."""
    while True:
        keyring = vault.keyring
        made = await _made(config, passwords, vault)
        if vault.keyring is keyring:
            return made


async def _made(config: Config, passwords: Passwords, vault: Vault) -> MemoryDirectory:
    accounts: list[Account] = []
    devices: dict[Address, list[Device]] = {}
    verifiers: dict[Address, bytes] = {}
    for block in config.accounts:
        account = block.account
        if block.password is not None:
            password = block.password.reveal()
            account = attrs.evolve(account, password_hash=await passwords.hash(password))
            verifiers[account.address] = await vault.seal_verifiers(
                account.address, password, account.password_hash
            )
        accounts.append(account)
        devices[account.address] = await _devices(block, vault)
    return MemoryDirectory(
        accounts,
        [block.routed(block.domain) for block in config.domains],
        Origin.FILE,
        initial_devices=devices,
        initial_verifiers=verifiers,
        initial_aliases=[alias for block in config.domains for alias in block.aliases_in(block.name)],
    )


async def _devices(block: AccountBlock, vault: Vault) -> list[Device]:
    devices = []
    for each in block.devices:
        id = _device_id(block.address, each.name)
        recoverable = bool(each.mechanisms)
        sealed = await vault.seal_device(block.address, id, each.password.reveal(), recoverable)
        devices.append(each.device(id, sealed))
    return devices


def _device_id(account: Address, name: str) -> str:
    """The same after each start, so that its last use is remembered."""
    return "file-" + blake2b(f"{account}\0{name.casefold()}".encode(), digest_size=8).hexdigest()


@attrs.frozen
class Expulsion:
    """Whose sessions end with a change of the configuration, and why."""

    account: Address
    reason: str
    device: str | None = None
    """By its id: the sessions that were opened by its password; None: all of the account."""
    allowed: Device | None = None
    """What the device still may do; sessions within that go on."""

    def spares(self, service: str, peer: IPAddress) -> bool:
        """Whether a session of this service from there goes on."""
        return self.allowed is not None and self.allowed.serves(service) and self.allowed.allows(peer)


def expelled(before: Config, after: Config, now: float) -> list[Expulsion]:
    """What a change of the configuration takes from those who are logged in: accounts that are gone or may
    not log in any more, devices that are gone, have another password, or may do less. An account that is
    new in the file covers one of the database, whose sessions end: what let them in counts no more. *now* is
    in seconds since the epoch."""
    kept = {block.address: block for block in after.accounts}
    known = {block.address for block in before.accounts}
    found = [Expulsion(address, ACCOUNT_REPLACED) for address in kept if address not in known]
    for old in before.accounts:
        new = kept.get(old.address)
        reason = ACCOUNT_REMOVED if new is None else barred(old.account, new.account)
        if new is None or reason:
            found.append(Expulsion(old.address, reason))
            continue
        devices = {device.name.casefold(): device for device in new.devices}
        for device in old.devices:
            expulsion = _of_device(old.address, device, devices.get(device.name.casefold()), now)
            if expulsion is not None:
                found.append(expulsion)
    return found


def _of_device(account: Address, old: DeviceBlock, new: DeviceBlock | None, now: float) -> Expulsion | None:
    id = _device_id(account, old.name)
    if new is None:
        return Expulsion(account, DEVICE_REMOVED, id)
    if new.password != old.password:
        return Expulsion(account, DEVICE_PASSWORD, id)
    device = new.device(id, b"")
    if device.has_expired(now):
        return Expulsion(account, DEVICE_EXPIRED, id)
    narrowed = (old.scopes, old.networks) != (new.scopes, new.networks)
    seen_anew = old.view != new.view
    if set(old.mechanisms) - set(new.mechanisms) or (narrowed and seen_anew):
        return Expulsion(account, DEVICE_NARROWED, id)  # no session knows by which mechanism it began
    if seen_anew:
        return Expulsion(account, DEVICE_VIEW, id)
    return Expulsion(account, DEVICE_NARROWED, id, allowed=device) if narrowed else None
