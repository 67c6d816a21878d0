"""SMTP on a socket: each event comes to the reception, each reply to the client, and nothing stays open."""

from __future__ import annotations

import base64
from ipaddress import ip_address
from math import inf
from typing import cast

import attrs
from OpenSSL import SSL
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mailsuite.frontends.door import Door
from mailsuite.frontends.pace import Pace
from mailsuite.frontends.smtp import SmtpServices, SmtpSession
from mailsuite.frontends.tls import ServerTLS
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.wire.smtp.session import SessionSettings
from tests.delivery.case import FULL, JOE, LONG_BODY, Case, Granted
from tests.frontends.lines import Wire
from tests.wire.proofs import ScramClient, judged

PLAIN = base64.b64encode(b"\0joe@example.net\0secret")
ENVELOPE = (b"MAIL FROM:<eve@example.org>", b"RCPT TO:<joe@example.net>")


class SmtpCase(Case):
    settings = SessionSettings("mail.example.net", tls_available=True, max_message=1_000_000)
    service = "smtp"

    def setUp(self) -> None:
        super().setUp()
        log = Log(lambda line, level: self.lines.append(line), "debug", clock=self.clock.seconds)
        tls = ServerTLS(cast(SSL.Context, None))
        self.metrics = Metrics()
        self.reported: list[tuple[object, ...]] = []
        self.door = Door(
            self.service,
            "mx",
            self.clock,
            log,
            300.0,
            tls,
            report=lambda *what: self.reported.append(what),
            meter=self.metrics.sessions(self.service, "mx"),
        )
        services = SmtpServices(self.settings, self.services.receive)
        self.session = SmtpSession(self.door, services)
        self.transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        self.session.makeConnection(self.transport)
        self.say(b"EHLO client.example.org")

    def say(self, *lines: bytes) -> list[bytes]:
        """The codes that are answered to commands that come in one segment."""
        self.transport.clear()
        self.session.dataReceived(b"".join(line + b"\r\n" for line in lines))
        return self.codes()

    def codes(self) -> list[bytes]:
        return [line[:3] for line in self.transport.value().splitlines() if line[3:4] == b" "]

    def go(self) -> None:
        self.session.connectionLost(Failure(ConnectionDone()))

    def tearDown(self) -> None:
        if not self.session.lost:
            self.go()
        self.assert_nothing_open()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn("secret", "\n".join(self.lines))


class Mailing(SmtpCase):
    def test_a_pipelined_message(self) -> None:
        self.assertEqual(self.say(*ENVELOPE, b"DATA"), [b"250", b"250", b"354"])
        self.assertEqual(self.say(b"Subject: x", b"", b"..dot", b".", b"QUIT"), [b"250", b"221"])
        [message] = self.contents()
        self.assertTrue(message.endswith(b"Subject: x\r\n\r\n.dot\r\n"))
        self.assertIn(b"Received: from client.example.org", message)
        self.assertTrue(self.transport.disconnecting)
        self.go()
        [line] = self.logged("smtp.closed")
        self.assertIn("reason=QUIT", line)

    def test_no_250_before_the_message_is_safe(self) -> None:
        self.store.held = Deferred()
        self.assertEqual(self.say(*ENVELOPE, b"DATA"), [b"250", b"250", b"354"])
        self.assertEqual(self.say(b"x", b".", b"NOOP"), [])
        self.store.held.callback(None)
        self.assertEqual(self.codes(), [b"250", b"250"])

    def test_a_reset_forgets(self) -> None:
        self.assertEqual(self.say(*ENVELOPE, b"RSET", b"DATA"), [b"250", b"250", b"250", b"503"])

    def test_a_new_hello_forgets_and_is_remembered(self) -> None:
        self.say(*ENVELOPE, b"EHLO other.example.org")
        self.say(*ENVELOPE, b"DATA")
        self.say(b"x", b".")
        self.assertIn(b"Received: from other.example.org", self.contents()[0])

    def test_the_client_goes_in_the_body(self) -> None:
        self.say(*ENVELOPE, b"DATA", LONG_BODY)
        self.assertGreater(self.store.open, 0)
        self.go()
        self.assert_nothing_happened()

    def test_the_client_goes_while_it_is_committed(self) -> None:
        """It is stored all the same: the client may come again, and has it twice (RFC 1047)."""
        self.store.held = Deferred()
        self.say(*ENVELOPE, b"DATA")
        self.say(b"x", b".")
        self.go()
        self.assertEqual(self.logged("smtp.closed"), [], "the session waits for it")
        self.store.held.callback(None)
        self.assertEqual(len(self.contents()), 1)
        self.assertEqual(len(self.logged("smtp.closed")), 1)

    def test_the_service_stops_in_the_body(self) -> None:
        self.say(*ENVELOPE, b"DATA", b"half")
        self.session.drain()
        self.assertFalse(self.transport.disconnecting)
        self.assertEqual(self.say(b"a message", b"."), [b"250", b"421"])
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(len(self.contents()), 1)

    def test_idle_in_the_body(self) -> None:
        self.say(*ENVELOPE, b"DATA", LONG_BODY)
        for _ in range(3):
            self.session.dataReceived(b"more\r\n" * 20_000)
            self.clock.advance(179.0)
        self.session.dataReceived(b"more\r\n")
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(180.0)
        self.assertEqual(self.codes()[-1], b"421")
        self.assert_nothing_happened()
        self.go()
        self.assertIn('reason="data time-out"', self.logged("smtp.timed_out")[0])

    def test_a_full_disk_is_answered_at_the_end(self) -> None:
        self.store.fail["deliver"] = FULL
        self.say(*ENVELOPE, b"DATA")
        self.assertEqual(self.say(b"x", b".", b"NOOP"), [b"452", b"250"])
        self.assert_nothing_happened()

    def test_a_store_that_is_slower_than_the_client(self) -> None:
        self.store.memory.congested = True
        self.say(*ENVELOPE, b"DATA")
        self.session.dataReceived(LONG_BODY)
        self.session.dataReceived(b"zzz\r\n" * 14_000)
        self.assertEqual(self.transport.producerState, "paused")
        self.store.memory.relieve()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(self.say(b"."), [b"250"])
        self.assertTrue(self.contents()[0].endswith(LONG_BODY + b"zzz\r\n" * 14_000))

    def test_a_violation_is_logged_and_ends_it(self) -> None:
        self.assertEqual(self.say(b"GET / HTTP/1.1", b"Host: x")[-1:], [b"421"])
        self.assertTrue(self.transport.disconnecting)
        [line] = self.logged("smtp.violation")
        self.assertIn("peer=192.0.2.1 kind=foreign-protocol", line)

    def test_a_violation_is_reported_and_counted(self) -> None:
        self.say(b"GET / HTTP/1.1")
        self.assertEqual(self.reported, [(ip_address("192.0.2.1"), 4000, "foreign-protocol", 0, b"")])
        self.assertIn(
            b'mailsuite_violations_total{kind="foreign-protocol",service="smtp"} 1.0', self.metrics.text()
        )

    def test_tls_forgets_what_came_in_clear(self) -> None:
        self.say(*ENVELOPE)
        self.assertEqual(self.say(b"RSET", b"STARTTLS"), [b"250", b"220"])
        self.session.handshakeCompleted()
        self.assertEqual(self.say(b"MAIL FROM:<>"), [b"503"])
        self.say(b"EHLO inside.example.org", *ENVELOPE, b"DATA")
        self.say(b"x", b".")
        self.assertIn(b"from inside.example.org", self.contents()[0])
        self.assertIn(b"ESMTPS", self.contents()[0])
        self.assertIn("TLS_AES_256_GCM_SHA384", self.logged("smtp.accepted")[0])


class Slow(SmtpCase):
    """What a client may take its time for (features row M-17)."""

    def setUp(self) -> None:
        super().setUp()
        self.began = self.clock.seconds()

    def assert_ended(self, reason: str) -> None:
        """With 421, nothing stored, and nothing left open though the client is still there."""
        self.assertTrue(self.transport.value().endswith(b"421 4.4.2 This took too long\r\n"))
        self.assertTrue(self.transport.disconnecting)
        self.assert_nothing_happened()
        [line] = self.logged("smtp.timed_out")
        self.assertIn(f'reason="{reason}"', line)
        self.assertEqual(self.session.end_reason, reason)

    def wait_until(self, seconds: float) -> None:
        """Since the connection began; nothing has ended by then."""
        self.clock.advance(self.began + seconds - self.clock.seconds())
        self.assertFalse(self.transport.disconnecting)

    def test_a_command_octet_by_octet(self) -> None:
        for octet in b"MAIL FROM:<eve@":
            self.clock.advance(19.9)
            self.session.dataReceived(bytes([octet]))
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(1.5)
        self.assert_ended("idle time-out")

    def test_answers_put_it_off(self) -> None:
        for _ in range(5):
            self.clock.advance(299.0)
            self.assertEqual(self.say(b"NOOP"), [b"250"])
        self.clock.advance(300.0)
        self.assert_ended("idle time-out")

    def test_a_message_drop_by_drop(self) -> None:
        """Without it one connection could be held for days: each octet is progress."""
        self.say(*ENVELOPE, b"DATA")
        for second in range(1, 60):
            self.clock.advance(1.0)
            self.session.dataReceived(b"x" * 499)
            self.assertFalse(self.transport.disconnecting, second)
        self.clock.advance(1.0)
        self.assert_ended("too slow")

    def test_a_message_that_is_just_fast_enough(self) -> None:
        self.say(*ENVELOPE, b"DATA")
        for _ in range(600):
            self.session.dataReceived(b"x" * 498 + b"\r\n")
            self.clock.advance(1.0)
            self.session.dataReceived(b"yy")
        self.assertEqual(self.say(b"", b"."), [b"250"])
        self.assertEqual(len(self.contents()), 1)

    def test_a_message_that_comes_in_gusts(self) -> None:
        """It is the average that counts, and 180 seconds may pass without an octet."""
        self.say(*ENVELOPE, b"DATA")
        for _ in range(5):
            self.session.dataReceived(b"x\r\n" * 30_000)
            self.clock.advance(179.0)
        self.assertEqual(self.say(b"."), [b"250"])

    def test_a_message_that_is_discarded_is_as_good_as_one_that_is_kept(self) -> None:
        """Its octets are no events, and they are progress all the same."""
        self.say(*ENVELOPE, b"DATA")
        for _ in range(20):
            self.session.dataReceived(b"x\r\n" * 30_000)
            self.clock.advance(60.0)
        self.assertEqual(self.say(b"."), [b"552"])

    def test_a_store_that_is_slow_is_not_the_client(self) -> None:
        self.store.memory.congested = True
        self.say(*ENVELOPE, b"DATA")
        self.session.dataReceived(LONG_BODY)
        self.clock.advance(1000.0)
        self.assertFalse(self.transport.disconnecting)
        self.store.memory.relieve()
        self.clock.advance(59.0)
        self.session.dataReceived(b"x\r\n")
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(55.0)
        self.assert_ended("too slow")

    def test_who_does_not_say_ehlo(self) -> None:
        pace = Pace(opening=300.0)
        other = SmtpSession(self.door, SmtpServices(self.settings, self.services.receive, pace))
        transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.2", 4000))
        other.makeConnection(transport)
        for _ in range(30):
            self.clock.advance(9.9)
            other.dataReceived(b"NOOP\r\n")
        self.assertFalse(transport.disconnecting)
        self.clock.advance(3.0)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(other.end_reason, "opening time-out")
        other.connectionLost(Failure(ConnectionDone()))

    def test_a_session_that_is_never_idle(self) -> None:
        for minute in range(29):
            self.wait_until(minute * 60.0)
            self.assertEqual(self.say(*ENVELOPE, b"RSET"), [b"250", b"250", b"250"])
        self.say(*ENVELOPE)
        self.wait_until(1799.0)
        self.say(b"RCPT TO:<ann@example.net>")
        self.clock.advance(1.0)
        self.assert_ended("session time-out")

    def test_a_message_that_is_coming_is_waited_for_when_the_session_is_over(self) -> None:
        for minute in range(29):
            self.wait_until(minute * 60.0)
            self.say(b"NOOP")
        self.say(*ENVELOPE, b"DATA")
        for minute in range(29, 58):
            self.session.dataReceived(b"x\r\n" * 11_000)
            self.wait_until(minute * 60.0)
        self.assertEqual(self.say(b"."), [b"250"])
        self.assertEqual(len(self.contents()), 1)
        self.clock.advance(0.0)
        self.assertEqual(self.codes(), [b"250", b"421"])
        self.assertEqual(self.session.end_reason, "session time-out")

    def test_but_not_for_ever(self) -> None:
        self.say(*ENVELOPE, b"DATA")
        for minute in range(30):
            self.wait_until(minute * 60.0)
            self.session.dataReceived(b"x\r\n" * 11_000)
        self.clock.advance(60.0)
        self.assert_ended("session time-out")

    def test_a_commit_is_waited_for_however_long_the_session_was(self) -> None:
        self.store.held = Deferred()
        self.say(*ENVELOPE, b"DATA")
        self.say(b"x", b".")
        self.clock.pump([60.0] * 100)
        self.assertEqual(self.codes(), [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.store.held.callback(None)
        self.clock.advance(0.0)
        self.assertEqual(self.codes(), [b"250", b"421"])

    def test_no_limits(self) -> None:
        pace = Pace(rate=0.0, session=inf)
        other = SmtpSession(self.door, SmtpServices(self.settings, self.services.receive, pace))
        transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.2", 4000))
        other.makeConnection(transport)
        other.dataReceived(b"EHLO x\r\n" + b"\r\n".join(ENVELOPE) + b"\r\nDATA\r\n")
        for _ in range(100):
            self.clock.advance(179.0)
            other.dataReceived(b"x")
        self.assertFalse(transport.disconnecting)
        other.connectionLost(Failure(ConnectionDone()))

    def test_a_message_costs_no_timer(self) -> None:
        """Twisted searches all calls for one that is brought forward: with thousands of sessions that would
        be felt."""
        self.clock.advance(31.0)
        [call] = self.clock.getDelayedCalls()
        at = call.getTime()
        self.say(*ENVELOPE, b"DATA")
        self.say(b"x", b".")
        self.assertEqual([(call, call.getTime())], [(call, at) for call in self.clock.getDelayedCalls()])


class Other(SmtpCase):
    """A second session, with settings of its own."""

    pace = Pace()

    def setUp(self) -> None:
        super().setUp()
        self.go()
        self.transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        services = SmtpServices(self.settings, self.services.receive, self.pace)
        self.session = SmtpSession(self.door, services)
        self.session.makeConnection(self.transport)


class GreetingLate(Other):
    """Who does not wait for the greeting is no mail server (features row M-04)."""

    pace = Pace(greeting=5.0)

    def test_an_honest_client(self) -> None:
        self.clock.advance(4.9)
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(0.1)
        self.assertEqual(self.transport.value(), b"220 mail.example.net ESMTP\r\n")
        self.assertEqual(self.say(b"EHLO x", *ENVELOPE, b"DATA"), [b"250", b"250", b"250", b"354"])
        self.assertEqual(self.say(b"x", b".", b"QUIT"), [b"250", b"221"])

    def test_an_early_talker(self) -> None:
        self.clock.advance(1.0)
        self.assertEqual(self.say(b"EHLO x", *ENVELOPE, b"DATA", b"x", b"."), [b"554"])
        self.assertTrue(self.transport.value().startswith(b"554 5.5.0 "))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual([what[2] for what in self.reported], ["early-talker"])
        self.assertEqual(self.session.end_reason, "early-talker")
        self.go()
        self.assert_nothing_happened()
        self.assertEqual(self.logged("smtp.failed"), [])

    def test_a_client_that_goes(self) -> None:
        self.go()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.logged("smtp.failed"), [])

    def test_a_service_that_stops(self) -> None:
        self.session.drain()
        self.clock.advance(5.0)
        self.assertEqual(self.codes(), [b"421"], "and no greeting behind it")
        self.assertTrue(self.transport.disconnecting)

    def test_over_tls_it_is_what_comes_inside(self) -> None:
        self.go()
        self.door = attrs.evolve(self.door, implicit_tls=True)
        self.session = SmtpSession(self.door, SmtpServices(self.settings, self.services.receive, self.pace))
        self.transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        self.session.makeConnection(self.transport)
        self.clock.advance(50.0)
        self.session.handshakeCompleted()
        self.assertEqual(self.transport.value(), b"")
        self.assertEqual(self.say(b"EHLO x"), [b"554"])


class Erring(Other):
    """After too many errors each answer waits (features row M-18)."""

    settings = SessionSettings("mail.example.net", soft_errors=3, error_delay=2.0, hard_errors=6)

    def test_each_further_error_waits(self) -> None:
        self.assertEqual(self.say(*[b"X"] * 3), [b"500"] * 3)
        self.assertEqual(self.say(b"X", b"NOOP"), [])
        self.clock.advance(1.9)
        self.assertEqual(self.codes(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.codes(), [b"500", b"250"])
        self.say(b"X", b"X")
        self.clock.advance(2.0)
        self.assertEqual(self.codes(), [b"500"])
        self.clock.advance(2.0)
        self.assertEqual(self.codes(), [b"500", b"500", b"421"])
        self.assertTrue(self.transport.disconnecting)

    def test_a_client_that_goes_meanwhile(self) -> None:
        self.say(*[b"X"] * 4)
        self.go()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((len(self.logged("smtp.closed")), self.logged("smtp.failed")), (2, []))

    def test_a_service_that_stops_meanwhile(self) -> None:
        self.say(*[b"X"] * 4)
        self.transport.clear()
        self.session.drain()
        self.assertEqual(self.codes(), [])
        self.clock.advance(2.0)
        self.assertEqual(self.codes(), [b"500", b"421"])
        self.assertTrue(self.transport.disconnecting)


class HandingOver(Other):
    """LMTP: a reply for each recipient (RFC 2033 section 4.2)."""

    service = "lmtp"
    settings = SessionSettings("mail.example.net", protocol="lmtp")

    def test_each_recipient_is_answered_for(self) -> None:
        self.say(b"LHLO x", *ENVELOPE, b"RCPT TO:<nobody@example.net>", b"RCPT TO:<ann@example.net>", b"DATA")
        self.assertEqual(self.codes(), [b"250", b"250", b"250", b"550", b"250", b"354"])
        self.assertEqual(self.say(b"x", b".", b"NOOP"), [b"250"] * 3)
        self.assertEqual(len(self.contents()), 1)


class Submitting(SmtpCase):
    service = "submission"
    settings = SessionSettings(
        "mail.example.net",
        tls_available=True,
        tls_required=True,
        auth_mechanisms=("PLAIN", "SCRAM-SHA-256"),
        auth_required=True,
        octets=lambda count: b"7" * count,
        seconds=lambda: 0.0,
    )

    def setUp(self) -> None:
        super().setUp()
        self.say(b"STARTTLS")
        self.session.handshakeCompleted()
        self.say(b"EHLO client.example.org")

    def test_who_logged_in_is_known(self) -> None:
        self.assertIsNone(self.session.account)
        self.assertEqual(self.say(b"AUTH PLAIN " + PLAIN), [b"235"])
        self.assertEqual((self.session.account, self.session.mechanism), (JOE, "PLAIN"))
        [(claim, facts)] = self.logins.asked
        self.assertEqual((claim.authcid, facts.service), ("joe@example.net", "submission"))
        self.assertIn("TLSv1.3", facts.tls)
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"250"])

    def test_the_device_is_known(self) -> None:
        self.logins.outcome = Granted(JOE, Device("d1", "phone", b"sealed"))
        self.say(b"AUTH PLAIN " + PLAIN)
        self.assertEqual((self.session.account, self.session.device), (JOE, "d1"))

    def scram(self, client: ScramClient) -> bytes:
        """The last line that is answered to its proof."""
        self.say(b"AUTH SCRAM-SHA-256 " + base64.b64encode(client.first()))
        challenge = base64.b64decode(self.transport.value()[4:])
        self.logins.outcome = lambda claim: Granted(JOE, signature=judged(claim) or b"")
        self.say(base64.b64encode(client.final(challenge)))
        return self.transport.value()

    def test_scram(self) -> None:
        client = ScramClient()
        answer = self.scram(client)
        self.assertTrue(client.believes(base64.b64decode(answer[4:])))
        self.assertEqual(self.logins.questions[0][0].authcid, "joe")
        self.assertEqual(self.say(b""), [b"235"])
        self.assertEqual(self.session.account, JOE)

    def test_scram_that_cannot_ask(self) -> None:
        self.logins.parameters = TemporaryFailure(FULL.reply)
        first = base64.b64encode(ScramClient().first())
        self.assertEqual(self.say(b"AUTH SCRAM-SHA-256 " + first, b"NOOP"), [b"454", b"250"])

    def test_a_client_that_goes_frees_who_judges_it(self) -> None:
        """A refusal may wait for its penalty: nobody waits for nobody."""
        cancelled: list[object] = []
        self.logins.outcome = Deferred(cancelled.append)
        self.say(b"AUTH PLAIN " + PLAIN)
        self.clock.advance(1000.0)
        self.assertFalse(self.transport.disconnecting)
        self.go()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(len(self.logged("submission.closed")), 1)
        self.assertEqual(self.logged("submission.failed"), [])

    def test_three_wrong_logins_close(self) -> None:
        self.logins.outcome = UnauthorizedLogin()
        answers = self.say(*[b"AUTH PLAIN " + PLAIN] * 4)
        self.assertEqual(answers, [b"535", b"535", b"535", b"421"])
        self.assertTrue(self.transport.disconnecting)
        self.assertIn("kind=failed-logins", self.logged("smtp.violation")[0])

    def test_a_refused_login_is_nobody_s(self) -> None:
        self.logins.outcome = TemporaryFailure(FULL.reply)
        self.assertEqual(self.say(b"AUTH PLAIN " + PLAIN, b"MAIL FROM:<joe@example.net>"), [b"454", b"530"])
        self.assertIsNone(self.session.account)

    def test_logins_are_counted_by_how_they_ended(self) -> None:
        for outcome, answer, result in (
            (UnauthorizedLogin(), b"535", "refused"),
            (TemporaryFailure(FULL.reply), b"454", "unavailable"),
            (Granted(JOE), b"235", "ok"),
        ):
            self.logins.outcome = outcome
            self.assertEqual(self.say(b"AUTH PLAIN " + PLAIN), [answer])
            line = f'mailsuite_logins_total{{mechanism="PLAIN",result="{result}",service="submission"}} 1.0'
            self.assertIn(line, self.metrics.text().decode())

    def test_a_login_before_tls_does_not_count(self) -> None:
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"530"])
