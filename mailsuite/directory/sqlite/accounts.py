"""The accounts of accounts.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import attrs
from zope.interface import implementer

from mailsuite.directory.sqlite.cache import UNSURE, AccountCache
from mailsuite.directory.sqlite.database import Database, Schema, transaction
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.account import Account, Domain, NotifyPreference, NotifyState, Origin
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT, Reply

SCHEMA: Schema = (
    (
        "CREATE TABLE domain (name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
        """CREATE TABLE account (
            local TEXT NOT NULL,
            domain TEXT NOT NULL REFERENCES domain (name),
            name TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            notify_state TEXT CHECK (notify_state IN ('off', 'last-ip', 'static')),
            notify_address TEXT,
            notify_port INTEGER NOT NULL,
            PRIMARY KEY (domain, local)
        ) STRICT, WITHOUT ROWID""",
    ),
)
"""``notify_state`` NULL: as the configuration's default says."""

_LIST = (
    "SELECT local, domain, name, password_hash, notify_state, notify_address, notify_port FROM account"
    " ORDER BY domain, local"
)
_FIND = (
    "SELECT local, domain, name, password_hash, notify_state, notify_address, notify_port FROM account"
    " WHERE domain = ? AND local = ?"
)
_INSERT = (
    "INSERT INTO account (name, password_hash, notify_state, notify_address, notify_port, domain, local)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE account SET name = ?, password_hash = ?, notify_state = ?, notify_address = ?, notify_port = ?"
    " WHERE domain = ? AND local = ?"
)
_DELETE = "DELETE FROM account WHERE domain = ? AND local = ?"


@implementer(IAccountDirectory)
@attrs.define(eq=False)
class SqliteDirectory:
    """Accounts in a Database with SCHEMA. An answer that is in the cache costs no thread; a change is in
    the cache before it is acknowledged."""

    _database: Database
    _cache: AccountCache = attrs.field(factory=AccountCache, init=False)

    async def account(self, address: Address) -> Account | None:
        known = self._cache.account(address)
        if known is UNSURE:
            return await self._database.run(lambda connection: self._find(connection, address))
        return known

    async def has_domain(self, name: str) -> bool:
        known = self._cache.has_domain(name)
        if known is UNSURE:
            return name in await self._database.run(self._find_domains)
        return known

    async def accounts(self) -> tuple[Account, ...]:
        return await self._database.run(lambda connection: tuple(map(_account, connection.execute(_LIST))))

    async def domains(self) -> tuple[Domain, ...]:
        return tuple(map(Domain, await self._database.run(self._find_domains)))

    async def add_domain(self, name: str) -> None:
        def add(connection: sqlite3.Connection) -> None:
            inserted = connection.execute("INSERT OR IGNORE INTO domain (name) VALUES (?)", (name,))
            _refuse_unless(inserted.rowcount, ALREADY_EXISTS)

        await self._write(add, lambda: self._cache.learn_domain(name))

    async def add_account(self, account: Account) -> None:
        address, kept = account.address, attrs.evolve(account, origin=Origin.DATABASE)

        def add(connection: sqlite3.Connection) -> None:
            _refuse_unless(not connection.execute(_FIND, _key(address)).fetchone(), ALREADY_EXISTS)
            connection.execute("INSERT OR IGNORE INTO domain (name) VALUES (?)", (address.domain,))
            connection.execute(_INSERT, (*_values(account), *_key(address)))

        def learn() -> None:
            self._cache.learn(address, kept)
            self._cache.learn_domain(address.domain)

        await self._write(add, learn)

    async def change_account(self, account: Account) -> None:
        address, kept = account.address, attrs.evolve(account, origin=Origin.DATABASE)

        def change(connection: sqlite3.Connection) -> None:
            changed = connection.execute(_UPDATE, (*_values(account), *_key(address)))
            _refuse_unless(changed.rowcount, NO_SUCH_ACCOUNT)

        await self._write(change, lambda: self._cache.learn(address, kept))

    async def remove_account(self, address: Address) -> None:
        def remove(connection: sqlite3.Connection) -> None:
            removed = connection.execute(_DELETE, _key(address))
            _refuse_unless(removed.rowcount, NO_SUCH_ACCOUNT)

        await self._write(remove, lambda: self._cache.learn(address, None))

    async def _write(self, work: Callable[[sqlite3.Connection], None], learn: Callable[[], None]) -> None:
        """Do *work* in a transaction; in the same thread, so in the order of the commits, *learn* of it."""

        def write(connection: sqlite3.Connection) -> None:
            try:
                with transaction(connection):
                    work(connection)
            except sqlite3.Error:
                self._cache.forget()
                raise
            learn()

        await self._database.run(write)

    def _find(self, connection: sqlite3.Connection, address: Address) -> Account | None:
        try:
            row = connection.execute(_FIND, _key(address)).fetchone()
        except UnicodeEncodeError:  # a lone surrogate, which no row can hold
            return None
        account = _account(row) if row is not None else None
        self._cache.learn(address, account)
        return account

    def _find_domains(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        names = tuple(name for (name,) in connection.execute("SELECT name FROM domain ORDER BY name"))
        self._cache.learn_domains(names)
        return names


def _key(address: Address) -> tuple[str, str]:
    return address.domain, address.local


def _values(account: Account) -> tuple[object, ...]:
    state, address = account.notify.state, account.notify.address
    return (
        account.name,
        account.password_hash,
        state.value if state is not None else None,
        str(address) if address is not None else None,
        account.notify.port,
    )


def _account(row: tuple[Any, ...]) -> Account:
    local, domain, name, password_hash, state, address, port = row
    try:
        notify = NotifyPreference(
            NotifyState(state) if state is not None else None,
            ip_address(address) if address is not None else None,
            port,
        )
    except ValueError as error:
        raise sqlite3.DataError(f"the row of {local}@{domain} cannot be read") from error
    return Account(Address(local, domain), name, password_hash, notify)


def _refuse_unless(done: object, reply: Reply) -> None:
    if not done:
        raise PermanentFailure(reply)
