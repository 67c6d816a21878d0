"""Who follows, and where each stands, in notify.db.

What is secret is sealed in the database's own thread, and opened there. So when reseal() looks at the rows,
all that was sealed before it came stands in them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs
from zope.interface import implementer

from mailsuite.interfaces import ISubscriptions
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import ALREADY_EXISTS, NO_SUCH_SUBSCRIPTION
from mailsuite.model.subscription import (
    ATTEMPTS_KEPT,
    Attempt,
    Cursor,
    DeadLetter,
    Standing,
    Subscription,
    SubscriptionState,
    is_preference,
)
from mailsuite.notices.seal import Seal
from mailsuite.notices.sqlite import statements as sql
from mailsuite.notices.sqlite.erasing import Eraser
from mailsuite.notices.sqlite.rows import (
    SUBSCRIPTION_LASTING,
    RowDamaged,
    attempt_values,
    cursor_values,
    letter_values,
    secret_content,
    subscription_of,
    subscription_values,
    text_of,
)
from mailsuite.observe.log import Log
from mailsuite.sqlite.database import Database
from mailsuite.sqlite.group_commit import GroupCommit

RESEALED_AT_ONCE = 500
"""Rows in one step; some 10 ms."""


@implementer(ISubscriptions)
@attrs.define(eq=False)
class SqliteSubscriptions:
    """In a database of schema.py, by the group commit that all of notify.db goes through."""

    commits: GroupCommit
    eraser: Eraser
    seal: Seal
    log: Log = attrs.field(factory=Log)

    async def all(self) -> tuple[Standing, ...]:
        standings, damaged = await self.commits.run(partial(_all, self.seal), is_durable=False)
        for id in damaged:
            self.log.error("notify.subscription_unreadable", subscription=id)
        return tuple(standings)

    async def preferences(self) -> tuple[Cursor, ...]:
        return await self.commits.run(_preferences, is_durable=False)

    async def add(self, subscription: Subscription, acked: int) -> None:
        await self.commits.run(partial(_add, self.seal, subscription, acked))

    async def change(self, subscription: Subscription) -> None:
        await self.commits.run(partial(_change, self.seal, subscription))
        if subscription.state is SubscriptionState.DEAD:  # and whoever set that took its secrets away
            await self.eraser.scrub()

    async def remove(self, id: str) -> None:
        if await self.commits.run(partial(_remove, id)):
            await self.eraser.scrub()

    async def record(self, cursors: Sequence[Cursor], attempts: Sequence[Attempt] = ()) -> None:
        if cursors or attempts:
            await self.commits.run(partial(_record, tuple(cursors), tuple(attempts)), is_durable=False)

    async def attempts(self, id: str) -> tuple[Attempt, ...]:
        return await self.commits.run(partial(_attempts, id), is_durable=False)

    async def bury(self, letter: DeadLetter) -> None:
        await self.commits.run(partial(_bury, letter))

    async def dead_letters(self, id: str) -> tuple[DeadLetter, ...]:
        return await self.commits.run(partial(_dead_letters, id), is_durable=False)

    async def unbury(self, id: str, seq: int) -> None:
        await self.commits.run(partial(_unbury, id, seq))

    async def trim(self, before: float) -> int:
        await self.eraser.again()
        return await self.commits.run(partial(_trim, before), is_durable=False)

    async def reseal(self) -> tuple[int, int]:
        done = unreadable = 0
        last: str | None = ""
        while last is not None:
            some, broken, last = await self.commits.run(partial(_reseal, self.seal, last))
            done += some
            unreadable += broken
        if done:
            await self.eraser.scrub()
        return done, unreadable


async def count_sealed(database: Database) -> int:
    """How many subscriptions have something sealed."""
    return await database.run(
        lambda connection: int(connection.execute(sql.COUNT_SUBSCRIPTIONS).fetchone()[0])
    )


def _about(id: str, account: str) -> str:
    return f"subscription\0{account}\0{id}"


def _all(seal: Seal, connection: sqlite3.Connection) -> tuple[list[Standing], list[str]]:
    cursors = {row[0]: Cursor(*row) for row in connection.execute(sql.LIST_CURSORS)}
    standings, damaged = [], []
    for row in connection.execute(sql.LIST_SUBSCRIPTIONS):
        subscription = _opened(seal, row)
        if subscription is None or subscription.id not in cursors:
            damaged.append(row[0])
        else:
            standings.append(Standing(subscription, cursors[subscription.id]))
    return standings, damaged


def _opened(seal: Seal, row: tuple[Any, ...]) -> Subscription | None:
    id, account, _, _, _, sealed, *_ = row
    secret = seal.open(sealed, _about(id, account))
    if secret is None:
        return None
    try:
        return subscription_of(row, secret)
    except RowDamaged:
        return None


def _preferences(connection: sqlite3.Connection) -> tuple[Cursor, ...]:
    return tuple(Cursor(*row) for row in connection.execute(sql.LIST_CURSORS) if is_preference(row[0]))


def _add(seal: Seal, subscription: Subscription, acked: int, connection: sqlite3.Connection) -> None:
    if _account_of(subscription.id, connection) is not None:
        raise PermanentFailure(ALREADY_EXISTS)
    sealed = seal.seal(secret_content(subscription), _about(subscription.id, text_of(subscription.account)))
    connection.execute(sql.INSERT_SUBSCRIPTION, subscription_values(subscription, sealed))
    connection.execute(sql.NEW_CURSOR, (subscription.id, acked))


def _change(seal: Seal, subscription: Subscription, connection: sqlite3.Connection) -> None:
    account = _account_of(subscription.id, connection)
    if account is None:
        raise PermanentFailure(NO_SUCH_SUBSCRIPTION)
    sealed = seal.seal(secret_content(subscription), _about(subscription.id, account))
    values = subscription_values(subscription, sealed)[SUBSCRIPTION_LASTING:]
    connection.execute(sql.UPDATE_SUBSCRIPTION, (*values, subscription.id))


def _remove(id: str, connection: sqlite3.Connection) -> bool:
    """Whether anything secret went."""
    has_secrets = not is_preference(id)
    if has_secrets and _account_of(id, connection) is None:
        raise PermanentFailure(NO_SUCH_SUBSCRIPTION)
    for statement in sql.REMOVE:
        connection.execute(statement, (id,))
    return has_secrets


def _account_of(id: str, connection: sqlite3.Connection) -> str | None:
    """Whose it is; None where there is no such subscription."""
    found = connection.execute(sql.ACCOUNT_OF, (id,)).fetchone()
    return None if found is None else str(found[0])


def _is_kept(id: str, connection: sqlite3.Connection) -> bool:
    return is_preference(id) or _account_of(id, connection) is not None


def _record(
    cursors: tuple[Cursor, ...], attempts: tuple[Attempt, ...], connection: sqlite3.Connection
) -> None:
    tried = {attempt.subscription for attempt in attempts}
    ids = tried | {cursor.subscription for cursor in cursors}
    kept = {id for id in ids if _is_kept(id, connection)}
    for cursor in cursors:
        if cursor.subscription in kept:
            connection.execute(sql.SET_CURSOR, cursor_values(cursor))
    for attempt in attempts:
        if attempt.subscription in kept:
            connection.execute(sql.INSERT_ATTEMPT, attempt_values(attempt))
    for id in tried & kept:
        connection.execute(sql.DELETE_OLD_ATTEMPTS, (id, ATTEMPTS_KEPT))


def _attempts(id: str, connection: sqlite3.Connection) -> tuple[Attempt, ...]:
    return tuple(Attempt(*row) for row in connection.execute(sql.ATTEMPTS_OF, (id,)))


def _bury(letter: DeadLetter, connection: sqlite3.Connection) -> None:
    if _is_kept(letter.subscription, connection):
        connection.execute(sql.SET_LETTER, letter_values(letter))


def _dead_letters(id: str, connection: sqlite3.Connection) -> tuple[DeadLetter, ...]:
    return tuple(DeadLetter(*row) for row in connection.execute(sql.LETTERS_OF, (id,)))


def _unbury(id: str, seq: int, connection: sqlite3.Connection) -> None:
    connection.execute(sql.DELETE_LETTER, (id, seq))


def _trim(before: float, connection: sqlite3.Connection) -> int:
    return sum(connection.execute(statement, (before,)).rowcount for statement in sql.TRIM)


def _reseal(seal: Seal, after: str, connection: sqlite3.Connection) -> tuple[int, int, str | None]:
    """One step, of the subscriptions behind this id: how many were sealed anew, and how many cannot be; and
    where the next one begins, None: nowhere."""
    rows = connection.execute(sql.SEALED_AFTER, (after, RESEALED_AT_ONCE)).fetchall()
    done = unreadable = 0
    for id, account, sealed in rows:
        if seal.is_current(sealed):
            continue
        plain = seal.open(sealed, _about(id, account))
        if plain is None:
            unreadable += 1
            continue
        connection.execute(sql.SET_SEALED, (seal.seal(plain, _about(id, account)), id))
        done += 1
    return done, unreadable, rows[-1][0] if len(rows) == RESEALED_AT_ONCE else None
