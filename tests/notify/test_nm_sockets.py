"""The RFC 4146 channel over real loopback sockets: the kernel's FIN and RST cannot be imagined."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from mailsuite.client.receiver import Receiver
from mailsuite.model.failure import PermanentFailure
from mailsuite.notify.channels import nm
from mailsuite.notify.channels.nm import ANSWERED, SENT, NotifyMailChannel
from mailsuite.wire.finger import KNOCK

LOOPBACK = ip_address("127.0.0.1")
ROUNDS = 100
PATIENCE = 20.0
"""Seconds after which a socket of a test gives up; nothing waits that long when all is well."""

Peer = Callable[[socket.socket], bytes]


def wait_for_their_close(connection: socket.socket) -> None:
    """Return when the other side has closed its half (FIN), or everything (RST)."""
    waiting = select.poll()
    waiting.register(connection, select.POLLRDHUP)
    if not waiting.poll(PATIENCE * 1000):
        raise AssertionError("the other side never closed")


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the FIN; an RST raises ConnectionResetError."""
    octets = b""
    while data := connection.recv(4096):
        octets += data
    return octets


def quiet(connection: socket.socket) -> bytes:
    return read_all(connection)


def chatty(connection: socket.socket) -> bytes:
    """Speaks first, and reads only when the other side has closed: a careless close is an RST by then."""
    connection.sendall(b"x" * 1024)
    wait_for_their_close(connection)
    return read_all(connection)


def answering(connection: socket.socket) -> bytes:
    """What a finger daemon does: reads the line, then answers."""
    line = connection.recv(len(KNOCK), socket.MSG_WAITALL)
    connection.sendall(b"Login: joe\r\nNever logged in.\r\n")
    return line + read_all(connection)


def careless(connection: socket.socket) -> bytes:
    """Reads the name alone and closes: its kernel sends an RST because of the unread CRLF."""
    return connection.recv(13, socket.MSG_WAITALL)


class SocketTests(TestCase):
    def listen(self, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        try:
            listening.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0))
        except OSError as error:
            raise SkipTest("no IPv6 on this machine's loopback") from error
        listening.listen()
        listening.settimeout(PATIENCE)
        return listening

    def serve(self, listening: socket.socket, peer: Peer) -> Deferred[bytes]:
        def one_connection() -> bytes:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(PATIENCE)
                return peer(connection)

        return deferToThread(one_connection)

    async def knock(self, listening: socket.socket, peer: Peer) -> tuple[str, bytes]:
        heard = self.serve(listening, peer)
        host, port, *_ = listening.getsockname()
        outcome = await NotifyMailChannel(reactor, reactor).knock(ip_address(host), port)
        return outcome, await heard

    async def test_exactly_the_fifteen_octets_and_a_fin(self) -> None:
        self.assertEqual(await self.knock(self.listen(), quiet), (SENT, KNOCK))

    async def test_over_ipv6(self) -> None:
        self.assertEqual(await self.knock(self.listen(socket.AF_INET6), quiet), (SENT, KNOCK))

    async def test_a_chatty_peer_always_gets_the_octets(self) -> None:
        listening = self.listen()
        for _ in range(ROUNDS):
            self.assertEqual(await self.knock(listening, chatty), (ANSWERED, KNOCK))

    async def test_a_finger_daemon(self) -> None:
        self.assertEqual(await self.knock(self.listen(), answering), (ANSWERED, KNOCK))

    async def test_a_reader_of_thirteen_octets_is_a_listener_too(self) -> None:
        self.assertEqual(await self.knock(self.listen(), careless), (SENT, KNOCK[:13]))

    async def test_a_flood_costs_bounded_time_and_memory(self) -> None:
        self.patch(nm, "DRAIN_SECONDS", 0.2)
        poured = 0

        def flood(connection: socket.socket) -> bytes:
            nonlocal poured
            try:
                while True:
                    poured += connection.send(b"x" * 65536)
            except ConnectionError:
                return b"cut"

        began = reactor.seconds()
        outcome, end = await self.knock(self.listen(), flood)
        self.assertEqual((outcome, end), (ANSWERED, b"cut"))
        self.assertLess(reactor.seconds() - began, 5.0)
        self.assertLess(poured, 32 << 20)  # what the kernel buffers; a reader would take gigabytes

    async def test_a_listener_that_hangs_costs_bounded_time(self) -> None:
        self.patch(nm, "DRAIN_SECONDS", 0.2)

        def hang(connection: socket.socket) -> bytes:
            wait_for_their_close(connection)
            octets = read_all(connection)
            while True:  # until our knocker has closed altogether
                try:
                    connection.sendall(b"still here")
                except ConnectionError:
                    return octets
                select.select([], [], [], 0.01)

        heard = self.serve(listening := self.listen(), hang)
        channel = NotifyMailChannel(reactor, reactor)
        self.assertIn(await channel.knock(LOOPBACK, listening.getsockname()[1]), {SENT, ANSWERED})
        self.assertEqual(await heard, KNOCK)

    async def test_a_peer_that_resets_at_once(self) -> None:
        def reset(connection: socket.socket) -> bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""

        heard = self.serve(listening := self.listen(), reset)
        channel = NotifyMailChannel(reactor, reactor)
        try:
            outcome = await channel.knock(LOOPBACK, listening.getsockname()[1])
        except PermanentFailure:
            outcome = SENT  # which of the two depends on whose octets were faster
        self.assertEqual(outcome, SENT)
        await heard

    async def test_our_own_receiver_hears_it(self) -> None:
        heard: Deferred[tuple[str, int]] = Deferred()
        receiver = Receiver(reactor, lambda peer, knocks: heard.callback((peer, knocks)))
        self.addCleanup(receiver.stop)
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(receiver)
        self.addCleanup(port.stopListening)
        outcome = await NotifyMailChannel(reactor, reactor).knock(LOOPBACK, port.getHost().port)
        self.assertEqual((outcome, await heard), (SENT, ("127.0.0.1", 1)))

    async def test_nobody_listens(self) -> None:
        listening = self.listen()
        port = listening.getsockname()[1]
        listening.close()
        with self.assertRaises(PermanentFailure):
            await NotifyMailChannel(reactor, reactor).knock(LOOPBACK, port)
