"""What those who send do to the rows. Runs in the database's thread, inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate, Lease, Outcome, Owed, QueuedRecipient, Room
from mailsuite.model.retention import Usage
from mailsuite.queue.parts import text_of
from mailsuite.queue.sqlite import statements as sql
from mailsuite.queue.sqlite.ledger import AT_ONCE, LEASED, READY, Ledger, Part
from mailsuite.queue.sqlite.rows import message_of, outcome_text, recipient_of


def claim(
    ledger: Ledger,
    connection: sqlite3.Connection,
    *,
    now: float,
    until: float,
    count: int,
    room: Room,
) -> tuple[Lease, ...]:
    """See IOutboundQueue. What has become due is seen to before, a bounded number of rows of each kind."""
    end_leases(ledger, connection, now=now)
    _promote(ledger, connection, now)
    ledger.forget_past(connection)
    return tuple(_lease(connection, number, until) for number in ledger.turns.take(connection, count, room))


def end_leases(ledger: Ledger, connection: sqlite3.Connection, *, now: float) -> int:
    """Leases that were held up to *now* are over, AT_ONCE at most; answers how many."""
    ended = connection.execute(sql.LEASED_UNTIL, (now, AT_ONCE)).fetchall()
    for (number,) in ended:
        part = ledger.known_part(connection, number)
        ledger.end(connection, part, part.due)
    return len(ended)


def _promote(ledger: Ledger, connection: sqlite3.Connection, now: float) -> None:
    for (number,) in connection.execute(sql.WAITING_UNTIL, (now, AT_ONCE)).fetchall():
        part = ledger.known_part(connection, number)
        ledger.set_state(connection, part, READY, part.due)


def _lease(connection: sqlite3.Connection, number: int, until: float) -> Lease:
    connection.execute(sql.LEASE, (until, number))
    part = Part(*connection.execute(sql.PART, (number,)).fetchone())
    message = message_of(connection.execute(sql.MESSAGE_BY_NUMBER, (part.message,)).fetchone())
    left = connection.execute(sql.LEFT_OF_PART, (number,)).fetchall()
    recipients = tuple(map(recipient_of, left))
    return Lease(f"{number}.{part.serial}", message, part.destination, recipients)


def _leased(ledger: Ledger, connection: sqlite3.Connection, lease: Lease) -> Part | None:
    """Its part; None where the lease was lost."""
    number, _, serial = lease.token.partition(".")
    part = ledger.part(connection, int(number))
    return part if part and part.state == LEASED and part.serial == int(serial) else None


def extend(connection: sqlite3.Connection, *, leases: Collection[Lease], until: float) -> tuple[Lease, ...]:
    return tuple(
        lease for lease in leases if connection.execute(sql.EXTEND, (until, *lease.token.split("."))).rowcount
    )


def give_back(
    ledger: Ledger, connection: sqlite3.Connection, *, leases: Collection[Lease], due: float
) -> None:
    for lease in leases:
        if part := _leased(ledger, connection, lease):
            ledger.end(connection, part, due)


def record(
    ledger: Ledger,
    connection: sqlite3.Connection,
    *,
    lease: Lease,
    outcomes: Mapping[int, Outcome],
    due: float,
    owed: Mapping[int, NotifyOn],
) -> bool:
    part = _leased(ledger, connection, lease)
    if part is None:
        return False
    for number, outcome in outcomes.items():
        is_over = outcome.fate is not Fate.DEFERRED
        connection.execute(sql.RECORD, (outcome_text(outcome), is_over, part.number, number))
        if is_over:  # that it was delayed is not owed any more
            connection.execute(sql.OWED_NOT, (part.message, number))
    for number, kind in owed.items():
        connection.execute(sql.OWE, (part.message, kind.value, part.number, number))
        if kind is NotifyOn.DELAY:
            connection.execute(sql.WARN, (part.number, number))
    ledger.end(connection, part, due)
    return True


def owed(connection: sqlite3.Connection, *, count: int) -> tuple[Owed, ...]:
    found: list[Owed] = []
    for (number,) in connection.execute(sql.OWED_MESSAGES, (count,)).fetchall():
        message = message_of(connection.execute(sql.MESSAGE_BY_NUMBER, (number,)).fetchone())
        kinds: dict[str, list[QueuedRecipient]] = {}
        for kind, *row in connection.execute(sql.OWED_OF, (number,)).fetchall():
            kinds.setdefault(kind, []).append(recipient_of(tuple(row)))
        found += [Owed(message, NotifyOn(kind), tuple(some)) for kind, some in kinds.items()]
    return tuple(found)


def told(ledger: Ledger, connection: sqlite3.Connection, *, owed: Owed) -> None:
    found = connection.execute(sql.NUMBER_OF_ID, (owed.message.id,)).fetchone()
    if found is not None:
        for recipient in owed.recipients:
            connection.execute(sql.TOLD, (found[0], recipient.number, owed.kind.value))
        ledger.finish(connection, found[0])


def next_due(connection: sqlite3.Connection) -> float | None:
    if connection.execute(sql.ANY_DESTINATION).fetchone():
        return 0
    found = (connection.execute(statement).fetchone() for statement in (sql.FIRST_WAITING, sql.FIRST_LEASED))
    return min((row[0] for row in found if row), default=None)


def held_by(connection: sqlite3.Connection, *, account: Address, now: float) -> Usage:
    messages, octets = connection.execute(sql.HELD_BY, (text_of(account), now)).fetchone()
    return Usage(messages=messages, octets=octets)


def reroute(ledger: Ledger, connection: sqlite3.Connection, *, after: int) -> int | None:
    """Those behind the number *after*, AT_ONCE at most; answers the last, None where there are no more."""
    rows = connection.execute(sql.PARTS_AFTER, (after, AT_ONCE)).fetchall()
    for row in rows:
        ledger.sort_anew(connection, Part(*row))
    return rows[-1][0] if rows else None
