"""Bans, in accounts.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any, Final

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IBans
from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.sqlite.database import Database, transaction

CREATE_TABLE: Final = """CREATE TABLE ban (
    network TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL,
    times INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT, WITHOUT ROWID"""
"""For a schema step of the database that this is given. None that lasts until a restart stands there."""


@implementer(IBans)
@attrs.frozen(eq=False)
class SqliteBans:
    """Bans in a Database whose schema has CREATE_TABLE."""

    _database: Database

    async def bans(self) -> tuple[Ban, ...]:
        return await self._database.run(_read)

    async def keep(self, ban: Ban) -> None:
        await self._database.run(lambda connection: _write(connection, ban))

    async def drop(self, network: IPNetwork) -> bool:
        return await self._database.run(lambda connection: _erase(connection, network))


def _read(connection: sqlite3.Connection) -> tuple[Ban, ...]:
    rows = connection.execute("SELECT network, reason, since, until, times, detail FROM ban ORDER BY since")
    return tuple(_bans(rows))


def _bans(rows: Iterable[tuple[Any, ...]]) -> Iterable[Ban]:
    for network, *rest in rows:
        try:
            yield Ban(ip_network(network), *rest)
        except ValueError as error:
            raise sqlite3.DataError(f"the ban of {network!r} cannot be read") from error


def _write(connection: sqlite3.Connection, ban: Ban) -> None:
    with transaction(connection):
        connection.execute("DELETE FROM ban WHERE network = ?", (str(ban.network),))
        if ban.until is not None:
            connection.execute(
                "INSERT INTO ban (network, reason, since, until, times, detail) VALUES (?, ?, ?, ?, ?, ?)",
                (str(ban.network), ban.reason, ban.since, ban.until, ban.times, ban.detail),
            )


def _erase(connection: sqlite3.Connection, network: IPNetwork) -> bool:
    with transaction(connection):
        return connection.execute("DELETE FROM ban WHERE network = ?", (str(network),)).rowcount > 0
