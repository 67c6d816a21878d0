"""Who may knock."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.client.allowed import REFRESH_SECONDS, RETRY_SECONDS, AllowList
from mailsuite.concurrent.tasks import Tasks


class Reactor(Clock):
    """Looks names up in a table."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.nameResolver = self

    def resolveHostName(self, receiver, name, *rest):
        self.asked.append(name)
        receiver.resolutionBegan(None)
        for address in self.names.get(name, []):
            kind = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, 0))
        receiver.addressResolved(object())
        receiver.resolutionComplete()


class AllowListTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.failures: list[object] = []
        self.hosts = frozenset({"mail.example.org", "pop.example.net"})
        networks = (ip_network("10.0.0.0/8"),)
        self.allowed = AllowList(self.reactor, Tasks(self.failures.append), self.hosts, networks)

    def refresh(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.allowed.refresh()))

    def test_the_addresses_of_the_servers_and_nobody_else(self) -> None:
        self.reactor.names = {
            "mail.example.org": ["198.41.0.4", "2001:503:ba3e::2:30"],
            "pop.example.net": ["::ffff:192.0.2.9"],
        }
        self.assertFalse(self.allowed.allows("198.41.0.4"))
        self.refresh()
        for address in ("198.41.0.4", "2001:503:ba3e::2:30", "192.0.2.9", "10.1.2.3"):
            self.assertTrue(self.allowed.allows(address), address)
        for address in ("198.41.0.5", "unknown", "fe80::1%eth0", ""):
            self.assertFalse(self.allowed.allows(address), address)
        self.assertEqual(self.allowed.hosts_at("198.41.0.4"), {"mail.example.org"})
        self.assertEqual(self.allowed.hosts_at("10.1.2.3"), self.hosts)
        self.assertEqual(self.allowed.hosts_at("203.0.113.1"), frozenset())

    def test_servers_move(self) -> None:
        self.reactor.names = {"mail.example.org": ["198.41.0.4"], "pop.example.net": ["192.0.2.9"]}
        self.refresh()
        self.reactor.names["mail.example.org"] = ["198.41.0.5"]
        self.reactor.advance(REFRESH_SECONDS - 1)
        self.assertTrue(self.allowed.allows("198.41.0.4"))
        self.reactor.advance(1)
        self.assertFalse(self.allowed.allows("198.41.0.4"))
        self.assertTrue(self.allowed.allows("198.41.0.5"))
        self.assertEqual(self.failures, [])

    def test_what_was_known_stays_while_nobody_can_say(self) -> None:
        self.reactor.names = {"mail.example.org": ["198.41.0.4"], "pop.example.net": ["192.0.2.9"]}
        self.refresh()
        self.reactor.names = {}
        self.reactor.advance(REFRESH_SECONDS)
        self.assertTrue(self.allowed.allows("198.41.0.4"))

    def test_a_name_that_is_not_known_yet_is_asked_for_again_soon(self) -> None:
        self.refresh()
        self.reactor.names = {"mail.example.org": ["198.41.0.4"], "pop.example.net": ["192.0.2.9"]}
        self.reactor.advance(RETRY_SECONDS)
        self.assertTrue(self.allowed.allows("198.41.0.4"))

    def test_the_end(self) -> None:
        self.allowed.stop()
        self.refresh()
        self.allowed.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
