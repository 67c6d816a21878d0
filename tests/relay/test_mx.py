"""Hosts of a way, in the order in which they are tried: RFC 5321 section 5.1 and RFC 7505."""

from __future__ import annotations

import random
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.config.kinds_next_hops import Place
from mailsuite.config.next_hops import retry_times
from mailsuite.config.queue import Queue
from mailsuite.config.resolve import built
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import DNS_UNAVAILABLE, DOMAIN_UNKNOWN, NO_ROUTE, NULL_MX, ROUTED_TO_US
from mailsuite.observe.log import Log
from mailsuite.relay.mx import MAX_ADDRESSES, MAX_ADDRESSES_OF_HOST, MAX_HOSTS, HostFinder, interleaved
from mailsuite.relay.routes import Hop, Way
from mailsuite.relay.source import Source
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type

TIMES = retry_times(built(Queue, {"tls": {}}))
ANY = Source()


def backwards(items: list[Any]) -> None:
    """A shuffle that can be seen."""
    items.reverse()


def to_domain(domain: str, *places: Place, port: int = 25) -> Hop:
    return Hop(domain, Way.EXCHANGERS, TIMES, domain=domain, places=places, port=port)


def to_places(*places: Place, port: int = 25) -> Hop:
    return Hop("smtp", Way.PLACES, TIMES, places=places, port=port)


class MxCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.names = MemoryResolver()
        self.listening: set[tuple[str, int]] = set()
        self.lines: list[str] = []

    def finder(self, shuffle: Callable[[list[Any]], None] = backwards) -> HostFinder:
        log = Log(sink=lambda line, level: self.lines.append(line.split(" ", 1)[1]))
        return HostFinder(
            self.names,
            lambda address, port: (str(address), port) in self.listening,
            "mail.example.net",
            shuffle,
            log,
        )

    def mx(self, domain: str, *records: tuple[int, str]) -> None:
        self.names.set(domain, Type.MX, *records)

    def host(self, name: str, *addresses: str) -> None:
        for kind, version in ((Type.A, 4), (Type.AAAA, 6)):
            found = [ip_address(each) for each in addresses if ip_address(each).version == version]
            self.names.set(name, kind, *found)

    def start(
        self, hop: Hop, source: Source = ANY, most: int = 100
    ) -> Deferred[list[tuple[str, list[str], int]]]:
        async def collect() -> list[tuple[str, list[str], int]]:
            hosts = []
            async for host in self.finder().find(hop, source):
                hosts.append((host.name, [str(each) for each in host.addresses], host.port))
                if len(hosts) == most:
                    break
            return hosts

        return Deferred.fromCoroutine(collect())

    def found(
        self, hop: Hop | str, source: Source = ANY, most: int = 100
    ) -> list[tuple[str, list[str], int]]:
        return self.successResultOf(self.start(to_domain(hop) if isinstance(hop, str) else hop, source, most))

    def order(self, hop: Hop | str) -> list[str]:
        return [name for name, *_ in self.found(hop)]

    def refused(self, hop: Hop | str, kind: type[Exception] = PermanentFailure) -> Any:
        hop = to_domain(hop) if isinstance(hop, str) else hop
        return self.failureResultOf(self.start(hop), kind).value.reply

    def asked(self, name: str) -> int:
        return sum(question.name == name for question in self.names.asked)


class TestWhoComesFirst(MxCase):
    def test_the_best_first_and_equals_at_random(self) -> None:
        self.mx("a.test", (5, "e.test"), (10, "b.test"), (10, "c.test"), (10, "d.test"), (20, "f.test"))
        for name in "bcdef":
            self.host(f"{name}.test", "192.0.2.1")
        self.assertEqual(self.order("a.test"), ["e.test", "d.test", "c.test", "b.test", "f.test"])

    def test_each_equal_comes_first_at_times(self) -> None:
        """By the shuffle that the server uses."""
        self.mx("a.test", (10, "b.test"), (10, "c.test"))
        for name in "bc":
            self.host(f"{name}.test", "192.0.2.1")
        generator = random.Random(7)

        async def first() -> str:
            async for host in self.finder(generator.shuffle).find(to_domain("a.test"), ANY):
                return host.name
            return ""

        firsts = {self.successResultOf(Deferred.fromCoroutine(first())) for _ in range(50)}
        self.assertEqual(firsts, {"b.test", "c.test"})

    def test_nobody_asks_for_the_second_while_the_first_will_do(self) -> None:
        self.mx("a.test", (10, "b.test"), (20, "c.test"))
        self.host("b.test", "192.0.2.1")
        self.host("c.test", "192.0.2.2")
        self.assertEqual(self.found("a.test", most=1), [("b.test", ["192.0.2.1"], 25)])
        self.assertEqual((self.asked("b.test"), self.asked("c.test")), (2, 0))

    def test_the_port_is_the_one_of_the_way(self) -> None:
        self.host("a.test", "192.0.2.1")
        self.assertEqual(self.found(to_domain("a.test", port=2525)), [("a.test", ["192.0.2.1"], 2525)])

    def test_both_versions_in_turn(self) -> None:
        self.host("a.test", "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1")
        found = ["2001:db8::1", "192.0.2.3", "192.0.2.2", "192.0.2.1"]
        self.assertEqual(self.found("a.test"), [("a.test", found, 25)])

    def test_one_version_where_that_is_said(self) -> None:
        self.host("a.test", "192.0.2.1", "2001:db8::1")
        self.assertEqual(self.found("a.test", Source(version="4")), [("a.test", ["192.0.2.1"], 25)])
        self.assertEqual(self.found("a.test", Source(version="6")), [("a.test", ["2001:db8::1"], 25)])

    def test_ten_addresses_in_all_and_no_host_has_all_of_them(self) -> None:
        self.mx("a.test", *((rank, f"h{rank}.test") for rank in range(3)))
        for rank in range(3):
            self.host(f"h{rank}.test", *(f"192.0.{rank}.{number}" for number in range(1, 9)))
        counts = [len(addresses) for _, addresses, _ in self.found("a.test")]
        self.assertEqual(counts, [MAX_ADDRESSES_OF_HOST, MAX_ADDRESSES - MAX_ADDRESSES_OF_HOST])

    def test_no_endless_search(self) -> None:
        self.mx("a.test", *((rank // 7, f"h{rank}.test") for rank in range(50)))
        self.assertIs(self.refused("a.test"), NO_ROUTE)
        self.assertEqual(len({question.name for question in self.names.asked}), 1 + MAX_HOSTS)


class TestWhereThereIsNone(MxCase):
    def test_without_mx_the_domain_is_its_own_host(self) -> None:
        self.host("a.test", "192.0.2.1")
        self.assertEqual(self.found("a.test"), [("a.test", ["192.0.2.1"], 25)])

    def test_where_there_is_an_mx_the_domain_is_no_host(self) -> None:
        """RFC 5321 section 5.1: if MX records are present and none can be used, that is an error."""
        self.mx("a.test", (10, "gone.test"))
        self.host("a.test", "192.0.2.1")
        self.assertIs(self.refused("a.test"), NO_ROUTE)

    def test_a_null_mx(self) -> None:
        self.mx("a.test", (0, ""))
        self.host("a.test", "192.0.2.1")
        self.assertIs(self.refused("a.test"), NULL_MX)
        self.assertEqual((NULL_MX.code, NULL_MX.enhanced), (556, "5.1.10"))

    def test_no_such_domain(self) -> None:
        self.assertIs(self.refused("a.test"), DOMAIN_UNKNOWN)
        self.assertEqual(DOMAIN_UNKNOWN.enhanced, "5.1.2")

    def test_a_domain_with_neither(self) -> None:
        self.names.set("a.test", Type.TXT, b"x")
        self.assertIs(self.refused("a.test"), NO_ROUTE)

    def test_the_dns_does_not_answer(self) -> None:
        self.names.trouble("a.test", Type.MX)
        self.host("a.test", "192.0.2.1")
        reply = self.refused("a.test", TemporaryFailure)
        self.assertIs(reply, DNS_UNAVAILABLE)
        self.assertEqual(reply.enhanced, "4.4.3")

    def test_a_host_that_cannot_be_known_is_passed_over(self) -> None:
        self.mx("a.test", (10, "b.test"), (20, "c.test"))
        for kind in (Type.A, Type.AAAA):
            self.names.trouble("b.test", kind)
        self.host("c.test", "192.0.2.2")
        self.assertEqual(self.order("a.test"), ["c.test"])

    def test_the_message_waits_where_no_other_is_left(self) -> None:
        self.mx("a.test", (10, "b.test"), (20, "gone.test"))
        for kind in (Type.A, Type.AAAA):
            self.names.trouble("b.test", kind)
        self.assertIs(self.refused("a.test", TemporaryFailure), DNS_UNAVAILABLE)

    def test_names_that_are_none(self) -> None:
        self.mx("a.test", (5, "192.0.2.9"), (6, "b c.test"), (7, ""), (10, "b_1.test"))
        self.host("b_1.test", "192.0.2.1")
        self.host("192.0.2.9", "192.0.2.9")
        self.assertEqual(self.order("a.test"), ["b_1.test"])
        self.assertIn("info    relay.exchanger_unusable destination=a.test exchanger=192.0.2.9", self.lines)
        self.assertEqual(len(self.lines), 3)

    def test_addresses_that_no_host_has(self) -> None:
        nobody = (
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "ff02::1",
            "::ffff:0.0.0.0",
        )
        self.host("a.test", *nobody, "10.0.0.1", "fd00::1")
        self.assertEqual(self.found("a.test"), [("a.test", ["fd00::1", "10.0.0.1"], 25)])
        self.host("b.test", *nobody)
        self.assertIs(self.refused("b.test"), NO_ROUTE)
        self.assertIs(self.refused("[0.0.0.0]"), NO_ROUTE)

    def test_nothing_but_names_that_are_none(self) -> None:
        self.mx("a.test", (5, "192.0.2.9"))
        self.assertIs(self.refused("a.test"), NO_ROUTE)

    def test_a_mistake_of_ours_is_no_answer(self) -> None:
        def broken(name: str, version: object) -> None:
            raise ZeroDivisionError

        self.mx("a.test", (5, "b.test"))
        self.patch(MemoryResolver, "addresses", broken)
        self.failureResultOf(self.start(to_domain("a.test")))


class TestNobodyComesBackToUs(MxCase):
    def setUp(self) -> None:
        super().setUp()
        self.listening = {("192.0.2.7", 25), ("2001:db8::7", 25)}
        for number, name in enumerate(("b", "c", "d")):
            self.host(f"{name}.test", f"192.0.2.{10 + number}")

    def test_our_name_and_all_that_is_no_better(self) -> None:
        self.mx("a.test", (5, "b.test"), (10, "c.test"), (10, "mail.example.net"), (20, "d.test"))
        self.assertEqual(self.order("a.test"), ["b.test"])

    def test_our_address_and_all_that_is_no_better(self) -> None:
        self.host("ours.test", "2001:db8::1", "2001:db8::7")
        self.mx("a.test", (5, "b.test"), (10, "c.test"), (10, "ours.test"), (20, "d.test"))
        self.assertEqual(self.order("a.test"), ["b.test"])

    def test_nobody_is_better_than_we_are(self) -> None:
        for ours in ("mail.example.net", "ours.test"):
            self.host("ours.test", "192.0.2.7")
            self.mx("a.test", (10, ours), (20, "b.test"))
            self.assertIs(self.refused("a.test"), ROUTED_TO_US)
        self.assertEqual(ROUTED_TO_US.enhanced, "5.4.6")

    def test_a_domain_whose_host_we_are(self) -> None:
        self.host("a.test", "192.0.2.7")
        self.assertIs(self.refused("a.test"), ROUTED_TO_US)

    def test_a_better_one_that_cannot_be_known(self) -> None:
        """Perhaps it can be known later: no loop, the message waits."""
        for kind in (Type.A, Type.AAAA):
            self.names.trouble("b.test", kind)
        self.mx("a.test", (5, "b.test"), (10, "mail.example.net"))
        self.assertIs(self.refused("a.test", TemporaryFailure), DNS_UNAVAILABLE)

    def test_another_port_of_our_address_is_another_server(self) -> None:
        self.host("a.test", "192.0.2.7")
        self.assertEqual(self.order(to_domain("a.test", port=2525)), ["a.test"])

    def test_an_address_literal(self) -> None:
        self.assertIs(self.refused("[192.0.2.7]"), ROUTED_TO_US)
        self.assertIs(self.refused("[IPv6:2001:db8::7]"), ROUTED_TO_US)

    def test_a_place_that_we_are(self) -> None:
        self.host("ours.test", "192.0.2.7")
        self.assertEqual(self.order(to_places(Place("ours.test"), Place("b.test"))), ["b.test"])
        self.assertIs(self.refused(to_places(Place("192.0.2.7"))), ROUTED_TO_US)


class TestLiteralsAndPlaces(MxCase):
    def test_an_address_literal(self) -> None:
        self.assertEqual(self.found("[192.0.2.1]"), [("192.0.2.1", ["192.0.2.1"], 25)])
        self.assertEqual(self.found("[IPv6:2001:db8::1]"), [("2001:db8::1", ["2001:db8::1"], 25)])
        self.assertEqual(self.names.asked, [])

    def test_an_address_literal_that_is_not_reached(self) -> None:
        self.failureResultOf(self.start(to_domain("[192.0.2.1]"), Source(version="6")), PermanentFailure)

    def test_places_in_their_order_each_at_its_port(self) -> None:
        self.host("smtp.test", "192.0.2.1")
        self.mx("smtp.test", (10, "elsewhere.test"))
        hop = to_places(Place("smtp.test"), Place("10.0.0.6", 2525), Place("gone.test"), port=465)
        self.assertEqual(
            self.found(hop), [("smtp.test", ["192.0.2.1"], 465), ("10.0.0.6", ["10.0.0.6"], 2525)]
        )

    def test_a_place_that_is_no_more(self) -> None:
        self.assertIs(self.refused(to_places(Place("gone.test"))), NO_ROUTE)

    def test_places_behind_the_servers_of_a_domain(self) -> None:
        self.mx("a.test", (10, "b.test"))
        self.host("b.test", "192.0.2.1")
        self.assertEqual(self.order(to_domain("a.test", Place("192.0.2.2"))), ["b.test", "192.0.2.2"])

    def test_places_where_the_servers_cannot_be_known(self) -> None:
        self.names.trouble("a.test", Type.MX)
        self.assertEqual(self.order(to_domain("a.test", Place("192.0.2.2"))), ["192.0.2.2"])
        self.assertIs(
            self.refused(to_domain("a.test", Place("gone.test")), TemporaryFailure), DNS_UNAVAILABLE
        )

    def test_places_where_we_are_the_best_ourselves(self) -> None:
        self.mx("a.test", (10, "mail.example.net"))
        self.assertEqual(self.order(to_domain("a.test", Place("192.0.2.2"))), ["192.0.2.2"])

    def test_no_place_takes_mail_that_nobody_wants(self) -> None:
        self.mx("a.test", (0, ""))
        self.assertIs(self.refused(to_domain("a.test", Place("192.0.2.2"))), NULL_MX)


class TestInterleaved(SynchronousTestCase):
    def test_ipv6_first_then_in_turn(self) -> None:
        four = [ip_address(f"192.0.2.{number}") for number in (1, 2, 3)]
        six = [ip_address("2001:db8::1"), ip_address("2001:db8::2")]
        self.assertEqual(list(interleaved([*four, *six])), [six[0], four[0], six[1], four[1], four[2]])
        self.assertEqual(list(interleaved(four)), four)
        self.assertEqual(list(interleaved([])), [])


def test_a_host_can_be_compared() -> None:
    """So that a session to it can be found again."""
    hop = to_domain("a.test")
    assert attrs.evolve(hop) == hop
    assert hash(hop) == hash(attrs.evolve(hop))


HERE = tuple(map(ip_network, ("127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10")))


class TestWhereNobodyLeadsUs(MxCase):
    """What the DNS says of a domain is its owner's, and may name this machine or its neighbours."""

    def ignoring(self, domain: str, *places: Place) -> Hop:
        return attrs.evolve(to_domain(domain, *places), ignored=HERE)

    def test_such_an_address_is_as_if_it_were_not_there(self) -> None:
        self.mx("a.test", (5, "b.test"), (10, "c.test"), (20, "d.test"))
        self.host("b.test", "127.0.0.1", "::ffff:127.0.0.1", "::1", "fe80::1")
        self.host("c.test", "169.254.169.254", "10.0.0.5")
        self.host("d.test", "192.168.1.1", "fc00::1")
        self.assertEqual(
            self.found(self.ignoring("a.test")),
            [("c.test", ["10.0.0.5"], 25), ("d.test", ["fc00::1", "192.168.1.1"], 25)],
        )
        self.assertIn("relay.exchanger_unusable destination=a.test exchanger=b.test", self.lines[0])
        self.assertEqual(len(self.lines), 2)

    def test_a_domain_that_leads_nowhere_else_comes_back(self) -> None:
        self.mx("a.test", (5, "b.test"))
        self.host("b.test", "127.0.0.9")
        self.host("c.test", "::1")
        for domain in ("a.test", "c.test", "[127.0.0.1]", "[IPv6:::1]"):
            self.assertEqual(self.refused(self.ignoring(domain)).enhanced, "5.4.4", domain)

    def test_it_waits_where_another_host_is_not_known_now(self) -> None:
        self.mx("a.test", (5, "b.test"), (10, "c.test"))
        self.host("b.test", "127.0.0.9")
        self.names.trouble("c.test", Type.A)
        self.refused(self.ignoring("a.test"), TemporaryFailure)

    def test_this_server_is_this_server(self) -> None:
        self.mx("a.test", (5, "b.test"), (10, "c.test"))
        self.host("b.test", "127.0.0.1")
        self.host("c.test", "192.0.2.1")
        self.listening = {("127.0.0.1", 25)}
        self.assertEqual(self.refused(self.ignoring("a.test")).enhanced, "5.4.6")

    def test_a_server_that_is_named_in_the_configuration_is_asked(self) -> None:
        self.host("a.test", "127.0.0.1")
        hop = self.ignoring("a.test", Place("127.0.0.1", 10025))
        self.assertEqual(self.found(hop), [("127.0.0.1", ["127.0.0.1"], 10025)])
        self.assertEqual(self.found(to_places(Place("127.0.0.1"))), [("127.0.0.1", ["127.0.0.1"], 25)])
