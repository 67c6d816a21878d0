"""A queue.db that an earlier version wrote is brought up to date, and its mail leaves."""

import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import FROM, Room
from tests.queue.queues import QueueOnDisk

NOON = 1_700_000_000.0
JOE = Address("joe", "example.net")
FORMAT_2 = """
DROP INDEX message_held;
DROP INDEX destination_open;
ALTER TABLE destination DROP COLUMN source;
ALTER TABLE destination ADD COLUMN blocked REAL NOT NULL DEFAULT 0;
CREATE INDEX destination_open ON destination (key) WHERE key IS NOT NULL AND blocked = 0;
CREATE INDEX destination_blocked ON destination (blocked) WHERE blocked > 0;
CREATE INDEX destination_late ON destination (blocked) WHERE blocked > 0 AND key IS NOT NULL;
UPDATE destination SET blocked = 1800000000 WHERE name = 'b.test';
INSERT INTO destination (name, blocked) VALUES ('c.test', 1800000000);
PRAGMA user_version = 2;
"""
"""What the steps behind the second change, undone."""


class Formats(QueueOnDisk, SynchronousTestCase):
    def put(self, queue, domain):
        envelope = OutboundEnvelope(domain, JOE, (OutboundRecipient(Address("x", domain)),), arrived=NOON)
        queuing = queue.begin(envelope)
        queuing.write(b"Hello\r\n")
        self.answer(queuing.prepare())
        self.answer(queuing.commit())

    def test_format_2_whose_destinations_could_be_postponed(self):
        queue = self.open_queue()
        for domain in ("a.test", "b.test"):
            self.put(queue, domain)
        self.answer(queue.close())
        with closing(sqlite3.connect(self.root / "queue.db", isolation_level=None)) as connection:
            connection.executescript(FORMAT_2)
        queue = self.open_queue()
        self.assertEqual(self.rows("SELECT name FROM destination"), [("a.test",), ("b.test",)])
        self.answer(queue.reroute(lambda sender, to: f"{to.domain}{FROM}192.0.2.1"))
        leases = self.answer(queue.claim(NOON, NOON + 60, 9, Room(2)))
        self.assertEqual(
            [lease.destination for lease in leases], ["a.test from 192.0.2.1", "b.test from 192.0.2.1"]
        )
