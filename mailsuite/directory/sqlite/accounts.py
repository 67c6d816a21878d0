"""The accounts of accounts.db, with their devices and verifiers; domains and aliases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import attrs
from zope.interface import implementer

from mailsuite.directory.lower import ILowerDirectory
from mailsuite.directory.sqlite import aliases as alias_rows
from mailsuite.directory.sqlite import statements as sql
from mailsuite.directory.sqlite.cache import NOTHING, UNSURE, AccountCache, Kept
from mailsuite.directory.sqlite.rows import (
    account_values,
    device_values,
    domain_values,
    key,
    read_account,
    read_device,
    read_domain,
)
from mailsuite.directory.sqlite.schema import SCHEMA
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import (
    ALREADY_EXISTS,
    NO_SUCH_ACCOUNT,
    NO_SUCH_ALIAS,
    NO_SUCH_DEVICE,
    NO_SUCH_DOMAIN,
    Reply,
)
from mailsuite.sqlite.database import Database, transaction

T = TypeVar("T")

__all__ = ["SCHEMA", "SqliteDirectory"]


@implementer(ILowerDirectory)
@attrs.define(eq=False)
class SqliteDirectory:
    """Accounts in a Database with SCHEMA. An answer that is in the cache costs no thread; a change is in
    the cache before it is acknowledged. All that a login asks of one address is read at once."""

    _database: Database
    _cache: AccountCache = attrs.field(factory=AccountCache, init=False)

    async def account(self, address: Address) -> Account | None:
        return (await self._kept(address)).account

    async def has_domain(self, name: str) -> bool:
        return await self.domain(name) is not None

    async def domain(self, name: str) -> Domain | None:
        known = self._cache.domain(name)
        if known is UNSURE:
            return next((one for one in await self.domains() if one.name == name), None)
        return known

    async def accounts(self) -> tuple[Account, ...]:
        return await self._database.run(
            lambda connection: tuple(map(read_account, connection.execute(sql.LIST_ACCOUNTS)))
        )

    async def members(self, domain: str) -> tuple[Address, ...]:
        def read(connection: sqlite3.Connection) -> tuple[Address, ...]:
            return tuple(Address(local, domain) for (local,) in connection.execute(sql.MEMBERS, (domain,)))

        return await self._database.run(read)

    async def domains(self) -> tuple[Domain, ...]:
        return await self._database.run(self._find_domains)

    async def add_domain(self, name: str) -> None:
        def add(connection: sqlite3.Connection) -> None:
            inserted = connection.execute(sql.INSERT_DOMAIN, (name,))
            _refuse_unless(inserted.rowcount, ALREADY_EXISTS)

        await self._write(add, domains=True)

    async def change_domain(self, domain: Domain) -> None:
        def change(connection: sqlite3.Connection) -> None:
            changed = connection.execute(sql.UPDATE_DOMAIN, (*domain_values(domain), domain.name))
            _refuse_unless(changed.rowcount, NO_SUCH_DOMAIN)

        await self._write(change, domains=True)

    async def alias(self, address: Address) -> Alias | None:
        return (await self._kept(address)).alias

    async def aliases(self) -> tuple[Alias, ...]:
        return await self._database.run(alias_rows.read_all)

    async def aliases_to(self, target: Address) -> tuple[Address, ...]:
        return await self._database.run(lambda connection: alias_rows.leading_to(connection, target))

    async def add_alias(self, alias: Alias) -> None:
        def add(connection: sqlite3.Connection) -> None:
            inserted = connection.execute(sql.INSERT_ALIAS, key(alias.address))
            _refuse_unless(inserted.rowcount, ALREADY_EXISTS)
            alias_rows.put_targets(connection, alias)

        await self._write(add, alias.address)

    async def change_alias(self, alias: Alias) -> None:
        def change(connection: sqlite3.Connection) -> None:
            _refuse_unless(alias_rows.read(connection, alias.address), NO_SUCH_ALIAS)
            connection.execute(sql.DELETE_TARGETS, key(alias.address))
            alias_rows.put_targets(connection, alias)

        await self._write(change, alias.address)

    async def remove_alias(self, address: Address) -> None:
        def remove(connection: sqlite3.Connection) -> None:
            removed = connection.execute(sql.DELETE_ALIAS, key(address))
            _refuse_unless(removed.rowcount, NO_SUCH_ALIAS)

        await self._write(remove, address)

    async def add_account(self, account: Account) -> None:
        address = account.address

        def add(connection: sqlite3.Connection) -> None:
            _refuse_unless(not _has_account(connection, address), ALREADY_EXISTS)
            connection.execute(sql.INSERT_DOMAIN, (address.domain,))
            connection.execute(sql.INSERT_ACCOUNT, (*key(address), *account_values(account)))
            _strip(connection, address)

        await self._write(add, address, domains=True)

    async def change_account(self, account: Account) -> None:
        def change(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                sql.UPDATE_ACCOUNT, (*account_values(account), *key(account.address))
            )
            _refuse_unless(changed.rowcount, NO_SUCH_ACCOUNT)

        await self._write(change, account.address)

    async def replace_hash(self, account: Address, old: str, new: str) -> bool:
        def replace(connection: sqlite3.Connection) -> bool:
            return connection.execute(sql.REPLACE_HASH, (new, *key(account), old)).rowcount > 0

        return await self._write(replace, account)

    async def remove_account(self, address: Address) -> None:
        def remove(connection: sqlite3.Connection) -> None:
            removed = connection.execute(sql.DELETE_ACCOUNT, key(address))
            _refuse_unless(removed.rowcount, NO_SUCH_ACCOUNT)
            _strip(connection, address)

        await self._write(remove, address)

    async def devices(self, account: Address, elsewhere: bool = False) -> tuple[Device, ...]:
        kept = await self._kept(account)
        return kept.devices if elsewhere or kept.account is not None else ()

    async def all_devices(self) -> tuple[tuple[Address, Device], ...]:
        def read(connection: sqlite3.Connection) -> tuple[tuple[Address, Device], ...]:
            rows = connection.execute(sql.LIST_DEVICES)
            return tuple((Address(local, domain), read_device(row)) for domain, local, *row in rows)

        return await self._database.run(read)

    async def add_device(self, account: Address, device: Device, elsewhere: bool = False) -> None:
        def add(connection: sqlite3.Connection) -> None:
            _refuse_unless(elsewhere or _has_account(connection, account), NO_SUCH_ACCOUNT)
            values = (*key(account), device.id, *device_values(device))
            _refuse_unless(connection.execute(sql.INSERT_DEVICE, values).rowcount, ALREADY_EXISTS)

        await self._write(add, account)

    async def change_device(self, account: Address, device: Device) -> None:
        which = (*key(account), device.id)

        def change(connection: sqlite3.Connection) -> None:
            _refuse_unless(connection.execute(sql.HAS_DEVICE, which).fetchone(), NO_SUCH_DEVICE)
            namesake = connection.execute(sql.HAS_NAMESAKE, (*which, device.folded)).fetchone()
            _refuse_unless(namesake is None, ALREADY_EXISTS)
            connection.execute(sql.UPDATE_DEVICE, (*device_values(device), *which))

        await self._write(change, account)

    async def remove_device(self, account: Address, id: str) -> None:
        def remove(connection: sqlite3.Connection) -> None:
            removed = connection.execute(sql.DELETE_DEVICE, (*key(account), id))
            _refuse_unless(removed.rowcount, NO_SUCH_DEVICE)

        await self._write(remove, account)

    async def verifiers(self, account: Address, elsewhere: bool = False) -> bytes:
        kept = await self._kept(account)
        return kept.verifiers if elsewhere or kept.account is not None else b""

    async def all_verifiers(self) -> tuple[tuple[Address, bytes], ...]:
        def read(connection: sqlite3.Connection) -> tuple[tuple[Address, bytes], ...]:
            rows = connection.execute(sql.LIST_VERIFIERS)
            return tuple((Address(local, domain), sealed) for domain, local, sealed in rows)

        return await self._database.run(read)

    async def keep_verifiers(self, account: Address, sealed: bytes, elsewhere: bool = False) -> None:
        def keep(connection: sqlite3.Connection) -> None:
            _refuse_unless(elsewhere or _has_account(connection, account), NO_SUCH_ACCOUNT)
            connection.execute(sql.DELETE_VERIFIERS, key(account))
            if sealed:
                connection.execute(sql.INSERT_VERIFIERS, (*key(account), sealed))

        await self._write(keep, account)

    async def replace_verifiers(
        self, account: Address, old: bytes, new: bytes, elsewhere: bool = False
    ) -> bool:
        def replace(connection: sqlite3.Connection) -> bool:
            kept = connection.execute(sql.FIND_VERIFIERS, key(account)).fetchone()
            if old != (kept[0] if kept is not None else b""):
                return False
            if not (old or elsewhere or _has_account(connection, account)):
                return False
            connection.execute(sql.DELETE_VERIFIERS, key(account))
            connection.execute(sql.INSERT_VERIFIERS, (*key(account), new))
            return True

        return await self._write(replace, account)

    async def _kept(self, address: Address) -> Kept:
        known = self._cache.kept(address)
        if known is UNSURE:
            return await self._database.run(lambda connection: self._find(connection, address))
        return known

    async def _write(
        self, work: Callable[[sqlite3.Connection], T], address: Address | None = None, domains: bool = False
    ) -> T:
        """Do *work* in a transaction, and answer what it does; in the same thread, so in the order of the
        commits, learn what is kept of *address* now, and with *domains* what is kept of them."""

        def write(connection: sqlite3.Connection) -> T:
            try:
                with transaction(connection):
                    done = work(connection)
                    kept = _read(connection, address) if address is not None else None
                    ours = _read_domains(connection) if domains else None
            except sqlite3.Error:
                self._cache.forget()
                raise
            if address is not None and kept is not None:
                self._cache.learn(address, kept)
            if ours is not None:
                self._cache.learn_domains(ours)
            return done

        return await self._database.run(write)

    def _find(self, connection: sqlite3.Connection, address: Address) -> Kept:
        try:
            kept = _read(connection, address)
        except UnicodeEncodeError:  # a lone surrogate, which no row can hold
            return NOTHING
        self._cache.learn(address, kept)
        return kept

    def _find_domains(self, connection: sqlite3.Connection) -> tuple[Domain, ...]:
        domains = _read_domains(connection)
        self._cache.learn_domains(domains)
        return domains


def _read(connection: sqlite3.Connection, address: Address) -> Kept:
    """All that is kept of an address."""
    which = key(address)
    account = connection.execute(sql.FIND_ACCOUNT, which).fetchone()
    devices = connection.execute(sql.FIND_DEVICES, which)
    verifiers = connection.execute(sql.FIND_VERIFIERS, which).fetchone()
    return Kept(
        read_account(account) if account is not None else None,
        tuple(map(read_device, devices)),
        verifiers[0] if verifiers is not None else b"",
        alias_rows.read(connection, address),
    )


def _read_domains(connection: sqlite3.Connection) -> tuple[Domain, ...]:
    return tuple(map(read_domain, connection.execute(sql.LIST_DOMAINS)))


def _has_account(connection: sqlite3.Connection, address: Address) -> bool:
    return connection.execute(sql.FIND_ACCOUNT, key(address)).fetchone() is not None


def _strip(connection: sqlite3.Connection, address: Address) -> None:
    """Take away what proves that somebody is this account."""
    connection.execute(sql.DELETE_DEVICES, key(address))
    connection.execute(sql.DELETE_VERIFIERS, key(address))


def _refuse_unless(done: object, reply: Reply) -> None:
    if not done:
        raise PermanentFailure(reply)
