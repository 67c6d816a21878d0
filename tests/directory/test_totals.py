"""Levels of warnings about whole domains, in memory."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.totals import MemoryTotalsWarned
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.contracts.totals_warned import TotalsWarnedContract


class MemoryTotalsWarnedTests(TotalsWarnedContract, SynchronousTestCase):
    def make_totals(self):
        return MemoryTotalsWarned()

    def test_it_fails_where_a_test_wants_it(self):
        totals = MemoryTotalsWarned(TemporaryFailure(DIRECTORY_UNAVAILABLE))
        for work in (totals.warned("example.net"), totals.note_warned("example.net", 80)):
            self.failureResultOf(Deferred.fromCoroutine(work), TemporaryFailure)
