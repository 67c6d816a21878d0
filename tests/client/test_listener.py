"""The port that knocks come to."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from mailsuite.client.listener import Listener
from mailsuite.client.receiver import Receiver
from mailsuite.concurrent.tasks import Tasks
from mailsuite.wire.finger import KNOCK
from tests.ports import free_port


class ListenerTests(TestCase):
    timeout = 20

    def setUp(self) -> None:
        self.failures: list[object] = []
        self.tasks = Tasks(self.failures.append)
        self.knocked: Deferred[str] = Deferred()
        self.places: list[tuple[str, int]] = []
        self.complaints: list[str] = []

    def listener(
        self, address: str = "127.0.0.1", port: int = 0, inherited: tuple[int, ...] = ()
    ) -> Listener:
        receiver = Receiver(reactor, lambda peer, knocks: self.knocked.callback(peer))
        complain, chosen = self.complaints.append, port or free_port()
        made = Listener(reactor, self.tasks, receiver, address, chosen, inherited, self.opened, complain)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.stop()))
        return made

    def opened(self, host: str, port: int) -> None:
        self.places.append((host, port))

    async def knock(self, port: int) -> str:
        protocol = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Protocol())
        protocol.transport.write(KNOCK)
        return await self.knocked

    async def test_open_while_somebody_wants_knocks(self) -> None:
        listener = self.listener()
        listener.want("a", True)
        listener.want("b", True)
        await self.tasks.finished()
        self.assertEqual(self.places, [])  # who may knock is not known yet
        await listener.begin()
        await self.tasks.finished()
        ((host, port),) = self.places
        self.assertEqual(host, "127.0.0.1")
        self.assertEqual(await self.knock(port), "127.0.0.1")
        listener.want("a", False)
        await self.tasks.finished()
        with socket.socket() as trial, self.assertRaises(OSError):
            trial.bind(("127.0.0.1", port))
        listener.want("b", False)
        listener.want("b", False)
        await self.tasks.finished()
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
        self.assertEqual(self.failures, [])

    async def test_a_port_that_is_taken_is_told(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listener = self.listener(port=taken.getsockname()[1])
            await listener.begin()
            listener.want("a", True)
            await self.tasks.finished()
        self.assertEqual(self.places, [])
        self.assertIn("in use", self.complaints[0])
        self.assertIn("mailsuite-notify doctor", self.complaints[0])

    async def test_everywhere(self) -> None:
        """IPv6 and IPv4; where there is no IPv6, IPv4 alone."""
        listener = self.listener("")
        await listener.begin()
        listener.want("a", True)
        await self.tasks.finished()
        self.assertEqual(await self.knock(self.places[0][1]), "127.0.0.1")

    async def test_a_socket_that_was_handed_over_stays_open(self) -> None:
        handed = socket.create_server(("127.0.0.1", 0))
        port = handed.getsockname()[1]
        listener = self.listener(inherited=(handed.detach(),))
        await listener.begin()
        self.assertEqual(self.places, [("127.0.0.1", port)])
        listener.want("a", True)
        listener.want("a", False)
        self.assertEqual(await self.knock(port), "127.0.0.1")
