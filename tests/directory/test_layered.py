"""The file's accounts over the database's."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain, Origin
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import ALREADY_EXISTS, DIRECTORY_UNAVAILABLE, READ_ONLY

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
SUE = Address("sue", "example.org")


class LayeredDirectoryTests(SynchronousTestCase):
    def setUp(self):
        self.file = MemoryDirectory((Account(JOE, "in the file"),), origin=Origin.FILE)
        self.database = MemoryDirectory((Account(JOE, "in the database"), Account(ANN), Account(SUE)))
        self.directory = LayeredDirectory(self.file, self.database)

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, reply, coroutine):
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), PermanentFailure)
        self.assertEqual(failure.value.reply, reply)

    def test_the_file_covers_the_database(self):
        self.assertEqual(self.answer(self.directory.account(JOE)).name, "in the file")
        names = [(str(account.address), account.origin) for account in self.answer(self.directory.accounts())]
        self.assertEqual(
            names,
            [
                ("ann@example.net", Origin.DATABASE),
                ("joe@example.net", Origin.FILE),
                ("sue@example.org", Origin.DATABASE),
            ],
        )
        self.assertEqual(
            self.answer(self.directory.domains()),
            (Domain("example.net", Origin.FILE), Domain("example.org", Origin.DATABASE)),
        )

    def test_what_is_not_in_the_file_is_the_database_s(self):
        self.assertEqual(self.answer(self.directory.account(ANN)).origin, Origin.DATABASE)
        self.assertTrue(self.answer(self.directory.has_domain("example.org")))
        self.assertFalse(self.answer(self.directory.has_domain("example.com")))

    def test_what_stands_in_the_file_is_changed_there(self):
        self.refused(READ_ONLY, self.directory.change_account(Account(JOE)))
        self.refused(READ_ONLY, self.directory.remove_account(JOE))
        self.refused(ALREADY_EXISTS, self.directory.add_account(Account(JOE)))
        self.refused(ALREADY_EXISTS, self.directory.add_domain("example.net"))
        self.assertEqual(self.answer(self.database.account(JOE)).name, "in the database")

    def test_writes_go_to_the_database(self):
        new = Address("new", "new.example")
        self.answer(self.directory.add_account(Account(new)))
        self.assertIsNotNone(self.answer(self.database.account(new)))
        self.answer(self.directory.change_account(Account(new, "Neo")))
        self.assertEqual(self.answer(self.database.account(new)).name, "Neo")
        self.answer(self.directory.remove_account(new))
        self.assertIsNone(self.answer(self.database.account(new)))

    def test_the_file_can_be_replaced(self):
        self.directory.replace_file(MemoryDirectory((Account(SUE, "moved"),), origin=Origin.FILE))
        self.assertEqual(self.answer(self.directory.account(SUE)).origin, Origin.FILE)
        self.assertEqual(self.answer(self.directory.account(JOE)).name, "in the database")

    def test_the_file_s_accounts_are_there_while_the_database_is_away(self):
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.assertIsNotNone(self.answer(self.directory.account(JOE)))
        self.assertTrue(self.answer(self.directory.has_domain("example.net")))
        self.failureResultOf(Deferred.fromCoroutine(self.directory.account(ANN)), TemporaryFailure)
