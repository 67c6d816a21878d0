"""A database file: how it is opened, what is refused, what happens when it breaks."""

import os
import sqlite3
import stat

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import ALREADY_EXISTS, DIRECTORY_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.sqlite import database as database_module
from mailsuite.sqlite.database import Database, SchemaUnknown, transaction
from tests.concurrent.held import HeldThreads
from tests.directory.folders import FolderCase

FIRST = ("CREATE TABLE pet (name TEXT NOT NULL) STRICT",)
SECOND = ("ALTER TABLE pet ADD COLUMN legs INTEGER", "UPDATE pet SET legs = 4")


class DatabaseCase(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.path = self.folder / "pets.db"
        self.lines = []
        self.database = self.make()

    def make(self, *schema, threads=None):
        log = Log(lambda line, urgent: self.lines.append(line))
        database = Database(self.path, schema or (FIRST,), threads or Inline(), log)
        self.addCleanup(database._close)
        return database

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def run_sql(self, statement, *values, database=None):
        work = lambda connection: connection.execute(statement, values).fetchall()  # noqa: E731
        return self.answer((database or self.database).run(work))

    def unavailable(self, coroutine):
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), TemporaryFailure).value
        self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
        return failure.detail

    def other_connection(self):
        connection = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(connection.close)
        return connection


class OpeningTests(DatabaseCase):
    def test_it_is_durable_and_checked(self):
        self.answer(self.database.open())
        self.assertEqual(self.run_sql("PRAGMA journal_mode"), [("wal",)])
        self.assertEqual(self.run_sql("PRAGMA synchronous"), [(2,)])
        self.assertEqual(self.run_sql("PRAGMA foreign_keys"), [(1,)])

    def test_what_a_long_look_has_made_long_is_cut_short_again(self):
        self.patch(database_module, "MAX_WAL_OCTETS", 100_000)
        self.answer(self.database.open())
        reader = self.other_connection()
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM pet").fetchall()
        for _ in range(3):
            self.run_sql("INSERT INTO pet VALUES (?)", "x" * 2_000_000)
        log = self.path.with_name("pets.db-wal")
        self.assertGreater(log.stat().st_size, 6_000_000)
        reader.execute("COMMIT")
        for _ in range(2):  # one moves it into the file, the next begins anew
            self.run_sql("INSERT INTO pet VALUES ('y')")
        self.assertLessEqual(log.stat().st_size, 100_000)

    def test_nobody_else_may_read_it(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.run_sql("INSERT INTO pet VALUES ('cat')")
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in self.folder.iterdir()}
        self.assertEqual(modes, {"pets.db": 0o600, "pets.db-wal": 0o600, "pets.db-shm": 0o600})

    def test_one_that_others_could_read_is_closed_to_them(self):
        self.path.touch(0o644)
        self.path.chmod(0o644)
        self.answer(self.database.open())
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_it_opens_by_itself_and_closes_for_good(self):
        self.run_sql("INSERT INTO pet VALUES ('cat')")
        self.answer(self.database.close())
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ["pets.db"])
        self.assertIn("closed", self.unavailable(self.database.open()))
        self.answer(self.database.close())
        self.assertEqual(self.run_sql("SELECT name FROM pet", database=self.make()), [("cat",)])

    def test_closing_waits_for_what_was_given_before(self):
        threads = HeldThreads()
        database = self.make(threads=threads)
        writing = Deferred.fromCoroutine(database.run(lambda connection: connection.execute("SELECT 1")))
        closing = Deferred.fromCoroutine(database.close())
        threads.release()
        self.successResultOf(writing)
        self.assertNoResult(closing)
        threads.release()
        self.successResultOf(closing)


class SchemaTests(DatabaseCase):
    def version(self):
        return self.other_connection().execute("PRAGMA user_version").fetchone()[0]

    def test_a_new_file_gets_every_step(self):
        self.answer(self.make(FIRST, SECOND).open())
        self.assertEqual(self.version(), 2)

    def test_an_old_file_gets_the_steps_it_lacks(self):
        self.run_sql("INSERT INTO pet VALUES ('cat')")
        self.answer(self.database.close())
        self.assertEqual(self.version(), 1)
        newer = self.make(FIRST, SECOND)
        self.assertEqual(self.run_sql("SELECT name, legs FROM pet", database=newer), [("cat", 4)])
        self.assertEqual(self.version(), 2)

    def test_a_newer_file_is_refused_and_left_alone(self):
        for version in (2, -1):
            self.other_connection().execute(f"PRAGMA user_version = {version}")
            before = self.path.read_bytes()
            failed = Deferred.fromCoroutine(self.database.open())
            failure = self.failureResultOf(failed, SchemaUnknown).value
            self.assertIn(f"pets.db has schema {version}, and this mailsuite knows 1", failure.detail)
            self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
            self.assertEqual(self.path.read_bytes(), before)

    def test_a_step_that_fails_leaves_the_file_at_the_last_good_one(self):
        broken = self.make(FIRST, ("INSERT INTO pet VALUES ('dog')", "NONSENSE"))
        self.unavailable(broken.open())
        self.assertEqual(self.version(), 1)
        self.assertEqual(self.run_sql("SELECT * FROM pet"), [])


class TransactionTests(DatabaseCase):
    def add(self, name, then):
        def work(connection):
            with transaction(connection):
                connection.execute("INSERT INTO pet VALUES (?)", (name,))
                then()

        return self.database.run(work)

    def test_it_is_seen_by_others_when_it_is_done(self):
        self.answer(self.add("cat", lambda: None))
        self.assertEqual(self.other_connection().execute("SELECT name FROM pet").fetchall(), [("cat",)])

    def test_whatever_is_raised_undoes_it(self):
        for error, raised in (
            (PermanentFailure(ALREADY_EXISTS), PermanentFailure),
            (ZeroDivisionError(), ZeroDivisionError),
            (sqlite3.OperationalError("disk full"), TemporaryFailure),
        ):

            def fail(error=error):
                raise error

            self.failureResultOf(Deferred.fromCoroutine(self.add("cat", fail)), raised)
            self.assertEqual(self.run_sql("SELECT * FROM pet"), [])


class BrokenFileTests(DatabaseCase):
    def test_what_is_no_database_is_a_temporary_failure_and_logged(self):
        self.path.write_bytes(b"this is no database " * 100)
        self.assertIn("not a database", self.unavailable(self.database.open()))
        self.assertEqual(len(self.lines), 1)
        self.assertIn("database.failed", self.lines[0])
        self.assertIn("pets.db", self.lines[0])
        self.assertNotIn("Traceback", self.lines[0])

    def test_a_missing_folder_is_one_too(self):
        self.path = self.folder / "missing" / "pets.db"
        reason = self.unavailable(self.make().open())
        self.assertIn(str(self.path), reason)  # which is all that somebody whose server does not start sees

    def test_a_folder_in_its_place_is_one_too(self):
        self.path.mkdir()
        self.unavailable(self.database.open())

    def test_a_corrupt_page_is_one_too_and_the_next_call_opens_anew(self):
        self.run_sql(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
            " INSERT INTO pet SELECT 'pet number ' || i FROM n"
        )
        self.run_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = self.path.read_bytes()
        self.answer(self.database.close())
        self.path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
        sick = self.make()
        self.unavailable(sick.run(lambda connection: connection.execute("SELECT * FROM pet").fetchall()))
        for leftover in self.folder.glob("pets.db-*"):
            leftover.unlink()
        self.path.write_bytes(whole)
        self.assertEqual(self.run_sql("SELECT count(*) FROM pet", database=sick), [(2000,)])

    def test_a_failed_call_harms_no_other(self):
        self.unavailable(self.database.run(lambda connection: connection.execute("NONSENSE")))
        self.assertEqual(self.run_sql("SELECT * FROM pet"), [])

    def test_a_failed_call_closes_the_file(self):
        """A file whose fsync failed once is not trusted: a second fsync may falsely succeed."""
        seen = []
        self.answer(self.database.run(seen.append))
        self.unavailable(self.database.run(lambda connection: connection.execute("NONSENSE")))
        self.assertRaises(sqlite3.ProgrammingError, seen[0].execute, "SELECT 1")
        self.answer(self.database.run(seen.append))
        self.assertIsNot(seen[0], seen[1])
