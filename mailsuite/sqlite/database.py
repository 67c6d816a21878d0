"""One SQLite file, one thread that works on it: opened with care, its schema brought up to date.

*threads* runs one piece of work at a time, in the order it was given: a Pool of size 1, or Inline in a
program without a reactor. That order is what the caches above rely on. No other process writes to the
file meanwhile; a lock that the application holds sees to that.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs

from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, DISK_FULL, Reply
from mailsuite.observe.log import Log

T = TypeVar("T")
Schema = tuple[tuple[str, ...], ...]
"""Steps of statements; step number n brings PRAGMA user_version from n - 1 to n. Only ever appended to."""

BUSY_SECONDS = 5.0
"""How long a reader of another program, a backup say, may hold us up."""
MAX_WAL_OCTETS = 16 * 1024 * 1024
"""Of the -wal file beside the database, once all of it has been moved there, which SQLite begins to do at
4 MB. It grows while somebody looks at an old state, a backup say."""
PRIVATE = 0o600


class SchemaUnknown(TemporaryFailure):
    """The file was written by a newer mailsuite; this one leaves it as it is. ``detail`` says so."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            DIRECTORY_UNAVAILABLE,
            f"{path} has schema {found}, and this mailsuite knows {known} at most: "
            "start the version that wrote it, or a newer one",
        )


def nothing_to_prepare(connection: sqlite3.Connection) -> None:
    """A connection is good as it is."""


@attrs.define(eq=False)
class Database:
    """WAL, synchronous=FULL: what run() did in a transaction() is durable when it returns.

    Whatever goes wrong with the file (missing folder, no permission, not a database, corrupt, disk full)
    is logged, closes it, and raises TemporaryFailure; the next call opens it anew.
    """

    path: Path
    schema: Schema
    threads: IThreads
    log: Log = attrs.field(factory=Log)
    unavailable: Reply = DIRECTORY_UNAVAILABLE
    """What a client is told where it cannot be used."""
    prepare: Callable[[sqlite3.Connection], None] = nothing_to_prepare
    """Called for each new connection, after the schema was brought up to date."""
    factory: type[sqlite3.Connection] = sqlite3.Connection
    _connection: sqlite3.Connection | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def open(self) -> None:
        """Open now, for an answer at the start. Raises SchemaUnknown among others."""
        await self.run(lambda connection: None)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call *work* in the thread, after all that was given before."""
        try:
            return await self.threads.run(partial(self._run, work))
        except TemporaryFailure as failure:
            self.log.error("database.failed", file=self.path, reason=failure.detail)
            raise

    async def close(self) -> None:
        """Close for good, after all that was given before."""
        await self.threads.run(self._close)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except (sqlite3.Error, OSError) as error:
            self._drop()
            is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            reply = DISK_FULL if is_full else self.unavailable
            raise TemporaryFailure(reply, f"{self.path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the database was closed")
        _make_private(self.path)
        # The work comes from one thread at a time, but not always from the one that connected.
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=self.factory,
        )
        try:
            version = _version(connection)
            if not 0 <= version <= len(self.schema):
                raise SchemaUnknown(self.path, version, len(self.schema))
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_OCTETS}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _step_up(connection, self.schema)
            self.prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _close(self) -> None:
        self._closed = True
        self._drop()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing: committed and synced at the end, undone where anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _make_private(path: Path) -> None:
    """See that the file is there and nobody else's; SQLite gives its -wal and -shm the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, PRIVATE))
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            path.chmod(PRIVATE)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _step_up(connection: sqlite3.Connection, schema: Schema) -> None:
    for number in range(_version(connection), len(schema)):
        with transaction(connection):
            for statement in schema[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
