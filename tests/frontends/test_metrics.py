"""Figures over HTTP: for whom, at which paths, by which methods, and bounded."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.frontends.metrics import (
    MAX_CONNECTIONS,
    MAX_STRANGERS,
    REQUEST_TIMEOUT,
    Exposition,
    MetricsFactory,
)
from mailsuite.observe.log import Log


class Wire(StringTransport):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()


class MetricsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.allow = [ip_network("192.0.2.0/24")]
        self.broken = False
        log = Log(lambda line, level: self.lines.append(line))
        exposition = Exposition(self.text, lambda: self.allow, log, "/figures")
        self.factory = MetricsFactory(self.clock, exposition)
        self.channels: list[Any] = []
        self.channel, self.wire = self.connect()

    def text(self) -> bytes:
        if self.broken:
            raise RuntimeError("a mistake of ours")
        return b"mailsuite_bans 1.0\n"

    def connect(self, host: str = "192.0.2.1") -> tuple[Any, Wire]:
        address = IPv4Address("TCP", host, 4000)
        channel: Any = self.factory.buildProtocol(address)
        wire = Wire(peerAddress=address)
        channel.makeConnection(wire)
        self.channels.append(channel)
        return channel, wire

    def ask(self, line: str, headers: str = "", content: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        self.wire.clear()
        self.channel.dataReceived(f"{line} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode() + content)
        head, _, body = self.wire.value().partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        pairs = (each.split(": ", 1) for each in lines)
        return int(status.split()[1]), {name.lower(): value for name, value in pairs}, body

    def tearDown(self) -> None:
        for channel in self.channels:
            channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.factory.protocols), 0)


class Asking(MetricsCase):
    def test_the_figures(self) -> None:
        status, headers, body = self.ask("GET /figures")
        self.assertEqual((status, body), (200, b"mailsuite_bans 1.0\n"))
        self.assertEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(headers["cache-control"], "no-store")

    def test_only_their_head(self) -> None:
        status, headers, body = self.ask("HEAD /figures")
        self.assertEqual((status, headers["content-length"], body), (200, "19", b""))

    def test_whether_we_live(self) -> None:
        self.assertEqual(self.ask("GET /healthz")[::2], (200, b"alive\n"))

    def test_other_paths(self) -> None:
        for path in ("/", "/metrics", "/figures/", "/figures/more", "/healthz/x", "/../figures"):
            with self.subTest(path=path):
                self.assertEqual(self.ask(f"GET {path}")[0], 404)
        self.assertEqual(self.ask("GET /figures?name=x")[0], 200)

    def test_other_methods(self) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW", "get"):
            with self.subTest(method=method):
                status, headers, _ = self.ask(f"{method} /figures")
                self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"))

    def test_other_addresses(self) -> None:
        self.channel, self.wire = self.connect("198.51.100.1")
        for path in ("/figures", "/healthz", "/"):
            status, _, body = self.ask(f"GET {path}")
            self.assertEqual((status, b"mailsuite" in body), (403, False))
        self.allow.append(ip_network("198.51.100.1/32"))
        self.assertEqual(self.ask("GET /figures")[0], 200, "asked anew each time")
        self.allow.clear()
        self.assertEqual(self.ask("GET /figures")[0], 403, "nobody is everybody's opposite")

    def test_a_mistake_of_ours(self) -> None:
        self.broken = True
        status, _, body = self.ask("GET /figures")
        self.assertEqual((status, b"mistake" in body), (500, False))
        self.assertIn("a mistake of ours", self.lines[0])
        self.broken = False
        self.assertEqual(self.ask("GET /figures")[0], 200)


class Bounds(MetricsCase):
    def test_nothing_is_uploaded(self) -> None:
        for headers, content in (
            ("Content-Length: 1000000000\r\n", b"x" * 1000),
            ("Content-Length: 5\r\n", b"hello"),
            ("Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        ):
            with self.subTest(headers=headers):
                self.channel, self.wire = self.connect()
                self.channel.dataReceived(
                    f"GET /figures HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode() + content
                )
                self.assertNotIn(b"mailsuite", self.wire.value())
        self.assertTrue(self.wire.disconnecting)

    def test_so_many_at_a_time(self) -> None:
        for _ in range(MAX_CONNECTIONS - 1):
            self.connect()
        self.assertIsNone(self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 4000)))
        self.channels.pop().connectionLost(Failure(ConnectionDone()))
        self.connect()

    def test_strangers_take_no_place_of_those_who_may_ask(self) -> None:
        stranger = IPv4Address("TCP", "198.51.100.1", 4000)
        connections: list[Any] = [self.factory.buildProtocol(stranger) for _ in range(MAX_STRANGERS + 1)]
        self.assertIsNone(connections.pop())
        for connection in connections:
            connection.makeConnection(Wire(peerAddress=stranger))
        self.channels += connections[1:]
        self.assertIsNone(self.factory.buildProtocol(stranger))
        for _ in range(MAX_CONNECTIONS - 1):
            self.connect()
        connections[0].connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.factory.buildProtocol(stranger))

    def test_who_says_nothing(self) -> None:
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertTrue(self.wire.disconnecting)

    def test_the_service_stops(self) -> None:
        self.assertTrue(self.factory.is_empty)
        self.assertFalse(self.factory.sessions)
        self.successResultOf(Deferred.fromCoroutine(self.factory.drain()))
        self.assertTrue(self.wire.aborted)
