"""The logins in memory and in SQLite keep the contract."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.concurrent.threads import Inline
from mailsuite.directory.logins import MemoryLogins
from mailsuite.directory.sqlite.accounts import SCHEMA
from mailsuite.directory.sqlite.logins import SqliteLogins
from mailsuite.interfaces import ILogins
from mailsuite.sqlite.database import Database
from tests.contracts.logins import LoginsContract
from tests.directory.folders import FolderCase


@implementer(ILogins)
class Forgetful:
    """Asks logins that remember nothing but what stands in the file."""

    def __init__(self, database):
        self.database = database

    async def record(self, login):
        await SqliteLogins(self.database).record(login)

    async def since(self, at):
        return await SqliteLogins(self.database).since(at)

    async def of(self, account):
        return await SqliteLogins(self.database).of(account)

    async def last_uses(self, account):
        return await SqliteLogins(self.database).last_uses(account)

    async def forget(self, account, device=None):
        await SqliteLogins(self.database).forget(account, device)


class MemoryLoginsContractTests(LoginsContract, SynchronousTestCase):
    def make_logins(self):
        return MemoryLogins()


class SqliteLoginsContractTests(LoginsContract, FolderCase, SynchronousTestCase):
    def make_logins(self):
        return SqliteLogins(self.make_database())

    def make_database(self):
        database = Database(self.folder / "accounts.db", SCHEMA, Inline())
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(database.close())))
        return database


class ForgetfulLoginsContractTests(SqliteLoginsContractTests):
    def make_logins(self):
        return Forgetful(self.make_database())
