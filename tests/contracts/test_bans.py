"""The bans in memory and in SQLite keep the contract."""

import sqlite3

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.directory.bans import MemoryBans
from mailsuite.directory.sqlite.bans import CREATE_TABLE, SqliteBans
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.sqlite.database import Database
from tests.contracts.bans import ONE, BansContract
from tests.directory.folders import FolderCase


class MemoryBansContractTests(BansContract, SynchronousTestCase):
    def make_bans(self):
        return MemoryBans()

    def again(self):
        return self.bans

    def test_it_fails_where_a_test_wants_it_to(self):
        self.bans.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        for work in (self.bans.bans(), self.bans.keep(ONE), self.bans.drop(ONE.network)):
            self.failureResultOf(Deferred.fromCoroutine(work), TemporaryFailure)


class SqliteBansContractTests(BansContract, FolderCase, SynchronousTestCase):
    def make_bans(self):
        database = Database(self.folder / "accounts.db", ((CREATE_TABLE,),), Inline())
        self.addCleanup(lambda: self.answer(database.close()))
        return SqliteBans(database)

    def again(self):
        return self.make_bans()

    def test_what_cannot_be_read_is_told_as_trouble_of_the_database(self):
        self.keep(ONE)
        with sqlite3.connect(self.folder / "accounts.db") as connection:
            connection.execute("UPDATE ban SET network = 'nonsense'")
        connection.close()
        failure = self.failureResultOf(Deferred.fromCoroutine(self.bans.bans()), TemporaryFailure)
        self.assertIn("the ban of 'nonsense' cannot be read", failure.value.detail)
