"""One connection to another server: octets, time, back-pressure, the end."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundRecipient
from mailsuite.relay.session import CLOSE_SECONDS, MESSAGE_SECONDS, RelaySession
from mailsuite.wire.smtp.client.events import Greeted, Lost, Ready, RecipientReply
from mailsuite.wire.smtp.client.letter import Letter
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings

RECIPIENTS = tuple(OutboundRecipient(Address(f"r{number}", "example.org")) for number in range(100))


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.session = RelaySession(ClientSession(ClientSettings("mail.test")), self.clock, "mx [192.0.2.1]")
        self.session.makeConnection(self.transport)

    def said(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def hear(self, text: str) -> None:
        self.session.dataReceived(text.encode())

    def event(self) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(self.session.next_event()))

    def waiting(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.session.next_event())

    def lose(self) -> None:
        self.session.connectionLost(Failure(ConnectionLost()))

    def get_ready(self, *extensions: str) -> None:
        self.hear("220 mx ESMTP\r\n")
        self.assertIsInstance(self.event(), Greeted)
        self.session.core.hello()
        words = ("mx", *extensions)
        last = len(words) - 1
        self.session.flush()
        self.hear("".join(f"250{' ' if n == last else '-'}{word}\r\n" for n, word in enumerate(words)))
        self.assertIsInstance(self.event(), Ready)
        self.assertEqual(self.said(), b"EHLO mail.test\r\n")


class Dialogue(SessionCase):
    def test_events_come_to_who_waits_and_to_who_comes_later(self) -> None:
        waiting = self.waiting()
        self.assertNoResult(waiting)
        self.hear("220 mx ES")
        self.assertNoResult(waiting)
        self.hear("MTP\r\n")
        self.assertIsInstance(self.successResultOf(waiting), Greeted)
        self.session.core.hello()
        self.session.flush()
        self.hear("250 mx\r\n")
        self.assertIsInstance(self.event(), Ready)
        self.assertTrue(self.session.usable)

    def test_the_end_of_the_connection_is_an_event(self) -> None:
        waiting = self.waiting()
        self.lose()
        self.assertIsInstance(self.successResultOf(waiting), Lost)
        self.assertFalse(self.session.usable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_server_that_says_nothing(self) -> None:
        waiting = self.waiting()
        self.clock.advance(299)
        self.assertNoResult(waiting)
        self.clock.advance(2)
        self.assertIsInstance(self.successResultOf(waiting), Lost)
        self.assertTrue(self.transport.disconnected)

    def test_a_server_that_says_an_octet_at_a_time_has_no_more_time(self) -> None:
        waiting = self.waiting()
        for octet in "220 this is a very long greeting":
            self.clock.advance(10)
            self.hear(octet)
        self.assertIsInstance(self.successResultOf(waiting), Lost)

    def test_each_answer_in_its_time_and_all_together_in_theirs(self) -> None:
        self.get_ready()
        self.session.begin_message(100)
        self.session.core.send(Letter(Address("joe", "example.net"), RECIPIENTS, size=100))
        replies = ["250 Ok\r\n" for _ in range(len(RECIPIENTS) + 1)]
        seconds = 0.0
        heard: list[Any] = []
        while replies and not any(isinstance(each, Lost) for each in heard):
            waiting = self.waiting()
            self.clock.advance(100)
            seconds += 100
            if not waiting.called:
                self.hear(replies.pop())
            heard.append(self.successResultOf(waiting))
        self.assertLess(seconds, MESSAGE_SECONDS + 200)
        self.assertTrue(any(isinstance(each, RecipientReply) for each in heard))

    def test_writing_waits_for_the_server_to_read(self) -> None:
        self.session.pauseProducing()
        self.session.pauseProducing()
        waiting = Deferred.fromCoroutine(self.session.writable())
        self.assertNoResult(waiting)
        self.session.resumeProducing()
        self.successResultOf(waiting)
        self.successResultOf(Deferred.fromCoroutine(self.session.writable()))

    def test_nobody_waits_to_write_to_who_is_gone(self) -> None:
        self.session.pauseProducing()
        waiting = Deferred.fromCoroutine(self.session.writable())
        self.session.stopProducing()
        self.lose()
        self.successResultOf(waiting)

    def test_nobody_waits_to_write_what_was_refused(self) -> None:
        """The server reads no more of it, and does not close."""
        self.session.pauseProducing()
        waiting = Deferred.fromCoroutine(self.session.writable())
        self.hear("421 4.3.2 Closing\r\n")
        self.successResultOf(waiting)


class Leaving(SessionCase):
    def test_nobody_may_write_when_it_closes(self) -> None:
        """TLS does not close before."""
        self.get_ready()
        Deferred.fromCoroutine(self.session.leave())
        self.assertIsNotNone(self.transport.producer)
        self.hear("221 Bye\r\n")
        self.assertIsNone(self.transport.producer)

    def test_a_server_that_answers_quit_by_closing(self) -> None:
        self.get_ready()
        leaving = Deferred.fromCoroutine(self.session.leave())
        self.lose()
        self.successResultOf(leaving)

    def test_who_is_cancelled_closes_at_once(self) -> None:
        self.get_ready()
        leaving = Deferred.fromCoroutine(self.session.leave())
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.assertTrue(self.transport.disconnected)

    def test_quit_is_said_and_answered(self) -> None:
        self.get_ready()
        leaving = Deferred.fromCoroutine(self.session.leave())
        self.assertEqual(self.said(), b"QUIT\r\n")
        self.assertFalse(self.transport.disconnecting)
        self.hear("221 Bye\r\n")
        self.assertTrue(self.transport.disconnecting)
        self.assertNoResult(leaving)
        self.lose()
        self.successResultOf(leaving)
        self.successResultOf(Deferred.fromCoroutine(self.session.leave()))
        self.session.abort()

    def test_a_server_that_does_not_answer_quit(self) -> None:
        self.get_ready()
        leaving = Deferred.fromCoroutine(self.session.leave())
        self.clock.advance(CLOSE_SECONDS + 1)
        self.assertTrue(self.transport.disconnected)
        self.lose()
        self.successResultOf(leaving)

    def test_in_the_middle_nothing_is_said(self) -> None:
        self.hear("220 mx\r\n")
        self.event()
        self.said()
        leaving = Deferred.fromCoroutine(self.session.leave())
        self.assertEqual(self.said(), b"")
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.successResultOf(leaving)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Tls(SessionCase):
    def setUp(self) -> None:
        super().setUp()
        self.wire: Any = self.transport

    def shake(self) -> Deferred[bool]:
        self.wire.startTLS = lambda creator: None
        creator: Any = None
        return Deferred.fromCoroutine(self.session.start_tls(creator))

    def test_a_handshake_that_fails_says_why(self) -> None:
        for error, why in (
            (SSL.Error([("SSL routines", "", "wrong version number")]), "wrong version number"),
            (SSL.Error([]), "[]"),
            (ConnectionLost(), "Connection to the other side was lost in a non-clean fashion."),
        ):
            self.setUp()
            shaking = self.shake()
            self.session.connectionLost(Failure(error))
            self.assertFalse(self.successResultOf(shaking))
            self.assertEqual(self.session.tls_failure, why)

    def test_a_handshake_that_takes_too_long(self) -> None:
        self.shake()
        self.clock.advance(301)
        self.assertTrue(self.transport.disconnected)

    def test_a_handshake_that_is_over_is_over(self) -> None:
        self.wire.getHandle = Mock
        shaking = self.shake()
        self.session.handshakeCompleted()
        self.assertTrue(self.successResultOf(shaking))
        self.session.handshakeCompleted()
        self.lose()
