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

    def test_it_survives_a_restart(self):
        self.answer(self.make_totals().note_warned("example.net", 95))
        again = self.make_totals()
        self.assertEqual([self.answer(again.warned("example.net")) for _ in range(2)], [95, 95])
