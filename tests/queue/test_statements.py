"""Each statement that mail meets finds what it looks for by an index, with thousands of rows there."""

import re
import sqlite3

import pytest

from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import Fate, Outcome, Room
from mailsuite.model.reply import Reply
from mailsuite.queue.sqlite import sending, statements
from mailsuite.queue.sqlite.ledger import Ledger
from mailsuite.queue.sqlite.schema import SCHEMA, prepare

MESSAGES = 20_000
NOON = 1_700_000_000.0
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
STATEMENTS = {
    name: text for name, text in vars(statements).items() if name.isupper() and text.startswith(VERBS)
}
OWED_SCANS = {"OWED_MESSAGES"}
"""These look for the first rows of all: a scan that ends with what it is asked for."""
BUSY = Outcome(Fate.DEFERRED, Reply(450, "", ("later",)))


@pytest.fixture(scope="module")
def filled():
    """What is READY, WAITING, LEASED, HELD, OVER and owed, by the thousand."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in SCHEMA:
        for statement in step:
            connection.execute(statement)
    prepare(connection)
    ledger = Ledger(lambda: NOON)
    connection.execute("BEGIN")
    for number in range(MESSAGES):
        sender = Address(f"s{number % 500}", "example.net")
        recipient = OutboundRecipient(Address(f"r{number}", f"d{number % 3000}.example"))
        release = 0 if number % 4 else NOON + number
        ledger.put(
            connection,
            OutboundEnvelope(f"id{number}", sender, (recipient,), arrived=NOON, release=release),
            f"{number:020x}",
            1000,
        )
    leases = sending.claim(ledger, connection, now=NOON, until=NOON + 60, count=4000, room=Room(4))
    for lease in leases[:3000]:
        sending.record(
            ledger, connection, lease=lease, outcomes={0: BUSY}, due=NOON + 9, owed={0: NotifyOn.DELAY}
        )
    connection.execute("COMMIT")
    yield connection
    connection.close()


def plan(connection, statement):
    numbered = re.findall(r"\?(\d)", statement)
    count = max(map(int, numbered)) if numbered else statement.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", (None,) * count)]


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_it_uses_an_index_and_sorts_nothing(filled, name):
    steps = plan(filled, STATEMENTS[name])
    assert not [step for step in steps if "TEMP B-TREE" in step], steps
    harmless = ("CONSTANT", "json_each VIRTUAL TABLE")  # nothing, and what was given with the statement
    scans = [step for step in steps if step.startswith("SCAN") and not any(each in step for each in harmless)]
    if name in OWED_SCANS:
        assert all("owed" in step for step in scans), steps
    else:
        assert not [step for step in scans if "USING" not in step or "LIMIT" not in STATEMENTS[name]], steps


def test_the_plans_are_those_of_a_filled_queue(filled):
    counts = dict(filled.execute("SELECT state, COUNT(*) FROM part GROUP BY state"))
    assert counts["ready"] > 5000
    assert counts["waiting"] > 5000
    assert counts["leased"] == 1000
    assert filled.execute("SELECT COUNT(*) FROM flow").fetchone()[0] > 2000
    assert filled.execute("SELECT COUNT(*) FROM owed").fetchone()[0] == 3000


def steps_of(connection, work):
    """Instructions of SQLite's virtual machine, in thousands."""
    count = 0

    def counting():
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(counting, 1000)
    try:
        work()
    finally:
        connection.set_progress_handler(None, 0)
    return count


def test_the_next_attempt_costs_no_more_in_a_large_queue(filled):
    """A lease is some hundred instructions; a scan of the parts would be a hundred thousand."""
    ledger = Ledger(lambda: NOON)

    def claim():
        leases = sending.claim(
            ledger, filled, now=NOON, until=NOON + 60, count=20, room=Room(20, {"d7.example": 0})
        )
        assert len(leases) == 20
        for lease in leases:
            assert sending.record(ledger, filled, lease=lease, outcomes={0: BUSY}, due=NOON + 9, owed={})
        assert sending.next_due(filled) == 0

    claim()
    assert steps_of(filled, claim) < 50
