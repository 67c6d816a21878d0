"""The sightings in SQLite keep the contract."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.directory.sqlite.sightings import SqliteSightings
from mailsuite.notices.sqlite.schema import SCHEMA
from mailsuite.sqlite.database import Database
from tests.contracts.sightings import SightingsContract
from tests.directory.folders import FolderCase


class SqliteSightingsContractTests(SightingsContract, FolderCase, SynchronousTestCase):
    def make_sightings(self):
        database = Database(self.folder / "notify.db", SCHEMA, Inline())
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(database.close())))
        return SqliteSightings(database)
