"""Levels of warnings about whole domains, in accounts.db."""

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.directory.sqlite.schema import SCHEMA
from mailsuite.directory.sqlite.totals import SqliteTotalsWarned
from mailsuite.sqlite.database import Database
from tests.contracts.totals_warned import TotalsWarnedContract
from tests.directory.folders import FolderCase


class SqliteTotalsWarnedTests(TotalsWarnedContract, FolderCase, SynchronousTestCase):
    def make_totals(self):
        database = Database(self.folder / "accounts.db", SCHEMA, Inline())
        self.addCleanup(database._close)
        return SqliteTotalsWarned(database)
