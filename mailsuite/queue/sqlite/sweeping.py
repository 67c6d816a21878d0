"""What a crash may have left: looked for once after the start, while mail goes on.

A file without rows was never promised to anybody, or is over: it goes. But one that is older than all rows
belongs to rows that were lost, and may come back from a backup: it stays. Rows without their file, or with
another than was put, are a loss that the disk has to answer for: they are held, for an administrator to see.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from functools import partial

import attrs

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import Fate, Outcome
from mailsuite.model.reply import MESSAGE_GONE, STORE_UNAVAILABLE
from mailsuite.queue.spool.place import SHELVES, TMP, path_of
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.ledger import HELD, LEASED, Ledger
from mailsuite.queue.sqlite.queue import SqliteQueue
from mailsuite.queue.sqlite.rows import outcome_text

AT_ONCE = 500
"""Files or rows that are looked at in one go."""


@attrs.frozen
class Content:
    """What the rows say of a file."""

    number: int
    id: str
    file: str
    size: int

    def is_there(self, spool: str) -> bool:
        """Blocks; raises OSError where nobody can say."""
        try:
            return os.stat(path_of(spool, self.file), follow_symlinks=False).st_size == self.size
        except FileNotFoundError:
            return False


async def sweep(queue: SqliteQueue) -> tuple[int, int]:
    """Answers how many files were removed, and how many messages were held. Raises TemporaryFailure; then it
    may be done again."""
    try:
        made = await queue.run(made_at, is_durable=False)
        removed = unknown = 0
        for directory in (TMP, *SHELVES):
            names = await queue.threads.run(partial(_listed, os.path.join(queue.spool, directory)))
            for first in range(0, len(names), AT_ONCE):
                some = names[first : first + AT_ONCE]
                gone, left = await _remove_orphans(queue, made, directory, some)
                removed, unknown = removed + gone, unknown + left
        if unknown:
            queue.log.error("queue.files_unknown", files=unknown, spool=queue.spool)
        return removed, await _hold_lost(queue)
    except (OSError, sqlite3.Error) as error:
        raise TemporaryFailure(STORE_UNAVAILABLE, str(error)) from error


async def _remove_orphans(
    queue: SqliteQueue, made: float, directory: str, names: list[str]
) -> tuple[int, int]:
    """Answers how many were removed, and how many are older than the rows, which were *made* then."""
    # Before the rows are asked: what is not under way any more by now has its rows, or never will.
    idle = [name for name in names if name not in queue.underway]
    known = await queue.run(partial(known_files, idle), is_durable=False) if directory != TMP else set()
    paths = [os.path.join(queue.spool, directory, name) for name in idle if name not in known]
    if not paths:
        return 0, 0
    since = made if directory != TMP else 0.0  # what is half written there has no rows anywhere
    removed, unknown = await queue.threads.run(partial(_remove_older, queue, since, paths))
    for path in removed:
        queue.log.info("queue.orphan_removed", file=path)
    return len(removed), unknown


async def _hold_lost(queue: SqliteQueue) -> int:
    held, after = 0, 0
    while contents := await queue.run(partial(contents_after, after), is_durable=False):
        after = contents[-1].number
        lost = await queue.threads.run(partial(missing, queue.spool, contents))
        if not lost:
            continue
        work = partial(hold_all, queue.ledger, [content.number for content in lost])
        for id in await queue.run(work):
            held += 1
            queue.log.error("queue.content_missing", message=id)
    return held


# In the database's thread.


def made_at(connection: sqlite3.Connection) -> float:
    """When queue.db was made, in seconds since the epoch."""
    return float(connection.execute("SELECT at FROM made").fetchone()[0])


def known_files(names: Iterable[str], connection: sqlite3.Connection) -> set[str]:
    """Those of *names* that rows speak of."""
    return {name for (name,) in connection.execute(sql.KNOWN_FILES, (json.dumps(list(names)),))}


def contents_after(number: int, connection: sqlite3.Connection) -> list[Content]:
    return [Content(*row) for row in connection.execute(sql.CONTENTS_AFTER, (number, AT_ONCE))]


def hold_all(ledger: Ledger, numbers: Iterable[int], connection: sqlite3.Connection) -> list[str]:
    """Keep back messages whose content is lost, those that are still there; answers their ids. Rows go before
    their file does: rows that are there now had lost it."""
    ids = []
    outcome = outcome_text(Outcome(Fate.DEFERRED, MESSAGE_GONE, at=ledger.clock()))
    for number in numbers:
        found = connection.execute(sql.MESSAGE_BY_NUMBER, (number,)).fetchone()
        if found is None:
            continue
        ids.append(found[0])
        for part in ledger.parts_of(connection, number):
            connection.execute(sql.SAY_WHY, (outcome, part.number))
            if part.state == LEASED:
                connection.execute(sql.SET_HELD, (1, part.number))
            else:
                ledger.set_state(connection, part, HELD, part.due)
    return ids


# In threads.


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _remove_older(queue: SqliteQueue, since: float, paths: Iterable[str]) -> tuple[list[str], int]:
    """Those that were written before this process had the queue, but *since* that time; answers them, and how
    many are older still."""
    removed, unknown = [], 0
    for path in paths:
        try:
            if (written := written_at(path)) < since:
                unknown += 1
            elif written < queue.opened_at:
                queue.files.unlink(path)
                removed.append(path)
        except FileNotFoundError:
            pass
    return removed, unknown


def written_at(path: str) -> float:
    """In seconds since the epoch. Raises OSError."""
    return os.stat(path, follow_symlinks=False).st_mtime


def missing(spool: str, contents: Iterable[Content]) -> list[Content]:
    """Those whose file is not there, or not as it was put."""
    return [content for content in contents if not content.is_there(spool)]
