"""A header before real TLS on a real socket: the transport is Twisted's own."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_network

from twisted.internet.threads import deferToThread

from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, Place
from mailsuite.wire.proxy import SIGNATURES
from tests.frontends.test_sockets import FILE, PATIENCE, BigSession, SocketCase, line, reactor

HEADERS = (
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\n",
    SIGNATURES[1] + b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x12\x67\x00\x19",
)


class Behind(SocketCase):
    async def behind(self, implicit: bool = False, proxies: str = "127.0.0.1/32") -> None:
        door = Door("line", "door", reactor, self.log, 300.0, self.tls, implicit)

        def build() -> BigSession:
            self.sessions.append(BigSession(door))
            return self.sessions[-1]

        factory = SessionFactory(reactor, build, self.admission, b"full\n", self.log)
        self.factories.append(factory)
        place = Place("127.0.0.1", 0, name="door")
        await self.doors.open({"door": (place,)})
        tls = self.tls if implicit else None
        self.doors.turn([Listener("door", "line", (place,), factory, "", tls, (ip_network(proxies),))])

    async def test_in_clear_and_with_tls_on_command(self) -> None:
        await self.behind()

        def act(connection: socket.socket) -> tuple[bytes, str | None]:
            connection.sendall(HEADERS[0] + b"tls please\n")
            assert line(connection) == b"hello\n"
            assert line(connection) == b"go\n"
            with self.wrap(connection) as secure:
                secure.sendall(b"word\n")
                return line(secure), secure.version()

        self.assertEqual(await self.client(act), (b"word\n", "TLSv1.3"))
        self.assertEqual([str(each.peer) for each in self.sessions], ["192.0.2.1"])

    async def test_before_implicit_tls(self) -> None:
        await self.behind(implicit=True)
        for header in HEADERS:

            def act(connection: socket.socket, header: bytes = header) -> bytes:
                for octet in header:
                    connection.sendall(bytes([octet]))
                with self.wrap(connection) as secure:
                    assert line(secure) == b"hello\n"
                    secure.sendall(b"word\n")
                    return line(secure)

            self.assertEqual(await self.client(act), b"word\n")
        self.assertEqual({str(each.peer) for each in self.sessions}, {"192.0.2.1"})
        self.assertEqual({each.tls.split()[0] for each in self.sessions}, {"TLSv1.3"})

    async def test_tls_without_a_header(self) -> None:
        await self.behind(implicit=True)

        def act(connection: socket.socket) -> bool:
            try:
                self.wrap(connection).close()
            except (ssl.SSLError, OSError):
                return False
            return True

        self.assertFalse(await self.client(act))
        self.assertEqual(self.sessions, [])

    async def test_the_kernel_still_sends_files(self) -> None:
        await self.behind()

        def act(connection: socket.socket) -> int:
            connection.sendall(HEADERS[1] + b"file\n")
            assert line(connection) == b"hello\n"
            count = 0
            while count < FILE:
                count += len(connection.recv(1 << 20))
            return count

        self.assertEqual(await self.client(act), FILE)

    async def test_strangers_with_tls(self) -> None:
        await self.behind(implicit=True, proxies="192.0.2.0/24")

        def honest(connection: socket.socket) -> bytes:
            with self.wrap(connection) as secure:
                return line(secure)

        def spoofing(connection: socket.socket) -> bytes:
            connection.sendall(HEADERS[0])
            try:
                return connection.recv(100)
            except ConnectionResetError:
                return b""

        self.assertEqual(await self.client(honest), b"hello\n")
        self.assertEqual(await self.client(spoofing), b"")
        self.assertTrue(any("proxy.spoofed peer=127.0.0.1" in each for each in self.lines))

    async def test_half_a_header_and_then_the_end(self) -> None:
        await self.behind()

        def act(connection: socket.socket) -> bytes:
            connection.sendall(HEADERS[0][:-1])
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(100)

        self.assertEqual(await self.client(act), b"")
        self.assertEqual(self.sessions, [])

    async def test_stopping_while_somebody_waits(self) -> None:
        await self.behind()

        def greeted(connection: socket.socket) -> bytes:
            connection.sendall(HEADERS[0])
            return line(connection)

        def cut(connection: socket.socket) -> bytes:
            try:
                return connection.recv(100)
            except ConnectionResetError:
                return b""

        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as waiting:
            self.assertEqual(await self.client(greeted), b"hello\n", "so the one before it is accepted, too")
            await self.doors.drain(0.0)
            self.assertEqual(await deferToThread(cut, waiting), b"")
