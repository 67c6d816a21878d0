"""What a crash has left is found after the start: files without rows go, rows without their file are held."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueueFilter, Room
from mailsuite.model.reply import MESSAGE_GONE
from mailsuite.queue.spool.place import path_of
from mailsuite.queue.sqlite import sweeping
from mailsuite.queue.sqlite.desk import SqliteDesk
from mailsuite.queue.sqlite.sweeping import sweep
from tests.queue.queues import QueueOnDisk

NOON = 1_700_000_000.0
CONTENT = b"Subject: hello\r\n\r\nWorld\r\n"


def letter(id, domain="example.org"):
    return OutboundEnvelope(
        id, Address("joe", "example.net"), (OutboundRecipient(Address("eve", domain)),), arrived=NOON
    )


class SweepingCase(QueueOnDisk, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.queue = self.open_queue()
        self.desk = SqliteDesk(self.queue)

    def begun(self, id, domain="example.org"):
        queuing = self.queue.begin(letter(id, domain))
        queuing.write(CONTENT)
        return queuing

    def put(self, id, domain="example.org"):
        queuing = self.begun(id, domain)
        self.answer(queuing.prepare())
        self.answer(queuing.commit())
        return Path(path_of(str(self.root / "spool"), queuing.parcel.place.name))

    def sweep(self):
        return self.answer(sweep(self.queue))

    def states(self):
        entries = self.answer(self.desk.find(QueueFilter(), NOON))
        return {entry.message.id: entry.states[0].name for entry in entries}


class OrphanTests(SweepingCase):
    def setUp(self):
        super().setUp()
        self.make_rows_older(60)

    def make_rows_older(self, seconds):
        work = lambda connection: connection.execute("UPDATE made SET at = at - ?", (seconds,))  # noqa: E731
        self.answer(self.queue.run(work))

    def orphan(self, directory, age=10):
        path = self.root / "spool" / directory / f"orphan{directory}"
        path.write_bytes(b"x")
        os.utime(path, (self.queue.opened_at - age,) * 2)
        return path

    def test_files_without_rows_go_and_the_others_stay(self):
        kept = self.put("kept")
        os.utime(kept, (1, 1))
        orphans = [self.orphan("tmp"), self.orphan("0"), self.orphan("f")]
        young = self.orphan("7", age=-5)
        self.assertEqual(self.sweep(), (3, 0))
        self.assertEqual(self.spooled(), sorted([kept, young]))
        for orphan in orphans:
            self.assertTrue(any(str(orphan) in line for line in self.lines))
        self.assertEqual(self.sweep(), (0, 0))

    def test_what_is_under_way_stays_however_old(self):
        prepared = self.begun("prepared")
        self.answer(prepared.prepare())
        large = self.begun("large")
        large.write(b"x" * 300_000)
        for path in self.spooled():
            os.utime(path, (1, 1))
        self.assertEqual(len(self.spooled()), 2)
        self.assertEqual(self.sweep(), (0, 0))
        self.answer(prepared.commit())
        self.answer(large.abort())
        for path in self.spooled():
            os.utime(path, (1, 1))
        self.assertEqual(self.sweep(), (0, 0))
        self.assertEqual(len(self.spooled()), 1)
        self.assertEqual(self.queue.underway, set())

    def test_what_was_prepared_by_a_process_that_died_goes(self):
        self.answer(self.begun("dead").prepare())
        self.queue = self.reopened(self.queue)
        self.queue.opened_at += 10
        self.assertEqual(self.sweep(), (1, 0))
        self.assertEqual(self.spooled(), [])

    def test_files_that_are_older_than_the_rows_stay_for_their_own_may_come_back(self):
        path = self.put("a")
        os.utime(path, (1, 1))
        self.answer(self.queue.close())
        for each in self.root.glob("queue.db*"):
            each.rename(self.root / f"lost-{each.name}")
        self.queue = self.open_queue()
        half = self.orphan("tmp", age=99)
        self.assertEqual(self.sweep(), (1, 0))
        self.assertEqual(self.spooled(), [path])
        self.assertFalse(half.exists())
        (line,) = [line for line in self.lines if "queue.files_unknown" in line]
        self.assertIn("files=1", line)

    def test_what_goes_by_itself_meanwhile_is_not_missed(self):
        self.put("a")
        path = str(self.root / "spool" / "0" / "gone")
        self.assertEqual(sweeping._remove_older(self.queue, 0.0, [path]), ([], 0))

    def test_an_empty_place_has_nothing(self):
        self.assertEqual(self.sweep(), (0, 0))

    def test_many(self):
        self.patch(sweeping, "AT_ONCE", 2)
        for id in ("a", "b", "c", "d", "e"):
            self.put(id)
        for number in range(5):
            self.orphan("0").rename(self.root / "spool" / "0" / str(number))
        self.assertEqual(self.sweep(), (5, 0))
        self.assertEqual(len(self.spooled()), 5)


class LossTests(SweepingCase):
    def test_what_has_lost_its_content_is_held_and_says_so(self):
        self.put("gone").unlink()
        self.put("cut").write_bytes(CONTENT[:5])
        self.put("whole")
        self.assertEqual(self.sweep(), (0, 2))
        self.assertEqual(self.states(), {"gone": "HELD", "cut": "HELD", "whole": "READY"})
        errors = self.answer(self.desk.errors(NOON))
        self.assertEqual(errors, ((f"450 4.2.0 {MESSAGE_GONE.text[0]}", 2),))
        self.assertTrue(any("queue.content_missing message=gone" in line for line in self.lines), self.lines)
        leases = self.answer(self.queue.claim(NOON, NOON + 60, 10, Room(10)))
        self.assertEqual([lease.message.id for lease in leases], ["whole"])

    def test_what_is_not_as_long_as_it_was_is_not_read(self):
        self.put("cut").write_bytes(CONTENT[:5])
        content = self.queue.content("cut")
        with self.assertRaises(TemporaryFailure) as raised:
            self.answer(content.read(100))
        self.assertEqual(raised.exception.reply, MESSAGE_GONE)
        content.close()

    def test_what_is_being_sent_is_held_afterwards(self):
        path = self.put("gone")
        leases = self.answer(self.queue.claim(NOON, NOON + 60, 10, Room(10)))
        path.unlink()
        self.assertEqual(self.sweep(), (0, 1))
        self.answer(self.queue.give_back(leases, NOON))
        self.assertEqual(self.states(), {"gone": "HELD"})

    def test_what_left_meanwhile_is_no_loss(self):
        path = self.put("gone")
        contents = self.answer(self.queue.run(lambda connection: sweeping.contents_after(0, connection)))
        path.unlink()
        self.answer(self.desk.remove(QueueFilter(), NOON))
        lost = sweeping.missing(self.queue.spool, contents)
        numbers = [content.number for content in lost]
        work = lambda connection: sweeping.hold_all(self.queue.ledger, numbers, connection)  # noqa: E731
        self.assertEqual(self.answer(self.queue.run(work)), [])

    def test_where_nobody_can_look_it_fails_as_temporary(self):
        def refuse(directory):
            raise PermissionError(13, "no", directory)

        self.patch(sweeping, "_listed", refuse)
        with self.assertRaises(TemporaryFailure):
            self.sweep()
