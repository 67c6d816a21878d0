"""sendfile past a transport: in order, in slices, and never past TLS.

The transports are Twisted's own over a pair of sockets; the test is the reactor, so nothing waits.
"""

from __future__ import annotations

import datetime
import errno
import os
import socket
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, implementer

from mailsuite.frontends.certificates import self_signed
from mailsuite.frontends.sendfile import SLICE_OCTETS, can_send, copy_through_memory, send_file
from mailsuite.frontends.tls import ServerTLS, load_context
from mailsuite.model.failure import TemporaryFailure

CONTENT = os.urandom(3 * SLICE_OCTETS + 12_345)


class Turns(Clock):
    """A reactor that remembers who wants to write."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: set[Any] = set()
        self.readers: set[Any] = set()

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def turn(self) -> None:
        """Let everybody write who wants to; a transport that is broken is told."""
        for writer in list(self.writers):
            trouble = writer.doWrite()
            if trouble is not None:
                writer.connectionLost(Failure(ConnectionLost()))
        self.advance(0)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Turns()
        ours, self.client = socket.socketpair()
        self.addCleanup(self.client.close)
        self.client.setblocking(False)
        self.protocol = Protocol()
        self.transport: Any = Server(ours, self.protocol, ("192.0.2.1", 4000), None, 1, self.reactor)
        self.protocol.makeConnection(self.transport)
        self.addCleanup(ours.close)
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.addCleanup(self.file.close)
        self.file.write(CONTENT)
        self.file.flush()
        self.went: list[int] = []

    def send(self, size: int = len(CONTENT), **how: Any) -> Deferred[bool]:
        return self.start(send_file(self.transport, self.file.fileno(), size, self.went.append, **how))

    def start(self, coroutine: Coroutine[Any, Any, bool]) -> Deferred[bool]:
        return Deferred.fromCoroutine(coroutine)

    def read(self) -> bytes:
        """All that has arrived."""
        pieces = []
        try:
            while data := self.client.recv(1 << 20):
                pieces.append(data)
        except BlockingIOError:
            pass
        return b"".join(pieces)

    def read_all(self, until: Callable[[], bool]) -> bytes:
        pieces = []
        for _ in range(10_000):
            self.reactor.turn()
            pieces.append(self.read())
            if until():
                self.reactor.turn()
                return b"".join([*pieces, self.read()])
        raise AssertionError("it does not end")


class SendingTests(Case):
    def test_the_file_follows_what_was_written_before(self) -> None:
        self.transport.write(b"+OK follows\r\n")
        sent = self.send()
        self.assertEqual(self.read(), b"")
        received = self.read_all(lambda: bool(sent.called))
        self.assertTrue(self.successResultOf(sent))
        self.assertEqual(received, b"+OK follows\r\n" + CONTENT)
        self.transport.write(b".\r\n")
        self.reactor.turn()
        self.assertEqual(self.read(), b".\r\n")

    def test_it_waits_for_a_buffer_that_does_not_drain(self) -> None:
        before = b"x" * 2_000_000
        self.transport.write(before)
        sent = self.send()
        for _ in range(50):
            self.reactor.turn()
        self.assertEqual(self.went, [])
        received = self.read_all(lambda: bool(sent.called))
        self.assertEqual(received, before + CONTENT)

    def test_a_part_of_the_file(self) -> None:
        sent = self.send(1000)
        self.assertEqual(self.read_all(lambda: bool(sent.called)), CONTENT[:1000])
        self.assertEqual(self.went, [1000])

    def test_nothing(self) -> None:
        self.assertTrue(self.successResultOf(self.send(0)))
        self.assertEqual(self.reactor.writers, set())

    def test_one_turn_sends_one_slice_at_most(self) -> None:
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.send()
        for turns in range(1, 4):
            self.reactor.turn()
            self.assertLessEqual(sum(self.went), turns * SLICE_OCTETS)
        self.assertTrue(self.went)

    def test_progress_counts_each_octet_once(self) -> None:
        sent = self.send()
        self.read_all(lambda: bool(sent.called))
        self.assertEqual(sum(self.went), len(CONTENT))

    def test_a_reader_that_stalls_costs_no_memory_here(self) -> None:
        sent = self.send()
        for _ in range(100):
            self.reactor.turn()
        self.assertNoResult(sent)
        self.assertLess(sum(self.went), len(CONTENT))
        self.assertEqual((self.transport.dataBuffer, self.transport._tempDataBuffer), (b"", []))
        self.assertIn(self.transport, self.reactor.writers)
        received = self.read_all(lambda: bool(sent.called))
        self.assertEqual(received, CONTENT)

    def test_afterwards_the_transport_is_free_and_at_rest(self) -> None:
        sent = self.send()
        self.read_all(lambda: bool(sent.called))
        self.assertIsNone(self.transport.producer)
        self.assertEqual(self.reactor.writers, set())
        self.transport.registerProducer(Pushing(), True)

    def test_a_transport_that_closes_behind_it(self) -> None:
        sent = self.send()
        self.transport.loseConnection()
        received = self.read_all(lambda: bool(self.transport.disconnected))
        self.assertEqual(received, CONTENT)
        self.assertTrue(self.successResultOf(sent))


@implementer(IPushProducer)
class Pushing:
    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...


class TroubleTests(Case):
    def test_a_client_that_goes_away(self) -> None:
        sent = self.send()
        self.reactor.turn()
        self.client.close()
        self.reactor.turn()
        self.reactor.turn()
        self.assertFalse(self.successResultOf(sent))
        self.assertTrue(self.transport.disconnected)

    def test_a_connection_that_is_aborted(self) -> None:
        sent = self.send()
        self.reactor.turn()
        self.transport.abortConnection()
        self.reactor.turn()
        self.assertFalse(self.successResultOf(sent))

    def test_a_connection_that_is_gone_already(self) -> None:
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertFalse(self.successResultOf(self.send()))

    def test_a_socket_that_breaks_in_the_copy(self) -> None:
        def broken(*arguments: int) -> int:
            raise OSError(errno.ECONNRESET, "reset")

        sent = self.send(copy=broken)
        self.reactor.turn()
        self.assertFalse(self.successResultOf(sent))
        self.assertTrue(self.transport.disconnected)

    def test_a_file_that_ends_too_early(self) -> None:
        sent = self.send(len(CONTENT) + 1)
        self.read_all(lambda: bool(sent.called))
        failure = self.failureResultOf(sent, TemporaryFailure)
        self.assertIn(f"{len(CONTENT)} of {len(CONTENT) + 1} octets", failure.value.detail)
        self.assertIsNone(self.transport.producer)

    def test_a_file_that_is_cut_short_meanwhile(self) -> None:
        sent = self.send()
        self.reactor.turn()
        os.ftruncate(self.file.fileno(), 10)
        self.read_all(lambda: bool(sent.called))
        self.failureResultOf(sent, TemporaryFailure)

    def test_a_disk_that_fails(self) -> None:
        def failing(*arguments: int) -> int:
            raise OSError(errno.EIO, "Input/output error")

        sent = self.send(copy=failing)
        self.reactor.turn()
        self.failureResultOf(sent, TemporaryFailure)
        self.assertFalse(self.transport.disconnected)

    def test_a_mistake_of_the_listener_is_not_swallowed(self) -> None:
        def wrong(octets: int) -> None:
            raise ZeroDivisionError

        sent = self.start(send_file(self.transport, self.file.fileno(), 1000, wrong))
        self.reactor.turn()
        self.failureResultOf(sent, ZeroDivisionError)
        self.assertIsNone(self.transport.producer)

    def test_a_file_system_without_sendfile(self) -> None:
        def unsupported(*arguments: int) -> int:
            raise OSError(errno.EINVAL, "Invalid argument")

        sent = self.send(copy=unsupported)
        self.assertEqual(self.read_all(lambda: bool(sent.called)), CONTENT)
        self.assertTrue(self.successResultOf(sent))

    def test_no_way_at_all(self) -> None:
        """What would stand in for sendfile() fails likewise: that is an end, not a circle."""

        def unsupported(*arguments: int) -> int:
            raise OSError(errno.EINVAL, "Invalid argument")

        sent = self.send(copy=unsupported)
        descriptor = os.open(".", os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        sent = self.start(send_file(self.transport, descriptor, 10, self.went.append))
        for _ in range(5):
            self.reactor.turn()
        self.failureResultOf(sent, TemporaryFailure)

    def test_a_short_copy_goes_on(self) -> None:
        def trickle(to: int, source: int, position: int, octets: int) -> int:
            return copy_through_memory(to, source, position, min(octets, 777))

        sent = self.send(10_000, copy=trickle)
        self.assertEqual(self.read_all(lambda: bool(sent.called)), CONTENT[:10_000])

    def test_cancelling_lets_go_of_the_transport(self) -> None:
        sent = self.send()
        self.reactor.turn()
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.assertIsNone(self.transport.producer)
        before = sum(self.went)
        self.read()
        self.reactor.turn()
        self.assertEqual(sum(self.went), before)


class WhereTests(Case):
    def test_a_plain_connection(self) -> None:
        self.assertTrue(can_send(self.transport))

    def test_what_has_no_socket(self) -> None:
        self.assertFalse(can_send(StringTransport()))
        sent = self.start(send_file(StringTransport(), self.file.fileno(), 10, self.went.append))
        self.failureResultOf(sent, ValueError)

    def test_a_connection_that_changed_to_tls(self) -> None:
        directlyProvides(self.transport, ISSLTransport)
        self.assertFalse(can_send(self.transport))


class OverTlsTests(Case):
    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        pair = self_signed("localhost", Path(directory.name), datetime.datetime.now(datetime.UTC))
        self.tls = ServerTLS(load_context(*pair, "1.2"))

    def refused(self, wrapped: Any) -> None:
        """It passes on the socket's descriptor, and yet not an octet goes there."""
        self.reactor.turn()
        self.read()
        self.assertEqual(wrapped.fileno(), self.transport.fileno())
        self.assertFalse(can_send(wrapped))
        sent = self.start(send_file(wrapped, self.file.fileno(), len(CONTENT), self.went.append))
        self.failureResultOf(sent, ValueError)
        self.reactor.turn()
        self.assertEqual((self.read(), self.went), (b"", []))

    def test_implicit_tls(self) -> None:
        factory = Factory.forProtocol(Protocol)
        wrapper: Any = TLSMemoryBIOFactory(self.tls, False, factory).buildProtocol(None)  # type: ignore[arg-type]
        wrapper.makeConnection(self.transport)
        self.refused(wrapper.wrappedProtocol.transport)

    def test_after_stls(self) -> None:
        """The transport stays the same object, socket and all."""
        self.transport.startTLS(self.tls)
        self.assertIs(self.protocol.transport, self.transport)
        self.refused(self.transport)
