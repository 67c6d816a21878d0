"""Where each account was seen last, in notify.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from ipaddress import ip_address
from math import inf

import attrs
from zope.interface import implementer

from mailsuite.directory.bounded import Bounded
from mailsuite.interfaces import ISightings
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.sighting import (
    ADDRESSES_KEPT,
    DEVICES_KEPT,
    Sighting,
    newest_since,
    recent,
    seen_from,
    with_newest,
)
from mailsuite.sqlite.database import Database, transaction

REWRITE_AFTER = 600.0
"""Seconds. A poll each minute from one address costs one write in this time; after a crash a sighting is
at most this much older than it was, and devices that polled by turns may stand in another order."""
MAX_ACCOUNTS = 10_000
_KEPT = DEVICES_KEPT * ADDRESSES_KEPT
_Place = tuple[str, IPAddress]
"""A device and an address."""


@attrs.frozen
class _Known:
    """What is remembered of one account, newest first, and when each place was written down."""

    sightings: tuple[Sighting, ...]
    written: Mapping[_Place, float]

    def is_news(self, device: str, peer: IPAddress, at: float) -> bool:
        """Whether this is to be written: the device moved, or it was written long ago."""
        before = next((each for each in self.sightings if each.device == device), None)
        if before is None or before.peer != peer:
            return True
        return not 0 <= at - self.written.get((device, peer), -inf) < REWRITE_AFTER


@implementer(ISightings)
@attrs.define(eq=False)
class SqliteSightings:
    """In the database that is notify.db; those of the accounts seen lately also in memory.

    record() counts for whoever asks at once, and comes back after a restart where it returned.
    """

    _database: Database
    _cache: Bounded[Address, _Known] = attrs.field(factory=lambda: Bounded(MAX_ACCOUNTS), init=False)

    async def record(
        self, account: Address, peer: IPAddress, at: float, device: str = "", via: str = ""
    ) -> None:
        known = await self._known(account)
        sightings = with_newest(known.sightings, Sighting(peer, at, device, via))
        if not known.is_news(device, peer, at):
            self._cache.put(account, _Known(sightings, known.written))
            return
        places = {(each.device, each.peer) for each in sightings}
        written = {place: known.written.get(place, -inf) for place in places} | {(device, peer): at}
        self._cache.put(account, _Known(sightings, written))
        newest = sightings[0]
        try:
            await self._database.run(lambda connection: _write(connection, account, newest))
        except MailFailure:
            remembered = self._cache.get(account)
            if remembered is not None:  # so the next one writes
                unwritten = {**remembered.written, (device, peer): -inf}
                self._cache.put(account, _Known(remembered.sightings, unwritten))
            raise

    async def last(self, account: Address, since: float, device: str | None = None) -> IPAddress | None:
        return newest_since((await self._known(account)).sightings, since, device)

    async def recent(self, account: Address, since: float) -> tuple[Sighting, ...]:
        return recent((await self._known(account)).sightings, since)

    async def seen_from(self, account: Address, peer: IPAddress, since: float) -> bool:
        return seen_from((await self._known(account)).sightings, peer, since)

    async def forget(self, account: Address, device: str | None = None) -> None:
        if device is None:
            left = _Known((), {})
        else:
            known = await self._known(account)
            left = _Known(
                tuple(each for each in known.sightings if each.device != device),
                {place: at for place, at in known.written.items() if place[0] != device},
            )
        self._cache.put(account, left)  # so that nobody who reads just now brings them back
        try:
            await self._database.run(lambda connection: _erase(connection, account, device))
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
            known = _Known(sightings, {(each.device, each.peer): each.at for each in sightings})
            self._cache.put(account, known)
        return known


def _read(connection: sqlite3.Connection, account: Address) -> tuple[Sighting, ...]:
    rows = connection.execute(
        "SELECT peer, at, device, via, first FROM sighting WHERE account = ? ORDER BY number DESC LIMIT ?",
        (str(account), _KEPT),
    ).fetchall()
    try:
        return tuple(Sighting(ip_address(peer), *others) for peer, *others in rows)
    except ValueError as error:
        raise sqlite3.DataError(f"the sightings of {account} cannot be read") from error


def _erase(connection: sqlite3.Connection, account: Address, device: str | None) -> None:
    with transaction(connection):
        connection.execute(
            "DELETE FROM sighting WHERE account = ?1 AND (?2 IS NULL OR device = ?2)", (str(account), device)
        )


def _write(connection: sqlite3.Connection, account: Address, newest: Sighting) -> None:
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO sighting (account, device, peer, at, via, first)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (str(account), newest.device, str(newest.peer), newest.at, newest.via, newest.first),
        )
        rows = connection.execute(
            "SELECT number, device FROM sighting WHERE account = ? ORDER BY number DESC", (str(account),)
        ).fetchall()
        counts: dict[str, int] = {}
        for number, device in rows:
            is_new = device not in counts
            if (is_new and len(counts) == DEVICES_KEPT) or counts.get(device) == ADDRESSES_KEPT:
                connection.execute("DELETE FROM sighting WHERE number = ?", (number,))
            else:
                counts[device] = counts.get(device, 0) + 1
