"""What an administrator changes, part by part. Runs in the database's thread, inside a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence

from mailsuite.model.outbound import QueueFilter
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.filters import OF_THESE, select
from mailsuite.queue.sqlite.ledger import HELD, LEASED, READY, WAITING, Ledger, Part
from mailsuite.queue.sqlite.orders import Order

Change = Callable[[Ledger, sqlite3.Connection, Part, float], bool]
"""What to do with a part of a message that is to be sent at the time given; whether it did anything."""


def change_all(
    ledger: Ledger,
    connection: sqlite3.Connection,
    *,
    which: QueueFilter,
    now: float,
    numbers: Sequence[int],
    change: Change,
    is_silent: bool = False,
) -> list[str]:
    """Those of *numbers* that still match; answers the ids of those that were changed. Where it is to be
    *silent*, no notices are owed any more."""
    rows = connection.execute(*select(OF_THESE, which, now, json.dumps(list(numbers)))).fetchall()
    changed = []
    for number, id, chosen in rows:
        done = [change(ledger, connection, part, chosen) for part in ledger.parts_of(connection, number)]
        if is_silent and connection.execute(sql.OWED_NOTHING, (number,)).rowcount:
            done.append(True)
            ledger.finish(connection, number)
        if any(done):
            changed.append(id)
    return changed


def hold(ledger: Ledger, connection: sqlite3.Connection, part: Part, chosen: float) -> bool:
    if part.state == LEASED:
        connection.execute(sql.SET_HELD, (1, part.number))
        return not part.held
    if part.state != HELD:
        ledger.set_state(connection, part, HELD, part.due)
    return part.state != HELD


def release(now: float, ledger: Ledger, connection: sqlite3.Connection, part: Part, chosen: float) -> bool:
    if part.state == LEASED:
        connection.execute(sql.SET_HELD, (0, part.number))
        return bool(part.held)
    if part.state != HELD and (part.state != WAITING or now >= chosen):
        return False
    ledger.set_state(connection, part, READY, now)
    return True


def retry(now: float, ledger: Ledger, connection: sqlite3.Connection, part: Part, chosen: float) -> bool:
    if part.state != WAITING or now < chosen:
        return False
    ledger.set_state(connection, part, READY, now)
    return True


def obey(order: Order, ledger: Ledger, connection: sqlite3.Connection, part: Part, release: float) -> bool:
    if part.state == LEASED:
        connection.execute(sql.SET_ORDER, (order.text, part.number))
    else:
        ledger.obey(connection, part, order)
    return True
