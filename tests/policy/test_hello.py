"""Who a client says it is, case by case (rows S-A19, M-26)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import attrs
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.config.resolving import HelloNames
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, ConnectionFacts, Refuse, Stage, StageFacts
from mailsuite.model.reply import HELLO_IS_OURS, HELLO_MISMATCH
from mailsuite.observe.log import Log
from mailsuite.policy.hello import Hello, HelloRules, address_in
from mailsuite.policy.reverse import BUDGET
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type
from tests.contracts.policy_rule import PolicyRuleContract

PEER = ip_address("198.51.100.7")
SIX = ip_address("2001:db8::7")
OURS = ip_address("192.0.2.1")
OUR_SIX = ip_address("2001:db8::1")
PUBLIC = ip_address("203.0.113.1")
"""What the world reaches us by, and this machine knows nothing of."""
JOE = Address("joe", "mail.test")
LOGGING = HelloRules(own_names=frozenset({"mail.test", "lost.test"}))
REJECTING = attrs.evolve(LOGGING, on_mismatch="reject")
OFF = attrs.evolve(LOGGING, on_mismatch="off", reject_own_name=False)


def known():
    dns = MemoryResolver()
    dns.set("mx.test", Type.A, ip_address("198.51.100.6"), PEER)
    dns.set("mx.test", Type.AAAA, SIX)
    dns.set("else.test", Type.A, OURS)
    dns.set("mail.test", Type.A, PUBLIC)
    dns.trouble("lost.test", Type.A)
    dns.trouble("lost.test", Type.AAAA)
    dns.trouble("broken.test", Type.A)
    dns.silence("silent.test", Type.A)
    return dns


class HelloCase(SynchronousTestCase):
    def setUp(self):
        self.dns, self.clock, self.lines = known(), Clock(), []
        self.log = Log(sink=lambda line, level: self.lines.append((level, line.split(" ", 3)[-1].strip())))

    def rule(self, rules=REJECTING):
        return Hello(self.dns, self.clock, self.log, rules, lambda: {OURS, OUR_SIX})

    def start(self, helo, rules=REJECTING, peer=PEER, stage=Stage.HELLO, **facts):
        client = ConnectionFacts("s1", "mx", **{"service": "smtp", "peer": peer, "peer_port": 1, **facts})
        checking = self.rule(rules).check(StageFacts(stage, attrs.evolve(client, helo=helo)))
        return Deferred.fromCoroutine(checking)

    def verdict(self, helo, rules=REJECTING, **more):
        verdict = self.successResultOf(self.start(helo, rules, **more))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return verdict

    def accepted(self, helo, rules=REJECTING, **more):
        self.assertEqual(self.verdict(helo, rules, **more), Accept(), helo)
        self.assertEqual(self.lines, [], helo)

    def refused(self, reply, helo, rules=REJECTING, **more):
        self.assertEqual(self.verdict(helo, rules, **more), Refuse(reply), helo)
        (line,) = self.lines
        self.lines.clear()
        return line


class MatchTests(HelloCase):
    def test_a_name_that_has_the_address(self):
        for spelled in ("mx.test", "MX.Test", "mx.test."):
            self.accepted(spelled)
        self.accepted("mx.test", peer=SIX)

    def test_the_confirmed_name_is_not_looked_for_again(self):
        self.accepted("relay.test", host="relay.test")
        self.assertEqual(self.dns.asked, [])

    def test_the_clients_own_address(self):
        for spelled in ("[198.51.100.7]", "198.51.100.7", "[IPv6:::ffff:198.51.100.7]"):
            self.accepted(spelled)
        for spelled in ("[IPv6:2001:db8::7]", "[ipv6:2001:DB8:0::7]", "[2001:db8::7]"):
            self.accepted(spelled, peer=SIX)
        self.assertEqual(self.dns.asked, [])


class MismatchTests(HelloCase):
    def test_names_and_addresses_of_others(self):
        others = ("else.test", "none.test", "localhost", "user-pc", "[198.51.100.8]", "198.51.100.8", "a_b!c")
        for helo in (*others, "[IPv6:2001:db8::8]", "[tag:content]", "[]", "mx.test.mx.test"):
            self.refused(HELLO_MISMATCH, helo)
        self.refused(HELLO_MISMATCH, "else.test", peer=SIX)
        self.refused(HELLO_MISMATCH, "else.test", host="mx.test")

    def test_it_is_logged_and_let_pass_by_default(self):
        self.assertEqual(HelloRules().on_mismatch, "log")
        self.assertEqual(self.verdict("else.test", LOGGING, host="mx.test"), Accept())
        ((level, line),) = self.lines
        self.assertEqual(level, "info")
        for part in ("smtp.hello_mismatch", "session=s1", "listener=mx", "peer=198.51.100.7"):
            self.assertIn(part, line)
        self.assertTrue(line.endswith("helo=else.test host=mx.test refused=false"), line)

    def test_a_refusal_is_logged_as_one(self):
        _, line = self.refused(HELLO_MISMATCH, "else.test")
        self.assertTrue(line.endswith("refused=true"), line)

    def test_it_may_be_nobodys_concern(self):
        self.accepted("else.test", OFF)
        self.accepted("mail.test", OFF)
        self.assertEqual(self.dns.asked, [])

    def test_trouble_of_the_dns_refuses_nobody(self):
        self.accepted("broken.test")
        self.accepted("broken.test", LOGGING)

    def test_nobody_waits_longer_than_the_budget(self):
        waiting = self.start("silent.test")
        self.clock.advance(BUDGET - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(waiting), Accept())
        self.assertEqual(self.lines, [])

    def test_a_cancellation_is_one(self):
        waiting = self.start("silent.test")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)


class OwnNameTests(HelloCase):
    def test_our_name_is_ours(self):
        for helo in ("mail.test", "MAIL.TEST", "mail.test."):
            _, line = self.refused(HELLO_IS_OURS, helo, LOGGING)
            self.assertIn("smtp.hello_own_name", line)
            self.assertIn("peer=198.51.100.7", line)

    def test_our_addresses_are_ours(self):
        for helo in ("[192.0.2.1]", "192.0.2.1", "[IPv6:2001:db8::1]", "[203.0.113.1]"):
            self.refused(HELLO_IS_OURS, helo, LOGGING)

    def test_where_nobody_minds_it_is_a_mismatch_like_others(self):
        rules = attrs.evolve(REJECTING, reject_own_name=False)
        for helo in ("mail.test", "[192.0.2.1]"):
            self.refused(HELLO_MISMATCH, helo, rules)

    def test_not_knowing_all_of_our_addresses_is_no_reason(self):
        self.assertEqual(self.verdict("[198.51.100.8]", LOGGING), Accept())
        self.assertIn("smtp.hello_mismatch", self.lines[0][1])

    def test_the_codes(self):
        """RFC 3463 section 3.8: 5.7.1. RFC 7372's 5.7.25 tells of the address's own name, not of HELO."""
        for reply in (HELLO_IS_OURS, HELLO_MISMATCH):
            self.assertEqual((reply.code, reply.enhanced, reply.closes), (550, "5.7.1", False))


class SparedTests(HelloCase):
    def test_who_logged_in_may_say_anything(self):
        for helo in ("mail.test", "else.test"):
            self.accepted(helo, account=JOE)

    def test_services_of_our_users_are_not_judged(self):
        for service in ("submission", "lmtp"):
            self.accepted("mail.test", service=service)

    def test_this_machine_and_those_we_trust(self):
        rules = attrs.evolve(REJECTING, trusted=(ip_network("198.51.100.0/28"), ip_network("2001:db8::7")))
        for peer in (PEER, SIX):
            self.accepted("mail.test", rules, peer=peer)
        for peer in (OURS, OUR_SIX):
            self.accepted("mail.test", peer=peer)
        self.refused(HELLO_IS_OURS, "mail.test", rules, peer=ip_address("198.51.100.16"))

    def test_the_default_spares_loopback(self):
        trusted = attrs.fields(HelloNames).hello_trusted.default
        rules = attrs.evolve(REJECTING, trusted=trusted)
        for peer in ("127.0.0.1", "127.9.9.9", "::1"):
            self.accepted("mail.test", rules, peer=ip_address(peer))

    def test_other_stages_and_no_name(self):
        for stage in set(Stage) - {Stage.HELLO}:
            self.accepted("mail.test", stage=stage)
        self.accepted("")


class HelloContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self):
        return Hello(known(), Clock(), Log(), REJECTING)


@pytest.mark.parametrize(
    ("helo", "address"),
    [
        ("[192.0.2.1]", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("[IPV6:::1]", "::1"),
        ("ipv6:::1", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[IPv6:::ffff:192.0.2.1]", "192.0.2.1"),
        ("[192.0.2.1", None),
        ("192.0.2.256", None),
        ("192.0.2", None),
        ("0300.0.2.1", None),
        ("mx.test", None),
        ("[x:y]", None),
        ("", None),
    ],
)
def test_address_literals(helo, address):
    assert address_in(helo) == (None if address is None else ip_address(address))
