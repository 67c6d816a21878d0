"""From a lease to outcomes: which hosts are asked, and by which sessions."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from mailsuite.config.queue import Queue
from mailsuite.config.resolve import built
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, OutboundEnvelope, OutboundRecipient
from mailsuite.model.facts import Route, RouteKind
from mailsuite.model.outbound import Fate, Lease, QueuedMessage, QueuedRecipient
from mailsuite.queue.memory import MemoryQueue
from mailsuite.relay.carrier import Attempt, Carrier
from mailsuite.relay.home import Home
from mailsuite.relay.routes import Routes
from mailsuite.relay.source import Source
from mailsuite.resolver.question import Type
from mailsuite.store.memory import MemoryStore
from tests.relay.stage import Server, StageCase

EVE = OutboundRecipient(Address("eve", "example.org"))
JOE = Address("joe", "example.net")
TEXT = b"Subject: Hello\r\n\r\nHello\r\n"
HEADER = b"Subject: Hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
TEXT_8 = HEADER + "Grüße\r\n".encode()
TAKES = ("250 Ok", "250 Ok", "354 Go ahead", "250 Taken")


class Foreign:
    """Nobody is ours."""

    async def route(self, recipient: Address) -> Route:
        return Route(RouteKind.REMOTE, remotes=(recipient,))


class CarrierCase(StageCase):
    def setUp(self) -> None:
        super().setUp()
        self.queue = MemoryQueue()
        store, seconds = MemoryStore(), self.reactor.seconds
        home = Home(self.queue, store, Foreign(), Arrivals(seconds, self.log), seconds, self.log)
        routes = Routes(built(Queue, {"tls": {}}), (), {}, Source(), {})
        self.carrier = Carrier(self.queue, self.opener, self.pool, home, routes, seconds, self.log)

    def carry(self, content: bytes = TEXT, **parameters: Any) -> Deferred[Attempt | None]:
        self.queue.put(OutboundEnvelope("id1", JOE, (EVE,)), content)
        message = QueuedMessage("id1", JOE, MailParameters(**parameters), size=len(content))
        lease = Lease("1", message, "example.org", (QueuedRecipient(0, EVE),))
        return Deferred.fromCoroutine(self.carrier.carry(lease))

    def outcome(self, carrying: Deferred[Attempt | None]) -> tuple[Fate, int]:
        attempt = self.successResultOf(carrying)
        assert attempt is not None
        return attempt.outcomes[0].fate, attempt.outcomes[0].reply.code

    def test_a_kept_session_that_ended_meanwhile_is_no_attempt(self) -> None:
        """Its end comes when the next message has been begun."""
        first = self.carry()
        server = self.accept()
        server.greet()
        for answer in TAKES:
            server.say(answer)
        self.assertEqual(self.outcome(first), (Fate.RELAYED, 250))
        second = self.carry()
        self.assertEqual(server.heard(), b"MAIL FROM:<joe@example.net>\r\n")
        server.wire.end()
        self.turn()
        server = self.accept()
        server.greet()
        for answer in TAKES:
            server.say(answer)
        self.assertEqual(self.outcome(second), (Fate.RELAYED, 250))

    def test_what_must_go_by_tls_alone(self) -> None:
        carrying = self.carry(require_tls=True)
        for _ in range(2):
            server = self.accept()
            server.greet()
            server.say("221 Bye")
            self.turn()
        self.assertEqual(self.outcome(carrying), (Fate.DEFERRED, replies.NEXT_HOP_LACKS_TLS.code))

    def host(self, *extensions: str) -> Server:
        """The next one, behind TLS."""
        server = self.accept()
        server.greet("STARTTLS")
        server.say("220 Go ahead")
        server.session.handshakeCompleted()
        server.heard()
        server.said = server.offer(*extensions)
        return server

    def test_each_host_is_asked_for_tls_on_the_rest_of_the_way(self) -> None:
        """RFC 8689 section 4.2.1."""
        self.names.set("example.org", Type.MX, *((n, f"mx{n % 2 + 1}.example.org") for n in range(3)))
        carrying = self.carry(require_tls=True)
        for _ in range(2):
            self.host("SIZE")
        server = self.host("REQUIRETLS")
        self.assertEqual(server.said, b"MAIL FROM:<joe@example.net> REQUIRETLS\r\n")
        for answer in TAKES:
            server.say(answer)
        self.assertEqual(self.outcome(carrying), (Fate.RELAYED, 250))

    def test_no_host_promises_tls(self) -> None:
        carrying = self.carry(require_tls=True)
        for _ in range(2):
            self.host("SIZE")
        self.assertEqual(self.outcome(carrying), (Fate.FAILED, replies.NEXT_HOP_LACKS_REQUIRETLS.code))

    def test_another_host_may_promise_it_later(self) -> None:
        carrying = self.carry(require_tls=True)
        self.host("SIZE")
        self.accept().say("421 4.3.2 Later")
        self.turn()
        attempt = self.successResultOf(carrying)
        assert attempt is not None
        self.assertEqual((attempt.outcomes[0].fate, attempt.outcomes[0].reply.code), (Fate.DEFERRED, 421))
        self.assertIsNone(attempt.unreachable)

    def test_it_is_encoded_once_for_all_that_need_it(self) -> None:
        carrying = self.carry(TEXT_8)
        first = self.accept()
        first.greet()
        first.say("250 Ok")
        self.assertEqual(first.say("450 Later"), b"RSET\r\n")
        first.say("250 Ok")
        second = self.accept()
        second.greet()
        for answer in TAKES[:2]:
            second.say(answer)
        self.assertIn(b"Gr=C3=BC=C3=9Fe", second.say(TAKES[2]))
        second.say(TAKES[3])
        self.assertEqual(self.outcome(carrying), (Fate.RELAYED, 250))

    def test_two_hosts_at_a_time_and_no_more(self) -> None:
        carrying = self.carry()
        for _ in range(2):
            server = self.accept()
            server.greet()
            server.say("450 Not from you now")
        self.assertEqual(self.outcome(carrying), (Fate.DEFERRED, 450))
        self.assertEqual(self.reactor.tcpClients, [])
