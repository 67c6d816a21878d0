"""How people logged in, in accounts.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from ipaddress import ip_address
from math import inf
from typing import Any, Final

import attrs
from zope.interface import implementer

from mailsuite.directory.bounded import Bounded
from mailsuite.directory.logins import (
    DAY,
    KEPT_LAST_SECONDS,
    KEPT_PEERS,
    KEPT_SECONDS,
    Way,
    is_forgotten,
    last_of_each_device,
    way_of,
    within_bounds,
)
from mailsuite.interfaces import ILogins
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.login import LoginRecord
from mailsuite.sqlite.database import Database, transaction

REWRITE_AFTER = 600.0
"""Seconds. Polls each minute cost one write in this time; after a crash the newest login is at most this
much older than it was."""
MAX_WAYS = 20_000
"""Remembered, so that they need not be written; some 10 MB."""

_SINCE: Final = "SELECT domain, local, device, service, mechanism, peer, at FROM login WHERE at >= ?"
_OF_ACCOUNT: Final = (
    "SELECT domain, local, device, service, mechanism, peer, at FROM login WHERE domain = ? AND local = ?"
)
_REPLACE: Final = (
    "INSERT OR REPLACE INTO login (domain, local, device, service, mechanism, peer, at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_BOUND: Final = (
    "DELETE FROM login WHERE number IN (SELECT number FROM login"
    " WHERE domain = ? AND local = ? AND device = ? AND service = ? AND mechanism = ?"
    " ORDER BY at DESC, number DESC LIMIT -1 OFFSET ?)"
)
_PRUNE: Final = (
    "DELETE FROM login WHERE at < ?1 OR at < ?2 AND EXISTS (SELECT 1 FROM login AS newer"
    " WHERE newer.domain = login.domain AND newer.local = login.local AND newer.device = login.device"
    " AND (newer.at, newer.number) > (login.at, login.number))"
)
_FORGET: Final = "DELETE FROM login WHERE domain = ? AND local = ?"
_FORGET_DEVICE: Final = "DELETE FROM login WHERE domain = ? AND local = ? AND device = ?"


@attrs.frozen
class _Known:
    """The newest login of one way, and when one was written down."""

    login: LoginRecord
    written: float


@implementer(ILogins)
@attrs.define(eq=False)
class SqliteLogins:
    """Logins in the Database of the accounts (sqlite/accounts.py has the SCHEMA).

    record() counts for every question at once, and comes back after a restart where it returned. Once a
    day, what is too old leaves.
    """

    _database: Database
    _cache: Bounded[Way, _Known] = attrs.field(factory=lambda: Bounded(MAX_WAYS), init=False)
    _pruned: float = attrs.field(default=-inf, init=False)

    async def record(self, login: LoginRecord) -> None:
        way = way_of(login)
        known = self._cache.get(way)
        if known is not None and 0 <= login.at - known.written < REWRITE_AFTER:
            self._cache.put(way, _Known(login, known.written))
            return
        self._cache.put(way, _Known(login, login.at))
        prunes = self._is_time_to_prune(login.at)
        try:
            await self._database.run(lambda connection: _write(connection, login, prunes))
        except MailFailure:
            self._pruned = -inf
            remembered = self._cache.get(way)
            if remembered is not None:
                self._cache.put(way, attrs.evolve(remembered, written=-inf))  # so the next one writes
            raise

    async def since(self, at: float) -> tuple[LoginRecord, ...]:
        rows = await self._database.run(lambda connection: _read(connection.execute(_SINCE, (at,))))
        return self._with_unwritten(rows, (login for login in self._remembered() if login.at >= at))

    async def of(self, account: Address) -> tuple[LoginRecord, ...]:
        which = (account.domain, account.local)
        rows = await self._database.run(lambda connection: _read(connection.execute(_OF_ACCOUNT, which)))
        unwritten = (login for login in self._remembered() if login.account == account)
        return self._with_unwritten(rows, unwritten)

    async def last_uses(self, account: Address) -> dict[str, LoginRecord]:
        return last_of_each_device(await self.of(account))

    async def forget(self, account: Address, device: str | None = None) -> None:
        for way, known in self._cache.items():
            if is_forgotten(known.login, account, device):
                self._cache.discard(way)
        await self._database.run(lambda connection: _erase(connection, account, device))

    def _is_time_to_prune(self, now: float) -> bool:
        """Whether a day has gone by since the last time; what is remembered is pruned now."""
        if 0 <= now - self._pruned < DAY:
            return False
        self._pruned = now
        for way, known in self._cache.items():
            if known.login.at < now - KEPT_SECONDS:
                self._cache.discard(way)
        return True

    def _remembered(self) -> Iterable[LoginRecord]:
        return (known.login for _, known in self._cache.items())

    def _with_unwritten(
        self, rows: Iterable[LoginRecord], unwritten: Iterable[LoginRecord]
    ) -> tuple[LoginRecord, ...]:
        """What is remembered is newer than what was written."""
        logins = {way_of(login): login for login in rows}
        logins.update((way_of(login), login) for login in unwritten)
        return within_bounds(logins.values())


def _read(rows: Iterable[tuple[Any, ...]]) -> tuple[LoginRecord, ...]:
    try:
        return tuple(
            LoginRecord(Address(local, domain), device, service, mechanism, ip_address(peer), at)
            for domain, local, device, service, mechanism, peer, at in rows
        )
    except ValueError as error:
        raise sqlite3.DataError("a row of the logins cannot be read") from error


def _write(connection: sqlite3.Connection, login: LoginRecord, prunes: bool) -> None:
    account, *rest = way_of(login)
    values = (account.domain, account.local, *rest)
    with transaction(connection):
        connection.execute(_REPLACE, (*values, login.at))
        connection.execute(_BOUND, (*values[:-1], KEPT_PEERS))
        if prunes:
            connection.execute(_PRUNE, (login.at - KEPT_LAST_SECONDS, login.at - KEPT_SECONDS))


def _erase(connection: sqlite3.Connection, account: Address, device: str | None) -> None:
    which = (account.domain, account.local)
    with transaction(connection):
        if device is None:
            connection.execute(_FORGET, which)
        else:
            connection.execute(_FORGET_DEVICE, (*which, device))
