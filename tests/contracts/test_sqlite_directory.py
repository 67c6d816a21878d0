"""The directory in SQLite keeps the contract, also read anew from the disk at every question."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.concurrent.threads import Inline
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.lower import ILowerDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sqlite.accounts import SCHEMA, SqliteDirectory
from mailsuite.model.origin import Origin
from mailsuite.sqlite.database import Database
from tests.contracts.account_directory import AccountDirectoryContract
from tests.contracts.lower_directory import LowerDirectoryContract
from tests.directory.folders import FolderCase


def opened(test, path):
    database = Database(path, SCHEMA, Inline())
    test.addCleanup(lambda: test.successResultOf(Deferred.fromCoroutine(database.close())))
    return SqliteDirectory(database)


@implementer(ILowerDirectory)
class Reopened:
    """Asks a directory that was opened for this one question."""

    def __init__(self, path):
        self.path = path

    async def _ask(self, name, *arguments):
        database = Database(self.path, SCHEMA, Inline())
        try:
            return await getattr(SqliteDirectory(database), name)(*arguments)
        finally:
            await database.close()

    async def account(self, address):
        return await self._ask("account", address)

    async def has_domain(self, name):
        return await self._ask("has_domain", name)

    async def accounts(self):
        return await self._ask("accounts")

    async def members(self, domain):
        return await self._ask("members", domain)

    async def domains(self):
        return await self._ask("domains")

    async def add_domain(self, name):
        await self._ask("add_domain", name)

    async def domain(self, name):
        return await self._ask("domain", name)

    async def change_domain(self, domain):
        await self._ask("change_domain", domain)

    async def alias(self, address):
        return await self._ask("alias", address)

    async def aliases(self):
        return await self._ask("aliases")

    async def aliases_to(self, target):
        return await self._ask("aliases_to", target)

    async def add_alias(self, alias):
        await self._ask("add_alias", alias)

    async def change_alias(self, alias):
        await self._ask("change_alias", alias)

    async def remove_alias(self, address):
        await self._ask("remove_alias", address)

    async def add_account(self, account):
        await self._ask("add_account", account)

    async def change_account(self, account):
        await self._ask("change_account", account)

    async def replace_hash(self, account, old, new):
        return await self._ask("replace_hash", account, old, new)

    async def remove_account(self, address):
        await self._ask("remove_account", address)

    async def devices(self, account, elsewhere=False):
        return await self._ask("devices", account, elsewhere)

    async def all_devices(self):
        return await self._ask("all_devices")

    async def add_device(self, account, device, elsewhere=False):
        await self._ask("add_device", account, device, elsewhere)

    async def change_device(self, account, device):
        await self._ask("change_device", account, device)

    async def remove_device(self, account, id):
        await self._ask("remove_device", account, id)

    async def verifiers(self, account, elsewhere=False):
        return await self._ask("verifiers", account, elsewhere)

    async def all_verifiers(self):
        return await self._ask("all_verifiers")

    async def keep_verifiers(self, account, sealed, elsewhere=False):
        await self._ask("keep_verifiers", account, sealed, elsewhere)

    async def replace_verifiers(self, account, old, new, elsewhere=False):
        return await self._ask("replace_verifiers", account, old, new, elsewhere)


class SqliteDirectoryContractTests(LowerDirectoryContract, FolderCase, SynchronousTestCase):
    def make_directory(self):
        return opened(self, self.folder / "accounts.db")


class ReopenedDirectoryContractTests(LowerDirectoryContract, FolderCase, SynchronousTestCase):
    def make_directory(self):
        return Reopened(self.folder / "accounts.db")


class LayeredOverSqliteContractTests(AccountDirectoryContract, FolderCase, SynchronousTestCase):
    def make_directory(self):
        return LayeredDirectory(
            MemoryDirectory(origin=Origin.FILE), opened(self, self.folder / "accounts.db")
        )
