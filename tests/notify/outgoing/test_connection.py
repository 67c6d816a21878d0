"""One connection, with time in our hands."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.notify.outgoing.causes import Cause, Unreached
from mailsuite.notify.outgoing.connection import (
    BODY_SECONDS,
    CLOSE_SECONDS,
    IDLE_SECONDS,
    HttpConnection,
    Unanswered,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Transport(StringTransport):
    """Closes when it is told to, or leaves that to the other side."""

    closes = True
    aborting = False

    def loseConnection(self):
        super().loseConnection()
        if self.closes:
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def abortConnection(self):
        self.aborting = True
        self.protocol.connectionLost(Failure(ConnectionLost()))

    def setTcpNoDelay(self, enabled):
        self.no_delay = enabled

    def startTLS(self, creator):
        self.tls = creator


class Creator:
    """What Twisted would make a handshake with."""

    objection = ""


class ConnectionCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.connection = HttpConnection(self.clock, ip_address("192.0.2.1"))
        self.transport = Transport()
        self.transport.protocol = self.connection
        self.connection.makeConnection(self.transport)

    def tearDown(self):
        self.connection.abort()
        self.successResultOf(self.connection.gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def exchange(self, until=15.0):
        return Deferred.fromCoroutine(self.connection.exchange(b"request", until))

    def cause(self, exchange):
        return self.failureResultOf(exchange, Unreached).value.cause


class TestExchanges(ConnectionCase):
    def test_one_after_the_other(self):
        for _ in range(3):
            self.transport.clear()
            exchange = self.exchange()
            self.assertEqual(self.transport.value(), b"request")
            self.connection.dataReceived(OK)
            self.assertNoResult(exchange)
            self.connection.dataReceived(b"ok")
            reader = self.successResultOf(exchange)
            self.assertEqual((reader.status, bytes(reader.body), reader.can_go_on), (200, b"ok", True))
        self.assertTrue(self.transport.no_delay)

    def test_no_answer_in_time(self):
        exchange = self.exchange()
        self.clock.advance(14.9)
        self.connection.dataReceived(b"HTTP/1.1 200")
        self.assertNoResult(exchange)
        self.clock.advance(0.1)
        self.assertEqual(self.cause(exchange), Cause.TIMED_OUT)
        self.assertTrue(self.transport.aborting)

    def test_a_body_has_a_few_seconds(self):
        """And what has come of it by then is the answer."""
        exchange = self.exchange()
        self.connection.dataReceived(b"HTTP/1.1 200 OK\r\n\r\nevent: x")
        for _ in range(4):
            self.clock.advance(BODY_SECONDS / 4)
            if self.connection.is_open:
                self.connection.dataReceived(b"y")
        reader = self.successResultOf(exchange)
        self.assertEqual((reader.status, bytes(reader.body), reader.can_go_on), (200, b"event: xyyy", False))
        self.assertFalse(self.connection.is_open)

    def test_and_no_more_than_was_left(self):
        exchange = self.exchange(until=15.0)
        self.clock.advance(14.0)
        self.connection.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        self.clock.advance(1.0)
        self.assertEqual(self.successResultOf(exchange).status, 200)

    def test_whoever_does_not_close_is_closed_upon(self):
        self.transport.closes = False
        exchange = self.exchange()
        self.connection.dataReceived(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.successResultOf(exchange)
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.aborting)
        self.clock.advance(CLOSE_SECONDS)
        self.assertTrue(self.transport.aborting)

    def test_whoever_goes_on_while_we_close(self):
        self.transport.closes = False
        self.exchange()
        self.connection.dataReceived(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.connection.dataReceived(b"more")
        self.assertTrue(self.transport.aborting)

    def test_lost_without_an_octet(self):
        exchange = self.exchange()
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(exchange, Unanswered)

    def test_lost_amid_the_head(self):
        exchange = self.exchange()
        self.connection.dataReceived(b"HTTP/1.1")
        self.connection.connectionLost(Failure(ConnectionDone()))
        failure = self.failureResultOf(exchange, Unreached)
        self.assertEqual((failure.value.cause, failure.check(Unanswered)), (Cause.LOST, None))

    def test_lost_amid_the_body(self):
        exchange = self.exchange()
        self.connection.dataReceived(OK)
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.successResultOf(exchange).status, 200)

    def test_on_a_connection_that_is_lost(self):
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(self.exchange(), Unanswered)

    def test_no_http(self):
        exchange = self.exchange()
        self.connection.dataReceived(b"s3cret\r\n")
        failure = self.failureResultOf(exchange, Unreached)
        self.assertEqual(failure.value.cause, Cause.PROTOCOL)
        self.assertNotIn("s3cret", str(failure.value))
        self.assertTrue(self.transport.aborting)

    def test_cancelled(self):
        exchange = self.exchange()
        exchange.cancel()
        self.failureResultOf(exchange, CancelledError)
        self.assertTrue(self.transport.aborting)


class TestKeeping(ConnectionCase):
    def setUp(self):
        super().setUp()
        self.left = []
        exchange = self.exchange()
        self.connection.dataReceived(OK + b"ok")
        self.successResultOf(exchange)
        self.connection.keep(self.left.append)

    def test_for_a_while(self):
        self.clock.advance(IDLE_SECONDS - 1)
        self.assertTrue(self.connection.is_open)
        self.clock.advance(1)
        self.assertEqual(self.left, [self.connection])
        self.assertFalse(self.connection.is_open)

    def test_the_server_closes(self):
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.left, [self.connection])

    def test_the_server_speaks_unasked(self):
        self.connection.dataReceived(OK)
        self.assertTrue(self.transport.aborting)
        self.assertEqual(self.left, [self.connection])

    def test_it_is_used_again(self):
        exchange = self.exchange(until=100.0)
        self.clock.advance(IDLE_SECONDS)
        self.connection.dataReceived(OK + b"ok")
        self.assertEqual(self.successResultOf(exchange).status, 200)
        self.assertEqual(self.left, [])


class TestHandshakes(ConnectionCase):
    def setUp(self):
        super().setUp()
        self.creator = Creator()
        self.shaking = Deferred.fromCoroutine(self.connection.start_tls(self.creator))
        self.assertIs(self.transport.tls, self.creator)

    def words(self, reason):
        self.connection.connectionLost(Failure(reason))
        failure = self.failureResultOf(self.shaking, Unreached).value
        self.assertEqual(failure.cause, Cause.TLS)
        return failure.detail.removeprefix("tls: ")

    def test_done(self):
        self.connection.handshakeCompleted()
        self.successResultOf(self.shaking)
        self.connection.handshakeCompleted()  # TLS 1.2 can do that again

    def test_our_objection(self):
        self.creator.objection = "the certificate has expired"
        self.assertEqual(self.words(ConnectionLost()), "the certificate has expired")

    def test_the_words_of_openssl(self):
        error = Exception([("SSL routines", "", "wrong version number")])
        self.assertEqual(self.words(error), "no handshake: wrong version number")

    def test_closed(self):
        for error in (ConnectionDone(), Exception([]), Exception(["x"]), Exception()):
            with self.subTest(error=error):
                self.setUp()
                self.assertEqual(self.words(error), "the connection was closed during the handshake")

    def test_the_server_speaks_in_the_clear(self):
        self.connection.dataReceived(b"220 mail.example.net\r\n")
        self.assertEqual(self.failureResultOf(self.shaking, Unreached).value.cause, Cause.TLS)

    def test_cancelled(self):
        self.shaking.cancel()
        self.failureResultOf(self.shaking, CancelledError)
        self.assertTrue(self.transport.aborting)
