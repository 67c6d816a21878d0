"""The accounts and devices that stand in the configuration, made ready for logins."""

from __future__ import annotations

from hashlib import blake2b

import attrs

from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.vault import Vault
from mailsuite.config.schema import AccountBlock, Config
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, AccountState, Origin
from mailsuite.model.address import Address
from mailsuite.model.device import Device


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
        [block.domain for block in config.domains],
        Origin.FILE,
        initial_devices=devices,
        initial_verifiers=verifiers,
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


def expelled(before: Config, after: Config) -> list[tuple[Address, str | None]]:
    """Whose sessions end with a change of the configuration: accounts that are gone or may not log in any
    more, as (address, None), and devices that are gone or have another password, as (address, id)."""
    kept = {block.address: block for block in after.accounts}
    found: list[tuple[Address, str | None]] = []
    for old in before.accounts:
        new = kept.get(old.address)
        if new is None or (_may_log_in(old) and not _may_log_in(new)):
            found.append((old.address, None))
            continue
        devices = {device.name.casefold(): device.password for device in new.devices}
        found += [
            (old.address, _device_id(old.address, device.name))
            for device in old.devices
            if devices.get(device.name.casefold()) != device.password
        ]
    return found


def _may_log_in(block: AccountBlock) -> bool:
    account = block.account
    return account.state is not AccountState.OFF and account.pop3
