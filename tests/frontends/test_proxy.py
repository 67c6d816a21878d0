"""Connections of proxies until it is known whose they are, and those of others who say what proxies say."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from mailsuite.frontends import unix
from mailsuite.frontends.factory import Refusal, SessionFactory
from mailsuite.frontends.flood import LOGGED_EVERY
from mailsuite.frontends.listener import Entrance, Listener
from mailsuite.frontends.proxy import HEADER_TIMEOUT, MAX_WAITING, client_of
from mailsuite.frontends.unix import Doorstep
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log
from mailsuite.policy.admission import Refused
from mailsuite.wire.crc32c import crc32c
from mailsuite.wire.proxy import SIGNATURES, Proxied
from tests.frontends.lines import LineSession, SessionCase, Wire

PROXY = "192.0.2.10"
PROXIES = (ip_network("192.0.2.10/32"), ip_network("2001:db8:1::/48"))
LINE = b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 25\r\n"
BLOCK = (
    SIGNATURES[1]
    + b"\x21\x11"
    + struct.pack("!H", 12)
    + bytes([198, 51, 100, 7, 192, 0, 2, 1])
    + struct.pack("!HH", 4711, 25)
)
LOCAL = SIGNATURES[1] + b"\x20\x00\x00\x00"


class Socket(Wire):
    """Hands what comes to whoever stands at it then, as a TCP transport does."""

    protocol: Any = None

    def come(self, data: bytes) -> None:
        if not self.aborted:
            self.protocol.dataReceived(data)

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class ProxyCase(SessionCase):
    proxies = PROXIES

    def setUp(self) -> None:
        super().setUp()
        self.refused: Callable[[IPAddress], Refused | None] = lambda peer: None
        log = Log(lambda line, level: self.lines.append(line), "debug", clock=self.clock.seconds)
        self.factory = SessionFactory(
            self.clock,
            self.build,
            self.admission,
            b"full\n",
            log,
            keeps_out=self.keeps_out,
            proxies=self.proxies,
        )
        self.entrance = Entrance(self.clock, log)
        self.entrance.turn(self.listener(self.proxies))

    def keeps_out(self, peer: IPAddress) -> Refused | None:
        return self.refused(peer)

    def listener(self, proxies: Any) -> Listener:
        return Listener("door", "line", (), self.factory, "off", None, proxies)

    def arrive(self, host: str = PROXY) -> Socket:
        kind = IPv6Address if ":" in host else IPv4Address
        transport = Socket(peerAddress=kind("TCP", host, 50_000))
        protocol = self.entrance.buildProtocol(transport.getPeer())
        assert protocol is not None
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport


class FromProxies(ProxyCase):
    def session(self, transport: Socket) -> LineSession:
        assert isinstance(transport.protocol, LineSession)
        return transport.protocol

    def test_nothing_is_said_before_the_header(self) -> None:
        transport = self.arrive()
        self.assertEqual((transport.value(), self.factory.sessions, self.admission.count), (b"", set(), 0))

    def test_both_versions_in_every_piece(self) -> None:
        for header in (LINE, BLOCK):
            for step in (1, 3, len(header), len(header) + 6):
                transport, octets = self.arrive(), header + b"first\nsecond\n"
                for start in range(0, len(octets), step):
                    transport.come(octets[start : start + step])
                self.assertEqual(transport.value(), b"hello\nfirst\nsecond\n")
                session = self.session(transport)
                self.assertEqual((str(session.peer), session.peer_port), ("198.51.100.7", 4711))
                assert session.facts is not None
                self.assertEqual((str(session.facts.peer), session.facts.peer_port), ("198.51.100.7", 4711))
                transport.lose()

    def test_an_ipv6_client_behind_an_ipv6_proxy(self) -> None:
        transport = self.arrive("2001:db8:1::10")
        transport.come(b"PROXY TCP6 2001:db8::7 ::1 4711 25\r\n")
        self.assertEqual(transport.getPeer(), IPv6Address("TCP", "2001:db8::7", 4711))

    def test_the_limits_are_the_client_s(self) -> None:
        self.admission.per_address = 1
        first, second = self.arrive(), self.arrive()
        first.come(LINE)
        second.come(LINE)
        self.assertEqual((first.value(), second.value()), (b"hello\n", b"full\n"))
        other = self.arrive()
        other.come(LINE.replace(b"100.7", b"100.8"))
        self.assertEqual(other.value(), b"hello\n")
        first.lose()
        self.assertEqual(self.admission.count, 1)

    def test_bans_and_lists_are_the_client_s(self) -> None:
        asked = []

        def refused(peer: IPAddress) -> Refused | None:
            asked.append(str(peer))
            return Refused("banned", "why")

        self.refused = refused
        transport = self.arrive()
        self.assertEqual(asked, [], "the proxy itself is not asked about")
        transport.come(LINE)
        self.assertEqual((asked, transport.aborted, transport.value()), (["198.51.100.7"], True, b""))

    def test_what_is_the_proxy_s_own_counts_for_no_limit_of_one_address(self) -> None:
        self.admission.per_address, self.admission.total = 1, 10
        for header in (LOCAL, b"PROXY UNKNOWN\r\n", SIGNATURES[1] + b"\x21\x00\x00\x00", LOCAL):
            transport = self.arrive()
            transport.come(header + b"word\n")
            self.assertEqual(transport.value(), b"hello\nword\n")
            self.assertEqual(str(self.session(transport).peer), PROXY)
        self.admission.total = 4
        transport = self.arrive()
        transport.come(LOCAL)
        self.assertEqual(transport.value(), b"full\n", "the whole is a limit for all")

    def test_no_header_in_time(self) -> None:
        for begun in (b"", LINE[:-1], BLOCK[:-1]):
            transport = self.arrive()
            transport.come(begun)
            self.clock.advance(HEADER_TIMEOUT - 0.1)
            self.assertFalse(transport.aborted)
            transport.come(b"")
            self.clock.advance(0.1)
            self.assertTrue(transport.aborted)
            transport.lose()
            self.clock.advance(LOGGED_EVERY)
        reason = 'reason="no header came in time"'
        self.assertEqual(len([line for line in self.logged("proxy.refused") if reason in line]), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_header_in_the_last_moment_stops_the_clock(self) -> None:
        transport = self.arrive()
        self.clock.advance(HEADER_TIMEOUT - 0.1)
        transport.come(LINE)
        self.clock.advance(10.0)
        self.assertEqual((transport.aborted, transport.value()), (False, b"hello\n"))

    def test_what_is_no_header(self) -> None:
        for octets in (
            b"EHLO client.example\r\n",
            b"\x16\x03\x01",
            LINE.replace(b"TCP4", b"UDP4"),
            BLOCK[:13] + b"\x12" + BLOCK[14:],
            BLOCK[:14] + struct.pack("!H", 19) + BLOCK[16:] + struct.pack("!BHI", 3, 4, crc32c(b"other")),
        ):
            transport = self.arrive()
            transport.come(octets)
            self.assertEqual((transport.aborted, transport.value()), (True, b""))
            transport.lose()
            self.clock.advance(LOGGED_EVERY)
        self.assertEqual(len(self.logged("proxy.refused")), 5)
        self.assertIn(f"proxy={PROXY}", self.logged("proxy.refused")[0])
        self.assertEqual((self.factory.sessions, self.clock.getDelayedCalls()), (set(), []))

    def test_one_that_goes_leaves_nothing(self) -> None:
        transport = self.arrive()
        transport.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.entrance.shut()
        self.assertFalse(transport.aborted)

    def test_so_many_wait_and_no_more(self) -> None:
        waiting = [self.arrive() for _ in range(MAX_WAITING)]
        peer = IPv4Address("TCP", PROXY, 50_000)
        self.assertIsNone(self.entrance.buildProtocol(peer))
        self.assertIn('reason="too many wait for their header"', self.logged("proxy.refused")[0])
        waiting[0].come(LINE)
        self.assertIsNotNone(self.entrance.buildProtocol(peer))

    def test_who_waits_when_the_door_is_shut(self) -> None:
        transport = self.arrive()
        self.entrance.shut()
        self.assertTrue(transport.aborted)
        self.assertIsNone(self.entrance.buildProtocol(IPv4Address("TCP", PROXY, 50_000)))

    def test_who_waits_at_a_reload(self) -> None:
        first = self.arrive()
        self.entrance.turn(self.listener(self.proxies))
        self.assertFalse(first.aborted)
        self.entrance.turn(self.listener(()))
        self.assertTrue(first.aborted, "the header would be believed from nobody any more")
        self.assertIsInstance(self.entrance.buildProtocol(IPv4Address("TCP", PROXY, 50_000)), LineSession)

    def test_a_session_that_cannot_be_made(self) -> None:
        self.broken = "build"
        transport = self.arrive()
        transport.come(LINE)
        self.assertTrue(transport.aborted)

    def test_a_second_header_is_the_client_s_own_words(self) -> None:
        transport = self.arrive()
        transport.come(LINE + LINE.replace(b"100.7", b"100.9"))
        self.assertIn(b"PROXY TCP4 198.51.100.9", transport.value())
        self.assertEqual(str(self.session(transport).peer), "198.51.100.7")

    def test_what_the_log_tells(self) -> None:
        fields = struct.pack("!BH", 2, 12) + b"mail.example" + struct.pack("!BH", 5, 3) + b"id\xff"
        inner = struct.pack("!BH", 0x21, 7) + b"TLSv1.3" + struct.pack("!BH", 0x22, 6) + b"joe\r\nx"
        fields += struct.pack("!BHBI", 0x20, 5 + len(inner), 7, 0) + inner
        header = BLOCK[:14] + struct.pack("!H", 12 + len(fields)) + BLOCK[16:] + fields
        self.arrive().come(header)
        [told] = self.logged("proxy.header")
        self.assertIn(f"proxy={PROXY} peer=198.51.100.7 port=4711 version=2", told)
        self.assertIn("authority=mail.example", told)
        self.assertIn("TLSv1.3", told)
        self.assertIn("joe\\r\\nx", told)


class FromOthers(ProxyCase):
    def test_a_client_that_comes_without_a_proxy(self) -> None:
        transport = self.arrive("198.51.100.9")
        self.assertEqual(transport.value(), b"hello\n", "nobody waits for what it says first")
        transport.come(b"PR")
        self.assertIsNot(type(transport.protocol), LineSession)
        transport.come(b"INT\nnext\n")
        self.assertIsInstance(transport.protocol, LineSession, "and nobody looks any more")
        self.assertEqual(transport.value(), b"hello\nPRINT\nnext\n")
        transport.lose()
        self.assertEqual(self.factory.sessions, set())

    def test_one_that_says_nothing(self) -> None:
        transport = self.arrive("198.51.100.9")
        transport.lose()
        self.assertEqual(self.factory.sessions, set())

    def test_who_says_what_proxies_say(self) -> None:
        for header in (LINE, BLOCK, LOCAL, b"PROXY UNKNOWN\r\n"):
            for step in (1, 5, len(header)):
                transport = self.arrive("198.51.100.9")
                for start in range(0, len(header), step):
                    transport.come(header[start : start + step])
                self.assertTrue(transport.aborted)
                transport.lose()
        self.assertEqual({str(each.peer) for each in self.factory.sessions}, set())
        self.assertIn("peer=198.51.100.9 spoofed=1", self.logged("proxy.spoofed")[0])
        self.clock.advance(LOGGED_EVERY)
        self.arrive("198.51.100.9").come(LINE)
        self.assertIn("spoofed=12", self.logged("proxy.spoofed")[1])

    def test_the_peer_stays_who_it_is(self) -> None:
        transport = self.arrive("198.51.100.9")
        transport.come(b"word\n")
        self.assertEqual(str(transport.protocol.peer), "198.51.100.9")

    def test_who_is_kept_out(self) -> None:
        self.refused = lambda peer: Refused("denied", "why")
        self.assertIsNone(self.entrance.buildProtocol(IPv4Address("TCP", "198.51.100.9", 4000)))

    def test_limits_hold_as_ever(self) -> None:
        self.admission.per_address = 1
        self.arrive("198.51.100.9")
        self.assertEqual(self.arrive("198.51.100.9").value(), b"full\n")


class WithoutProxies(ProxyCase):
    proxies = ()

    def test_a_header_is_nothing_special(self) -> None:
        transport = self.arrive()
        self.assertIsInstance(transport.protocol, LineSession)
        transport.come(LINE)
        self.assertEqual(transport.value(), b"hello\n" + LINE.replace(b"\r\n", b"\r") + b"\n")
        self.assertFalse(transport.aborted)


class OnUnixSockets(ProxyCase):
    def test_who_comes_by_a_file_has_no_address(self) -> None:
        self.entrance.turn(self.listener(()))
        self.refused = lambda peer: Refused("banned", "the whole of loopback")
        self.admission.per_address, self.admission.total = 1, 2
        talks = [self.called(user) for user in (1000, 1000, 1001, 0)]
        self.assertEqual([type(each) for each in talks], [LineSession, Refusal, LineSession, Refusal])

    def called(self, user: int) -> Any:
        """What talks to a user who calls."""
        here = UNIXAddress("/run/client")
        step = self.entrance.buildProtocol(here)
        self.assertIsInstance(step, Doorstep)
        self.patch(unix, "caller_of", lambda transport: user)
        wire = Socket(peerAddress=here)
        wire.protocol = step
        step.makeConnection(wire)
        return wire.protocol


class WhoItIs(SessionCase):
    def who(self, header: Proxied, proxy: str) -> IAddress:
        kind = IPv6Address if ":" in proxy else IPv4Address
        return client_of(header, kind("TCP", proxy, 50_000))

    def test_whom_the_header_names(self) -> None:
        named = Proxied(1, ip_address("198.51.100.7"), 4711)
        self.assertEqual(self.who(named, PROXY), IPv4Address("TCP", "198.51.100.7", 4711))
        named = Proxied(2, ip_address("2001:db8::7"), 4711)
        self.assertEqual(self.who(named, PROXY), IPv6Address("TCP", "2001:db8::7", 4711))

    def test_the_proxy_itself(self) -> None:
        self.assertEqual(self.who(Proxied(2, local=True), PROXY), IPv4Address("TCP", PROXY, 50_000))

    def test_loopback_elsewhere_is_not_our_loopback(self) -> None:
        """Else a remote proxy's own clients would be administrators, trusted, and never banned here."""
        for named in ("127.0.0.1", "::1"):
            header = Proxied(1, ip_address(named), 4711)
            self.assertEqual(self.who(header, PROXY), IPv4Address("TCP", PROXY, 50_000))
        header = Proxied(1, ip_address("127.0.0.9"), 4711)
        self.assertEqual(self.who(header, "127.0.0.1"), IPv4Address("TCP", "127.0.0.9", 4711))
        self.assertEqual(self.who(header, "::1"), IPv4Address("TCP", "127.0.0.9", 4711))
