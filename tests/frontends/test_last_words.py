"""How a connection ends whose client is slow, or has ended TLS behind its commands. Over real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl

from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from mailsuite.frontends.door import CLOSE_TIMEOUT
from mailsuite.frontends.tcp import acknowledged
from tests.frontends.test_sockets import BIG, PATIENCE, BigSession, SocketCase, line, rest


class SlowReaders(SocketCase):
    """In clear the kernel sends the last words on when we have closed; TLS waits for the client's own end."""

    async def begin(self) -> tuple[Clock, BigSession, ssl.SSLSocket]:
        """A session that has said its last words to a client that has not read all of them."""
        clock = Clock()
        await self.open(implicit=True, clock=clock)
        plain = socket.socket()
        self.addCleanup(plain.close)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        plain.settimeout(PATIENCE)
        await deferToThread(plain.connect, ("127.0.0.1", self.port))
        connection = await deferToThread(self.wrap, plain)
        self.addCleanup(connection.close)
        await deferToThread(line, connection)
        connection.sendall(b"flood\nquit\n")
        got = 0
        while not self.sessions[0]._closing:
            got += len(await deferToThread(connection.recv, 16_384))
            await deferLater(reactor, 0)
        self.left = BIG + len(b"quit\n") - got
        return clock, self.sessions[0], connection

    async def test_one_that_reads_on_gets_all(self) -> None:
        clock, session, connection = await self.begin()
        self.assertGreater(self.left, 30_000)
        for _ in range(2):
            before = acknowledged(session.transport)
            while acknowledged(session.transport) == before:
                self.left -= len(await deferToThread(connection.recv, 16_384))
            clock.advance(CLOSE_TIMEOUT)
            self.assertEqual(session.end_reason, "")
        self.left -= len(await deferToThread(rest, connection))
        self.assertEqual(self.left, 0)

    async def test_one_that_stalls_is_cut(self) -> None:
        clock, session, _ = await self.begin()
        for _ in range(4):  # what is on its way to the client's kernel arrives once
            clock.advance(CLOSE_TIMEOUT)
        self.assertEqual(session.end_reason, "time-out")


class EndOfTls(SocketCase):
    async def test_what_was_not_begun_is_not_done(self) -> None:
        """The client pipelines, ends TLS, and reads on: what it will not get must not be taken for got."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            await self.open(implicit=True)
            self.client_tls.minimum_version = self.client_tls.maximum_version = version
            connection = await deferToThread(socket.create_connection, ("127.0.0.1", self.port), PATIENCE)
            await deferToThread(self.pipeline_and_end, connection)
            session = self.sessions[-1]
            await deferToThread(rest, connection)
            connection.close()
            while not session.has_ended:
                await deferLater(reactor, 0)
            self.assertFalse(session.core.closing, "quit was taken, and nobody waits for its answer")
            self.assertEqual(session.end_reason, "disconnected")
            await self.doors.drain(0.0)

    def pipeline_and_end(self, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.client_tls.wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
        connection.sendall(outgoing.read())
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.read(6)
                break
            incoming.write(connection.recv(65536))
        tls.write(b"big\nquit\n")
        connection.sendall(outgoing.read())
        connection.recv(1)  # it has begun
        with contextlib.suppress(ssl.SSLError):
            tls.unwrap()
        connection.sendall(outgoing.read())
