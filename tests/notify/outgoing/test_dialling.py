"""From a target to a connection, over a network in memory: what is tried, when, and what is never tried."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, NoRouteError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.client_tls import ClientContexts
from mailsuite.concurrent.threads import Inline
from mailsuite.notify.outgoing.addresses import AddressRules
from mailsuite.notify.outgoing.causes import Cause, NotAllowed, Unreached
from mailsuite.notify.outgoing.dialling import (
    CONNECT_SECONDS,
    MAX_ADDRESSES,
    SITE_BURST,
    STAGGER,
    Dialler,
    GuardedFactory,
    Known,
    ReactorThatKnows,
)
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type

NAME = "hooks.example.net"
HOME = ip_network("192.168.1.0/24")


class Reactor(MemoryReactorClock):
    """Tells where it was asked to connect to."""

    def tried(self):
        return [host for host, *_ in self.tcpClients]


class DiallerCase(SynchronousTestCase):
    def setUp(self):
        self.reactor, self.resolver = Reactor(), MemoryResolver()
        self.made = []
        self.rules = UrlRules(AddressRules((HOME,), is_own=lambda address: address == ip_address("8.8.4.4")))
        contexts = ClientContexts(Inline(), self.reactor.seconds)
        self.dialler = Dialler(self.reactor, self.resolver, contexts, lambda: self.rules)

    def name(self, *addresses):
        for kind, version in ((Type.A, 4), (Type.AAAA, 6)):
            self.resolver.set(
                NAME, kind, *(each for each in map(ip_address, addresses) if each.version == version)
            )

    def dial(self, host=NAME, scheme="https", until=15.0):
        target = WebTarget(scheme, host, 443, "/")
        return Deferred.fromCoroutine(self.dialler.dial(target, until, self.made.append))

    def leave(self, dialling):
        """Want it no more."""
        dialling.cancel()
        self.failureResultOf(dialling, CancelledError)

    def cause(self, dialling):
        return self.failureResultOf(dialling, Unreached, NotAllowed).value.cause

    def connect(self, number=0, peer=None):
        """Somebody answers there."""
        host, port, factory, *_ = self.reactor.tcpClients[number]
        protocol = factory.buildProtocol(IPv4Address("TCP", peer or host, port))
        if protocol is not None:
            transport = StringTransport()
            transport.setTcpNoDelay = lambda enabled: None
            protocol.makeConnection(transport)

    def refuse(self, number, error):
        *_, factory, _, _ = self.reactor.tcpClients[number]
        factory.clientConnectionFailed(self.reactor.connectors[number], Failure(error))


class TestWhere(DiallerCase):
    def test_both_kinds_in_turn(self):
        self.name("8.8.8.8", "1.1.1.1", "2a00::1", "2a00::2")
        dialling = self.dial()
        for seconds in (0, STAGGER, STAGGER, STAGGER):
            self.reactor.advance(seconds)
        self.assertEqual(self.reactor.tried(), ["2a00::1", "8.8.8.8", "2a00::2", "1.1.1.1"])
        self.reactor.advance(CONNECT_SECONDS)
        self.assertEqual(self.cause(dialling), Cause.TIMED_OUT)
        self.assertTrue(all(connector.stoppedConnecting for connector in self.reactor.connectors))

    def test_not_too_many(self):
        self.name(*(f"8.8.8.{number}" for number in range(20)))
        dialling = self.dial()
        for _ in range(10):
            self.reactor.advance(STAGGER)
        self.assertEqual(len(self.reactor.tried()), MAX_ADDRESSES)
        self.leave(dialling)

    def test_what_is_not_allowed_is_not_tried(self):
        self.name("127.0.0.1", "10.0.0.1", "8.8.8.8", "::1", "8.8.4.4", "169.254.169.254", "192.168.1.9")
        dialling = self.dial()
        for _ in range(10):
            self.reactor.advance(STAGGER)
        self.assertEqual(self.reactor.tried(), ["8.8.8.8", "192.168.1.9"])
        self.leave(dialling)

    def test_nothing_is_tried_where_nothing_is_allowed(self):
        self.name("10.0.0.1", "8.8.4.4")
        self.assertEqual(self.cause(self.dial()), Cause.NOT_ALLOWED)
        self.name("8.8.8.8")
        self.assertEqual(self.cause(self.dial(scheme="http")), Cause.NOT_ALLOWED)
        self.assertEqual(self.cause(self.dial("127.0.0.1")), Cause.NOT_ALLOWED)
        self.assertEqual(self.reactor.tried(), [])

    def test_an_address_needs_no_look_up(self):
        self.leave(self.dial("8.8.8.8"))
        self.leave(self.dial("2a00::1"))
        self.assertEqual(self.reactor.tried(), ["8.8.8.8", "2a00::1"])
        self.assertEqual(self.resolver.asked, [])

    def test_whom_the_connection_is_with_in_the_end(self):
        self.name("192.168.1.9")
        dialling = self.dial(scheme="http")
        self.connect(peer="192.168.1.10")
        self.reactor.advance(STAGGER)
        failure = self.failureResultOf(dialling, NotAllowed)
        self.assertIn("192.168.1.10 is not where the name leads", failure.value.detail)
        self.assertEqual(self.made, [])
        dialling = self.dial(scheme="http")
        self.connect(1)
        self.assertEqual(self.successResultOf(dialling).peer, ip_address("192.168.1.9"))
        self.assertEqual(len(self.made), 1)

    def test_rules_that_change_meanwhile(self):
        self.name("192.168.1.9")
        dialling = self.dial(scheme="http")
        self.rules = UrlRules()
        self.connect()
        self.reactor.advance(STAGGER)
        self.assertIn("192.168.1.9 is in none of", self.failureResultOf(dialling, NotAllowed).value.detail)

    def test_one_address_is_connected_to_so_often(self):
        self.name("8.8.8.8")
        for _ in range(SITE_BURST):
            self.leave(self.dial())
        self.assertEqual(self.cause(self.dial()), Cause.BUSY)
        self.name("8.8.8.8", "8.8.9.9")
        self.leave(self.dial())
        self.assertEqual(self.reactor.tried()[-1], "8.8.9.9")


class TestTroubles(DiallerCase):
    def test_connections(self):
        for error, cause in (
            (ConnectionRefusedError(), Cause.REFUSED),
            (ConnectTimeout(), Cause.TIMED_OUT),
            (NoRouteError(), Cause.UNREACHABLE),
        ):
            self.setUp()
            self.name("8.8.8.8")
            dialling = self.dial()
            self.refuse(0, error)
            self.reactor.advance(STAGGER)
            self.assertEqual(self.cause(dialling), cause)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_five_seconds(self):
        self.name("8.8.8.8")
        dialling = self.dial()
        self.reactor.advance(CONNECT_SECONDS - 0.1)
        self.assertNoResult(dialling)
        self.reactor.advance(0.1)
        self.assertEqual(self.cause(dialling), Cause.TIMED_OUT)

    def test_or_what_is_left(self):
        self.name("8.8.8.8")
        dialling = self.dial(until=1.0)
        self.reactor.advance(1.0)
        self.assertEqual(self.cause(dialling), Cause.TIMED_OUT)
        dialling = self.dial(until=0.5)
        self.reactor.advance(0)
        self.assertEqual(self.cause(dialling), Cause.TIMED_OUT)

    def test_names(self):
        self.assertEqual(self.cause(self.dial()), Cause.NO_HOST)
        for kind in (Type.A, Type.AAAA):
            self.resolver.trouble(NAME, kind)
        self.assertEqual(self.cause(self.dial()), Cause.UNRESOLVED)
        for kind in (Type.A, Type.AAAA):
            self.resolver.silence(NAME, kind)
        dialling = self.dial()
        self.reactor.advance(15.0)
        self.assertEqual(self.cause(dialling), Cause.TIMED_OUT)
        self.resolver.release()

    def test_cancelled(self):
        self.name("8.8.8.8")
        dialling = self.dial()
        self.leave(dialling)
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])


def test_what_twisted_takes_for_a_reactor() -> None:
    first, second = Known(()), Known((ip_address("8.8.8.8"),))
    reactor = ReactorThatKnows(MemoryReactorClock(), first)
    verifyObject(IReactorPluggableNameResolver, reactor)
    verifyObject(IHostnameResolver, first)
    assert reactor.installNameResolver(second) is first
    assert reactor.nameResolver is second


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ("8.8.8.9", "8.8.8.9 is not where the name leads"),
        ("127.0.0.1", "127.0.0.1 is local"),
        ("::ffff:127.0.0.1", "127.0.0.1 is local"),
    ],
)
def test_a_peer_that_was_never_judged(peer: str, words: str) -> None:
    allowed = frozenset({ip_address("8.8.8.8")})
    factory = GuardedFactory(MemoryReactorClock(), allowed, AddressRules().objection)
    with pytest.raises(NotAllowed, match=words):
        factory.buildProtocol(IPv4Address("TCP", peer, 443))
    assert factory.buildProtocol(IPv4Address("TCP", "::ffff:8.8.8.8", 443)).peer == ip_address("8.8.8.8")
