"""The queue of a stopped server is looked through, and mended where that loses nothing."""

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate, Outcome, QueueFilter, Room
from mailsuite.model.reply import Reply
from mailsuite.queue.sqlite.desk import SqliteDesk
from mailsuite.queue.sqlite.fsck import Finding, check
from tests.contracts.outbound_queue import CONTENT, EVE, MAX
from tests.contracts.outbound_queue_sending import letter
from tests.queue.queues import QueueOnDisk

NOON = 1_700_000_000.0
BUSY = Outcome(Fate.DEFERRED, Reply(450, "", ("later",)), "mx.example.org", NOON)


class FsckCase(QueueOnDisk, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.queue = self.open_queue()
        for envelope in (letter("a", EVE), letter("b", EVE, MAX), letter("c", EVE, release=NOON + 99)):
            self.put(envelope)

    def put(self, envelope):
        queuing = self.queue.begin(envelope)
        queuing.write(CONTENT)
        self.answer(queuing.prepare())
        self.answer(queuing.commit())

    def claim(self, now=NOON):
        return self.answer(self.queue.claim(now, now + 60, 100, Room(100)))

    def stop(self):
        self.answer(self.queue.close())

    def sql(self, *statements):
        connection = sqlite3.connect(self.root / "queue.db", isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def texts(self, repair=False):
        findings = check(self.root, repair, lambda: NOON)
        self.assertEqual({finding.is_mended for finding in findings}, {repair} if findings else set())
        return [finding.text for finding in findings]

    def mended(self, expected):
        """Found, found again as nothing was changed, mended, and not found any more."""
        self.assertEqual(self.texts(), expected)
        self.assertEqual(self.texts(repair=True), expected)
        self.assertEqual(self.texts(), [])
        self.queue = self.open_queue()


class FsckTests(FsckCase):
    def test_a_sound_queue(self):
        leases = self.claim()
        self.answer(self.queue.record(leases[0], {0: BUSY}, NOON + 9, {0: NotifyOn.DELAY}))
        self.answer(SqliteDesk(self.queue).hold(QueueFilter(), NOON))
        self.stop()
        self.assertEqual(self.texts(), [])
        self.assertEqual(self.texts(repair=True), [])

    def test_no_queue_at_all(self):
        self.stop()
        (self.root / "elsewhere").mkdir()
        self.assertEqual(check(self.root / "elsewhere"), ())

    def test_leases_without_end(self):
        self.claim()
        self.stop()
        self.sql("UPDATE part SET until = 0 WHERE message = 1")
        self.mended(["Leases without an end: 1."])
        self.assertEqual(len(self.claim()), 3)

    def test_ends_without_leases(self):
        self.stop()
        self.sql("UPDATE part SET until = 5")
        self.mended(["Parts that have the end of a lease, and that nobody has leased: 4."])

    def test_somebody_is_still_to_get_what_is_over(self):
        self.stop()
        self.sql("UPDATE part SET state = 'over' WHERE state = 'waiting'")
        self.mended(["Parts that are over, and somebody is still to get them: 1."])
        self.assertEqual(len(self.claim(NOON + 99)), 4)

    def test_nobody_is_to_get_what_waits(self):
        self.stop()
        self.sql("UPDATE recipient SET over = 1 WHERE address = 'max@example.com'")
        expected = ["Parts that wait, and nobody is to get them any more: 1."]
        self.assertEqual(self.texts(), expected)
        self.assertEqual(len(self.texts(repair=True)), 2)
        self.assertEqual(self.texts(), [])

    def test_what_is_over_and_still_there_goes_with_its_file(self):
        self.stop()
        self.sql(
            "UPDATE part SET state = 'over' WHERE message = 3", "UPDATE recipient SET over = 1 WHERE part = 4"
        )
        self.assertEqual(self.texts(), ["Messages that are over and still there: 1."])
        self.assertEqual(len(self.texts(repair=True)), 2)
        self.assertEqual(self.texts(), [])
        self.assertEqual(len(self.spooled()), 2)

    def test_what_has_lost_its_recipients_is_for_a_backup(self):
        self.stop()
        self.sql("DELETE FROM part WHERE message = 3", "DELETE FROM recipient WHERE part = 4")
        for repair in (False, True):
            (finding,) = check(self.root, repair)
            self.assertIn("restore a backup): 1.", finding.text)
            self.assertFalse(finding.is_mended)
        self.assertEqual(len(self.spooled()), 3)

    def test_rows_of_nobody(self):
        self.stop()
        self.sql(
            "INSERT INTO part (message, destination, origin, cost, state, due)"
            " VALUES (77, 'd', 'o', 1, 'held', 0)",
            "INSERT INTO recipient (part, number, address, original) VALUES (88, 0, 'eve@example.org', '')",
            "INSERT INTO owed (message, number, part, kind) VALUES (99, 0, 1, 'DELAY')",
        )
        self.assertEqual(self.texts()[0], "Rows of messages that are not there: 3.")
        self.texts(repair=True)
        self.assertEqual(self.texts(), [])

    def test_notices_of_nobody(self):
        self.stop()
        self.sql("INSERT INTO owed (message, number, part, kind) VALUES (1, 7, 1, 'DELAY')")
        self.mended(["Notices that are owed of recipients who are not there: 1."])

    def test_turns_that_are_wrong(self):
        for statement in (
            "DELETE FROM flow WHERE destination = 'example.org'",
            "INSERT INTO flow (destination, origin, turn, tag) VALUES ('x', 'y', 1, 1)",
            "UPDATE destination SET key = 77",
            "UPDATE destination SET key = NULL",
            "DELETE FROM destination",
            "INSERT INTO destination (name, key) VALUES ('x', 5)",
        ):
            self.stop()
            self.sql(statement)
            (text,) = self.texts()
            self.assertIn("do not have the turn", text, statement)
            self.mended([text])
            leases = self.claim()
            self.assertEqual(len(leases), 3, statement)
            self.answer(self.queue.give_back(leases, NOON))
            self.claim()
            self.answer(self.queue.close())
            self.queue = self.open_queue()
            self.answer(self.queue.claim(NOON, NOON + 1, 0, Room(1)))

    def test_content_that_is_lost(self):
        self.stop()
        first, second, _ = self.spooled()
        first.unlink()
        second.write_bytes(b"other")
        self.assertEqual(len(self.texts()), 1)
        (text,) = self.texts()
        self.assertIn("missing or not as long as it was, and which cannot be sent: 2 (", text)
        (text,) = self.texts(repair=True)
        self.assertIn("and which are held: 2 (", text)
        self.queue = self.open_queue()
        self.assertEqual(len({lease.message.id for lease in self.claim(NOON + 999)}), 1)

    def test_files_of_nobody(self):
        self.stop()
        (self.root / "spool" / "tmp" / "half").write_bytes(b"x")
        (self.root / "spool" / "0" / "whole").write_bytes(b"x")
        (finding,) = check(self.root)
        self.assertEqual(
            finding,
            Finding("Files of the spool that belong to no message: 2 (tmp/half, 0/whole).", False, True),
        )
        self.mended([finding.text])
        self.assertEqual(len(self.spooled()), 3)

    def test_many_are_counted_and_not_named(self):
        self.stop()
        for number in range(25):
            (self.root / "spool" / "0" / f"n{number:02}").touch()
        (text,) = self.texts()
        self.assertIn("no message: 25 (", text)
        self.assertIn("0/n19 and 5 more", text)

    def test_files_that_are_older_than_the_rows_are_never_removed(self):
        self.stop()
        path = self.root / "spool" / "0" / "old"
        path.touch()
        os.utime(path, (1, 1))
        for repair in (False, True):
            (finding,) = check(self.root, repair)
            self.assertIn("Files of the spool that are older than queue.db: 1 (0/old).", finding.text)
            self.assertEqual((finding.is_mended, finding.is_harmless), (False, False))
        self.assertTrue(path.exists())

    def test_files_without_any_rows(self):
        self.stop()
        for path in self.root.glob("queue.db*"):
            path.unlink()
        (text,) = self.texts()
        self.assertIn("has 3 files, and there is no queue.db", text)
        self.assertFalse((self.root / "queue.db").exists())

    def test_a_newer_schema_is_left_alone(self):
        self.stop()
        self.sql("PRAGMA user_version = 99")
        (finding,) = check(self.root, repair=True)
        self.assertIn("has schema 99", finding.text)
        self.assertFalse(finding.is_mended)

    def test_damage(self):
        self.put(letter("needle-needle", EVE))
        self.stop()
        path = self.root / "queue.db"
        path.write_bytes(path.read_bytes().replace(b"needle-needle", b"needle-needlf", 1))
        (finding,) = check(self.root, repair=True)
        self.assertIn("is damaged", finding.text)
        self.assertIn("Restore it from a backup.", finding.text)
        path.write_bytes(b"no database at all" * 1000)
        (finding,) = check(self.root, repair=True)
        self.assertIn("cannot be read", finding.text)
        self.assertFalse(finding.is_mended)
