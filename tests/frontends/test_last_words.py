"""How a connection ends whose client is slow, or has ended TLS behind its commands. Over real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from mailsuite.frontends.door import CLOSE_TIMEOUT, END_OF_TLS_TIMEOUT
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


class SilentClients(SocketCase):
    """The service stops, and a client does not answer our end of TLS: it is not waited for."""

    async def stop(self, session: BigSession) -> Deferred[None]:
        """The suite ends; answers when it has, the session being told."""
        draining = Deferred.fromCoroutine(self.doors.drain())
        while not session._hurried:
            await deferLater(reactor, 0)
        return draining

    async def silent(self, clock: Clock, ask: bytes = b"") -> tuple[BigSession, ssl.SSLSocket]:
        """A session whose client reads when it is told to."""
        connection = await deferToThread(socket.create_connection, ("127.0.0.1", self.port), PATIENCE)
        if ask:
            await deferToThread(line, connection)
            await deferToThread(connection.sendall, ask)
            await deferToThread(line, connection)
        secure = await deferToThread(self.wrap, connection)
        self.addCleanup(secure.close)
        if not ask:
            await deferToThread(line, secure)
        while not self.sessions[-1].tls:
            await deferLater(reactor, 0)
        return self.sessions[-1], secure

    async def test_one_that_says_nothing(self) -> None:
        for implicit in (True, False):
            clock = Clock()
            await self.open(implicit=implicit, clock=clock)
            session, secure = await self.silent(clock, b"" if implicit else b"tls please\n")
            draining = await self.stop(session)
            clock.advance(END_OF_TLS_TIMEOUT - 0.1)
            await deferLater(reactor, 0)
            self.assertFalse(session.has_ended, "who answers is waited for")
            clock.advance(0.1)
            await draining
            self.assertEqual(session.end_reason, "service stops")
            self.assertEqual(await deferToThread(rest, secure), b"going\n")

    async def test_one_that_had_left_us_waiting_before(self) -> None:
        clock = Clock()
        await self.open(implicit=True, clock=clock)
        session, secure = await self.silent(clock)
        await deferToThread(secure.sendall, b"quit\n")
        while not session._closing:
            await deferLater(reactor, 0)
        clock.advance(30.0)
        self.assertFalse(session.has_ended)
        draining = await self.stop(session)
        clock.advance(END_OF_TLS_TIMEOUT)
        await draining

    async def test_one_that_still_reads_gets_all(self) -> None:
        clock = Clock()
        await self.open(implicit=True, clock=clock)
        session, secure = await self.silent(clock)
        await deferToThread(secure.sendall, b"flood\nquit\n")
        got = 0
        while not session._closing:
            got += len(await deferToThread(secure.recv, 16_384))
            await deferLater(reactor, 0)
        draining = await self.stop(session)
        clock.advance(END_OF_TLS_TIMEOUT)
        left = await deferToThread(rest, secure)
        self.assertEqual(got + len(left), BIG + len(b"quit\n"))
        await draining


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
