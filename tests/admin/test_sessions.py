"""``/v1/sessions``, octet for octet, over real sessions."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.web.server import Site

from mailsuite.accounts.login_delay import LoginDelay
from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.admin.sessions import KICKED, Sessions, impatient_resource
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.address import Address
from mailsuite.model.failure import LoginTooSoon
from mailsuite.model.view import Box, View
from tests.admin.asking import Asked
from tests.frontends.lines import LineSession, Wire
from tests.frontends.test_doors import JOE, DoorsCase


class SessionsApiTests(DoorsCase):
    def setUp(self) -> None:
        super().setUp()
        tasks = Tasks(lambda failure: self.log.failure("tasks.failed", failure))
        root = Missing()
        root.putChild(b"sessions", Sessions(Desk(self.log, tasks), self.doors))
        self.site = Site(root, BoundedRequest, reactor=Clock())
        self.become(self.listener("pop", 110), self.listener("mx", 25, service="smtp"))
        self.joe, self.joes = self.come("192.0.2.1", 110)
        self.ann, self.anns = self.come("192.0.2.2", 110)
        self.other, self.others = self.come("2001:db8::1", 25)
        self.joe.known_as(JOE, "0a1b", "APOP", View(Box.TRASH))
        self.ann.known_as(Address("ann", "example.test"), "", "PLAIN", View())

    def come(self, host: str, port: int) -> tuple[LineSession, Wire]:
        session: Any = self.reactor.connect(port)
        kind = IPv6Address if ":" in host else IPv4Address
        wire = Wire(peerAddress=kind("TCP", host, 4000))
        session.makeConnection(wire)
        return session, wire

    def ask(self, method: str, who: str = "") -> tuple[int, Any]:
        return Asked(self.site, method, f"/sessions/{quote(who, safe='@')}").answer

    def shown(self, who: str = "") -> list[str]:
        status, document = self.ask("GET", who)
        self.assertEqual(status, 200)
        return sorted(each["id"] for each in document["sessions"])

    def test_all_that_is_known_of_one(self) -> None:
        self.joe.dataReceived(b"four\n")
        self.reactor.advance(2.5)
        [session] = self.ask("GET", self.joe.id)[1]["sessions"]
        self.assertEqual(
            session,
            {
                "id": self.joe.id,
                "service": "pop3",
                "listener": "pop",
                "account": "joe@example.test",
                "device": "0a1b",
                "box": "trash",
                "mechanism": "APOP",
                "address": "192.0.2.1",
                "port": 4000,
                "tls": "",
                "since": self.joe.opened_at,
                "octets_in": 5,
                "octets_out": 11,
                "idle": 2.5,
            },
        )

    def test_nobody_has_logged_in(self) -> None:
        [session] = self.ask("GET", self.other.id)[1]["sessions"]
        self.assertEqual((session["account"], session["box"], session["service"]), (None, "", "smtp"))

    def test_by_each_key(self) -> None:
        self.assertEqual(self.shown(), sorted([self.joe.id, self.ann.id, self.other.id]))
        for who in (self.joe.id, self.joe.id.upper(), "joe@example.test", "Joe@EXAMPLE.test", "192.0.2.1"):
            self.assertEqual(self.shown(who), [self.joe.id], who)
        self.assertEqual(self.shown("::ffff:192.0.2.2"), [self.ann.id])
        self.assertEqual(self.shown("2001:DB8:0::1"), [self.other.id])
        for who in ("192.0.2.3", "bob@example.test", "nonsense", "@", "ä"):
            self.assertEqual(self.shown(who), [], who)

    def test_kick(self) -> None:
        status, document = self.ask("DELETE", "joe@example.test")
        self.assertEqual((status, [each["id"] for each in document["sessions"]]), (200, [self.joe.id]))
        self.assertEqual([wire.aborted for wire in (self.joes, self.anns, self.others)], [True, False, False])
        self.assertEqual(self.joe.end_reason, KICKED)
        [line] = [line for line in self.lines if "sessions.kicked" in line]
        self.assertIn("who=joe@example.test ended=1", line)

    def test_kick_nobody(self) -> None:
        words = "there is no session of bob@example.test"
        self.assertEqual(self.ask("DELETE", "bob@example.test"), (404, {"error": words}))

    def test_nobody_is_kicked_without_a_name(self) -> None:
        self.assertEqual(self.ask("DELETE")[0], 405)
        self.assertEqual(Asked(self.site, "DELETE", "/sessions").answer[0], 405)
        self.assertFalse(self.joes.aborted)

    def test_listeners_that_are_closed_have_their_sessions_still(self) -> None:
        self.become()
        self.assertEqual(len(self.shown()), 3)

    def test_who_comes_too_often(self) -> None:
        clock = Clock()
        delay = LoginDelay(clock.seconds)
        peer = ip_address("192.0.2.1")
        delay.succeeded(JOE, "0a1b", delay.judge(JOE, "0a1b", 300, peer))
        for _ in range(2):
            clock.advance(30)
            self.assertRaises(LoginTooSoon, delay.judge, JOE, "0a1b", 300, peer)
        clock.advance(5)
        root = Missing()
        tasks = Tasks(lambda failure: self.log.failure("tasks.failed", failure))
        root.putChild(b"impatient", impatient_resource(Desk(self.log, tasks), delay))
        self.site = Site(root, BoundedRequest, reactor=Clock())
        status, document = Asked(self.site, "GET", "/impatient").answer
        self.assertEqual(status, 200)
        expected = {
            "account": str(JOE),
            "device": "0a1b",
            "address": "192.0.2.1",
            "refusals": 2,
            "interval": 30.0,
            "ago": 5.0,
        }
        self.assertEqual(document, {"impatient": [expected]})
