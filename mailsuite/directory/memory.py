"""Who exists, held in memory: the accounts of the configuration file, and the fake that tests use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from zope.interface import implementer

from mailsuite.directory.lower import ILowerDirectory
from mailsuite.directory.order import (
    sorted_accounts,
    sorted_aliases,
    sorted_by_owner,
    sorted_devices,
    sorted_domains,
    sorted_owned_devices,
)
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.failure import MailFailure, PermanentFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import (
    ALREADY_EXISTS,
    NO_SUCH_ACCOUNT,
    NO_SUCH_ALIAS,
    NO_SUCH_DEVICE,
    NO_SUCH_DOMAIN,
    READ_ONLY,
)


@implementer(ILowerDirectory)
@attrs.define(eq=False)
class MemoryDirectory:
    """Accounts, domains and aliases, devices and verifiers in dictionaries.

    One of ``Origin.FILE`` answers READ_ONLY to every change that would otherwise succeed; whatever
    origin the given values carry, they come out with this one. The domains of the accounts are ours,
    named or not. Tests make everything fail by ``refuse_with``.
    """

    initial_accounts: Iterable[Account] = ()
    initial_domains: Iterable[Domain] = ()
    origin: Origin = Origin.DATABASE
    refuse_with: MailFailure | None = None
    initial_devices: Mapping[Address, Sequence[Device]] = attrs.field(factory=dict)
    initial_verifiers: Mapping[Address, bytes] = attrs.field(factory=dict, repr=False)
    initial_aliases: Iterable[Alias] = ()
    _accounts: dict[Address, Account] = attrs.field(factory=dict, init=False)
    _domains: dict[str, Domain] = attrs.field(factory=dict, init=False)
    _aliases: dict[Address, Alias] = attrs.field(factory=dict, init=False)
    _devices: dict[str, tuple[Address, Device]] = attrs.field(factory=dict, init=False)
    """By id."""
    _verifiers: dict[Address, bytes] = attrs.field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for domain in self.initial_domains:
            self._domains[domain.name] = attrs.evolve(domain, origin=self.origin)
        for alias in self.initial_aliases:
            self._put_alias(alias)
        for account in self.initial_accounts:
            self._put(account)
        for address, devices in self.initial_devices.items():
            for device in devices:
                if device.id in self._devices:
                    raise ValueError(f"two devices have the id {device.id}")
                self._put_device(address, device)
        self._verifiers.update(self.initial_verifiers)

    async def account(self, address: Address) -> Account | None:
        self._refuse()
        return self._accounts.get(address)

    async def has_domain(self, name: str) -> bool:
        self._refuse()
        return name in self._domains

    async def domain(self, name: str) -> Domain | None:
        self._refuse()
        return self._domains.get(name)

    async def accounts(self) -> tuple[Account, ...]:
        self._refuse()
        return sorted_accounts(self._accounts.values())

    async def members(self, domain: str) -> tuple[Address, ...]:
        self._refuse()
        return tuple(sorted(address for address in self._accounts if address.domain == domain))

    async def domains(self) -> tuple[Domain, ...]:
        self._refuse()
        return sorted_domains(self._domains.values())

    async def add_domain(self, name: str) -> None:
        self._refuse()
        if name in self._domains:
            raise PermanentFailure(ALREADY_EXISTS)
        self._refuse_where_read_only()
        self._domains[name] = Domain(name, self.origin)

    async def change_domain(self, domain: Domain) -> None:
        self._refuse()
        if domain.name not in self._domains:
            raise PermanentFailure(NO_SUCH_DOMAIN)
        self._refuse_where_read_only()
        self._domains[domain.name] = attrs.evolve(domain, origin=self.origin)

    async def alias(self, address: Address) -> Alias | None:
        self._refuse()
        return self._aliases.get(address)

    async def aliases(self) -> tuple[Alias, ...]:
        self._refuse()
        return sorted_aliases(self._aliases.values())

    async def aliases_to(self, target: Address) -> tuple[Address, ...]:
        return tuple(alias.address for alias in await self.aliases() if target in alias.targets)

    async def add_alias(self, alias: Alias) -> None:
        self._refuse()
        if alias.address in self._aliases:
            raise PermanentFailure(ALREADY_EXISTS)
        self._refuse_where_read_only()
        self._put_alias(alias)

    async def change_alias(self, alias: Alias) -> None:
        self._refuse_where_no_alias(alias.address)
        self._put_alias(alias)

    async def remove_alias(self, address: Address) -> None:
        self._refuse_where_no_alias(address)
        del self._aliases[address]

    async def add_account(self, account: Account) -> None:
        self._refuse()
        if account.address in self._accounts:
            raise PermanentFailure(ALREADY_EXISTS)
        self._refuse_where_read_only()
        self._strip(account.address)
        self._put(account)

    async def change_account(self, account: Account) -> None:
        self._refuse_where_missing(account.address)
        self._refuse_where_read_only()
        self._put(account)

    async def replace_hash(self, account: Address, old: str, new: str) -> bool:
        self._refuse()
        kept = self._accounts.get(account)
        if kept is None or kept.password_hash != old:
            return False
        self._refuse_where_read_only()
        self._put(attrs.evolve(kept, password_hash=new))
        return True

    async def remove_account(self, address: Address) -> None:
        self._refuse_where_missing(address)
        self._refuse_where_read_only()
        self._strip(address)
        del self._accounts[address]

    async def devices(self, account: Address, elsewhere: bool = False) -> tuple[Device, ...]:
        self._refuse()
        if not elsewhere and account not in self._accounts:
            return ()
        return sorted_devices(device for owner, device in self._devices.values() if owner == account)

    async def all_devices(self) -> tuple[tuple[Address, Device], ...]:
        self._refuse()
        return sorted_owned_devices(self._devices.values())

    async def add_device(self, account: Address, device: Device, elsewhere: bool = False) -> None:
        self._refuse_where_missing(account, elsewhere)
        self._refuse_where_taken(account, device)
        if device.id in self._devices:
            raise PermanentFailure(ALREADY_EXISTS)
        self._refuse_where_read_only()
        self._put_device(account, device)

    async def change_device(self, account: Address, device: Device) -> None:
        self._refuse_where_no_device(account, device.id)
        self._refuse_where_taken(account, device)
        self._put_device(account, device)

    async def remove_device(self, account: Address, id: str) -> None:
        self._refuse_where_no_device(account, id)
        del self._devices[id]

    async def verifiers(self, account: Address, elsewhere: bool = False) -> bytes:
        self._refuse()
        return self._verifiers.get(account, b"") if elsewhere or account in self._accounts else b""

    async def all_verifiers(self) -> tuple[tuple[Address, bytes], ...]:
        self._refuse()
        return sorted_by_owner(self._verifiers.items())

    async def keep_verifiers(self, account: Address, sealed: bytes, elsewhere: bool = False) -> None:
        self._refuse_where_missing(account, elsewhere)
        self._refuse_where_read_only()
        self._verifiers.pop(account, None)
        if sealed:
            self._verifiers[account] = sealed

    async def replace_verifiers(
        self, account: Address, old: bytes, new: bytes, elsewhere: bool = False
    ) -> bool:
        self._refuse()
        if self._verifiers.get(account, b"") != old:
            return False
        if not old and not elsewhere and account not in self._accounts:
            return False
        self._refuse_where_read_only()
        self._verifiers[account] = new
        return True

    def _put(self, account: Account) -> None:
        self._accounts[account.address] = attrs.evolve(account, origin=self.origin)
        self._domains.setdefault(account.address.domain, Domain(account.address.domain, self.origin))

    def _put_alias(self, alias: Alias) -> None:
        self._aliases[alias.address] = attrs.evolve(alias, origin=self.origin)

    def _put_device(self, account: Address, device: Device) -> None:
        self._devices[device.id] = (account, attrs.evolve(device, origin=self.origin))

    def _strip(self, account: Address) -> None:
        """Take away what proves that somebody is this account."""
        self._devices = {id: owned for id, owned in self._devices.items() if owned[0] != account}
        self._verifiers.pop(account, None)

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with

    def _refuse_where_missing(self, address: Address, elsewhere: bool = False) -> None:
        self._refuse()
        if not elsewhere and address not in self._accounts:
            raise PermanentFailure(NO_SUCH_ACCOUNT)

    def _refuse_where_no_alias(self, address: Address) -> None:
        self._refuse()
        if address not in self._aliases:
            raise PermanentFailure(NO_SUCH_ALIAS)
        self._refuse_where_read_only()

    def _refuse_where_no_device(self, account: Address, id: str) -> None:
        self._refuse()
        owned = self._devices.get(id)
        if owned is None or owned[0] != account:
            raise PermanentFailure(NO_SUCH_DEVICE)
        self._refuse_where_read_only()

    def _refuse_where_taken(self, account: Address, device: Device) -> None:
        """Refuse where another device of the account has this one's name."""
        for owner, other in self._devices.values():
            if owner == account and other.folded == device.folded and other.id != device.id:
                raise PermanentFailure(ALREADY_EXISTS)

    def _refuse_where_read_only(self) -> None:
        if self.origin is Origin.FILE:
            raise PermanentFailure(READ_ONLY)
