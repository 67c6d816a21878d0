"""Group commit of rows: what waits is one transaction, and one piece that fails is undone alone."""

import sqlite3
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DISK_FULL, STORE_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.sqlite import group_commit as group_commit_module
from mailsuite.sqlite.database import Database
from mailsuite.sqlite.group_commit import GroupCommit
from tests.concurrent.held import HeldThreads
from tests.directory.folders import FolderCase

SCHEMA = (("CREATE TABLE pet (name TEXT NOT NULL) STRICT",),)


class Traced(sqlite3.Connection):
    """Notes what is said, and fails where a test wants it."""

    said: list[str]
    fails_at = ""
    error = sqlite3.OperationalError("disk I/O error")

    def execute(self, statement, *values):
        type(self).said.append(statement)
        if self.fails_at and statement.startswith(self.fails_at):
            raise self.error
        return super().execute(statement, *values)


class GroupCommitTests(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.threads = HeldThreads()
        self.connection = type("Connection", (Traced,), {"said": []})
        self.database = Database(
            Path(self.folder) / "pets.db",
            SCHEMA,
            self.threads,
            Log(),
            STORE_UNAVAILABLE,
            factory=self.connection,
        )
        self.addCleanup(self.database._close)
        self.mistakes = []
        self.commits = GroupCommit(self.database, self.mistakes.append)

    def add(self, name, **how):
        def work(connection):
            connection.execute("INSERT INTO pet VALUES (?)", (name,))
            return name

        return Deferred.fromCoroutine(self.commits.run(work, **how))

    def names(self):
        return [name for (name,) in self.database._connection.execute("SELECT name FROM pet")]

    def said(self, *beginnings):
        return [each for each in self.connection.said if each.startswith(beginnings)]

    def test_what_came_meanwhile_is_one_transaction(self):
        first = self.add("cat")
        others = [self.add("dog"), self.add("cow")]
        self.assertNoResult(first)
        self.threads.release()
        self.assertEqual(self.successResultOf(first), "cat")
        self.assertNoResult(others[0])
        self.connection.said.clear()
        self.threads.release()
        self.assertEqual([self.successResultOf(each) for each in others], ["dog", "cow"])
        self.assertEqual(self.said("BEGIN", "COMMIT"), ["BEGIN IMMEDIATE", "COMMIT"])
        self.assertEqual(self.names(), ["cat", "dog", "cow"])
        self.assertEqual(self.mistakes, [])

    def test_a_batch_is_bounded(self):
        self.patch(group_commit_module, "MAX_BATCH", 2)
        running = [self.add(str(number)) for number in range(4)]
        for done in (1, 3, 4):
            self.threads.release()
            self.assertEqual([each.called for each in running], [True] * done + [False] * (4 - done))
            self.names()

    def test_only_what_must_be_durable_is_synced(self):
        for how, expected in (
            ([False], "NORMAL"),
            ([True], "FULL"),
            ([False, True, False], "FULL"),
        ):
            waiting = self.add("x", is_durable=False)
            running = [self.add("y", is_durable=each) for each in how]
            self.threads.release()
            self.successResultOf(waiting)
            self.connection.said.clear()
            self.threads.release()
            for each in running:
                self.successResultOf(each)
            self.assertEqual(self.said("PRAGMA synchronous"), [f"PRAGMA synchronous = {expected}"])

    def test_a_piece_that_fails_is_undone_alone(self):
        def failing(connection):
            connection.execute("INSERT INTO pet VALUES ('ghost')")
            raise ZeroDivisionError

        waiting = self.add("first")
        running = [self.add("cat"), Deferred.fromCoroutine(self.commits.run(failing)), self.add("dog")]
        self.threads.release()
        self.threads.release()
        self.successResultOf(waiting)
        self.successResultOf(running[0])
        self.failureResultOf(running[1], ZeroDivisionError)
        self.successResultOf(running[2])
        self.assertEqual(self.names(), ["first", "cat", "dog"])

    def test_where_the_database_fails_all_hear_of_it_and_nothing_is_there(self):
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        for error, reply in ((Traced.error, STORE_UNAVAILABLE), (full, DISK_FULL)):
            for statement in ("BEGIN", "SAVEPOINT", "INSERT", "RELEASE", "COMMIT"):
                waiting = self.add("first")
                running = [self.add("cat"), self.add("dog")]
                self.threads.release()
                self.successResultOf(waiting)
                self.connection.fails_at, self.connection.error = statement, error
                self.threads.release()
                for each in running:
                    failure = self.failureResultOf(each, TemporaryFailure).value
                    self.assertEqual(failure.reply, reply, statement)
                self.connection.fails_at = ""
                again = self.add("again")
                self.threads.release()
                self.successResultOf(again)
                self.assertNotIn("cat", self.names(), statement)

    def test_who_is_cancelled_does_not_hear_of_it(self):
        first, second = self.add("cat"), self.add("dog")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.threads.release()
        self.threads.release()
        self.assertEqual(self.successResultOf(second), "dog")
        self.assertEqual(self.names(), ["cat", "dog"])

    def test_finished_waits_for_all(self):
        self.add("cat")
        self.add("dog")
        finished = Deferred.fromCoroutine(self.commits.finished())
        self.threads.release()
        self.assertNoResult(finished)
        self.threads.release()
        self.successResultOf(finished)
