"""What every IBans promises. Implementations subclass it beside SynchronousTestCase."""

from __future__ import annotations

from ipaddress import ip_network

import attrs
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IBans
from mailsuite.model.ban import Ban

NOON = 1_700_000_000.0
ONE = Ban(ip_network("192.0.2.7"), "oversize-command", NOON, NOON + 900.5, 3, 'pop3: 513 octets, "\\x00" ünd')
SIX = Ban(ip_network("2001:db8::/64"), "by-hand", NOON + 1, NOON + 60)
WIDE = Ban(ip_network("192.0.2.0/24"), "by-hand", NOON + 2, NOON + 60)


class BansContract:
    """Subclasses say how one is made that knows nothing, and how another process would find it."""

    def setUp(self):
        self.bans = self.make_bans()

    def make_bans(self):
        raise NotImplementedError

    def again(self):
        """The same bans, as they are found after a restart."""
        raise NotImplementedError

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def keep(self, *bans):
        for ban in bans:
            self.answer(self.bans.keep(ban))

    def kept(self):
        return set(self.answer(self.again().bans()))

    def test_provides_the_interface(self):
        verifyObject(IBans, self.bans)

    def test_begins_with_none(self):
        self.assertEqual(self.answer(self.bans.bans()), ())

    def test_each_comes_back_as_it_was(self):
        self.keep(ONE, SIX, WIDE)
        self.assertEqual(self.kept(), {ONE, SIX, WIDE})
        self.assertEqual(set(self.answer(self.bans.bans())), {ONE, SIX, WIDE})

    def test_one_that_ended_long_ago_is_kept_too(self):
        ended = attrs.evolve(ONE, since=5.0, until=10.0)
        self.keep(ended)
        self.assertEqual(self.kept(), {ended})

    def test_the_last_one_of_a_network_counts(self):
        again = attrs.evolve(ONE, since=NOON + 1000, until=NOON + 5000, times=4, reason="by-hand", detail="")
        self.keep(ONE, SIX, again)
        self.assertEqual(self.kept(), {again, SIX})

    def test_one_that_lasts_until_a_restart_is_gone_by_then_with_the_one_before(self):
        self.keep(ONE, SIX, attrs.evolve(ONE, until=None))
        self.assertEqual(self.kept(), {SIX})

    def test_exactly_one_network_is_dropped(self):
        self.keep(ONE, SIX, WIDE)
        self.assertIs(self.answer(self.bans.drop(WIDE.network)), True)
        self.assertEqual(self.kept(), {ONE, SIX})
        self.assertIs(self.answer(self.bans.drop(WIDE.network)), False)
        self.assertIs(self.answer(self.bans.drop(ip_network("2001:db8::/65"))), False)
        self.assertEqual(self.kept(), {ONE, SIX})
