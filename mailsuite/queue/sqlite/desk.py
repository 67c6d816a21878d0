"""What an administrator does with the embedded queue.

Looks are taken over a connection of their own, so that they hold up nobody; changes are made a thousand
messages at a time, each of which is looked at once more.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IQueueDesk
from mailsuite.interfaces.queue import Changed, unheard
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import (
    DestinationShape,
    QueueEntry,
    QueueFilter,
    QueueState,
)
from mailsuite.model.reply import STORE_UNAVAILABLE, Reply
from mailsuite.queue.sqlite import changes, schema
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.filters import COUNT, MESSAGES_AFTER, NUMBERS_AFTER, select
from mailsuite.queue.sqlite.orders import Order
from mailsuite.queue.sqlite.queue import DATABASE, SqliteQueue
from mailsuite.queue.sqlite.rows import message_of, outcome_of, recipient_of

T = TypeVar("T")
AT_ONCE = 1000
"""Messages that one commit changes."""


@implementer(IQueueDesk)
@attrs.define(eq=False)
class SqliteDesk:
    """For a queue that is open."""

    queue: SqliteQueue

    async def find(
        self, which: QueueFilter, now: float, after: str = "", count: int = 100
    ) -> tuple[QueueEntry, ...]:
        return await self._look(partial(_find, which, now, after, count))

    async def count(self, which: QueueFilter, now: float) -> int:
        return await self._look(partial(_count, which, now))

    async def shape(
        self, now: float, ages: tuple[float, ...], count: int = 100
    ) -> tuple[DestinationShape, ...]:
        return await self._look(partial(_shape, now, ages, count))

    async def errors(self, now: float, count: int = 100) -> tuple[tuple[str, int], ...]:
        return await self._look(partial(_errors, count))

    async def hold(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return await self._change(which, now, changes.hold, changed)

    async def release(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return await self._change(which, now, partial(changes.release, now), changed)

    async def retry(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        return await self._change(which, now, partial(changes.retry, now), changed)

    async def remove(self, which: QueueFilter, now: float, changed: Changed = unheard) -> int:
        remove = partial(changes.obey, Order.remove(now))
        return await self._change(which, now, remove, changed, is_silent=True)

    async def bounce(self, which: QueueFilter, now: float, reply: Reply, changed: Changed = unheard) -> int:
        return await self._change(which, now, partial(changes.obey, Order.bounce(now, reply)), changed)

    async def redirect(self, which: QueueFilter, now: float, to: Address, changed: Changed = unheard) -> int:
        return await self._change(which, now, partial(changes.obey, Order.redirect(now, to)), changed)

    async def _look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self.queue.threads.run(partial(self._run, work))
        except (sqlite3.Error, OSError) as error:
            raise TemporaryFailure(STORE_UNAVAILABLE, f"{self.queue.directory}: {error}") from error

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        path = (self.queue.directory / DATABASE).absolute().as_uri()
        connection = sqlite3.connect(f"{path}?mode=ro", uri=True, isolation_level=None)
        try:
            schema.prepare(connection)
            connection.execute("BEGIN")  # one state of the queue, whatever happens meanwhile
            return work(connection)
        finally:
            connection.close()

    async def _change(
        self,
        which: QueueFilter,
        now: float,
        change: changes.Change,
        changed: Changed,
        *,
        is_silent: bool = False,
    ) -> int:
        total, last = 0, 0
        while numbers := await self._look(partial(_matching, which, now, last)):
            last = numbers[-1]
            ids = await self.queue.run(
                partial(
                    changes.change_all,
                    self.queue.ledger,
                    which=which,
                    now=now,
                    numbers=numbers,
                    change=change,
                    is_silent=is_silent,
                )
            )
            if ids:
                total += len(ids)
                changed(ids)
                self.queue.wake()
        return total


def _matching(which: QueueFilter, now: float, after: int, connection: sqlite3.Connection) -> list[int]:
    rows = connection.execute(*select(NUMBERS_AFTER, which, now, after, AT_ONCE))
    return [number for (number,) in rows]


def _count(which: QueueFilter, now: float, connection: sqlite3.Connection) -> int:
    (count,) = connection.execute(*select(COUNT, which, now)).fetchone()
    return int(count)


def _find(
    which: QueueFilter, now: float, after: str, count: int, connection: sqlite3.Connection
) -> tuple[QueueEntry, ...]:
    behind = connection.execute(sql.ANY_NUMBER_OF_ID, (after,)).fetchone()
    rows = connection.execute(*select(MESSAGES_AFTER, which, now, behind[0] if behind else 0, count))
    return tuple(_entry(number, tuple(row), now, connection) for number, *row in rows.fetchall())


def _entry(number: int, row: tuple[Any, ...], now: float, connection: sqlite3.Connection) -> QueueEntry:
    rows = sorted(connection.execute(sql.ALL_OF_MESSAGE, (number,)), key=lambda each: int(each[3]))
    return QueueEntry(
        message_of(row),
        tuple(recipient_of(tuple(each[3:])) for each in rows),
        tuple(_state(each[0], each[1], each[2], now) for each in rows),
        tuple(0.0 if each[2] else each[1] for each in rows),
    )


def _state(state: str, due: float, over: int, now: float) -> QueueState:
    """What is due counts as ready, whether anybody has looked or not."""
    if over:
        return QueueState.OVER
    found = QueueState(state)
    return QueueState.READY if found is QueueState.WAITING and due <= now else found


def _shape(
    now: float, ages: tuple[float, ...], count: int, connection: sqlite3.Connection
) -> tuple[DestinationShape, ...]:
    connection.create_function("bucket", 1, lambda arrived: bisect_left(ages, now - arrived))
    counts: dict[str, list[int]] = {}
    last: dict[str, str] = {}
    rows = connection.execute(
        "SELECT destination, bucket(arrived) AS age, COUNT(*), MAX(last)"
        " FROM recipient JOIN part ON part.number = part JOIN message ON message.number = message"
        " WHERE over = 0 GROUP BY destination, age"
    )
    for name, age, recipients, outcome in rows:
        counts.setdefault(name, [0] * (len(ages) + 1))[age] = recipients
        if outcome is not None:
            last[name] = outcome_of(outcome).said
    most = sorted(counts, key=lambda name: (-sum(counts[name]), name))[:count]
    return tuple(DestinationShape(name, tuple(counts[name]), last.get(name, "")) for name in most)


def _errors(count: int, connection: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    rows = connection.execute(
        "SELECT said(last) AS error, COUNT(*) AS times FROM recipient WHERE over = 0 AND last IS NOT NULL"
        " GROUP BY error ORDER BY times DESC, error LIMIT ?",
        (count,),
    )
    return tuple(rows.fetchall())
