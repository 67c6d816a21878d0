"""The accounts of accounts.db, with their devices and verifiers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import attrs
from zope.interface import implementer

from mailsuite.directory.lower import ILowerDirectory
from mailsuite.directory.sqlite import bans
from mailsuite.directory.sqlite import statements as sql
from mailsuite.directory.sqlite.cache import NOTHING, UNSURE, AccountCache, Kept
from mailsuite.directory.sqlite.database import Database, Schema, transaction
from mailsuite.directory.sqlite.rows import account_values, device_values, key, read_account, read_device
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_ACCOUNT, NO_SUCH_DEVICE, Reply

T = TypeVar("T")

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
    (
        """ALTER TABLE account ADD COLUMN state TEXT NOT NULL DEFAULT 'enabled'
            CHECK (state IN ('enabled', 'off', 'forward'))""",
        "ALTER TABLE account ADD COLUMN forward_local TEXT",
        """ALTER TABLE account ADD COLUMN forward_domain TEXT
            CHECK ((forward_local IS NULL) = (forward_domain IS NULL))""",
        "ALTER TABLE account ADD COLUMN keep_copy INTEGER NOT NULL DEFAULT 0 CHECK (keep_copy IN (0, 1))",
        "ALTER TABLE account ADD COLUMN pop3 INTEGER NOT NULL DEFAULT 1 CHECK (pop3 IN (0, 1))",
        """CREATE TABLE device (
            id TEXT NOT NULL PRIMARY KEY,
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            name TEXT NOT NULL,
            folded TEXT NOT NULL,
            sealed BLOB NOT NULL,
            scopes TEXT NOT NULL,
            mechanisms TEXT NOT NULL,
            networks TEXT NOT NULL,
            expires REAL,
            created REAL NOT NULL,
            UNIQUE (domain, local, folded)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE verifiers (
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (domain, local)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE login (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            domain TEXT NOT NULL,
            local TEXT NOT NULL,
            device TEXT NOT NULL,
            service TEXT NOT NULL,
            mechanism TEXT NOT NULL,
            peer TEXT NOT NULL,
            at REAL NOT NULL,
            UNIQUE (domain, local, device, service, mechanism, peer)
        ) STRICT""",
        "CREATE INDEX login_at ON login (at)",
    ),
    (
        """ALTER TABLE account ADD COLUMN own_retention INTEGER NOT NULL DEFAULT 0
            CHECK (own_retention IN (0, 1))""",
        "ALTER TABLE account ADD COLUMN delete_after REAL",
        "ALTER TABLE account ADD COLUMN delete_unread_after REAL",
        "ALTER TABLE device ADD COLUMN view INTEGER NOT NULL DEFAULT 0 CHECK (view IN (0, 1))",
    ),
    (bans.CREATE_TABLE,),
)
"""``notify_state`` NULL: as the configuration's default says. Devices, verifiers and logins refer to no
account, because an account of the configuration file has them too; ``folded`` is the device's name without
its letter case; ``delete_after`` NULL: never, where ``own_retention`` is 1, else as the domain says; the
table ``login`` is sqlite/logins.py's, where ``number`` grows with every recording, and ``ban`` is
sqlite/bans.py's."""


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
        known = self._cache.has_domain(name)
        if known is UNSURE:
            return name in await self._database.run(self._find_domains)
        return known

    async def accounts(self) -> tuple[Account, ...]:
        return await self._database.run(
            lambda connection: tuple(map(read_account, connection.execute(sql.LIST_ACCOUNTS)))
        )

    async def domains(self) -> tuple[Domain, ...]:
        return tuple(map(Domain, await self._database.run(self._find_domains)))

    async def add_domain(self, name: str) -> None:
        def add(connection: sqlite3.Connection) -> None:
            inserted = connection.execute(sql.INSERT_DOMAIN, (name,))
            _refuse_unless(inserted.rowcount, ALREADY_EXISTS)

        await self._write(add, domain=name)

    async def add_account(self, account: Account) -> None:
        address = account.address

        def add(connection: sqlite3.Connection) -> None:
            _refuse_unless(not _has_account(connection, address), ALREADY_EXISTS)
            connection.execute(sql.INSERT_DOMAIN, (address.domain,))
            connection.execute(sql.INSERT_ACCOUNT, (*key(address), *account_values(account)))
            _strip(connection, address)

        await self._write(add, address, address.domain)

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
        self, work: Callable[[sqlite3.Connection], T], address: Address | None = None, domain: str = ""
    ) -> T:
        """Do *work* in a transaction, and answer what it does; in the same thread, so in the order of the
        commits, learn what is kept of *address* now, and that *domain* is ours."""

        def write(connection: sqlite3.Connection) -> T:
            try:
                with transaction(connection):
                    done = work(connection)
                    kept = _read(connection, address) if address is not None else None
            except sqlite3.Error:
                self._cache.forget()
                raise
            if address is not None and kept is not None:
                self._cache.learn(address, kept)
            if domain:
                self._cache.learn_domain(domain)
            return done

        return await self._database.run(write)

    def _find(self, connection: sqlite3.Connection, address: Address) -> Kept:
        try:
            kept = _read(connection, address)
        except UnicodeEncodeError:  # a lone surrogate, which no row can hold
            return NOTHING
        self._cache.learn(address, kept)
        return kept

    def _find_domains(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        names = tuple(name for (name,) in connection.execute(sql.LIST_DOMAINS))
        self._cache.learn_domains(names)
        return names


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
    )


def _has_account(connection: sqlite3.Connection, address: Address) -> bool:
    return connection.execute(sql.FIND_ACCOUNT, key(address)).fetchone() is not None


def _strip(connection: sqlite3.Connection, address: Address) -> None:
    """Take away what proves that somebody is this account."""
    connection.execute(sql.DELETE_DEVICES, key(address))
    connection.execute(sql.DELETE_VERIFIERS, key(address))


def _refuse_unless(done: object, reply: Reply) -> None:
    if not done:
        raise PermanentFailure(reply)
