"""What every ITotalsWarned promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces.directory import ITotalsWarned


class TotalsWarnedContract:
    """Subclasses say how an empty one is made."""

    def make_totals(self):
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_what_is_noted_is_answered(self):
        totals = self.make_totals()
        verifyObject(ITotalsWarned, totals)
        self.assertEqual(self.answer(totals.warned("example.net")), 0)
        for level in (80, 95, 0, 80):
            self.answer(totals.note_warned("example.net", level))
            self.assertEqual(self.answer(totals.warned("example.net")), level)
        self.assertEqual(self.answer(totals.warned("example.org")), 0)
