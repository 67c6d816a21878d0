"""Where each account was seen last, in notify.db."""

from __future__ import annotations

import sqlite3
from ipaddress import ip_address
from math import inf

import attrs
from zope.interface import implementer

from mailsuite.directory.bounded import Bounded
from mailsuite.directory.sightings import KEPT, Sighting, newest_since, with_newest
from mailsuite.interfaces import ISightings
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.sqlite.database import Database, Schema, transaction

SCHEMA: Schema = (
    (
        """CREATE TABLE sighting (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            peer TEXT NOT NULL,
            at REAL NOT NULL,
            UNIQUE (account, peer)
        ) STRICT""",
    ),
)
"""``number`` grows with every recording: the newest of an account has its greatest."""

REWRITE_AFTER = 600.0
"""Seconds. A poll each minute from one address costs one write in this time; after a crash a sighting is
at most this much older than it was."""
MAX_ACCOUNTS = 10_000


@attrs.frozen
class _Known:
    """What is remembered of one account, newest first, and when the newest was written down."""

    sightings: tuple[Sighting, ...]
    written: float


@implementer(ISightings)
@attrs.define(eq=False)
class SqliteSightings:
    """Sightings in a Database with SCHEMA; those of the accounts seen lately also in memory.

    record() counts for last() at once, and comes back after a restart where it returned.
    """

    _database: Database
    _cache: Bounded[Address, _Known] = attrs.field(factory=lambda: Bounded(MAX_ACCOUNTS), init=False)

    async def record(self, account: Address, peer: IPAddress, at: float) -> None:
        known = await self._known(account)
        newest = Sighting(peer, at)
        sightings = with_newest(known.sightings, newest)
        same_address = known.sightings[:1] and known.sightings[0].peer == peer
        if same_address and 0 <= at - known.written < REWRITE_AFTER:
            self._cache.put(account, _Known(sightings, known.written))
            return
        self._cache.put(account, _Known(sightings, at))
        try:
            await self._database.run(lambda connection: _write(connection, account, newest))
        except MailFailure:
            remembered = self._cache.get(account)
            if remembered is not None:
                self._cache.put(account, attrs.evolve(remembered, written=-inf))  # so the next one writes
            raise

    async def last(self, account: Address, since: float) -> IPAddress | None:
        return newest_since((await self._known(account)).sightings, since)

    async def forget(self, account: Address) -> None:
        self._cache.put(account, _Known((), -inf))  # so that nobody who reads just now brings them back
        try:
            await self._database.run(lambda connection: _erase(connection, account))
        except MailFailure:
            self._cache.discard(account)
            raise

    async def _known(self, account: Address) -> _Known:
        known = self._cache.get(account)
        if known is not None:
            return known
        sightings = await self._database.run(lambda connection: _read(connection, account))
        known = self._cache.get(account)  # somebody may have been quicker, and knows more
        if known is None:
            known = _Known(sightings, sightings[0].at if sightings else -inf)
            self._cache.put(account, known)
        return known


def _read(connection: sqlite3.Connection, account: Address) -> tuple[Sighting, ...]:
    rows = connection.execute(
        "SELECT peer, at FROM sighting WHERE account = ? ORDER BY number DESC LIMIT ?", (str(account), KEPT)
    ).fetchall()
    try:
        return tuple(Sighting(ip_address(peer), at) for peer, at in rows)
    except ValueError as error:
        raise sqlite3.DataError(f"the sightings of {account} cannot be read") from error


def _erase(connection: sqlite3.Connection, account: Address) -> None:
    with transaction(connection):
        connection.execute("DELETE FROM sighting WHERE account = ?", (str(account),))


def _write(connection: sqlite3.Connection, account: Address, newest: Sighting) -> None:
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO sighting (account, peer, at) VALUES (?, ?, ?)",
            (str(account), str(newest.peer), newest.at),
        )
        connection.execute(
            "DELETE FROM sighting WHERE account = ?1 AND number NOT IN"
            " (SELECT number FROM sighting WHERE account = ?1 ORDER BY number DESC LIMIT ?2)",
            (str(account), KEPT),
        )
