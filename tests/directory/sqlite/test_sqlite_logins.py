"""The logins in accounts.db: how seldom they are written, and what comes back after a restart."""

import sqlite3
from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.logins import DAY, KEPT_PEERS, KEPT_SECONDS
from mailsuite.directory.sqlite import logins as subject
from mailsuite.directory.sqlite.accounts import SCHEMA
from mailsuite.directory.sqlite.logins import REWRITE_AFTER, SqliteLogins
from mailsuite.model.failure import TemporaryFailure
from mailsuite.sqlite.database import Database
from tests.concurrent.held import HeldThreads
from tests.contracts.logins import ANN, JOE, NOON, POLL, TRAIN, at
from tests.directory.folders import FolderCase


class SqliteLoginsTests(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.path = self.folder / "accounts.db"
        self.restart()

    def restart(self):
        self.threads = HeldThreads()
        self.database = Database(self.path, SCHEMA, self.threads)
        self.addCleanup(self.database._close)
        self.logins = SqliteLogins(self.database)

    def asked(self, coroutine):
        """The answer, and how often the thread was needed for it."""
        asking, count = Deferred.fromCoroutine(coroutine), 0
        while self.threads.held:
            count += 1
            self.threads.release()
        return self.successResultOf(asking), count

    def record(self, login):
        return self.asked(self.logins.record(login))[1]

    def since(self, time=0.0):
        return self.asked(self.logins.since(time))[0]

    def rows(self):
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        return connection.execute("SELECT device, peer, at FROM login ORDER BY at").fetchall()

    def break_file(self):
        """Nothing can be read or written until the answered function is called."""
        good, self.database.path = self.database.path, self.folder / "missing" / "accounts.db"
        self.database._drop()

        def mend():
            self.database.path = good

        return mend

    def failed(self, coroutine):
        asking = Deferred.fromCoroutine(coroutine)
        self.threads.release()
        self.failureResultOf(asking, TemporaryFailure)

    def test_logins_of_one_way_cost_one_write_in_ten_minutes(self):
        self.assertEqual(self.record(POLL), 1)
        for time in (NOON, NOON + 60, NOON + REWRITE_AFTER - 1):
            self.assertEqual(self.record(at(time)), 0)
        self.assertEqual(self.rows(), [("phone", "192.0.2.1", NOON)])
        self.assertEqual(self.since(), (at(NOON + REWRITE_AFTER - 1),))
        self.assertEqual(self.record(at(NOON + REWRITE_AFTER)), 1)
        self.assertEqual(self.rows(), [("phone", "192.0.2.1", NOON + REWRITE_AFTER)])

    def test_another_way_is_written_at_once(self):
        self.record(POLL)
        self.assertEqual(self.record(at(NOON + 1, peer=TRAIN)), 1)
        self.assertEqual(self.record(at(NOON + 2)), 0)
        self.assertEqual(len(self.rows()), 2)

    def test_a_clock_that_was_set_back_is_written(self):
        self.record(POLL)
        self.assertEqual(self.record(at(NOON - 3600)), 1)
        self.assertEqual(self.rows(), [("phone", "192.0.2.1", NOON - 3600)])

    def test_what_was_not_written_yet_counts_for_every_question(self):
        self.record(POLL)
        self.record(at(NOON + 60))
        self.assertEqual(self.since(NOON + 30), (at(NOON + 60),))
        self.assertEqual(self.asked(self.logins.last_uses(JOE))[0], {"phone": at(NOON + 60)})
        self.restart()
        self.assertEqual(self.since(), (POLL,))

    def test_a_login_counts_while_it_is_being_written(self):
        recording = Deferred.fromCoroutine(self.logins.record(POLL))
        self.successResultOf(Deferred.fromCoroutine(self.logins.record(at(NOON + 1))))
        self.assertNoResult(recording)
        self.threads.release()
        self.successResultOf(recording)
        self.assertEqual(self.since(), (at(NOON + 1),))

    def test_a_session_that_goes_away_loses_nothing(self):
        recording = Deferred.fromCoroutine(self.logins.record(POLL))
        recording.cancel()
        self.failureResultOf(recording, CancelledError)
        self.threads.release()
        self.assertEqual(len(self.rows()), 1)

    def test_a_write_that_failed_is_tried_again_and_counts_meanwhile(self):
        mend = self.break_file()
        self.failed(self.logins.record(POLL))
        mend()
        self.assertEqual(self.since(), (POLL,))
        self.assertEqual(self.record(at(NOON + 1)), 1)
        self.assertEqual(self.rows(), [("phone", "192.0.2.1", NOON + 1)])

    def test_a_write_that_failed_when_it_was_forgotten_leaves_nothing(self):
        mend = self.break_file()
        recording = Deferred.fromCoroutine(self.logins.record(POLL))
        forgetting = Deferred.fromCoroutine(self.logins.forget(JOE))
        self.threads.release()
        mend()
        self.threads.release()
        self.failureResultOf(recording, TemporaryFailure)
        self.successResultOf(forgetting)
        self.assertEqual(self.since(), ())

    def test_what_could_not_be_forgotten_is_not_taken_for_forgotten(self):
        self.record(POLL)
        mend = self.break_file()
        self.failed(self.logins.forget(JOE))
        mend()
        self.assertEqual(self.since(), (POLL,))

    def test_it_is_forgotten_over_a_restart(self):
        self.record(POLL)
        self.record(at(NOON, account=ANN))
        self.asked(self.logins.forget(JOE))
        self.restart()
        self.assertEqual(self.since(), (at(NOON, account=ANN),))

    def test_after_a_month_rows_leave(self):
        self.record(POLL)
        self.record(at(NOON + 1, peer=TRAIN))
        self.record(at(NOON + DAY - 1, account=ANN))
        self.assertEqual(len(self.rows()), 3)
        self.record(at(NOON + KEPT_SECONDS + 2, account=ANN))
        self.assertEqual([row[1] for row in self.rows()], [str(TRAIN), "192.0.2.1"])

    def test_rows_are_pruned_once_a_day(self):
        self.record(POLL)
        self.record(at(NOON + 1, peer=TRAIN))
        for day, rows in ((30.8, 3), (31.3, 3), (31.8, 2)):
            self.record(at(NOON + day * DAY, account=ANN))
            self.assertEqual(len(self.rows()), rows, day)

    def test_a_clock_that_was_set_back_does_not_put_off_pruning(self):
        self.record(at(NOON + 1000 * DAY, account=ANN))
        self.record(POLL)
        self.record(at(NOON + 1, peer=TRAIN))
        self.record(at(NOON + KEPT_SECONDS + DAY, device="laptop"))
        self.assertEqual([row[0] for row in self.rows()], ["phone", "laptop", "phone"])

    def test_pruning_that_failed_is_tried_again(self):
        self.record(POLL)
        self.record(at(NOON + 1, peer=TRAIN))
        mend = self.break_file()
        self.failed(self.logins.record(at(NOON + KEPT_SECONDS + DAY, account=ANN)))
        mend()
        self.record(at(NOON + KEPT_SECONDS + DAY + 1, account=ANN))
        self.assertEqual(len(self.rows()), 2)

    def test_rows_of_many_addresses_are_bounded(self):
        for number in range(KEPT_PEERS + 10):
            self.record(at(NOON + number, peer=ip_address(f"2001:db8::{number + 1:x}")))
        self.assertEqual(len(self.rows()), KEPT_PEERS)

    def test_what_is_remembered_is_bounded(self):
        self.patch(subject, "MAX_WAYS", 2)
        self.restart()
        for number in range(3):
            self.record(at(NOON, device=f"d{number}"))
        self.assertEqual(self.record(at(NOON + 1, device="d2")), 0)
        self.assertEqual(self.record(at(NOON + 1, device="d0")), 1)

    def test_a_row_that_cannot_be_read_is_a_temporary_failure(self):
        self.record(POLL)
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE login SET peer = 'somewhere'")
        connection.close()
        for asking in (self.logins.since(0.0), self.logins.last_uses(JOE)):
            self.failed(asking)
