"""Mail of two domains that leaves from two addresses of this machine: what a server thinks of one of them is
nothing to the other (features row Q-06)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from ipaddress import ip_address

from mailsuite.model.address import Address
from mailsuite.model.outbound import QueueState, Room
from mailsuite.resolver.question import Type
from tests.sinks.script import Plan, Scene, Wait
from tests.system.courier_case import EVE, CourierCase

ANN = Address("ann", "a.example")
BOB = Address("bob", "b.example")
SOURCES = {ANN: "127.0.0.2", BOB: "127.0.0.3"}
DOMAINS = "".join(
    f'[[domain]]\nname = "{sender.domain}"\nsource_address = "{source}"\n'
    for sender, source in SOURCES.items()
)
BUSY = "421 4.7.0 Too much from your address"
LATER = "450 4.7.1 Your address is new here"


class TwoSources(CourierCase):
    def setUp(self) -> None:
        super().setUp()
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)
        self.guard = threading.Lock()
        self.waiting: Counter[str] = Counter()

    def peer(self, scene: Scene) -> str:
        return self.sink.record.sessions[scene.session - 1].peer

    def to(self, source: str, plan: Plan) -> Plan:
        """*plan*, for whoever comes from *source*."""
        return lambda scene: plan if self.peer(scene) == source else None

    def held(self, scene: Scene) -> Plan:
        """Whoever has said all waits for the gate, and is counted by the address that he comes from."""
        peer = self.peer(scene)
        with self.guard:
            self.waiting[peer] += 1
        return Wait(self.gate)

    async def put_all(self, sender: Address, count: int, to: Address = EVE) -> None:
        for number in range(count):
            name = f"{sender.local}-{to.local}-{to.domain}-{number}"
            content = f"X-Load: {name}\r\nMessage-ID: <{name}@example.net>\r\n\r\nHello\r\n"
            await self.put(to, sender=sender, id=name, content=content.encode())

    def taken(self, source: str) -> list[str]:
        """The names of what came from there."""
        return [each.name for each in self.sink.record.messages if each.session.peer == source]

    async def refused(self, script: dict[str, Plan], tries: int) -> None:
        """Thirty of each; those of ANN's domain are refused, so often at most, while BOB's all arrive."""
        self.sink.script.table = script  # type: ignore[assignment]
        self.begin(DOMAINS, queue="per_destination = 6")
        await self.put_all(ANN, 30)
        await self.put_all(BOB, 30)
        await self.until(lambda: len(self.taken(SOURCES[BOB])) == 30)
        self.assertEqual(len(set(self.taken(SOURCES[BOB]))), 30)
        self.assertEqual(self.taken(SOURCES[ANN]), [])
        await self.until(lambda: len(self.events("relay.deferred")) >= 30)
        for entry in await self.entries():
            if entry.message.sender == ANN:
                self.assertEqual(entry.states, (QueueState.WAITING,))
        refused = [each for each in self.sink.record.sessions if each.peer == SOURCES[ANN]]
        self.assertLessEqual(len(refused), tries)
        self.sink.script.table = {}
        await self.mend()
        await self.empty()
        names = sorted(f"ann-eve-example.org-{number}" for number in range(30))
        self.assertEqual(sorted(self.taken(SOURCES[ANN])), names)
        self.assertEqual(len(self.sink.record.messages), 60)

    async def test_one_that_is_sent_away_rests_alone(self) -> None:
        await self.refused({"CONNECT": self.to(SOURCES[ANN], BUSY)}, tries=4)

    async def test_one_that_is_sent_away_amid_rests_alone(self) -> None:
        await self.refused({"MAIL": self.to(SOURCES[ANN], BUSY)}, tries=4)

    async def test_one_that_is_kept_waiting_goes_slower_alone(self) -> None:
        await self.refused({"MAIL": self.to(SOURCES[ANN], LATER)}, tries=40)

    async def test_the_other_goes_as_wide_as_it_may(self) -> None:
        """Six at a time from one source, while the other is refused."""
        self.sink.script.table = {"CONNECT": self.to(SOURCES[ANN], BUSY)}
        self.begin(DOMAINS, queue="per_destination = 6")
        await self.put_all(ANN, 10)
        await self.put_all(BOB, 20)
        await self.until(lambda: len(self.taken(SOURCES[BOB])) == 20)
        self.sink.script.table = {"CONNECT": self.to(SOURCES[ANN], BUSY), "END": self.held}
        await self.put_all(BOB, 20, Address("max", "example.org"))
        await self.until(lambda: self.waiting[SOURCES[BOB]] >= 6)
        self.assertEqual(self.sending.courier.under_way, 6)
        self.gate.set()
        await self.until(lambda: len(self.queue.messages) == 10)
        self.assertEqual(self.taken(SOURCES[ANN]), [])

    async def test_one_version_of_ip_keeps_nothing_from_the_other(self) -> None:
        """Nobody listens on the server's IPv6 address."""
        self.resolver.set("mx.example.org", Type.AAAA, ip_address("::1"))
        self.begin('[[domain]]\nname = "a.example"\nip_version = "6"\n')
        await self.put_all(ANN, 3)
        await self.until(lambda: len(self.events("relay.deferred")) == 3)
        await self.put_all(BOB, 3)
        await self.until(lambda: len(self.sink.record.messages) == 3)
        self.assertEqual({entry.message.sender for entry in await self.entries()}, {ANN})

    async def test_no_more_of_one_source_than_is_said(self) -> None:
        self.sink.script.table = {"END": self.held}
        for number in range(4):
            self.resolver.set(f"d{number}.test", Type.MX, (10, "mx.example.org"))
        self.begin(DOMAINS, queue="per_source = 3")
        for number in range(4):
            await self.put_all(ANN, 3, Address("max", f"d{number}.test"))
        await self.until(lambda: self.waiting[SOURCES[ANN]] == 3)
        await self.put_all(BOB, 2, Address("max", "d0.test"))
        await self.until(lambda: self.waiting[SOURCES[BOB]] == 2)
        self.assertEqual(self.sending.courier.under_way, 5)
        self.sending.use(self.config(f"[queue]\nport = {self.sink.port}\nper_source = 4\n{DOMAINS}"))
        await self.until(lambda: self.waiting[SOURCES[ANN]] == 4)
        self.sink.script.table = {}
        self.gate.set()
        await self.empty()
        self.assertEqual((len(self.taken(SOURCES[ANN])), len(self.taken(SOURCES[BOB]))), (12, 2))
        self.assertEqual(len({each.name for each in self.sink.record.messages}), 14)

    async def test_a_reload_gives_a_domain_another_source(self) -> None:
        self.begin(DOMAINS, queue='outgoing = "hold"')
        await self.put_all(ANN, 2)
        (lease,) = await self.queue.claim(time.time(), time.time() + 600, 1, Room(1))
        self.assertEqual(lease.destination, "example.org from 127.0.0.2")
        moved = DOMAINS.replace("127.0.0.2", "127.0.0.4")
        self.sending.use(self.config(f"[queue]\nport = {self.sink.port}\n{moved}"))
        await self.until(lambda: len(self.queue.messages) == 1)
        await self.queue.give_back([lease], time.time())
        self.sending.courier.look()
        await self.empty()
        self.assertEqual(len(self.taken("127.0.0.4")), 2)

    async def test_after_a_reload_with_another_source_nothing_rests(self) -> None:
        self.sink.script.table = {"CONNECT": self.to("127.0.0.1", BUSY)}
        self.begin()
        await self.put(EVE, id="first")
        await self.until(lambda: self.sending.courier.rests_until("example.org"))
        text = f'[queue]\nport = {self.sink.port}\nsource_address = "127.0.0.5"\n'
        self.sending.use(self.config(text))
        await self.put(EVE, id="second")
        await self.until(lambda: len(self.sink.record.messages) == 1)
        self.assertEqual(self.sink.record.messages[0].session.peer, "127.0.0.5")

    async def test_each_comes_from_where_it_is_to(self) -> None:
        self.begin(DOMAINS)
        await self.put_all(ANN, 1)
        await self.put_all(BOB, 1)
        await self.put(EVE, id="usual")
        await self.empty()
        peers = Counter(each.session.peer for each in self.sink.record.messages)
        self.assertEqual(peers, {"127.0.0.2": 1, "127.0.0.3": 1, "127.0.0.1": 1})
