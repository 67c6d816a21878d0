"""Taking what was deleted from notify.db off the disk: also out of the -wal file, where it still stands."""

from __future__ import annotations

import sqlite3

import attrs

from mailsuite.observe.log import Log
from mailsuite.sqlite.database import Database

PATIENCE_MILLISECONDS = 100
"""For a program that reads an old state just now, a backup say: whoever delivers mail waits as long."""


@attrs.define(eq=False)
class Eraser:
    """Empties the -wal file when something was deleted that nobody is to read any more."""

    database: Database
    log: Log = attrs.field(factory=Log)
    owed: bool = attrs.field(default=False, init=False)
    """Somebody was reading an old state; what was deleted meanwhile may still be found there."""

    async def scrub(self) -> None:
        """Do it now; where a reader prevents it, that is logged, and again() does it later."""
        self.owed = not await self.database.run(_scrub)
        if self.owed:
            self.log.warning("notify.erasing_delayed", file=self.database.path)

    async def again(self) -> None:
        """Do now what could not be done before."""
        if self.owed:
            await self.scrub()


def _scrub(connection: sqlite3.Connection) -> bool:
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE_MILLISECONDS}").fetchall()
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before}").fetchall()
    return not busy
