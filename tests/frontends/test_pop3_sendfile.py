"""What of a POP3 session goes out by the kernel: also where commands are logged, not where all octets are."""

from __future__ import annotations

import socket
import tempfile
from typing import Any

import attrs
from twisted.internet.tcp import Server

from mailsuite.frontends.pop3 import Pop3Session
from mailsuite.frontends.sendfile import LEAST_OCTETS
from mailsuite.observe.protocol_log import Level, parse_who
from tests.frontends.test_pop3 import JOE, SECRET, Body, Pop3Case
from tests.frontends.test_sendfile import Turns

CONTENT = b"A line of a message.\r\n" * (LEAST_OCTETS // 20)


class BySendfile(Pop3Case):
    """Over a pair of sockets; the reactor turns when the test says so."""

    def setUp(self) -> None:
        self.read_by_us: list[bytes] = []
        super().setUp()
        file = tempfile.TemporaryFile()  # noqa: SIM115
        self.addCleanup(file.close)
        file.write(CONTENT)
        file.flush()
        self.drop.body = _Told([CONTENT], len(CONTENT), file.fileno(), told=self.read_by_us)
        refs = (attrs.evolve(ref, size=len(CONTENT), dot_lines=False) for ref in self.drop.messages)
        self.drop.messages = tuple(refs)

    def connect(self) -> None:
        self.reactor = Turns()
        ours, self.client = socket.socketpair()
        self.client.setblocking(False)
        self.addCleanup(self.client.close)
        self.addCleanup(ours.close)
        self.session = Pop3Session(self.door, self.services)
        pair: Any = _Pair
        self.session.makeConnection(pair(ours, self.session, ("192.0.2.1", 4000), None, 1, self.reactor))

    def retrieved(self) -> bytes:
        self.session.dataReceived(b"USER joe\r\nPASS " + SECRET.encode() + b"\r\nRETR 1\r\n")
        answer = b""
        while not answer.endswith(b"\r\n.\r\n"):
            self.reactor.turn()
            answer += self.client.recv(1 << 20)
        return answer

    def by_the_kernel(self, level: Level) -> bool:
        self.door = attrs.evolve(self.door, protocol_log=level)
        self.reconnect()
        self.assertIn(b"octets\r\n" + CONTENT + b".\r\n", self.retrieved())
        return not self.read_by_us

    def test_where_nothing_is_logged(self) -> None:
        self.assertTrue(self.by_the_kernel("off"))
        self.assertEqual(self.fetched, [self.drop.messages[0].uidl])

    def test_where_commands_are_logged(self) -> None:
        self.assertTrue(self.by_the_kernel("commands"))
        self.assertEqual(len(self.logged("pop3.command")), 3)

    def test_where_all_octets_are_logged(self) -> None:
        self.assertFalse(self.by_the_kernel("raw"))
        self.assertTrue(self.logged("pop3.octets"))

    def test_when_a_watch_has_ended(self) -> None:
        self.watches.put_on(JOE, "raw", 60.0)
        self.assertFalse(self.by_the_kernel("sessions"))
        self.read_by_us.clear()
        self.clock.advance(60.0)
        self.session.dataReceived(b"RETR 2\r\n")
        self.assertEqual(self.read_by_us, [])

    def test_while_an_address_is_watched_for_its_commands(self) -> None:
        self.watches.put_on(parse_who("192.0.2.1"), "commands")
        self.assertTrue(self.by_the_kernel("sessions"))


class _Pair(Server):
    """Has none of what TCP can be told."""

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def setTcpKeepAlive(self, enabled: bool) -> None: ...


@attrs.define(eq=False)
class _Told(Body):
    """Tells what was read of it in our memory."""

    told: list[bytes] = attrs.field(factory=list)

    async def read(self) -> bytes:
        piece = await super().read()
        self.told.append(piece)
        return piece
