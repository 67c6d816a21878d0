"""A disk that fails at any step: temporary, and nothing half there; and the order in which all is durable."""

import errno
import os
import sqlite3

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueueFilter, Room
from mailsuite.model.reply import DISK_FULL, STORE_UNAVAILABLE
from mailsuite.queue.sqlite import statements
from mailsuite.queue.sqlite.desk import SqliteDesk
from mailsuite.queue.sqlite.fsck import check
from tests.concurrent.held import HeldThreads
from tests.contracts.outbound_queue import CONTENT, EVE
from tests.contracts.outbound_queue_sending import BUSY, NOON, TAKEN, crowd, letter
from tests.queue.queues import QueueOnDisk
from tests.store.recording import RecordingFiles

LARGE = b"x" * 300_000
ERRORS = {errno.ENOSPC: DISK_FULL, errno.EIO: STORE_UNAVAILABLE, errno.EMFILE: STORE_UNAVAILABLE}


def sqlite_error(code, text):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


FULL = sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full")
BAD_DISK = sqlite_error(sqlite3.SQLITE_IOERR, "disk I/O error")
NO_DESCRIPTORS = sqlite_error(sqlite3.SQLITE_CANTOPEN, "unable to open database file")


class Sick:
    """Which statement fails, counted from now, and whether it had its effect."""

    def __init__(self):
        self.done = []
        self.heal()

    def heal(self):
        self.countdown, self.error, self.after_effect, self.only = None, None, False, ""

    def fail(self, countdown, error, after_effect=False, only=""):
        self.countdown, self.error, self.after_effect, self.only = countdown, error, after_effect, only

    def connection(self):
        sick = self

        class SickConnection(sqlite3.Connection):
            def execute(self, statement, *values):
                strikes = sick.strikes(statement)
                if strikes and not sick.after_effect:
                    raise sick.error
                synced = "PRAGMA synchronous = OFF" if "synchronous" in statement else statement
                result = super().execute(synced, *values)
                sick.done.append(("sql", statement))
                if strikes:
                    raise sick.error
                return result

        return SickConnection

    def strikes(self, statement):
        if self.countdown is None or not statement.startswith(self.only) or statement == "ROLLBACK":
            return False
        self.countdown -= 1
        return self.countdown == -1


class TroubleCase(QueueOnDisk, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.sick = Sick()
        self.files = RecordingFiles(self.root)
        self.queue = self.open_queue(files=self.files, factory=self.sick.connection(), clock=lambda: NOON)
        self.desk = SqliteDesk(self.queue)
        self.put("first")
        self.sick.done.clear()
        self.files.done.clear()

    def begun(self, id, content=CONTENT, count=1):
        queuing = self.queue.begin(crowd(id, count))
        queuing.write(content)
        return queuing

    def put(self, id, content=CONTENT, count=1):
        queuing = self.begun(id, content, count)
        self.answer(queuing.prepare())
        self.answer(queuing.commit())
        return queuing

    def claim(self, count=100, now=NOON):
        return self.answer(self.queue.claim(now, now + 60, count, Room(100)))

    def ids(self):
        return [entry.message.id for entry in self.answer(self.desk.find(QueueFilter(), NOON))]

    def fails(self, coroutine, reply):
        with self.assertRaises(TemporaryFailure) as raised:
            self.answer(coroutine)
        self.assertEqual(raised.exception.reply, reply)

    def nothing_but_the_first(self, why):
        self.files.countdown = None
        self.sick.heal()
        self.put("again")
        self.assertEqual(self.ids(), ["first", "again"], why)
        self.assertEqual(len(self.spooled()), 2, why)
        self.answer(self.desk.remove(QueueFilter(ids=frozenset({"again"})), NOON))
        self.assertEqual(len(self.spooled()), 1, why)
        self.queue.ledger.clock = lambda: NOON + 99_999
        self.claim(0)  # forgets the id
        self.queue.ledger.clock = lambda: NOON
        self.assertEqual(self.queue.underway, set(), why)


class OrderTests(TroubleCase):
    def test_content_then_its_name_then_the_rows_then_the_answer(self):
        done = self.sick.done = self.files.done
        self.put("second")
        done.append(("commit returns", ""))
        steps = [operation for operation, _ in done]
        self.assertEqual(steps[:6], ["create", "write", "sync", "close", "move", "sync_directory"])
        self.assertEqual(steps[-1], "commit returns")
        self.assertEqual(done[-2], ("sql", "COMMIT"))
        self.assertIn(("sql", "PRAGMA synchronous = FULL"), done)
        self.assertEqual(set(steps[6:-1]), {"sql"})

    def test_the_rows_are_synced_and_so_are_outcomes_but_leases_need_not_be(self):
        for step, expected in (
            (lambda: self.put("second"), "FULL"),
            (self.claim, "NORMAL"),
            (
                lambda: self.answer(self.queue.record(self.claim(now=NOON + 60)[0], {0: TAKEN}, NOON, {})),
                "FULL",
            ),
            (lambda: self.answer(self.desk.hold(QueueFilter(), NOON)), "FULL"),
        ):
            self.sick.done.clear()
            step()
            said = [text for _, text in self.sick.done if "synchronous" in text]
            self.assertEqual(said[-1], f"PRAGMA synchronous = {expected}")

    def test_rows_go_before_their_file(self):
        done = self.sick.done = self.files.done
        (lease,) = self.claim()
        self.answer(self.queue.record(lease, {0: TAKEN}, NOON, {}))
        self.assertEqual(done[-2], ("sql", "COMMIT"))
        self.assertEqual(done[-1][0], "unlink")
        self.assertEqual(self.spooled(), [])

    def test_a_large_message_goes_to_the_disk_while_it_comes(self):
        queuing = self.begun("large", LARGE)
        self.assertIn("write", [operation for operation, _ in self.files.done])
        self.assertFalse(queuing.congested)
        self.answer(queuing.drained())
        queuing.write(b"end")
        self.answer(queuing.prepare())
        self.answer(queuing.commit())
        content = self.queue.content("large")
        self.assertEqual(self.answer(content.read(1_000_000)), LARGE + b"end")
        content.close()


class FileTests(TroubleCase):
    def test_each_file_operation_of_a_small_message(self):
        self.each_operation(CONTENT, 6)

    def test_each_file_operation_of_a_large_one(self):
        self.each_operation(LARGE, 6)

    def each_operation(self, content, least):
        count = 0
        while self.strike(count, content, errno.EIO, after_effect=False):
            for number in (errno.ENOSPC, errno.EMFILE):
                self.strike(count, content, number, after_effect=False)
            self.strike(count, content, errno.EIO, after_effect=True)
            count += 1
        self.assertGreaterEqual(count, least)

    def strike(self, number, content, code, after_effect):
        """Whether there was an operation to fail."""
        why = (number, code, after_effect)
        self.files.fail(number, OSError(code, os.strerror(code)), after_effect)
        queuing = self.begun("second", content)
        try:
            self.answer(queuing.prepare())
        except TemporaryFailure as failure:
            self.assertEqual(failure.reply, ERRORS[code], why)
            self.answer(queuing.abort())
            if after_effect:  # what is written goes at the next start, where nobody knows that it is there
                for path in (self.root / "spool" / "tmp").iterdir():
                    path.unlink()
            self.nothing_but_the_first(why)
            return True
        self.files.countdown = None
        self.answer(queuing.abort())
        return False

    def test_content_that_cannot_be_removed_stays_until_the_next_start(self):
        (lease,) = self.claim()
        self.files.fail(0, OSError(errno.EIO, "Input/output error"))
        self.assertTrue(self.answer(self.queue.record(lease, {0: TAKEN}, NOON, {})))
        self.assertIn("queue.remove_failed", self.lines[-1])
        self.assertEqual(len(self.spooled()), 1)
        self.assertEqual(self.ids(), [])

    def test_content_that_cannot_be_opened(self):
        (path,) = self.spooled()
        path.rename(path.with_name("elsewhere"))
        content = self.queue.content("first")
        with self.assertRaises(TemporaryFailure):
            self.answer(content.read(9))
        path.mkdir()
        with self.assertRaises(TemporaryFailure):
            self.answer(content.read(9))
        path.rmdir()
        path.with_name("elsewhere").rename(path)
        content.close()
        content = self.queue.content("first")
        self.assertEqual(self.answer(content.read(9)), CONTENT[:9])
        content.close()

    def test_a_spool_that_somebody_removed_is_made_anew(self):
        (path,) = self.spooled()
        for each in (path, *path.parents[1].iterdir(), path.parents[1]):
            (each.unlink if each.is_file() else each.rmdir)()
        self.put("second")
        self.assertEqual(len(self.spooled()), 1)


class RowTests(TroubleCase):
    def test_each_statement_of_putting(self):
        for error, reply in (
            (FULL, DISK_FULL),
            (BAD_DISK, STORE_UNAVAILABLE),
            (NO_DESCRIPTORS, STORE_UNAVAILABLE),
        ):
            number = 0
            while True:
                queuing = self.begun("second")
                self.answer(queuing.prepare())
                self.sick.fail(number, error)
                try:
                    self.answer(queuing.commit())
                except TemporaryFailure as failure:
                    self.assertEqual(failure.reply, reply)
                    self.nothing_but_the_first(number)
                    number += 1
                    continue
                self.sick.heal()
                self.answer(queuing.abort())
                break
            self.assertGreater(number, 8)

    def test_each_statement_of_recording(self):
        (lease,) = self.claim()
        number = 0
        while True:
            self.sick.fail(number, BAD_DISK)
            try:
                self.answer(self.queue.record(lease, {0: BUSY}, NOON + 9, {}))
            except TemporaryFailure:
                self.sick.heal()
                self.assertEqual(self.claim(), ())
                self.assertEqual(self.answer(self.queue.extend([lease], NOON + 60)), (lease,))
                number += 1
                continue
            break
        self.sick.heal()
        self.assertGreater(number, 6)
        (again,) = self.claim(now=NOON + 9)
        self.assertEqual([(each.tries, each.last) for each in again.recipients], [(1, BUSY)])

    def test_each_statement_of_claiming(self):
        number = 0
        while True:
            self.sick.fail(number, BAD_DISK)
            try:
                leases = self.claim()
            except TemporaryFailure:
                number += 1
                continue
            break
        self.sick.heal()
        self.assertGreater(number, 8)
        self.assertEqual([lease.message.id for lease in leases], ["first"])
        self.answer(self.queue.close())
        self.assertEqual(check(self.root), ())

    def test_a_commit_that_was_written_though_it_failed_is_taken_back(self):
        queuing = self.begun("second")
        self.answer(queuing.prepare())
        self.sick.fail(0, BAD_DISK, after_effect=True, only="COMMIT")
        self.fails(queuing.commit(), STORE_UNAVAILABLE)
        self.nothing_but_the_first("commit")

    def test_and_later_where_that_fails_too(self):
        queuing = self.begun("second")
        self.answer(queuing.prepare())
        self.sick.fail(0, BAD_DISK, after_effect=True, only="COMMIT")
        failing = self.sick.strikes

        def twice(statement):
            if statement == "COMMIT" and self.sick.countdown == -1:
                self.sick.fail(0, BAD_DISK)  # whatever comes next
            return failing(statement)

        self.sick.strikes = twice
        done = []
        self.queue.files = self.files
        running = Deferred.fromCoroutine(queuing.commit())
        running.addBoth(done.append)
        self.pump.until(lambda: done)
        self.sick.strikes = failing
        self.sick.heal()
        self.assertIsInstance(done[0].value, TemporaryFailure)
        self.nothing_but_the_first("later")

    def test_nobody_is_sent_what_is_to_be_taken_back(self):
        queuing = self.begun("second")
        self.answer(queuing.prepare())
        held = HeldThreads()
        self.queue.turn(held)
        self.sick.fail(0, BAD_DISK, after_effect=True, only="COMMIT")
        committing = Deferred.fromCoroutine(queuing.commit())
        claiming = Deferred.fromCoroutine(self.queue.claim(NOON, NOON + 60, 100, Room(100)))
        done = []
        committing.addBoth(done.append)
        while held.held:
            held.release()
        self.pump.until(lambda: done)
        self.queue.turn(Inline())
        self.assertIsInstance(done[0].value, TemporaryFailure)
        self.assertEqual([lease.message.id for lease in self.successResultOf(claiming)], ["first"])
        self.nothing_but_the_first("claimed")

    def test_what_is_to_be_taken_back_is_looked_for_once_in_a_transaction(self):
        refused = [self.begun(f"refused{number}") for number in range(3)]
        for queuing in refused:
            self.answer(queuing.prepare())
        strikes, self.sick.error = self.sick.strikes, BAD_DISK
        self.sick.strikes = lambda statement: statement == "BEGIN IMMEDIATE"
        for queuing in refused:
            self.fails(queuing.commit(), STORE_UNAVAILABLE)
        held = HeldThreads()
        self.queue.turn(held)
        first, *asking = [Deferred.fromCoroutine(self.queue.next_due()) for _ in range(5)]
        held.release()
        self.failureResultOf(first, TemporaryFailure)
        self.sick.strikes = strikes
        self.sick.done.clear()
        while held.held:
            held.release()
        self.queue.turn(Inline())
        self.assertEqual([self.successResultOf(each) for each in asking], [0] * 4)
        self.assertEqual(self.sick.done.count(("sql", statements.NUMBER_OF_FILE)), 3)
        self.nothing_but_the_first("all")

    def test_where_it_cannot_be_opened_everything_is_temporary(self):
        self.sick.fail(0, BAD_DISK)
        self.fails(self.queue.next_due(), STORE_UNAVAILABLE)
        (self.root / "queue.db").chmod(0)
        self.addCleanup((self.root / "queue.db").chmod, 0o600)
        os.rename(self.root / "queue.db", self.root / "away")
        (self.root / "queue.db").mkdir()
        lease = letter("x", EVE)
        for coroutine in (
            self.queue.claim(NOON, NOON, 1, Room(1)),
            self.queue.owed(1),
            self.queue.next_due(),
            self.queue.content("first").read(1),
            self.desk.count(QueueFilter(), NOON),
            self.desk.hold(QueueFilter(), NOON),
        ):
            self.fails(coroutine, STORE_UNAVAILABLE)
        queuing = self.queue.begin(lease)
        self.answer(queuing.prepare())
        self.fails(queuing.commit(), STORE_UNAVAILABLE)
        (self.root / "queue.db").rmdir()
        os.rename(self.root / "away", self.root / "queue.db")
        (self.root / "queue.db").chmod(0o600)
        self.nothing_but_the_first("away")
