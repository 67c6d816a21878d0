"""The RFC 4146 channel over a reactor in memory."""

from __future__ import annotations

import errno
from ipaddress import ip_address

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectBindError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    NoRouteError,
    TimeoutError,
    getConnectError,
)
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.notify.channels.nm import (
    ANSWERED,
    DRAIN_SECONDS,
    MAX_DRAINED_OCTETS,
    SENT,
    NoRoute,
    NotifyMailChannel,
)
from tests.contracts.knocker import KnockerContract
from tests.notify.fakes import Channel

V4 = ip_address("198.41.0.4")
V6 = ip_address("2a00:1450::7")


class HalfClosingTransport(StringTransport):
    """A StringTransport that knows loseWriteConnection() and closes as the real one does."""

    half_closing = False

    def loseWriteConnection(self) -> None:
        self.half_closing = True


class NetworkTestCase(SynchronousTestCase):
    """A channel on a reactor in memory."""

    def setUp(self) -> None:
        self.channel = self.make_channel()

    def make_channel(self) -> NotifyMailChannel:
        self.reactor = MemoryReactorClock()
        return NotifyMailChannel(self.reactor, self.reactor)

    def start(self, peer: object = V4, port: int = 79) -> Deferred[str]:
        return Deferred.fromCoroutine(self.channel.knock(peer, port))

    def fail_to_connect(self, error: Exception) -> None:
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(self.reactor.connectors[-1], Failure(error))

    def connect(self) -> None:
        """The peer accepts; nothing is written out yet."""
        factory = self.reactor.tcpClients[-1][2]
        self.transport = HalfClosingTransport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        self.inner = IHalfCloseableProtocol(self.protocol)

    def lose(self, error: Exception) -> None:
        self.protocol.connectionLost(Failure(error))


class MemoryContractTests(KnockerContract, SynchronousTestCase):
    """The recorder that the notifier's tests use keeps the contract too."""

    def make_channel(self) -> Channel:
        return Channel(MemoryReactorClock())

    def accept(self) -> None:
        self.channel.knocks[-1].sent()

    def refuse(self) -> None:
        self.channel.knocks[-1].refused()

    def keep_silent(self) -> None:
        self.channel.knocks[-1].timed_out()

    def gave_up(self) -> bool:
        return self.channel.knocks[-1].cancelled


class ContractTests(NetworkTestCase, KnockerContract):
    def accept(self) -> None:
        self.connect()
        self.inner.writeConnectionLost()
        self.inner.readConnectionLost()
        self.lose(ConnectionDone())

    def refuse(self) -> None:
        self.fail_to_connect(getConnectError((errno.ECONNREFUSED, "refused")))

    def keep_silent(self) -> None:
        self.fail_to_connect(TimeoutError())

    def gave_up(self) -> bool:
        return self.reactor.connectors[-1].stoppedConnecting


class ConnectingTests(NetworkTestCase):
    def test_the_literal_address_and_nothing_else(self) -> None:
        for peer in (V4, V6):
            self.start(peer, 1079).addErrback(lambda failure: None)
            host, port, _, timeout, bind = self.reactor.tcpClients[-1]
            self.assertEqual((host, port, timeout, bind), (str(peer), 1079, 5.0, None))

    def test_settings_are_taken_at_the_next_knock(self) -> None:
        self.channel.connect_timeout = 1.5
        self.channel.source_address = ip_address("9.9.9.9")
        self.start()
        self.assertEqual(self.reactor.tcpClients[-1][3:], (1.5, ("9.9.9.9", 0)))

    def test_a_source_of_the_other_ip_version_is_not_used(self) -> None:
        self.channel.source_address = ip_address("9.9.9.9")
        self.start(V6)
        self.assertIsNone(self.reactor.tcpClients[-1][4])
        self.channel.source_address = ip_address("2a00::1")
        self.start(V4)
        self.assertIsNone(self.reactor.tcpClients[-1][4])
        self.start(V6)
        self.assertEqual(self.reactor.tcpClients[-1][4], ("2a00::1", 0))

    def test_what_cannot_be_reached_may_be_tried_again(self) -> None:
        for error in (TimeoutError(), NoRouteError(), ConnectBindError()):
            outcome = self.start()
            self.fail_to_connect(error)
            failure = self.failureResultOf(outcome, TemporaryFailure)
            self.assertEqual(failure.value.detail, type(error).__name__)

    def test_a_server_without_ipv6_says_so(self) -> None:
        for peer, code, is_unrouted in (
            (V6, errno.ENETUNREACH, True),
            (V6, errno.EAFNOSUPPORT, True),
            (V6, errno.EHOSTUNREACH, False),
            (V4, errno.ENETUNREACH, False),
        ):
            outcome = self.start(peer)
            self.fail_to_connect(getConnectError((code, "no way")))
            failure = self.failureResultOf(outcome, TemporaryFailure)
            self.assertEqual(failure.check(NoRoute) is not None, is_unrouted)

    def test_a_reset_is_a_refusal_however_late_it_comes(self) -> None:
        for code in (errno.ECONNREFUSED, errno.ECONNRESET):
            outcome = self.start()
            self.fail_to_connect(getConnectError((code, "reset")))
            self.failureResultOf(outcome, PermanentFailure)


class SayingTests(NetworkTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.outcome = self.start()
        self.connect()

    def test_fifteen_octets_and_a_half_close(self) -> None:
        self.assertEqual(self.transport.value(), b"nm_notifyuser\r\n")
        self.assertTrue(self.transport.half_closing)
        self.assertFalse(self.transport.disconnecting)

    def test_a_silent_peer_that_closes(self) -> None:
        self.inner.writeConnectionLost()
        self.assertFalse(self.transport.disconnecting)
        self.inner.readConnectionLost()
        self.assertTrue(self.transport.disconnecting)
        self.lose(ConnectionDone())
        self.assertEqual(self.successResultOf(self.outcome), SENT)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_peer_that_closes_first_still_gets_the_octets(self) -> None:
        self.inner.readConnectionLost()
        self.assertTrue(self.transport.disconnecting)  # which lets the transport write out first
        self.lose(ConnectionDone())
        self.assertEqual(self.successResultOf(self.outcome), SENT)

    def test_a_peer_that_answers(self) -> None:
        self.inner.writeConnectionLost()
        self.protocol.dataReceived(b"Login: joe\r\n")
        self.assertFalse(self.transport.disconnecting)
        self.inner.readConnectionLost()
        self.lose(ConnectionDone())
        self.assertEqual(self.successResultOf(self.outcome), ANSWERED)

    def test_a_peer_that_resets_after_the_knock(self) -> None:
        self.inner.writeConnectionLost()
        self.lose(ConnectionLost())
        self.assertEqual(self.successResultOf(self.outcome), SENT)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_peer_that_resets_before_the_knock(self) -> None:
        self.lose(ConnectionLost())
        self.failureResultOf(self.outcome, PermanentFailure)

    def test_a_peer_that_never_closes(self) -> None:
        self.inner.writeConnectionLost()
        self.reactor.advance(DRAIN_SECONDS - 0.01)
        self.assertFalse(self.transport.disconnecting)
        self.reactor.advance(0.01)
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.transport.disconnected)
        self.lose(ConnectionDone())
        self.assertEqual(self.successResultOf(self.outcome), SENT)

    def test_a_peer_whose_window_stays_shut(self) -> None:
        self.reactor.advance(DRAIN_SECONDS)
        self.assertTrue(self.transport.disconnected)
        self.lose(ConnectionAborted())
        self.failureResultOf(self.outcome, TemporaryFailure)

    def test_a_flooding_peer_is_left_to_its_full_window(self) -> None:
        self.inner.writeConnectionLost()
        self.protocol.dataReceived(b"x" * (MAX_DRAINED_OCTETS - 1))
        self.assertEqual(self.transport.producerState, "producing")
        self.protocol.dataReceived(b"x")
        self.assertEqual(self.transport.producerState, "paused")
        self.assertFalse(self.transport.disconnecting)
        self.reactor.advance(DRAIN_SECONDS)
        self.assertTrue(self.transport.disconnecting)
        self.lose(ConnectionDone())
        self.assertEqual(self.successResultOf(self.outcome), ANSWERED)

    def test_cancelling_aborts_the_connection(self) -> None:
        self.outcome.cancel()
        self.failureResultOf(self.outcome, CancelledError)
        self.assertTrue(self.transport.disconnected)
        self.lose(ConnectionAborted())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
