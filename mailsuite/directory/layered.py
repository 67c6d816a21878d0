"""The accounts of the configuration file laid over those of the database: one directory of both."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.directory.lower import ILowerDirectory
from mailsuite.directory.order import (
    by_domain,
    sorted_accounts,
    sorted_aliases,
    sorted_by_owner,
    sorted_devices,
    sorted_domains,
    sorted_owned_devices,
)
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import ALREADY_EXISTS, READ_ONLY


@implementer(IAccountDirectory)
@attrs.define(eq=False)
class LayeredDirectory:
    """Reads ask the file first, so its accounts can log in even where the database is away; writes go
    to the database, which also keeps what is not in the file of an account that is. An account that stands
    in both is the file's, and so is a domain, an alias, and a device of one name in both."""

    _file: IAccountDirectory
    database: ILowerDirectory
    """All that is kept beside the file, also what the file covers."""

    def replace_file(self, file: IAccountDirectory) -> None:
        """From now on this is the upper layer: the configuration was read again."""
        self._file = file

    async def account(self, address: Address) -> Account | None:
        return await self._file.account(address) or await self.database.account(address)

    async def has_domain(self, name: str) -> bool:
        return await self._file.has_domain(name) or await self.database.has_domain(name)

    async def domain(self, name: str) -> Domain | None:
        return await self._file.domain(name) or await self.database.domain(name)

    async def accounts(self) -> tuple[Account, ...]:
        both = (*await self.database.accounts(), *await self._file.accounts())
        return sorted_accounts({account.address: account for account in both}.values())

    async def members(self, domain: str) -> tuple[Address, ...]:
        return tuple(sorted({*await self.database.members(domain), *await self._file.members(domain)}))

    async def domains(self) -> tuple[Domain, ...]:
        both = (*await self.database.domains(), *await self._file.domains())
        return sorted_domains({domain.name: domain for domain in both}.values())

    async def add_domain(self, name: str) -> None:
        if await self._file.has_domain(name):
            raise PermanentFailure(ALREADY_EXISTS)
        await self.database.add_domain(name)

    async def change_domain(self, domain: Domain) -> None:
        if await self._file.has_domain(domain.name):
            raise PermanentFailure(READ_ONLY)
        await self.database.change_domain(domain)

    async def alias(self, address: Address) -> Alias | None:
        return await self._file.alias(address) or await self.database.alias(address)

    async def aliases(self) -> tuple[Alias, ...]:
        both = (*await self.database.aliases(), *await self._file.aliases())
        return sorted_aliases({alias.address: alias for alias in both}.values())

    async def aliases_to(self, target: Address) -> tuple[Address, ...]:
        below = await self.database.aliases_to(target)
        uncovered = [address for address in below if await self._file.alias(address) is None]
        return tuple(sorted((*uncovered, *await self._file.aliases_to(target)), key=by_domain))

    async def add_alias(self, alias: Alias) -> None:
        if await self._file.alias(alias.address) is not None:
            raise PermanentFailure(ALREADY_EXISTS)
        await self.database.add_alias(alias)

    async def change_alias(self, alias: Alias) -> None:
        await self._refuse_alias_in_file(alias.address)
        await self.database.change_alias(alias)

    async def remove_alias(self, address: Address) -> None:
        await self._refuse_alias_in_file(address)
        await self.database.remove_alias(address)

    async def add_account(self, account: Account) -> None:
        if await self._in_file(account.address):
            raise PermanentFailure(ALREADY_EXISTS)
        await self.database.add_account(account)

    async def change_account(self, account: Account) -> None:
        await self._refuse_where_in_file(account.address)
        await self.database.change_account(account)

    async def replace_hash(self, account: Address, old: str, new: str) -> bool:
        await self._refuse_where_in_file(account)
        return await self.database.replace_hash(account, old, new)

    async def remove_account(self, address: Address) -> None:
        await self._refuse_where_in_file(address)
        await self.database.remove_account(address)

    async def devices(self, account: Address) -> tuple[Device, ...]:
        """Of an account of the file its devices there alone, while the database is away."""
        try:
            return await self.whole_devices(account)
        except TemporaryFailure:
            if not await self._in_file(account):
                raise
            return await self._file.devices(account)

    async def whole_devices(self, account: Address) -> tuple[Device, ...]:
        """All of them, or TemporaryFailure: for whoever draws conclusions from one that is not there."""
        if not await self._in_file(account):
            return await self.database.devices(account)
        others = await self.database.devices(account, elsewhere=True)
        own = await self._file.devices(account)
        return sorted_devices({device.folded: device for device in (*others, *own)}.values())

    async def all_devices(self) -> tuple[tuple[Address, Device], ...]:
        both = (*await self.database.all_devices(), *await self._file.all_devices())
        return sorted_owned_devices({(owned[0], owned[1].folded): owned for owned in both}.values())

    async def add_device(self, account: Address, device: Device) -> None:
        in_file = await self._in_file(account)
        await self._refuse_name_in_file(account, device)
        await self.database.add_device(account, device, elsewhere=in_file)

    async def change_device(self, account: Address, device: Device) -> None:
        await self._refuse_device_in_file(account, device.id)
        await self._refuse_name_in_file(account, device)
        await self.database.change_device(account, device)

    async def remove_device(self, account: Address, id: str) -> None:
        await self._refuse_device_in_file(account, id)
        await self.database.remove_device(account, id)

    async def verifiers(self, account: Address) -> bytes:
        """The file's own where it has some: they are made from what it says now."""
        in_file = await self._in_file(account)
        own = await self._file.verifiers(account)
        return own or await self.database.verifiers(account, elsewhere=in_file)

    async def all_verifiers(self) -> tuple[tuple[Address, bytes], ...]:
        both = (*await self.database.all_verifiers(), *await self._file.all_verifiers())
        return sorted_by_owner(dict(both).items())

    async def keep_verifiers(self, account: Address, sealed: bytes) -> None:
        await self.database.keep_verifiers(account, sealed, elsewhere=await self._in_file(account))

    async def replace_verifiers(self, account: Address, old: bytes, new: bytes) -> bool:
        in_file = await self._in_file(account)
        return await self.database.replace_verifiers(account, old, new, elsewhere=in_file)

    async def _in_file(self, address: Address) -> bool:
        return await self._file.account(address) is not None

    async def _refuse_where_in_file(self, address: Address) -> None:
        if await self._in_file(address):
            raise PermanentFailure(READ_ONLY)

    async def _refuse_alias_in_file(self, address: Address) -> None:
        if await self._file.alias(address) is not None:
            raise PermanentFailure(READ_ONLY)

    async def _refuse_device_in_file(self, account: Address, id: str) -> None:
        if any(device.id == id for device in await self._file.devices(account)):
            raise PermanentFailure(READ_ONLY)

    async def _refuse_name_in_file(self, account: Address, device: Device) -> None:
        if any(other.folded == device.folded for other in await self._file.devices(account)):
            raise PermanentFailure(ALREADY_EXISTS)
