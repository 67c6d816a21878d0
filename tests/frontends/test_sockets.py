"""Sessions over real loopback sockets and real TLS: what Twisted's transports do cannot be imagined."""

from __future__ import annotations

import datetime
import hashlib
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.certificates import self_signed
from mailsuite.frontends.door import Door
from mailsuite.frontends.doors import Doors
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, Place
from mailsuite.frontends.tls import ServerTLS, load_context
from mailsuite.observe.log import Log
from tests.frontends.lines import IDLE, LineSession

T = TypeVar("T")
PATIENCE = 20.0
"""Seconds after which a socket of a test gives up; nothing waits that long when all is well."""
BIG = 5_000_000
FILE = 40 * 1024 * 1024
"""More than all buffers between two programs take."""
STRANGER = ip_address("192.0.2.1")


class BigSession(LineSession):
    """``big`` is answered by more octets than any buffer takes, past the core; ``flood`` through the core.
    ``tls please`` is answered before TLS begins, as STARTTLS is."""

    gone = 0
    """Files that the client did not wait for."""

    def dispatch(self, event: bytes) -> None:
        if event == b"big":
            self.answer(self._big())
        elif event == b"flood":
            self.core.out += b"f" * BIG
        elif event == b"file":
            self.answer(self._file())
        elif event == b"tls please":
            self.core.out += b"go\n"
            self.start_tls()
        else:
            super().dispatch(event)

    async def _file(self) -> None:
        with tempfile.TemporaryFile() as file:
            file.truncate(FILE)
            self.gone += not await self.send_file(file.fileno(), FILE)

    async def _big(self) -> None:
        for _ in range(BIG // 50_000):
            if not await self.writable():
                return
            self.write(b"b" * 50_000)


class SocketCase(TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        now = datetime.datetime.now(datetime.UTC)
        self.pair = self_signed("localhost", Path(directory.name), now)
        self.tls = ServerTLS(load_context(*self.pair, "1.2"))
        self.client_tls = ssl.create_default_context(cafile=str(self.pair[0]))
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line), "debug")
        self.doors = Doors(reactor, self.log)
        self.admission = Admission(2, 0)
        self.sessions: list[BigSession] = []
        self.factories: list[SessionFactory] = []

    async def tearDown(self) -> None:
        await self.doors.drain(0.0)
        for factory in self.factories:
            assert factory.is_empty
        assert self.admission.count == 0

    async def open(
        self, implicit: bool = False, channel_binding: bool = False, clock: object = reactor
    ) -> None:
        door = Door(
            "line",
            "door",
            cast(Any, clock),
            self.log,
            300.0,
            self.tls,
            implicit,
            channel_binding=channel_binding,
        )

        def build() -> BigSession:
            self.sessions.append(BigSession(door))
            return self.sessions[-1]

        factory = SessionFactory(reactor, build, self.admission, b"full\n", self.log)
        self.factories.append(factory)
        place = Place("127.0.0.1", 0, name="door")
        await self.doors.open({"door": (place,)})
        tls = self.tls if implicit else None
        self.doors.turn([Listener("door", "line", (place,), factory, "", tls)])

    @property
    def port(self) -> int:
        return int(self.doors.addresses(self.doors.listeners[0])[0].rpartition(":")[2])

    def client(self, act: Callable[[socket.socket], T]) -> Deferred[T]:
        """Let *act* talk to the door, in a thread."""

        def talk() -> T:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                return act(connection)

        return deferToThread(talk)

    def wrap(self, connection: socket.socket) -> ssl.SSLSocket:
        return self.client_tls.wrap_socket(connection, server_hostname="localhost")


def line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        data += connection.recv(1)
    return data


def rest(connection: socket.socket) -> bytes:
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


class Clear(SocketCase):
    async def test_half_closed_with_more_than_the_buffers_take(self) -> None:
        await self.open()

        def act(connection: socket.socket) -> bytes:
            line(connection)
            connection.sendall(b"flood\nlast\n")
            connection.shutdown(socket.SHUT_WR)
            return rest(connection)

        said = await self.client(act)
        self.assertEqual(len(said), BIG + len(b"last\n"))
        self.assertTrue(said.endswith(b"last\n"))

    async def test_a_stream_to_a_slow_reader_and_what_was_pipelined(self) -> None:
        await self.open()

        def act(connection: socket.socket) -> bytes:
            line(connection)
            connection.sendall(b"big\nafter\nquit\n")
            return rest(connection)

        said = await self.client(act)
        self.assertEqual(said, b"b" * BIG + b"after\nquit\n")

    async def test_a_reset_in_the_middle(self) -> None:
        await self.open()

        def act(connection: socket.socket) -> None:
            line(connection)
            connection.sendall(b"big\n")
            connection.recv(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        await self.client(act)
        await self.doors.drain()
        self.assertEqual([session.has_ended for session in self.sessions], [1])


class Files(SocketCase):
    """Sent by the kernel itself: in order, counted, and the reader watched all the same."""

    async def begin(self, clock: Clock) -> tuple[BigSession, socket.socket]:
        """A session that sends a file to a client that does not read yet."""
        await self.open(clock=clock)
        connection = await deferToThread(socket.create_connection, ("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(connection.close)
        await deferToThread(line, connection)
        connection.sendall(b"file\nafter\nquit\n")
        session = None
        while session is None or session.octets_out < 100_000:
            await deferLater(reactor, 0)
            session = self.sessions[0] if self.sessions else None
        return session, connection

    async def test_whole_and_in_order(self) -> None:
        await self.open()

        def act(connection: socket.socket) -> bytes:
            line(connection)
            connection.sendall(b"before\nfile\nafter\nquit\n")
            return line(connection) + rest(connection)

        said = await self.client(act)
        self.assertTrue(said == b"before\n" + bytes(FILE) + b"after\nquit\n", "41 MB make no readable diff")
        self.assertEqual(self.sessions[0].octets_out, len(b"hello\n") + len(said))

    async def test_a_reader_that_stalls_is_cut(self) -> None:
        clock = Clock()
        session, _ = await self.begin(clock)
        clock.advance(IDLE - 1.0)
        self.assertEqual(session.end_reason, "")
        clock.advance(1.0)
        self.assertEqual(session.end_reason, "stalled")

    async def test_a_reader_that_is_slow_is_waited_for(self) -> None:
        clock = Clock()
        session, connection = await self.begin(clock)
        for _ in range(4):
            clock.advance(IDLE - 1.0)
            sent = session.octets_out
            await deferToThread(connection.recv, 8_000_000, socket.MSG_WAITALL)
            while session.octets_out == sent:
                await deferLater(reactor, 0)
        self.assertEqual(session.end_reason, "")
        await deferToThread(rest, connection)
        self.assertEqual(session.octets_out, len(b"hello\n") + FILE + len(b"after\nquit\n"))

    async def test_a_reader_that_goes(self) -> None:
        session, connection = await self.begin(Clock())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        while not session.has_ended:
            await deferLater(reactor, 0)
        self.assertEqual(session.gone, 1)
        self.assertFalse([line for line in self.lines if "line.failed" in line])


class OverTls(SocketCase):
    async def test_start_tls_after_choking_goes_on_inside(self) -> None:
        """The client pipelines so much that the answers choke, and STARTTLS behind it."""
        await self.open()

        def act(connection: socket.socket) -> bytes:
            line(connection)
            connection.sendall(b"flood\ntls\n")
            left = BIG
            while left:
                left -= len(connection.recv(min(left, 65536)))
            with self.wrap(connection) as secured:
                secured.sendall(b"inside\n")
                first = line(secured)
                secured.sendall(b"big\nquit\n")
                return first + rest(secured)

        said = await self.client(act)
        self.assertEqual(said, b"inside\n" + b"b" * BIG + b"quit\n")
        [session] = self.sessions
        self.assertEqual(session.core.secured, 1)
        self.assertTrue(session.secured_by[0].startswith("TLSv1.3 "))

    async def test_channel_bindings(self) -> None:
        """Both sides have the same, however TLS began; Python's ssl can show one of them."""
        certificate = ssl.PEM_cert_to_DER_cert(self.pair[0].read_text(encoding="ascii"))
        for implicit in (False, True):
            await self.open(implicit, channel_binding=True)

            def act(connection: socket.socket, implicit: bool = implicit) -> None:
                if not implicit:
                    line(connection)
                    connection.sendall(b"tls please\n")
                    line(connection)
                with self.wrap(connection) as secured:
                    secured.sendall(b"quit\n")
                    rest(secured)

            await self.client(act)
            bindings = self.sessions[-1].core.bindings
            self.assertEqual(bindings["tls-server-end-point"], hashlib.sha256(certificate).digest())
            self.assertEqual(len(bindings["tls-exporter"]), 32)
            await self.doors.drain(0.0)
        exporters = {session.core.bindings["tls-exporter"] for session in self.sessions}
        self.assertEqual(len(exporters), 2, "each connection has its own")

    async def test_channel_bindings_that_nobody_asks_for(self) -> None:
        await self.open(implicit=True)

        def act(connection: socket.socket) -> None:
            with self.wrap(connection) as secured:
                secured.sendall(b"quit\n")
                rest(secured)

        await self.client(act)
        self.assertEqual(self.sessions[0].core.bindings, {})

    async def test_implicit(self) -> None:
        await self.open(implicit=True)

        def act(connection: socket.socket) -> bytes:
            with self.wrap(connection) as secured:
                secured.sendall(b"big\nquit\n")
                return rest(secured)

        self.assertEqual(await self.client(act), b"hello\n" + b"b" * BIG + b"quit\n")

    async def test_who_speaks_no_tls(self) -> None:
        await self.open(implicit=True)

        def act(connection: socket.socket) -> bytes:
            connection.sendall(b"EHLO client.example.org\r\n")
            return rest(connection)

        said = await self.client(act)
        self.assertNotIn(b"hello", said)
        await self.doors.drain()
        [logged] = [each for each in self.lines if "line.tls_failed" in each]
        self.assertIn("peer=127.0.0.1 listener=door reason=", logged)

    async def test_who_trusts_somebody_else(self) -> None:
        await self.open(implicit=True)
        self.client_tls = ssl.create_default_context()

        def act(connection: socket.socket) -> bool:
            try:
                self.wrap(connection)
            except ssl.SSLCertVerificationError:
                return True
            return False

        self.assertTrue(await self.client(act))

    async def test_who_goes_in_the_handshake(self) -> None:
        for implicit in (True, False):
            self.sessions.clear()
            await self.open(implicit)

            def act(connection: socket.socket, implicit: bool = implicit) -> None:
                if not implicit:
                    line(connection)
                    connection.sendall(b"tls\n")
                connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

            await self.client(act)
            while not (self.sessions and self.sessions[0].lost):
                await turn()
        reasons = [each.partition("reason=")[2] for each in self.lines if "line.tls_failed" in each]
        self.assertEqual(reasons, ['"the client went away"'] * 2)

    async def test_a_refusal_is_read_inside(self) -> None:
        await self.open(implicit=True)
        self.admission.total = 1
        self.admission.enter(STRANGER)

        def act(connection: socket.socket) -> bytes:
            with self.wrap(connection) as secured:
                return rest(secured)

        self.assertEqual(await self.client(act), b"full\n")
        self.admission.leave(STRANGER)

    async def test_a_stop_waits_for_no_handshake(self) -> None:
        await self.open(implicit=True)
        begun = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(begun.close)
        while not self.sessions:  # accepted
            await turn()
        await self.doors.drain(PATIENCE)
        with self.assertRaises(ConnectionResetError):
            begun.recv(10)


def turn() -> Deferred[None]:
    """One turn of the reactor."""
    done: Deferred[None] = Deferred()
    reactor.callLater(0, done.callback, None)  # type: ignore[attr-defined]
    return done
