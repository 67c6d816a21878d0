"""Who exists, held in memory: the accounts of the configuration file, and the fake that tests use."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain, Origin
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT, READ_ONLY


@implementer(IAccountDirectory)
@attrs.define(eq=False)
class MemoryDirectory:
    """Accounts and domains in two dictionaries.

    One of ``Origin.FILE`` answers READ_ONLY to every change that would otherwise succeed; whatever
    origin the given values carry, they come out with this one. The domains of the accounts are ours,
    named or not. Tests make everything fail by ``refuse_with``.
    """

    initial_accounts: Iterable[Account] = ()
    initial_domains: Iterable[Domain] = ()
    origin: Origin = Origin.DATABASE
    refuse_with: MailFailure | None = None
    _accounts: dict[Address, Account] = attrs.field(factory=dict, init=False)
    _domains: dict[str, Domain] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        for domain in self.initial_domains:
            self._domains[domain.name] = Domain(domain.name, self.origin)
        for account in self.initial_accounts:
            self._put(account)

    async def account(self, address: Address) -> Account | None:
        self._refuse()
        return self._accounts.get(address)

    async def has_domain(self, name: str) -> bool:
        self._refuse()
        return name in self._domains

    async def accounts(self) -> tuple[Account, ...]:
        self._refuse()
        return sorted_accounts(self._accounts.values())

    async def domains(self) -> tuple[Domain, ...]:
        self._refuse()
        return sorted_domains(self._domains.values())

    async def add_domain(self, name: str) -> None:
        self._refuse()
        if name in self._domains:
            raise PermanentFailure(ALREADY_EXISTS)
        self._refuse_where_read_only()
        self._domains[name] = Domain(name, self.origin)

    async def add_account(self, account: Account) -> None:
        self._refuse()
        if account.address in self._accounts:
            raise PermanentFailure(ALREADY_EXISTS)
        self._refuse_where_read_only()
        self._put(account)

    async def change_account(self, account: Account) -> None:
        self._refuse_where_missing(account.address)
        self._put(account)

    async def remove_account(self, address: Address) -> None:
        self._refuse_where_missing(address)
        del self._accounts[address]

    def _put(self, account: Account) -> None:
        self._accounts[account.address] = attrs.evolve(account, origin=self.origin)
        self._domains.setdefault(account.address.domain, Domain(account.address.domain, self.origin))

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with

    def _refuse_where_missing(self, address: Address) -> None:
        self._refuse()
        if address not in self._accounts:
            raise PermanentFailure(NO_SUCH_ACCOUNT)
        self._refuse_where_read_only()

    def _refuse_where_read_only(self) -> None:
        if self.origin is Origin.FILE:
            raise PermanentFailure(READ_ONLY)


def sorted_accounts(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """By domain, then local part."""
    return tuple(sorted(accounts, key=lambda account: (account.address.domain, account.address.local)))


def sorted_domains(domains: Iterable[Domain]) -> tuple[Domain, ...]:
    """By name."""
    return tuple(sorted(domains, key=lambda domain: domain.name))
