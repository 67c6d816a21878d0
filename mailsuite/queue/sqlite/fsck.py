"""Looks a stopped queue through, and mends what can be mended without losing mail."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from mailsuite.queue.spool.place import SHELVES, TMP
from mailsuite.queue.sqlite.ledger import Ledger
from mailsuite.queue.sqlite.queue import DATABASE, SPOOL
from mailsuite.queue.sqlite.schema import SCHEMA, prepare
from mailsuite.queue.sqlite.sweeping import (
    contents_after,
    hold_all,
    known_files,
    made_at,
    missing,
    written_at,
)
from mailsuite.sqlite.database import transaction

MAX_NAMED = 20
"""Files or messages of one kind that are named; of more, how many there are is said."""


@attrs.frozen
class Finding:
    """Something that is not as it should be."""

    text: str
    """In words, a sentence."""
    is_mended: bool = False
    is_harmless: bool = False
    """A crash leaves it, and the next start removes it."""


def check(
    directory: Path, repair: bool = False, clock: Callable[[], float] = time.time
) -> tuple[Finding, ...]:
    """Everything that is wrong with the queue in *directory*, the state directory of a server that is stopped
    (hold its lock meanwhile). With *repair* what is safe to mend is mended: nothing that anybody is still to
    get is removed, and what cannot be sent as it was put is held. Blocks. Raises OSError."""
    database, spool = directory / DATABASE, str(directory / SPOOL)
    if not database.exists():
        orphans = _files(spool)
        if not orphans:
            return ()
        text = f"{spool} has {len(orphans)} files, and there is no {DATABASE} that says whom they are for."
        return (Finding(text),)
    try:
        connection = sqlite3.connect(database, isolation_level=None)
        try:
            return tuple(_Check(connection, spool, repair, Ledger(clock)).findings())
        finally:
            connection.close()
    except sqlite3.Error as error:
        return (Finding(f"{database} cannot be read: {error}. Restore it from a backup."),)


_WRONG: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Rows of messages that are not there",
        """SELECT (SELECT COUNT(*) FROM part WHERE message NOT IN (SELECT number FROM message))
            + (SELECT COUNT(*) FROM recipient WHERE part NOT IN (SELECT number FROM part))
            + (SELECT COUNT(*) FROM owed WHERE message NOT IN (SELECT number FROM message))""",
        (
            "DELETE FROM part WHERE message NOT IN (SELECT number FROM message)",
            "DELETE FROM recipient WHERE part NOT IN (SELECT number FROM part)",
            "DELETE FROM owed WHERE message NOT IN (SELECT number FROM message)",
        ),
    ),
    (
        "Leases without an end",
        "SELECT COUNT(*) FROM part WHERE state = 'leased' AND until <= 0",
        ("UPDATE part SET state = 'waiting' WHERE state = 'leased' AND until <= 0",),
    ),
    (
        "Parts that have the end of a lease, and that nobody has leased",
        "SELECT COUNT(*) FROM part WHERE state <> 'leased' AND until > 0",
        ("UPDATE part SET until = 0 WHERE state <> 'leased' AND until > 0",),
    ),
    (
        "Parts that are over, and somebody is still to get them",
        "SELECT COUNT(*) FROM part WHERE state = 'over'"
        " AND EXISTS (SELECT 1 FROM recipient WHERE part = part.number AND over = 0)",
        (
            "UPDATE part SET state = 'waiting' WHERE state = 'over'"
            " AND EXISTS (SELECT 1 FROM recipient WHERE part = part.number AND over = 0)",
        ),
    ),
    (
        "Parts that wait, and nobody is to get them any more",
        "SELECT COUNT(*) FROM part WHERE state <> 'over'"
        " AND NOT EXISTS (SELECT 1 FROM recipient WHERE part = part.number AND over = 0)",
        (
            "UPDATE part SET state = 'over', until = 0 WHERE state <> 'over'"
            " AND NOT EXISTS (SELECT 1 FROM recipient WHERE part = part.number AND over = 0)",
        ),
    ),
    (
        "Notices that are owed of recipients who are not there",
        "SELECT COUNT(*) FROM owed WHERE NOT EXISTS"
        " (SELECT 1 FROM recipient WHERE recipient.part = owed.part AND recipient.number = owed.number)",
        (
            "DELETE FROM owed WHERE NOT EXISTS"
            " (SELECT 1 FROM recipient WHERE recipient.part = owed.part AND recipient.number = owed.number)",
        ),
    ),
    (
        "Messages that are over and still there",
        "SELECT COUNT(*) FROM message WHERE EXISTS (SELECT 1 FROM part WHERE message = message.number)"
        " AND NOT EXISTS (SELECT 1 FROM part CROSS JOIN recipient ON recipient.part = part.number"
        " WHERE message = message.number AND over = 0)"
        " AND NOT EXISTS (SELECT 1 FROM owed WHERE message = message.number)",
        (
            "DELETE FROM message WHERE EXISTS (SELECT 1 FROM part WHERE message = message.number)"
            " AND NOT EXISTS (SELECT 1 FROM part CROSS JOIN recipient ON recipient.part = part.number"
            " WHERE message = message.number AND over = 0)"
            " AND NOT EXISTS (SELECT 1 FROM owed WHERE message = message.number)",
        ),
    ),
    (
        "Messages of which nobody knows any more whom they are for (restore a backup)",
        "SELECT COUNT(*) FROM message WHERE NOT EXISTS (SELECT 1 FROM part WHERE message = message.number)",
        (),
    ),
    (
        "Origins and destinations that do not have the turn that they should have",
        """SELECT (SELECT COUNT(*) FROM (
                SELECT destination, origin FROM part WHERE state = 'ready'
                EXCEPT SELECT destination, origin FROM flow))
            + (SELECT COUNT(*) FROM (
                SELECT destination, origin FROM flow
                EXCEPT SELECT destination, origin FROM part WHERE state = 'ready'))
            + (SELECT COUNT(*) FROM destination
                WHERE key IS NOT (SELECT MIN(tag) FROM flow WHERE destination = name))
            + (SELECT COUNT(*) FROM (SELECT destination FROM flow EXCEPT SELECT name FROM destination))""",
        (
            "DELETE FROM flow",
            "INSERT INTO flow (destination, origin, turn, tag)"
            " SELECT destination, origin, 1, ROW_NUMBER() OVER (PARTITION BY origin ORDER BY MIN(number))"
            " FROM part WHERE state = 'ready' GROUP BY destination, origin",
            "UPDATE destination SET key = NULL, turn = 0",
            "INSERT INTO destination (name, key) SELECT destination, MIN(tag) FROM flow"
            " WHERE TRUE GROUP BY destination ON CONFLICT DO UPDATE SET key = excluded.key",
            "DELETE FROM destination WHERE key IS NULL",
        ),
    ),
)
"""What it is, how many there are, and what mends it, where anything does."""


@attrs.define(eq=False)
class _Check:
    connection: sqlite3.Connection
    spool: str
    repair: bool
    ledger: Ledger

    def findings(self) -> Iterator[Finding]:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version != len(SCHEMA):
            yield Finding(
                f"{DATABASE} has schema {version}, and this mailsuite writes {len(SCHEMA)}:"
                " start the version that wrote it, or a newer one."
            )
            return
        problems = [text for (text,) in self.connection.execute("PRAGMA integrity_check(20)") if text != "ok"]
        if problems:
            yield Finding(f"{DATABASE} is damaged ({'; '.join(problems)}). Restore it from a backup.")
            return
        prepare(self.connection)
        self.connection.execute("PRAGMA foreign_keys = ON")
        yield from self._rows()
        yield from self._lost()
        yield from self._orphans()

    def _rows(self) -> Iterator[Finding]:
        for text, count, mend in _WRONG:
            (wrong,) = self.connection.execute(count).fetchone()
            if wrong:
                with transaction(self.connection):
                    for statement in mend if self.repair else ():
                        self.connection.execute(statement)
                yield Finding(f"{text}: {wrong}.", is_mended=self.repair and bool(mend))

    def _lost(self) -> Iterator[Finding]:
        """Messages without their content."""
        lost, after = [], 0
        while contents := contents_after(after, self.connection):
            after = contents[-1].number
            lost += missing(self.spool, contents)
        if lost:
            if self.repair:
                with transaction(self.connection):
                    hold_all(self.ledger, [content.number for content in lost], self.connection)
            ids = _named([content.id for content in lost])
            what = "and which are held" if self.repair else "and which cannot be sent"
            text = f"Messages whose content is missing or not as long as it was, {what}: {len(lost)} ({ids})."
            yield Finding(text, is_mended=self.repair)

    def _orphans(self) -> Iterator[Finding]:
        files = _files(self.spool)
        known = known_files([name for directory, name in files if directory != TMP], self.connection)
        made = made_at(self.connection)
        orphans: list[str] = []
        unknown: list[str] = []
        for directory, name in files:
            path = os.path.join(self.spool, directory, name)
            if directory == TMP or name not in known:
                (unknown if directory != TMP and written_at(path) < made else orphans).append(path)
        if orphans:
            for path in orphans if self.repair else ():
                os.unlink(path)
            text = f"Files of the spool that belong to no message: {len(orphans)} ({self._named(orphans)})."
            yield Finding(text, is_mended=self.repair, is_harmless=True)
        if unknown:
            yield Finding(
                f"Files of the spool that are older than {DATABASE}: {len(unknown)} ({self._named(unknown)})."
                " They belong to one that was lost: restore that, or remove them."
            )

    def _named(self, paths: list[str]) -> str:
        return _named([os.path.relpath(path, self.spool) for path in paths])


def _files(spool: str) -> list[tuple[str, str]]:
    """All files of the spool: the directory, and the name."""
    found = []
    for directory in (TMP, *SHELVES):
        path = os.path.join(spool, directory)
        if os.path.isdir(path):
            found += [(directory, name) for name in sorted(os.listdir(path))]
    return found


def _named(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
