"""Group commit: what came in while the last transaction was being synced is one transaction.

There is no timer: what comes alone waits for nobody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.sqlite.database import Database, nothing_to_prepare, transaction

T = TypeVar("T")
MAX_BATCH = 256
"""Pieces of work in one transaction: beyond, the first waits longer than the others gain."""


@attrs.define(eq=False)
class _Piece(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    is_durable: bool
    done: Deferred[T] = attrs.field(factory=Deferred)
    result: T | None = None
    error: Exception | None = None

    def carry_out(self, connection: sqlite3.Connection) -> None:
        """A failure that is not the database's undoes this piece alone."""
        connection.execute("SAVEPOINT piece")
        try:
            self.result = self.work(connection)
        except (sqlite3.Error, OSError):
            raise
        except Exception as error:
            self.error = error
            connection.execute("ROLLBACK TO piece")
        connection.execute("RELEASE piece")

    def settle(self) -> None:
        if self.done.called:  # cancelled meanwhile
            return
        if self.error is not None:
            self.done.errback(self.error)
        else:
            self.done.callback(cast(T, self.result))


@attrs.define(eq=False)
class GroupCommit:
    """Takes pieces of work from the reactor's thread; keeps their order."""

    database: Database
    failed: Callable[[Failure], None]
    """Is told of mistakes of ours."""
    before: Callable[[sqlite3.Connection], None] = nothing_to_prepare
    """Called in the database's thread, first of all in each transaction."""
    _waiting: list[_Piece[Any]] = attrs.field(factory=list, init=False)
    _tasks: Tasks = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tasks = Tasks(self.failed)

    async def run(self, work: Callable[[sqlite3.Connection], T], *, is_durable: bool = True) -> T:
        """Do *work* in the database's thread, in a transaction with others, and answer what it returns or
        raises when it is committed.

        Where it need not be durable, it is not lost but with the power: no sync is spent on it alone. Where
        the transaction fails, each of it raises TemporaryFailure; whether it was written is unknown then
        until the next work succeeds. Who is cancelled does not hear of it, and it is done nevertheless.
        """
        piece: _Piece[T] = _Piece(work, is_durable)
        self._waiting.append(piece)
        if not self._tasks:
            self._tasks.start(self._carry_out())
        return await piece.done

    async def finished(self) -> None:
        """Return when all that was given has been done."""
        await self._tasks.finished()

    async def _carry_out(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                await self.database.run(partial(_commit, batch, self.before))
            except Exception as error:
                for piece in batch:
                    piece.error = error
            for piece in batch:
                piece.settle()


def _commit(
    batch: Sequence[_Piece[Any]],
    before: Callable[[sqlite3.Connection], None],
    connection: sqlite3.Connection,
) -> None:
    is_durable = any(piece.is_durable for piece in batch)
    connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
    with transaction(connection):
        before(connection)
        for piece in batch:
            piece.carry_out(connection)
