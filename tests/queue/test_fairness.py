"""A newsletter for a hundred thousand people, and one letter (features row Q-06); and much that is due."""

import sqlite3

import pytest

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import Room
from mailsuite.queue.sqlite import sending
from mailsuite.queue.sqlite.ledger import Ledger
from mailsuite.queue.sqlite.schema import SCHEMA, prepare

NOON = 1_700_000_000.0
NEWSLETTER = Address("news", "example.net")
ANN = Address("ann", "example.net")


class Rows:
    """A ledger on rows in memory."""

    def __init__(self):
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for step in SCHEMA:
            for statement in step:
                self.connection.execute(statement)
        prepare(self.connection)
        self.ledger = Ledger(lambda: NOON)

    def put(self, id, sender, *recipients, release=0):
        envelope = OutboundEnvelope(
            id,
            sender,
            tuple(map(OutboundRecipient, recipients)),
            account=sender,
            arrived=NOON,
            release=release,
        )
        self.connection.execute("BEGIN")
        assert self.ledger.put(self.connection, envelope, id, 2000)
        self.connection.execute("COMMIT")

    def claim(self, now=NOON, count=100, room=None, usual=20, seconds=60):
        return sending.claim(
            self.ledger,
            self.connection,
            now=now,
            until=now + seconds,
            count=count,
            room=Room(usual, room or {}),
        )

    def claimed(self, **how):
        return [lease.message.id for lease in self.claim(**how)]


@pytest.fixture
def rows():
    rows = Rows()
    yield rows
    rows.connection.close()


@pytest.mark.parametrize("destinations", [1, 20_000])
@pytest.mark.parametrize("to", ["d0.example", "elsewhere.example"])
def test_a_newsletter_does_not_hold_up_a_letter(rows, destinations, to):
    readers = (Address(f"r{number}", f"d{number % destinations}.example") for number in range(100_000))
    rows.put("news", NEWSLETTER, *readers)
    assert len(rows.claim(count=20)) == 20
    rows.put("letter", ANN, Address("bob", to))
    assert "letter" in rows.claimed(count=3, usual=30)


def test_each_of_several_senders_has_a_turn(rows):
    for number in range(40):
        rows.put(f"joe{number}", NEWSLETTER, Address("x", "d.example"))
    for number in range(4):
        rows.put(f"ann{number}", ANN, Address("x", "d.example"))
        rows.put(f"bob{number}", Address("bob", "example.net"), Address("x", "d.example"))
    first = rows.claimed(count=12)
    assert sorted(id[:3] for id in first) == ["ann"] * 4 + ["bob"] * 4 + ["joe"] * 4


def test_what_is_due_in_thousands_is_seen_to_bit_by_bit(rows, monkeypatch):
    monkeypatch.setattr(sending, "AT_ONCE", 2)
    for number in range(5):
        rows.put(f"m{number}", ANN, Address("x", "d.example"), release=NOON + number)
    assert rows.claimed(now=NOON + 9, seconds=1) == ["m0", "m1"]
    assert sending.next_due(rows.connection) == NOON + 2
    assert rows.claimed(now=NOON + 9, seconds=1) == ["m2", "m3"]
    assert rows.claimed(now=NOON + 9, seconds=1) == ["m4"]
    again = [rows.claimed(now=NOON + 10) for _ in range(4)]
    assert sorted(id for some in again for id in some) == [f"m{number}" for number in range(5)]
    assert max(map(len, again)) <= 4


def test_nothing_is_left_of_destinations_that_nothing_waits_for(rows):
    rows.put("m", ANN, Address("x", "d.example"))
    (lease,) = rows.claim()
    rows.claim(now=NOON + 6)
    for table in ("flow", "destination"):
        assert rows.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)
    sending.give_back(rows.ledger, rows.connection, leases=[lease], due=NOON)
    assert rows.claimed(now=NOON + 6) == ["m"]
