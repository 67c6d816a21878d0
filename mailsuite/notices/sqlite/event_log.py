"""What happened to each account, in notify.db; what happened last is also in memory.

Whoever tells people reads what has just been written: that costs no turn in the database's thread, behind
what others are having synced there.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IEventLog
from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Stretch
from mailsuite.notices.sqlite import statements as sql
from mailsuite.notices.sqlite.erasing import Eraser
from mailsuite.notices.sqlite.rows import RowDamaged, address_of, entry_of, summary_text, text_of
from mailsuite.observe.log import Log
from mailsuite.sqlite.group_commit import GroupCommit

HEADS_ASKED = 500
"""Accounts in one question; some 2 ms of the database's thread."""
TRIM_ACCOUNTS = 200
"""In one step of trimming ..."""
TRIM_ROWS = 2000
"""... and rows, some 5 ms of it."""


KEPT_ENTRIES = 8
"""Of an account in memory ..."""
KEPT_ACCOUNTS = 5000
"""... and accounts: about 25 MB, where mail to all of them has subjects."""


@attrs.define(eq=False)
class _Tails:
    """The newest entries of the accounts to which something happened last: of each without gaps, up to its
    head. Nobody else writes to the database."""

    _entries: OrderedDict[Address, deque[Entry]] = attrs.field(factory=OrderedDict, init=False)

    def appended(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            account = entry.happening.account
            tail = self._entries.setdefault(account, deque(maxlen=KEPT_ENTRIES))
            if tail and tail[-1].seq != entry.seq - 1:
                tail.clear()
            tail.append(entry)
            self._entries.move_to_end(account)
            if len(self._entries) > KEPT_ACCOUNTS:
                self._entries.popitem(last=False)

    def read(self, account: Address, after: int, limit: int) -> Stretch | None:
        """None: it is not all here."""
        tail = self._entries.get(account)
        if tail is None or after + 1 < tail[0].seq:
            return None
        behind = [entry for entry in tail if entry.seq > after]
        return Stretch(tuple(behind[:limit]), tail[-1].seq)

    def forget(self, accounts: Iterable[Address]) -> None:
        for account in accounts:
            self._entries.pop(account, None)

    def clear(self) -> None:
        self._entries.clear()


@implementer(IEventLog)
@attrs.define(eq=False)
class SqliteEventLog:
    """In a database of schema.py, by the group commit that all of notify.db goes through."""

    commits: GroupCommit
    eraser: Eraser
    log: Log = attrs.field(factory=Log)
    _tails: _Tails = attrs.field(factory=_Tails, init=False)

    async def append(self, happenings: Sequence[Happening], *, is_durable: bool = True) -> tuple[Entry, ...]:
        if not happenings:
            return ()
        try:
            entries = await self.commits.run(partial(_append, tuple(happenings)), is_durable=is_durable)
        except BaseException:  # whether it was written is unknown
            self._tails.forget(each.account for each in happenings)
            raise
        self._tails.appended(entries)
        return entries

    async def read(self, account: Address, after: int, limit: int) -> Stretch:
        """A row that cannot be read is left out, logged, and does not count for *limit*."""
        kept = self._tails.read(account, after, limit)
        if kept is not None:
            return kept
        stretch, damaged = await self.commits.database.run(partial(_read, account, after, limit))
        for seq in damaged:
            self.log.error("notify.entry_unreadable", account=account, seq=seq)
        return stretch

    async def heads(self, accounts: Iterable[Address]) -> Mapping[Address, int]:
        asked = tuple(accounts)
        heads = dict.fromkeys(asked, 0)
        for start in range(0, len(asked), HEADS_ASKED):
            some = asked[start : start + HEADS_ASKED]
            heads |= await self.commits.database.run(partial(_heads, some))
        return heads

    async def grown_since(self, at: float) -> Mapping[Address, int]:
        return await self.commits.database.run(partial(_grown_since, at))

    async def trim(self, before: float, kept: int) -> int:
        await self.eraser.again()
        removed, account = 0, ""
        while True:
            work = partial(_trim, account, before, kept)
            some, last = await self.commits.run(work, is_durable=False)
            self._tails.clear()
            removed += some
            if last is None:
                return removed
            account = last

    async def erase(self, account: Address) -> None:
        try:
            await self.commits.run(partial(_erase, account))
        finally:
            self._tails.forget([account])
        await self.eraser.scrub()


def _append(happenings: tuple[Happening, ...], connection: sqlite3.Connection) -> tuple[Entry, ...]:
    return tuple(_append_one(each, connection) for each in happenings)


def _append_one(happening: Happening, connection: sqlite3.Connection) -> Entry:
    account = text_of(happening.account)
    [(seq,)] = connection.execute(sql.NEXT_SEQ, (account, happening.at)).fetchall()
    kind, summary = happening.kind.value, summary_text(happening)
    values = (account, seq, happening.at, kind, happening.uidl, happening.size, summary)
    connection.execute(sql.INSERT_ENTRY, values)
    return Entry(seq, happening)


def _read(
    account: Address, after: int, limit: int, connection: sqlite3.Connection
) -> tuple[Stretch, list[int]]:
    entries: list[Entry] = []
    damaged: list[int] = []
    head = _head(account, connection)
    (oldest,) = connection.execute(sql.OLDEST_SEQ, (text_of(account),)).fetchone()
    missed = after < head if oldest is None else after + 1 < oldest
    rows = connection.execute(sql.ENTRIES_AFTER, (text_of(account), after))
    while len(entries) < limit and (row := rows.fetchone()) is not None:
        try:
            entries.append(entry_of(account, row))
        except RowDamaged:
            damaged.append(row[0])
    rows.close()
    return Stretch(tuple(entries), head, missed), damaged


def _head(account: Address, connection: sqlite3.Connection) -> int:
    found = connection.execute(sql.HEAD, (text_of(account),)).fetchone()
    return int(found[0]) if found else 0


def _heads(accounts: tuple[Address, ...], connection: sqlite3.Connection) -> dict[Address, int]:
    rows = connection.execute(sql.HEADS, (json.dumps(list(map(text_of, accounts))),))
    return {address_of(account): head for account, head in rows}


def _grown_since(at: float, connection: sqlite3.Connection) -> dict[Address, int]:
    rows = connection.execute(sql.HEADS_SINCE, (at,))
    return {address_of(account): head for account, head in rows}


def _trim(account: str, before: float, kept: int, connection: sqlite3.Connection) -> tuple[int, str | None]:
    """One step, of the accounts from this one on: how many rows went, and where the next step begins; None
    behind the last account."""
    removed = 0
    accounts = connection.execute(sql.ACCOUNTS_FROM, (account, TRIM_ACCOUNTS + 1)).fetchall()
    for name, head in accounts[:TRIM_ACCOUNTS]:
        young = connection.execute(sql.OLDEST_YOUNG, (name, before)).fetchone()
        first_to_stay = max(young[0] if young else head + 1, head - kept + 1)
        room = TRIM_ROWS - removed
        went = connection.execute(sql.DELETE_BEFORE, (name, first_to_stay, room)).rowcount
        removed += went
        if went == room:
            return removed, name
    return removed, accounts[TRIM_ACCOUNTS][0] if len(accounts) > TRIM_ACCOUNTS else None


def _erase(account: Address, connection: sqlite3.Connection) -> None:
    for statement in sql.ERASE_ACCOUNT:
        connection.execute(statement, (text_of(account),))
