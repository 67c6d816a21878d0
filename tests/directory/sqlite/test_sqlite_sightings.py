"""notify.db: how seldom it is written, and what comes back after a restart."""

import sqlite3
from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.sqlite.sightings import REWRITE_AFTER, SqliteSightings
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.sighting import Sighting
from mailsuite.notices.sqlite.schema import SCHEMA
from mailsuite.sqlite.database import Database
from tests.concurrent.held import HeldThreads
from tests.directory.folders import FolderCase

JOE = Address("joe", "example.net")
PEERS = [ip_address(f"192.0.2.{number}") for number in range(1, 6)]
HOME, WORK = PEERS[:2]
NOON = 1_700_000_000.0


class SqliteSightingsTests(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.path = self.folder / "notify.db"
        self.restart()

    def restart(self):
        self.threads = HeldThreads()
        self.database = Database(self.path, SCHEMA, self.threads)
        self.addCleanup(self.database._close)
        self.sightings = SqliteSightings(self.database)

    def asked(self, coroutine):
        """The answer, and how often the thread was needed for it."""
        asking, count = Deferred.fromCoroutine(coroutine), 0
        while self.threads.held:
            count += 1
            self.threads.release()
        return self.successResultOf(asking), count

    def record(self, peer, at, *what):
        return self.asked(self.sightings.record(JOE, peer, at, *what))[1]

    def last(self, since=0.0):
        return self.asked(self.sightings.last(JOE, since))[0]

    def rows(self):
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        return connection.execute("SELECT peer, at FROM sighting ORDER BY number DESC").fetchall()

    def test_polls_from_one_address_cost_one_write_in_ten_minutes(self):
        self.assertEqual(self.record(HOME, NOON), 2)  # read what was known, write
        for at in (NOON, NOON + 60, NOON + REWRITE_AFTER - 1):
            self.assertEqual(self.record(HOME, at), 0)
        self.assertEqual(self.rows(), [(str(HOME), NOON)])
        self.assertEqual(self.last(NOON + REWRITE_AFTER - 1), HOME)
        self.assertEqual(self.record(HOME, NOON + REWRITE_AFTER), 1)
        self.assertEqual(self.rows(), [(str(HOME), NOON + REWRITE_AFTER)])
        self.assertEqual(self.record(HOME, NOON + REWRITE_AFTER + 1), 0)

    def test_another_address_is_written_at_once(self):
        self.record(HOME, NOON)
        self.assertEqual(self.record(WORK, NOON + 1), 1)
        self.assertEqual(self.record(WORK, NOON + 2), 0)
        self.assertEqual(self.record(HOME, NOON + 3), 1)
        self.assertEqual(self.rows(), [(str(HOME), NOON + 3), (str(WORK), NOON + 1)])

    def test_a_clock_that_was_set_back_is_written(self):
        self.record(HOME, NOON)
        self.assertEqual(self.record(HOME, NOON - 3600), 1)
        self.assertEqual(self.rows(), [(str(HOME), NOON - 3600)])

    def test_the_newest_three_are_kept(self):
        for number, peer in enumerate(PEERS):
            self.record(peer, NOON + number)
        self.assertEqual([peer for peer, _ in self.rows()], list(map(str, reversed(PEERS[2:]))))

    def test_of_each_of_the_newest_three_devices_the_newest_three_are_kept(self):
        for number, device in enumerate("abacadab"):
            for offset, peer in enumerate(PEERS[:4]):
                self.record(peer, NOON + 10 * number + offset, device)
        seen = self.asked(self.sightings.recent(JOE, 0.0))[0]
        self.assertEqual([each.device for each in seen], ["b", "a", "d"])
        self.assertEqual(len(self.rows()), 9)
        self.restart()
        self.assertEqual(self.asked(self.sightings.recent(JOE, 0.0)), (seen, 1))

    def test_two_devices_that_poll_by_turns_cost_one_write_each(self):
        self.record(HOME, NOON, "desk")
        self.record(WORK, NOON, "phone")
        for at in range(10, int(REWRITE_AFTER), 50):
            self.assertEqual(self.record(HOME, NOON + at, "desk"), 0)
            self.assertEqual(self.record(WORK, NOON + at + 1, "phone"), 0)
        self.assertEqual(self.record(HOME, NOON + REWRITE_AFTER, "desk"), 1)

    def test_how_a_device_was_seen_first_and_last_is_remembered(self):
        self.record(HOME, NOON, "desk", "pop3")
        self.record(HOME, NOON + REWRITE_AFTER, "desk", "submission")
        self.restart()
        seen = Sighting(HOME, NOON + REWRITE_AFTER, "desk", "submission", first=NOON)
        self.assertEqual(self.asked(self.sightings.recent(JOE, NOON))[0], (seen,))

    def test_one_device_is_forgotten_over_a_restart(self):
        self.record(HOME, NOON, "desk")
        self.record(WORK, NOON + 1, "phone")
        self.asked(self.sightings.forget(JOE, "phone"))
        self.assertEqual(self.last(), HOME)
        self.restart()
        self.assertEqual(self.last(), HOME)

    def test_what_an_older_mailsuite_wrote_is_still_known(self):
        with sqlite3.connect(self.path) as connection:
            for statement in SCHEMA[0]:
                connection.execute(statement)
            connection.execute("INSERT INTO sighting VALUES (7, ?, ?, ?)", (str(JOE), str(HOME), NOON))
            connection.execute("PRAGMA user_version = 1")
        connection.close()
        self.assertEqual(self.asked(self.sightings.recent(JOE, NOON))[0], (Sighting(HOME, NOON, first=NOON),))
        self.record(WORK, NOON + 1)
        self.assertEqual(self.rows(), [(str(WORK), NOON + 1), (str(HOME), NOON)])

    def test_one_account_s_addresses_push_out_nobody_else_s(self):
        self.asked(self.sightings.record(Address("ann", "example.net"), WORK, NOON))
        for number, peer in enumerate(PEERS):
            self.record(peer, NOON + number)
        self.restart()
        self.assertEqual(self.asked(self.sightings.last(Address("ann", "example.net"), NOON)), (WORK, 1))

    def test_it_is_forgotten_over_a_restart(self):
        self.record(HOME, NOON)
        self.asked(self.sightings.forget(JOE))
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.last(), None)
        self.restart()
        self.assertIsNone(self.last())

    def test_who_reads_meanwhile_does_not_bring_it_back(self):
        self.record(HOME, NOON)
        self.restart()
        reading = Deferred.fromCoroutine(self.sightings.last(JOE, NOON))
        forgetting = Deferred.fromCoroutine(self.sightings.forget(JOE))
        while self.threads.held:
            self.threads.release()
        self.assertIsNone(self.successResultOf(reading))
        self.successResultOf(forgetting)
        self.assertIsNone(self.last())

    def test_what_could_not_be_forgotten_is_not_taken_for_forgotten(self):
        self.record(HOME, NOON)
        good, self.database.path = self.database.path, self.folder / "missing" / "notify.db"
        self.database._drop()
        forgetting = Deferred.fromCoroutine(self.sightings.forget(JOE))
        self.threads.release()
        self.failureResultOf(forgetting, TemporaryFailure)
        self.database.path = good
        self.assertEqual(self.last(), HOME)

    def test_it_is_remembered_over_a_restart(self):
        self.record(HOME, NOON)
        self.record(WORK, NOON - 100)
        self.restart()
        self.assertEqual(self.last(NOON), HOME)
        self.assertEqual(self.last(NOON - 100), WORK)
        self.assertEqual(self.record(WORK, NOON - 50), 0)
        self.assertEqual(self.record(WORK, NOON - 100 + REWRITE_AFTER), 1)

    def test_asking_again_costs_no_thread(self):
        self.assertEqual(self.asked(self.sightings.last(JOE, 0.0)), (None, 1))
        self.assertEqual(self.asked(self.sightings.last(JOE, 0.0)), (None, 0))
        self.record(HOME, NOON)
        self.assertEqual(self.asked(self.sightings.last(JOE, 0.0)), (HOME, 0))
        self.assertEqual(self.asked(self.sightings.last(JOE, NOON + 1)), (None, 0))

    def test_a_sighting_counts_while_it_is_being_written(self):
        self.last()
        recording = Deferred.fromCoroutine(self.sightings.record(JOE, HOME, NOON))
        asking = Deferred.fromCoroutine(self.sightings.last(JOE, NOON))
        self.assertEqual(self.successResultOf(asking), HOME)
        again = Deferred.fromCoroutine(self.sightings.record(JOE, HOME, NOON + 1))
        self.successResultOf(again)
        self.assertNoResult(recording)
        self.threads.release()
        self.successResultOf(recording)

    def test_two_sessions_at_once_after_a_restart_are_both_seen(self):
        first = Deferred.fromCoroutine(self.sightings.record(JOE, HOME, NOON))
        second = Deferred.fromCoroutine(self.sightings.record(JOE, WORK, NOON - 1))
        while self.threads.held:
            self.threads.release()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.last(), WORK)
        self.assertEqual(self.last(NOON), HOME)
        self.assertEqual(self.rows(), [(str(WORK), NOON - 1), (str(HOME), NOON)])

    def test_a_write_that_failed_is_tried_again_and_counts_meanwhile(self):
        self.last()
        good, self.database.path = self.database.path, self.folder / "missing" / "notify.db"
        self.database._drop()
        recording = Deferred.fromCoroutine(self.sightings.record(JOE, HOME, NOON))
        self.threads.release()
        self.failureResultOf(recording, TemporaryFailure)
        self.assertEqual(self.last(), HOME)
        self.database.path = good
        self.assertEqual(self.record(HOME, NOON + 1), 1)
        self.assertEqual(self.rows(), [(str(HOME), NOON + 1)])

    def test_a_session_that_goes_away_loses_nothing(self):
        self.last()
        recording = Deferred.fromCoroutine(self.sightings.record(JOE, HOME, NOON))
        recording.cancel()
        self.failureResultOf(recording, CancelledError)
        self.threads.release()
        self.assertEqual(self.rows(), [(str(HOME), NOON)])

    def test_a_row_that_cannot_be_read_is_a_temporary_failure(self):
        self.record(HOME, NOON)
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE sighting SET peer = 'somewhere'")
        connection.close()
        self.restart()
        asking = Deferred.fromCoroutine(self.sightings.last(JOE, 0.0))
        self.threads.release()
        self.failureResultOf(asking, TemporaryFailure)
