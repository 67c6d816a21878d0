"""Forward-confirmed reverse DNS, result by result (RFC 8601 section 2.7.3)."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.policy.reverse import BUDGET, MAX_NAMES, Confirmation, Iprev, confirm, confirmed_name
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type

PEER = ip_address("192.0.2.7")
SIX = ip_address("2001:db8::7")
OTHER = ip_address("192.0.2.8")


class ReverseTests(SynchronousTestCase):
    def setUp(self):
        self.dns = MemoryResolver()
        self.clock = Clock()

    def start(self, peer=PEER):
        return Deferred.fromCoroutine(confirm(self.dns, peer, self.clock))

    def confirmed(self, peer=PEER):
        confirmation = self.successResultOf(self.start(peer))
        name = self.successResultOf(Deferred.fromCoroutine(confirmed_name(self.dns, peer, self.clock)))
        self.assertEqual(name, confirmation.name)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return confirmation

    def test_a_name_that_has_the_address(self):
        self.dns.set(PEER, Type.PTR, "mx.test")
        self.dns.set("mx.test", Type.A, OTHER, PEER)
        self.assertEqual(self.confirmed(), Confirmation(Iprev.PASS, "mx.test", "mx.test"))

    def test_ipv6_asks_for_nothing_but_ipv6(self):
        self.dns.set(SIX, Type.PTR, "mx.test")
        self.dns.set("mx.test", Type.AAAA, SIX)
        self.dns.trouble("mx.test", Type.A)
        self.assertEqual(self.confirmed(SIX).name, "mx.test")

    def test_a_later_name(self):
        self.dns.set(PEER, Type.PTR, "forged.test", "lost.test", "mx.test")
        self.dns.set("forged.test", Type.A, OTHER)
        self.dns.trouble("lost.test", Type.A)
        self.dns.set("mx.test", Type.A, PEER)
        self.assertEqual(self.confirmed(), Confirmation(Iprev.PASS, "mx.test", "forged.test"))

    def test_a_name_that_has_other_addresses_or_none(self):
        self.dns.set(PEER, Type.PTR, "forged.test", "none.test")
        self.dns.set("forged.test", Type.A, OTHER)
        self.assertEqual(self.confirmed(), Confirmation(Iprev.FAIL, "", "forged.test"))

    def test_no_name(self):
        self.assertEqual(self.confirmed(), Confirmation(Iprev.PERMERROR))

    def test_what_cannot_be_known(self):
        self.dns.trouble(PEER, Type.PTR)
        self.assertEqual(self.confirmed(), Confirmation(Iprev.TEMPERROR))
        self.dns.set(PEER, Type.PTR, "lost.test", "none.test")
        self.dns.trouble("lost.test", Type.A)
        self.assertEqual(self.confirmed(), Confirmation(Iprev.TEMPERROR, "", "lost.test"))

    def test_ten_names_and_no_more(self):
        names = [f"n{number}.test" for number in range(MAX_NAMES + 1)]
        self.dns.set(PEER, Type.PTR, *names)
        self.dns.set(names[-1], Type.A, PEER)
        self.assertIs(self.confirmed().result, Iprev.FAIL)
        self.dns.set(names[-2], Type.A, PEER)
        self.assertEqual(self.confirmed().name, names[-2])

    def test_the_time_for_all_of_it_is_limited(self):
        self.dns.set(PEER, Type.PTR, "slow.test", "mx.test")
        self.dns.silence("slow.test", Type.A)
        self.dns.set("mx.test", Type.A, PEER)
        waiting = self.start()
        self.clock.advance(BUDGET - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(waiting), Confirmation(Iprev.TEMPERROR, "", "slow.test"))

    def test_a_cancellation_is_one(self):
        self.dns.silence(PEER, Type.PTR)
        waiting = self.start()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_words_of_authentication_results(self):
        self.assertEqual([each.value for each in Iprev], ["pass", "fail", "temperror", "permerror"])
