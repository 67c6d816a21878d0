"""All of notify.db: one file, one thread, one group commit for whoever keeps something there."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import attrs

from mailsuite.interfaces import IThreads
from mailsuite.notices.seal import Seal
from mailsuite.notices.sqlite.erasing import Eraser
from mailsuite.notices.sqlite.event_log import SqliteEventLog
from mailsuite.notices.sqlite.schema import SCHEMA, prepare
from mailsuite.notices.sqlite.subscriptions import SqliteSubscriptions
from mailsuite.observe.log import Log
from mailsuite.sqlite.database import Database
from mailsuite.sqlite.group_commit import GroupCommit


@attrs.frozen(eq=False)
class NotifyDb:
    """The file and what is in it. The sightings of the directory go through ``commits`` as well."""

    database: Database
    commits: GroupCommit
    event_log: SqliteEventLog
    subscriptions: SqliteSubscriptions

    @classmethod
    def at(
        cls,
        path: Path,
        threads: IThreads,
        seal: Seal,
        log: Log,
        factory: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> NotifyDb:
        """Nothing is opened yet: the first work does it, or ``database.open()``. *threads* runs one piece of
        work at a time."""
        database = Database(path, SCHEMA, threads, log, prepare=prepare, factory=factory)
        commits = GroupCommit(database, partial(log.failure, "notify.task_failed"))
        eraser = Eraser(database, log)
        return cls(
            database,
            commits,
            SqliteEventLog(commits, eraser, log),
            SqliteSubscriptions(commits, eraser, seal, log),
        )

    async def close(self) -> None:
        """After all that was given."""
        await self.commits.finished()
        await self.database.close()
