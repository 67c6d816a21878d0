"""On which addresses clients are let in, as the kernel has it."""

from __future__ import annotations

import socket

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, ListenerError, Place
from tests.frontends.test_sockets import PATIENCE, BigSession, SocketCase, line


class Places(SocketCase):
    async def at(self, *places: Place) -> list[str]:
        door = Door("line", "door", reactor, self.log, 300.0)
        self.factories.append(
            SessionFactory(reactor, lambda: BigSession(door), self.admission, b"full\n", self.log)
        )
        await self.doors.open({"door": places})
        self.doors.turn([Listener("door", "line", places, self.factories[-1], "", None)])
        return " ".join(self.doors.addresses(self.doors.listeners[0])).split()

    def meets(self, host: str, port: int) -> Deferred[bytes]:
        """What a client hears there; nothing where nobody listens."""

        def talk() -> bytes:
            try:
                with socket.create_connection((host, port), timeout=PATIENCE) as connection:
                    return line(connection)
            except ConnectionRefusedError:
                return b""

        return deferToThread(talk)

    async def test_ipv6_alone(self) -> None:
        for v6only, heard in ((False, b"hello\n"), (True, b"")):
            [at] = await self.at(Place("::", 0, name=f"door {v6only}", v6only=v6only))
            port = int(at.rpartition(":")[2])
            self.assertEqual(await self.meets("::1", port), b"hello\n")
            self.assertEqual(await self.meets("127.0.0.1", port), heard)

    async def test_ipv6_alone_leaves_ipv4_to_another(self) -> None:
        [at] = await self.at(Place("0.0.0.0", 0, name="door"))
        port = int(at.rpartition(":")[2])
        await self.at(Place("0.0.0.0", 0, name="door"), Place("::", port, v6only=True))
        for host in ("::1", "127.0.0.1"):
            self.assertEqual(await self.meets(host, port), b"hello\n")

    async def test_ipv6_alone_where_somebody_is(self) -> None:
        with socket.create_server(("::", 0), family=socket.AF_INET6) as taken:
            place = Place("::", taken.getsockname()[1], v6only=True)
            with self.assertRaisesRegex(ListenerError, "Address already in use"):
                await self.doors.open({"door": (place,)})

    async def test_an_interface(self) -> None:
        """Not on the other addresses of the loopback network, which belong to nobody."""
        at = await self.at(Place("lo", 0, name="door"))
        self.assertEqual({each.rpartition(":")[0] for each in at}, {"127.0.0.1", "[::1]"})
        for each in at:
            host, _, port = each.rpartition(":")
            self.assertEqual(await self.meets(host.strip("[]"), int(port)), b"hello\n")
        self.assertEqual(await self.meets("127.0.0.2", int(at[0].rpartition(":")[2])), b"")

    async def test_an_address_that_is_not_there(self) -> None:
        """The network is for documentation (RFC 5737), so no machine has it."""
        absent = Place("203.0.113.254", 0, name="door")
        with self.assertRaisesRegex(ListenerError, "Cannot assign requested address"):
            await self.doors.open({"door": (absent,)})
        waiting = attrs.evolve(absent, wait=True)
        at = await self.at(waiting, Place("127.0.0.1", 0, name="here"))
        self.assertEqual(at[:-1], ["203.0.113.254", "(not", "there", "yet)"])
        self.assertEqual(await self.meets("127.0.0.1", int(at[-1].rpartition(":")[2])), b"hello\n")
