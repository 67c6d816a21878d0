"""RFC 4146 over UDP, by real loopback sockets."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IKnocker
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.notify.channels import nm_udp
from mailsuite.notify.channels.nm import ANSWERED, SENT, NoRoute
from mailsuite.notify.channels.nm_udp import LISTEN_SECONDS, NotifyMailUdpChannel
from mailsuite.wire.finger import KNOCK
from tests.contracts.knocker import KnockerContract

PATIENCE = 20.0


class UdpSocketTests(TestCase):
    def setUp(self):
        self.patch(nm_udp, "LISTEN_SECONDS", 0.05)
        self.channel = NotifyMailUdpChannel(reactor, reactor)

    def listen(self, family=socket.AF_INET):
        listening = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(listening.close)
        try:
            listening.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0))
        except OSError as error:
            raise SkipTest("no IPv6 on this machine's loopback") from error
        listening.settimeout(PATIENCE)
        return listening

    def knock(self, listening):
        host, port, *_ = listening.getsockname()
        return self.channel.knock(ip_address(host), port)

    async def test_one_datagram_of_exactly_fifteen_octets(self):
        for family in (socket.AF_INET, socket.AF_INET6):
            listening = self.listen(family)
            self.assertEqual(await self.knock(listening), SENT)
            self.assertEqual(listening.recv(100), KNOCK)
            listening.setblocking(False)
            self.assertRaises(BlockingIOError, listening.recv, 100)

    async def test_it_comes_from_our_address(self):
        self.channel.source_address = ip_address("127.0.0.9")
        listening = self.listen()
        await self.knock(listening)
        self.assertEqual(listening.recvfrom(100)[1][0], "127.0.0.9")

    async def test_something_that_answers(self):
        listening = self.listen()

        def answer():
            _, peer = listening.recvfrom(100)
            listening.sendto(b"Login: joe\r\n", peer)

        self.patch(nm_udp, "LISTEN_SECONDS", PATIENCE)
        answering = deferToThread(answer)
        self.assertEqual(await self.knock(listening), ANSWERED)
        await answering

    async def test_nobody_listens(self):
        self.patch(nm_udp, "LISTEN_SECONDS", PATIENCE)
        listening = self.listen()
        host, port = listening.getsockname()
        listening.close()
        with self.assertRaises(PermanentFailure):
            await self.channel.knock(ip_address(host), port)


class FakePort:
    """A socket under the test's control."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.said = []
        self.closed = False
        self.error = None

    def connect(self, host, port):
        if self.error is not None:
            raise self.error
        self.said.append((host, port))

    def write(self, datagram, addr):
        self.said.append(datagram)

    def stopListening(self):
        self.closed = True


class FakeReactor:
    error = None
    cannot_listen = None

    def listenUDP(self, port, protocol, interface, maxPacketSize):
        if self.cannot_listen is not None:
            raise CannotListenError(interface, port, self.cannot_listen)
        self.port = FakePort(protocol)
        self.port.error = self.error
        protocol.transport = self.port
        return self.port


class UdpKnockerTests(KnockerContract, SynchronousTestCase):
    def make_channel(self):
        self.reactor, self.clock = FakeReactor(), Clock()
        return NotifyMailUdpChannel(self.reactor, self.clock)

    def accept(self):
        self.clock.advance(LISTEN_SECONDS)

    def refuse(self):
        self.reactor.port.protocol.connectionRefused()

    def gave_up(self):
        return self.reactor.port.closed and not self.clock.getDelayedCalls()

    def test_no_answer(self):
        """Nobody can tell that from a listener that hears it, and says nothing as RFC 4146 wants it."""
        outcome = self.start()
        self.clock.advance(LISTEN_SECONDS)
        self.assertEqual(self.successResultOf(outcome), SENT)
        self.assertTrue(self.gave_up())

    def test_the_second_answer_is_nobody_s(self):
        outcome = self.start()
        self.reactor.port.protocol.datagramReceived(b"x", ("198.41.0.4", 79))
        self.refuse()
        self.assertEqual(self.successResultOf(outcome), ANSWERED)

    def test_errors_at_once(self):
        for peer, code, expected in (
            ("2a00:1450::7", errno.ENETUNREACH, NoRoute),
            ("198.41.0.4", errno.ENETUNREACH, TemporaryFailure),
            ("198.41.0.4", errno.ECONNREFUSED, PermanentFailure),
            ("2a00:1450::7", errno.ECONNREFUSED, PermanentFailure),
        ):
            self.reactor.error = OSError(code, "no")
            outcome = Deferred.fromCoroutine(self.channel.knock(ip_address(peer), 79))
            failure = self.failureResultOf(outcome, expected)
            self.assertEqual(failure.check(NoRoute) is not None, expected is NoRoute)
            self.assertTrue(self.gave_up())

    def test_a_machine_without_sockets_of_that_kind(self):
        for peer, code, expected in (
            ("2a00:1450::7", errno.EAFNOSUPPORT, NoRoute),
            ("198.41.0.4", errno.EMFILE, TemporaryFailure),
        ):
            self.reactor.cannot_listen = OSError(code, "no")
            outcome = Deferred.fromCoroutine(self.channel.knock(ip_address(peer), 79))
            self.failureResultOf(outcome, expected)

    def test_a_knock_that_is_cancelled_stays_so(self):
        outcome = self.start()
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        self.refuse()

    def test_it_is_a_knocker(self):
        verifyObject(IKnocker, self.channel)
