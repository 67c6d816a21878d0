"""What clients say in HELO, judged by a real name server over real sockets (rows S-A19, M-26)."""

from __future__ import annotations

import time
from ipaddress import ip_address
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.config.resolving import Resolving
from mailsuite.model.dns import NameServer
from mailsuite.model.facts import Accept, ConnectionFacts, Refuse, Stage, StageFacts
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import HELLO_IS_OURS, HELLO_MISMATCH
from mailsuite.observe.log import Log
from mailsuite.policy.hello import Hello, HelloRules
from mailsuite.policy.reverse import Confirmation, Iprev, confirm
from mailsuite.resolver.service import name_service
from tests.dns_server import DnsServer
from tests.ports import free_port

LOOPBACK = ip_address("127.0.0.1")
CLIENT = ip_address("127.0.0.7")
"""All of 127.0.0.0/8 is this machine, and its names are asked for as the test wants it."""
ELSEWHERE = ip_address("127.0.0.8")


class NameServerCase(TestCase):
    def setUp(self):
        self.server = DnsServer()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.zone = self.server.zone
        self.zone.host("mx.elsewhere.test", str(CLIENT), "2001:db8::7")
        self.zone.host("other.elsewhere.test", str(ELSEWHERE))
        self.zone.pointer("127.0.0.9", "mx.elsewhere.test")
        self.lines = []
        self.log = Log(sink=lambda line, level: self.lines.append(line))
        self.service = self.made(NameServer(LOOPBACK, self.server.port))

    def made(self, *servers, **settings):
        threads = Inline()
        watch = FileWatch(threads, reactor, self.log)
        settings = Resolving(servers=servers, ask_private=True, **settings)
        service = name_service(settings, reactor, threads, watch, self.log)
        service.files.hosts = service.files.resolv_conf = Path("/dev/null/none")
        self.addCleanup(lambda: Deferred.fromCoroutine(service.stop()))
        return service

    @property
    def names(self):
        return self.service.names


class ResolverTests(NameServerCase):
    async def test_over_udp(self):
        answer = await self.names.addresses("MX.elsewhere.test.")
        self.assertEqual(answer.records, (ip_address("2001:db8::7"), CLIENT))
        self.assertEqual({via for _, _, via in self.zone.questions}, {"udp"})

    async def test_over_tcp_what_does_not_fit(self):
        self.zone.add("big.test", "TXT", *(f'"{number:03} {"x" * 240}"' for number in range(99)))
        self.zone.faults["big.test"] = "huge"
        self.assertEqual(len((await self.names.texts("big.test")).records), 99)
        self.assertEqual([via for _, _, via in self.zone.questions], ["udp", "tcp"])

    async def test_forged_responses_are_not_heard(self):
        for fault in ("stray-first", "flood", "lower-case"):
            self.zone.host(f"{fault}.test", str(CLIENT))
            self.zone.faults[f"{fault}.test"] = fault
            self.assertEqual((await self.names.addresses(f"{fault}.test", 4)).records, (CLIENT,), fault)

    async def test_the_next_server_where_nobody_listens(self):
        service = self.made(NameServer(LOOPBACK, free_port()), NameServer(LOOPBACK, self.server.port))
        began = time.monotonic()
        self.assertTrue((await service.names.addresses("mx.elsewhere.test", 4)).records)
        self.assertLess(time.monotonic() - began, 0.9, "the kernel tells that nobody listens")

    async def test_a_server_that_is_silent(self):
        self.zone.faults[""] = "silent"
        service = self.made(NameServer(LOOPBACK, self.server.port), timeout=1.0)
        with self.assertRaises(TemporaryFailure):
            await service.names.addresses("mx.elsewhere.test", 4)

    async def test_many_at_the_same_time(self):
        names = [f"n{number}.test" for number in range(300)]
        for number, name in enumerate(names):
            self.zone.add(name, "A", f"192.0.{number // 200}.{number % 200}")
        asking = [Deferred.fromCoroutine(self.names.addresses(name, 4)) for name in names * 2]
        answers = await gatherResults(asking)
        self.assertEqual({len(answer.records) for answer in answers}, {1})
        self.assertEqual(len({answer.records for answer in answers}), len(names))

    async def test_circles(self):
        self.zone.add("ring.test", "CNAME", "gnir.test.")
        self.zone.add("gnir.test", "CNAME", "ring.test.")
        with self.assertRaises(TemporaryFailure):
            await self.names.exchanges("ring.test")


class ReverseTests(NameServerCase):
    async def result(self, peer):
        return await confirm(self.names, ip_address(peer), reactor)

    async def test_confirmed(self):
        name = "mx.elsewhere.test"
        self.assertEqual(await self.result(CLIENT), Confirmation(Iprev.PASS, name, name))

    async def test_forged(self):
        self.assertEqual(await self.result("127.0.0.9"), Confirmation(Iprev.FAIL, "", "mx.elsewhere.test"))

    async def test_none(self):
        self.assertIs((await self.result("127.0.0.10")).result, Iprev.PERMERROR)

    async def test_unknown(self):
        self.zone.faults["8.0.0.127.in-addr.arpa"] = "servfail"
        self.assertIs((await self.result(ELSEWHERE)).result, Iprev.TEMPERROR)


class HelloTests(NameServerCase):
    async def verdict(self, helo, on_mismatch="reject", peer=CLIENT):
        rules = HelloRules(on_mismatch=on_mismatch, own_names=frozenset({"mail.example.test"}))
        rule = Hello(self.names, reactor, self.log, rules, lambda: {LOOPBACK})
        host = (await confirm(self.names, peer, reactor)).name
        facts = ConnectionFacts("s1", "mx", "smtp", peer, 4321, host=host, helo=helo)
        return await rule.check(StageFacts(Stage.HELLO, facts))

    async def test_who_is_who_it_says(self):
        for helo in ("mx.elsewhere.test", "MX.Elsewhere.Test", "[127.0.0.7]"):
            self.assertEqual(await self.verdict(helo), Accept(), helo)
        self.assertEqual(self.lines_of("smtp."), [])

    async def test_who_is_not(self):
        for helo in ("other.elsewhere.test", "none.test", "[127.0.0.8]"):
            self.assertEqual(await self.verdict(helo), Refuse(HELLO_MISMATCH), helo)
        self.assertEqual(len(self.lines_of("smtp.hello_mismatch")), 3)

    async def test_the_default_lets_pass_and_tells(self):
        self.assertEqual(await self.verdict("other.elsewhere.test", "log"), Accept())
        (line,) = self.lines_of("smtp.hello_mismatch")
        self.assertIn("peer=127.0.0.7 helo=other.elsewhere.test host=mx.elsewhere.test refused=false", line)

    async def test_our_own_name(self):
        for helo in ("mail.example.test", "[127.0.0.1]"):
            self.assertEqual(await self.verdict(helo, "log"), Refuse(HELLO_IS_OURS), helo)

    async def test_a_name_server_in_trouble_refuses_nobody(self):
        for fault in ("servfail", "refused", "garbage", "referral", "closes"):
            self.zone.faults["mx.elsewhere.test"] = fault
            self.service = self.made(NameServer(LOOPBACK, self.server.port), timeout=1.0)
            self.assertEqual(await self.verdict("mx.elsewhere.test"), Accept(), fault)
        self.assertEqual(self.lines_of("smtp."), [])

    def lines_of(self, event):
        return [line for line in self.lines if f" {event}" in line]
