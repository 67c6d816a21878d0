"""The accounts of the configuration file laid over those of the database: one directory of both."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.directory.memory import sorted_accounts, sorted_domains
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ALREADY_EXISTS, READ_ONLY


@implementer(IAccountDirectory)
@attrs.define(eq=False)
class LayeredDirectory:
    """Reads ask the file first, so its accounts can log in even where the database is away; writes go
    to the database. An account that stands in both is the file's."""

    _file: IAccountDirectory
    _database: IAccountDirectory

    def replace_file(self, file: IAccountDirectory) -> None:
        """From now on this is the upper layer: the configuration was read again."""
        self._file = file

    async def account(self, address: Address) -> Account | None:
        return await self._file.account(address) or await self._database.account(address)

    async def has_domain(self, name: str) -> bool:
        return await self._file.has_domain(name) or await self._database.has_domain(name)

    async def accounts(self) -> tuple[Account, ...]:
        both = (*await self._database.accounts(), *await self._file.accounts())
        return sorted_accounts({account.address: account for account in both}.values())

    async def domains(self) -> tuple[Domain, ...]:
        both = (*await self._database.domains(), *await self._file.domains())
        return sorted_domains({domain.name: domain for domain in both}.values())

    async def add_domain(self, name: str) -> None:
        if await self._file.has_domain(name):
            raise PermanentFailure(ALREADY_EXISTS)
        await self._database.add_domain(name)

    async def add_account(self, account: Account) -> None:
        if await self._file.account(account.address) is not None:
            raise PermanentFailure(ALREADY_EXISTS)
        await self._database.add_account(account)

    async def change_account(self, account: Account) -> None:
        await self._refuse_where_in_file(account.address)
        await self._database.change_account(account)

    async def remove_account(self, address: Address) -> None:
        await self._refuse_where_in_file(address)
        await self._database.remove_account(address)

    async def _refuse_where_in_file(self, address: Address) -> None:
        if await self._file.account(address) is not None:
            raise PermanentFailure(READ_ONLY)
