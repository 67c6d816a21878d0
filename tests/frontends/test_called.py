"""Submission on a Unix socket: who calls is found out before the first MAIL, and policy goes by it."""

from __future__ import annotations

import socket

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, succeed

from mailsuite.frontends.called import CalledSession
from mailsuite.frontends.pace import Pace
from mailsuite.frontends.smtp import SmtpServices
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, PermanentFailure, TemporaryFailure
from mailsuite.model.reply import ACCOUNT_OFF, OVERLOADED
from mailsuite.wire.smtp.session import SessionSettings
from tests.frontends.lines import Wire
from tests.frontends.test_smtp import SmtpCase

JOE = Address("joe", "example.net")


class Callers:
    """Knows one user, or nobody; answers when the test says so."""

    def __init__(self) -> None:
        self.answer: Deferred[Address | None] = Deferred()
        self.failure: MailFailure | None = None
        self.asked: list[int] = []

    async def account(self, user: int) -> Address | None:
        self.asked.append(user)
        if self.failure is not None:
            raise self.failure
        return await self.answer


class Called(SmtpCase):
    settings = SessionSettings("example.net")
    service = "submission"

    def setUp(self) -> None:
        super().setUp()
        self.go()
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.callers = Callers()
        self.call()

    def call(self, ours: socket.socket | None = None, pace: Pace | None = None) -> None:
        services = SmtpServices(self.settings, self.services.receive, pace or Pace())
        self.session = CalledSession(self.door, services, self.callers)  # type: ignore[arg-type]
        self.transport = Wire(peerAddress=UNIXAddress(None))
        self.transport.socket = ours or self.ours  # type: ignore[attr-defined]
        self.session.makeConnection(self.transport)

    def test_who_calls(self) -> None:
        self.assertEqual(self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>", b"NOOP"), [])
        self.callers.answer.callback(JOE)
        self.assertEqual(self.codes()[0], b"220")
        self.assertEqual((self.session.account, self.session.mechanism), (JOE, "unix"))
        self.assertEqual(len(self.callers.asked), 1)
        [line] = self.logged("submission.called")
        self.assertIn("account=joe@example.net", line)
        self.assertEqual(self.say(b"RSET", b"MAIL FROM:<joe@example.net>"), [b"250", b"250"])
        self.assertEqual(len(self.callers.asked), 1, "it is found out once")

    def test_what_he_may_send_is_offered_and_judged(self) -> None:
        async def largest(account: Address) -> int:
            return 2000

        self.replaced(largest=largest)
        self.go()
        self.callers.answer = succeed(JOE)
        self.call()
        self.codes()
        self.session.dataReceived(b"EHLO localhost\r\n")
        self.assertIn(b"250-SIZE 2000\r\n", self.transport.value())
        self.codes()
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net> SIZE=2001"), [b"552"])
        self.assertEqual(self.logged("smtp.sender_refused"), [], "the protocol itself answers")
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net> SIZE=2000"), [b"250"])

    def test_who_speaks_before_the_greeting_is_no_mail_program(self) -> None:
        self.go()
        self.callers.answer = succeed(JOE)
        self.call(pace=Pace(greeting=5.0))
        self.assertEqual(self.say(b"EHLO localhost"), [b"554"])

    def test_he_waits_for_the_greeting(self) -> None:
        self.go()
        self.callers.answer = succeed(JOE)
        self.call(pace=Pace(greeting=5.0))
        self.clock.advance(5.0)
        self.assertEqual(self.codes(), [b"220"])

    def test_nobody_sends_as_somebody_else(self) -> None:
        self.callers.answer.callback(Address("www-data", "example.net"))
        self.assertEqual(self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>")[-1:], [b"550"])
        self.assertEqual(self.say(b"MAIL FROM:<www-data@example.net>"), [b"250"])

    def test_a_user_whom_nobody_knows(self) -> None:
        self.callers.answer.callback(None)
        self.assertEqual(self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>")[-1:], [b"530"])
        self.assertIsNone(self.session.account)

    def test_it_cannot_be_known_now(self) -> None:
        failure = self.callers.failure = TemporaryFailure(OVERLOADED, "too many")
        self.callers.answer.errback(failure)
        self.assertEqual(self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>")[-1:], [b"451"])
        self.callers.failure, self.callers.answer = None, succeed(JOE)
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"250"])

    def test_who_may_not_send(self) -> None:
        failure = PermanentFailure(ACCOUNT_OFF, "joe@example.net: account-off")
        self.callers.failure = failure
        self.callers.answer.errback(failure)
        self.assertEqual(self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>")[-1:], [b"550"])
        self.assertIsNone(self.session.account)
        [line] = self.logged("submission.call_refused")
        self.assertIn(f" user={self.callers.asked[0]} ", line)
        self.assertIn('detail="joe@example.net: account-off" code=550 enhanced=5.7.13', line)

    def test_no_unix_socket(self) -> None:
        """A mistake in the wiring lets nobody in."""
        self.go()
        self.session = CalledSession(
            self.door,
            SmtpServices(self.settings, self.services.receive),
            self.callers,  # type: ignore[arg-type]
        )
        self.transport = Wire(peerAddress=UNIXAddress(None))
        asked = len(self.callers.asked)
        self.session.makeConnection(self.transport)
        self.assertEqual(self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>")[-1:], [b"530"])
        self.assertEqual(len(self.callers.asked), asked)

    def test_the_client_goes_meanwhile(self) -> None:
        self.say(b"EHLO localhost", b"MAIL FROM:<joe@example.net>")
        self.go()
        self.assertEqual(self.logged("submission.called"), [])
