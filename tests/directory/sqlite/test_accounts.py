"""accounts.db: what is asked of the disk, what the cache answers, and that it is never stale."""

import sqlite3

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline, Pool
from mailsuite.directory.sqlite.accounts import SCHEMA, SqliteDirectory
from mailsuite.model.account import Account, Domain, NotifyPreference
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.device import Device
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.sqlite.database import Database
from tests.concurrent.held import HeldThreads
from tests.concurrent.turns import Turns
from tests.directory.folders import FolderCase

JOE = Account(Address("joe", "example.net"), "Joe", "$canary-hash")
ANN = Account(Address("ann", "example.net"))
SALES = Alias(Address("sales", "example.net"), (JOE.address, ANN.address))
PHONE = Device("d1", "Phone", b"canary-sealed")


class SqliteCase(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.path = self.folder / "accounts.db"
        self.directory = self.make(Inline())

    def make(self, threads):
        self.database = Database(self.path, SCHEMA, threads)
        self.addCleanup(self.database._close)
        return SqliteDirectory(self.database)

    def start(self, coroutine):
        return Deferred.fromCoroutine(coroutine)

    def answer(self, coroutine):
        return self.successResultOf(self.start(coroutine))

    def sql(self, statement):
        connection = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(connection.close)
        return connection.execute(statement).fetchall()


class DiskTests(SqliteCase):
    def test_a_change_is_on_the_disk_when_it_is_acknowledged(self):
        self.answer(self.directory.add_account(JOE))
        self.assertEqual(self.sql("SELECT local, domain, name FROM account"), [("joe", "example.net", "Joe")])
        self.answer(self.directory.change_account(attrs.evolve(JOE, name="Joseph")))
        self.assertEqual(self.sql("SELECT name FROM account"), [("Joseph",)])
        self.answer(self.directory.remove_account(JOE.address))
        self.assertEqual(self.sql("SELECT * FROM account"), [])
        self.answer(self.directory.add_domain("example.org"))
        self.assertEqual(self.sql("SELECT name FROM domain"), [("example.net",), ("example.org",)])

    def test_a_real_thread_does_the_work_after_one_without(self):
        """As app.py does it: opened before the reactor runs, used by a pool's thread from then on."""
        self.answer(self.directory.add_account(JOE))
        reactor = Turns()
        pool = Pool(reactor, "accounts.db", 1, 10)
        pool.start()
        self.addCleanup(pool.stop)
        self.database.threads = pool
        adding = self.start(self.directory.add_account(ANN))
        listing = self.start(self.directory.accounts())
        self.assertNoResult(adding)
        reactor.turn()
        self.successResultOf(adding)
        reactor.turn()
        self.assertEqual(self.successResultOf(listing), (ANN, JOE))

    def test_a_domain_with_accounts_cannot_vanish(self):
        self.answer(self.directory.add_account(JOE))
        work = lambda connection: connection.execute("DELETE FROM domain")  # noqa: E731
        self.failureResultOf(self.start(self.database.run(work)), TemporaryFailure)

    def test_a_row_that_cannot_be_read_is_a_temporary_failure(self):
        self.answer(self.directory.add_account(JOE))
        self.sql("UPDATE account SET notify_address = 'somewhere'")
        directory = self.make(Inline())
        for asking in (directory.account(JOE.address), directory.accounts()):
            failure = self.failureResultOf(self.start(asking), TemporaryFailure).value
            self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
            self.assertNotIn("canary", failure.detail)

    def test_a_domain_or_a_list_that_cannot_be_read_is_a_temporary_failure(self):
        self.answer(self.directory.add_account(JOE))
        for change in (
            "account SET send_as = 'somebody'",
            "account SET send_as = '[1]'",
            "domain SET catch_all = '[[1]]'",
            "domain SET catch_all_except = '[[]]'",
            "domain SET patterns = '{'",
        ):
            self.sql(f"UPDATE {change}")
            directory = self.make(Inline())
            table = change.split()[0]
            asking = directory.account(JOE.address) if table == "account" else directory.domain("example.net")
            failure = self.failureResultOf(self.start(asking), TemporaryFailure).value
            self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
            self.sql("UPDATE account SET send_as = '[]'")
            self.sql("UPDATE domain SET catch_all = NULL, catch_all_except = '[]', patterns = '[]'")

    def test_an_alias_leaves_nothing_behind(self):
        self.answer(self.directory.add_alias(SALES))
        self.assertEqual(
            self.sql("SELECT local, place, target_local FROM alias_target ORDER BY place"),
            [("sales", 0, "joe"), ("sales", 1, "ann")],
        )
        self.answer(self.directory.change_alias(attrs.evolve(SALES, targets=(ANN.address,))))
        self.assertEqual(self.sql("SELECT place, target_local FROM alias_target"), [(0, "ann")])
        self.answer(self.directory.remove_alias(SALES.address))
        self.assertEqual(self.sql("SELECT * FROM alias UNION ALL SELECT domain, local FROM alias_target"), [])

    def test_no_row_that_cannot_be_read_can_be_written(self):
        self.answer(self.directory.add_account(JOE))
        self.answer(self.directory.add_device(JOE.address, PHONE))
        for assignment in (
            "account SET state = 'away'",
            "account SET forward_local = 'ann'",
            "account SET forward_domain = 'example.net'",
            "account SET keep_copy = 2",
            "account SET pop3 = NULL",
            "account SET quota_octets = -1",
            "domain SET same_as = NULL",
            "domain SET quota_messages = 'many'",
            "device SET sealed = 'text'",
            "device SET expires = 'never'",
        ):
            self.assertRaises(sqlite3.IntegrityError, self.sql, f"UPDATE {assignment}")

    def test_a_device_that_cannot_be_read_is_a_temporary_failure(self):
        self.answer(self.directory.add_account(JOE))
        self.answer(self.directory.add_device(JOE.address, PHONE))
        for column, nothing in (("scopes", ""), ("networks", ""), ("sender", "[]"), ("recipients", "[]")):
            self.sql(f"UPDATE device SET {column} = 'nonsense'")
            directory = self.make(Inline())
            for asking in (directory.devices(JOE.address), directory.all_devices()):
                failure = self.failureResultOf(self.start(asking), TemporaryFailure).value
                self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
                self.assertNotIn("canary", failure.detail)
            self.sql(f"UPDATE device SET {column} = '{nothing}'")

    def test_devices_and_verifiers_are_on_the_disk_when_they_are_acknowledged(self):
        self.answer(self.directory.add_account(JOE))
        self.answer(self.directory.add_device(JOE.address, PHONE))
        self.answer(self.directory.keep_verifiers(JOE.address, b"sealed"))
        self.assertEqual(
            self.sql("SELECT id, local, domain, name, folded FROM device"),
            [("d1", "joe", "example.net", "Phone", "phone")],
        )
        self.assertEqual(self.sql("SELECT local, sealed FROM verifiers"), [("joe", b"sealed")])
        self.answer(self.directory.remove_account(JOE.address))
        self.assertEqual(self.sql("SELECT * FROM device"), [])
        self.assertEqual(self.sql("SELECT * FROM verifiers"), [])

    def test_a_name_that_no_row_can_hold_changes_nothing(self):
        strange = attrs.evolve(JOE, name="\ud800")
        self.failureResultOf(self.start(self.directory.add_account(strange)), UnicodeEncodeError)
        self.assertEqual(self.answer(self.directory.accounts()), ())
        self.assertFalse(self.answer(self.directory.has_domain("example.net")))

    def test_nothing_secret_is_in_a_repr(self):
        self.answer(self.directory.add_account(JOE))
        self.answer(self.directory.add_device(JOE.address, PHONE))
        self.answer(self.directory.keep_verifiers(JOE.address, b"canary"))
        self.answer(self.directory.account(JOE.address))
        self.assertNotIn("canary", repr(self.directory))

    def test_a_broken_file_is_a_temporary_failure_for_everything(self):
        self.path.write_bytes(b"no database " * 500)
        for asking in (
            self.directory.account(JOE.address),
            self.directory.has_domain("example.net"),
            self.directory.accounts(),
            self.directory.domains(),
            self.directory.domain("example.net"),
            self.directory.change_domain(Domain("example.net")),
            self.directory.alias(SALES.address),
            self.directory.aliases(),
            self.directory.aliases_to(JOE.address),
            self.directory.add_alias(SALES),
            self.directory.change_alias(SALES),
            self.directory.remove_alias(SALES.address),
            self.directory.add_domain("example.net"),
            self.directory.add_account(JOE),
            self.directory.change_account(JOE),
            self.directory.remove_account(JOE.address),
            self.directory.devices(JOE.address),
            self.directory.all_devices(),
            self.directory.add_device(JOE.address, PHONE),
            self.directory.change_device(JOE.address, PHONE),
            self.directory.remove_device(JOE.address, PHONE.id),
            self.directory.verifiers(JOE.address),
            self.directory.all_verifiers(),
            self.directory.keep_verifiers(JOE.address, b"sealed"),
        ):
            failure = self.failureResultOf(self.start(asking), TemporaryFailure).value
            self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)


class CacheTests(SqliteCase):
    def setUp(self):
        super().setUp()
        self.answer(self.directory.add_account(JOE))
        self.threads = HeldThreads()
        self.directory = self.make(self.threads)

    def asked(self, coroutine):
        """The answer, and how often the thread was needed for it."""
        asking, count = self.start(coroutine), 0
        while self.threads.held:
            count += 1
            self.threads.release()
        return self.successResultOf(asking), count

    def test_an_account_costs_a_thread_once(self):
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (JOE, 1))
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (JOE, 0))

    def test_nobody_costs_a_thread_once(self):
        self.assertEqual(self.asked(self.directory.account(ANN.address)), (None, 1))
        self.assertEqual(self.asked(self.directory.account(ANN.address)), (None, 0))

    def login(self, address, elsewhere=False):
        """All that a login asks, and how often the thread was needed for it."""
        account, first = self.asked(self.directory.account(address))
        devices, second = self.asked(self.directory.devices(address, elsewhere))
        verifiers, third = self.asked(self.directory.verifiers(address, elsewhere))
        return (account, devices, verifiers), first + second + third

    def test_a_login_costs_a_thread_once(self):
        for count in (1, 0):
            self.assertEqual(self.login(JOE.address), ((JOE, (), b""), count))
            self.assertEqual(self.login(ANN.address), ((None, (), b""), count))

    def test_a_login_of_somebody_in_the_file_costs_a_thread_once(self):
        self.asked(self.directory.add_device(ANN.address, PHONE, elsewhere=True))
        self.asked(self.directory.keep_verifiers(ANN.address, b"sealed", elsewhere=True))
        self.directory = self.make(self.threads)
        for count in (1, 0):
            self.assertEqual(self.login(ANN.address, True), ((None, (PHONE,), b"sealed"), count))

    def test_a_change_of_devices_is_in_the_cache_when_it_is_acknowledged(self):
        self.login(JOE.address)
        self.asked(self.directory.add_device(JOE.address, PHONE))
        self.assertEqual(self.login(JOE.address), ((JOE, (PHONE,), b""), 0))
        changed = attrs.evolve(PHONE, name="Fon")
        self.asked(self.directory.change_device(JOE.address, changed))
        self.asked(self.directory.keep_verifiers(JOE.address, b"sealed"))
        self.assertEqual(self.login(JOE.address), ((JOE, (changed,), b"sealed"), 0))
        self.asked(self.directory.remove_device(JOE.address, PHONE.id))
        self.asked(self.directory.keep_verifiers(JOE.address, b""))
        self.assertEqual(self.login(JOE.address), ((JOE, (), b""), 0))

    def test_a_removed_device_does_not_come_back_by_a_read_that_began_before(self):
        self.asked(self.directory.add_device(JOE.address, PHONE))
        self.directory = self.make(self.threads)
        reading = self.start(self.directory.devices(JOE.address))
        removing = self.start(self.directory.remove_device(JOE.address, PHONE.id))
        deliveries = [self.threads.work(), self.threads.work()]
        for deliver in reversed(deliveries):
            deliver()
        self.assertEqual(self.successResultOf(reading), (PHONE,))
        self.successResultOf(removing)
        self.assertEqual(self.asked(self.directory.devices(JOE.address)), ((), 0))

    def test_a_change_of_devices_that_was_refused_leaves_the_cache_as_it_was(self):
        self.asked(self.directory.add_device(JOE.address, PHONE))
        adding = self.start(self.directory.add_device(JOE.address, attrs.evolve(PHONE, id="d2")))
        self.threads.release()
        self.failureResultOf(adding, PermanentFailure)
        self.assertEqual(self.login(JOE.address), ((JOE, (PHONE,), b""), 0))

    def test_an_alias_costs_no_thread_beyond_that_of_the_account(self):
        self.asked(self.directory.account(SALES.address))
        self.assertEqual(self.asked(self.directory.alias(SALES.address)), (None, 0))
        self.asked(self.directory.add_alias(SALES))
        self.assertEqual(self.asked(self.directory.alias(SALES.address)), (SALES, 0))
        self.directory = self.make(self.threads)
        self.assertEqual(self.asked(self.directory.alias(SALES.address)), (SALES, 1))
        self.assertEqual(self.asked(self.directory.account(SALES.address)), (None, 0))
        self.asked(self.directory.remove_alias(SALES.address))
        self.assertEqual(self.asked(self.directory.alias(SALES.address)), (None, 0))

    def test_a_changed_domain_is_in_the_cache_when_it_is_acknowledged(self):
        changed = Domain("example.net", delimiters="-")
        self.asked(self.directory.change_domain(changed))
        self.assertEqual(self.asked(self.directory.domain("example.net")), (changed, 0))

    def test_all_domains_cost_a_thread_once(self):
        self.assertEqual(self.asked(self.directory.has_domain("example.net")), (True, 1))
        self.assertEqual(self.asked(self.directory.has_domain("example.net")), (True, 0))
        self.assertEqual(self.asked(self.directory.has_domain("example.org")), (False, 0))

    def test_a_change_is_in_the_cache_when_it_is_acknowledged(self):
        changed = attrs.evolve(JOE, password_hash="$other")
        self.asked(self.directory.account(ANN.address))
        self.asked(self.directory.has_domain("example.net"))
        self.asked(self.directory.change_account(changed))
        self.asked(self.directory.add_account(ANN))
        self.asked(self.directory.add_domain("example.org"))
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (changed, 0))
        self.assertEqual(self.asked(self.directory.account(ANN.address)), (ANN, 0))
        self.assertEqual(self.asked(self.directory.has_domain("example.org")), (True, 0))
        self.asked(self.directory.remove_account(JOE.address))
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (None, 0))

    def test_a_change_whose_caller_went_away_is_in_the_cache_all_the_same(self):
        self.asked(self.directory.account(JOE.address))
        removing = self.start(self.directory.remove_account(JOE.address))
        removing.cancel()
        self.failureResultOf(removing, CancelledError)
        self.threads.release()
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (None, 0))

    def test_a_read_that_began_before_a_change_does_not_bring_the_old_back(self):
        reading = self.start(self.directory.account(JOE.address))
        removing = self.start(self.directory.remove_account(JOE.address))
        deliveries = [self.threads.work(), self.threads.work()]
        for deliver in reversed(deliveries):  # the outcomes may even overtake one another
            deliver()
        self.assertEqual(self.successResultOf(reading), JOE)
        self.successResultOf(removing)
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (None, 0))

    def test_a_change_that_was_refused_leaves_the_cache_as_it_was(self):
        self.asked(self.directory.account(JOE.address))
        adding = self.start(self.directory.add_account(attrs.evolve(JOE, name="Other")))
        self.threads.release()
        self.failureResultOf(adding, PermanentFailure)
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (JOE, 0))

    def test_after_a_change_that_failed_nothing_is_taken_for_granted(self):
        self.asked(self.directory.account(JOE.address))
        self.asked(self.directory.has_domain("example.net"))
        sick = attrs.evolve(JOE, notify=NotifyPreference(port="x"))
        changing = self.start(self.directory.change_account(sick))
        self.threads.release()
        self.failureResultOf(changing, TemporaryFailure)
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (JOE, 1))
        self.assertEqual(self.asked(self.directory.has_domain("example.net")), (True, 1))

    def test_what_is_in_the_cache_is_answered_while_the_file_is_sick(self):
        self.asked(self.directory.account(JOE.address))
        self.database._close()
        self.assertEqual(self.asked(self.directory.account(JOE.address)), (JOE, 0))
        asking = self.start(self.directory.account(ANN.address))
        self.threads.release()
        self.failureResultOf(asking, TemporaryFailure)
