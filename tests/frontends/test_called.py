"""Submission on a Unix socket: who calls is found out before the first MAIL, and policy goes by it."""

from __future__ import annotations

import socket

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred

from mailsuite.frontends.called import CalledSession
from mailsuite.frontends.smtp import SmtpServices
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import ACCOUNT_OFF, OVERLOADED
from mailsuite.wire.smtp.session import SessionSettings
from tests.frontends.lines import Wire
from tests.frontends.test_smtp import SmtpCase

JOE = Address("joe", "example.net")


class Callers:
    """Knows one user, or nobody; answers when the test says so."""

    def __init__(self) -> None:
        self.answer: Deferred[Address | None] = Deferred()
        self.asked: list[int] = []

    async def account(self, user: int) -> Address | None:
        self.asked.append(user)
        return await self.answer


class Called(SmtpCase):
    settings = SessionSettings("example.net")
    service = "submission"

    def setUp(self) -> None:
        super().setUp()
        self.go()
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.callers = Callers()
        services = SmtpServices(self.settings, self.services.receive)
        self.session = CalledSession(self.door, services, self.callers)  # type: ignore[arg-type]
        self.transport = Wire(peerAddress=UNIXAddress(None))
        self.transport.socket = ours  # type: ignore[attr-defined]
        self.session.makeConnection(self.transport)
        self.say(b"EHLO localhost")

    def test_who_calls(self) -> None:
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>", b"NOOP"), [])
        self.callers.answer.callback(JOE)
        self.assertEqual(self.codes(), [b"250", b"250"])
        self.assertEqual((self.session.account, self.session.mechanism), (JOE, "unix"))
        self.assertEqual(len(self.callers.asked), 1)
        [line] = self.logged("submission.called")
        self.assertIn("account=joe@example.net", line)
        self.assertEqual(self.say(b"RSET", b"MAIL FROM:<joe@example.net>"), [b"250", b"250"])
        self.assertEqual(len(self.callers.asked), 1, "it is found out once")

    def test_nobody_sends_as_somebody_else(self) -> None:
        self.callers.answer.callback(Address("www-data", "example.net"))
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"550"])
        self.assertEqual(self.say(b"MAIL FROM:<www-data@example.net>"), [b"250"])

    def test_a_user_whom_nobody_knows(self) -> None:
        self.callers.answer.callback(None)
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"530"])
        self.assertIsNone(self.session.account)

    def test_it_cannot_be_known_now(self) -> None:
        self.callers.answer.errback(TemporaryFailure(OVERLOADED, "too many"))
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"451"])

    def test_who_may_not_send(self) -> None:
        self.callers.answer.errback(PermanentFailure(ACCOUNT_OFF, "joe@example.net: account-off"))
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"550"])
        self.assertIsNone(self.session.account)
        [line] = self.logged("submission.call_refused")
        self.assertIn(f" user={self.callers.asked[0]} ", line)
        self.assertIn('detail="joe@example.net: account-off" code=550 enhanced=5.7.13', line)

    def test_no_unix_socket(self) -> None:
        """A mistake in the wiring lets nobody in."""
        del self.transport.socket  # type: ignore[attr-defined]
        self.assertEqual(self.say(b"MAIL FROM:<joe@example.net>"), [b"530"])
        self.assertEqual(self.callers.asked, [])

    def test_the_client_goes_meanwhile(self) -> None:
        self.say(b"MAIL FROM:<joe@example.net>")
        self.go()
        self.callers.answer.callback(JOE)
