"""Where the courier carries mail beside the servers of a domain: home, elsewhere, nowhere; and its leases."""

from __future__ import annotations

import threading
import time
from ipaddress import ip_address
from typing import Any

import attrs

from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import Fate, Lease, Outcome, QueueState, Room
from mailsuite.model.reply import INTERNAL_ERROR, STORE_UNAVAILABLE
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk
from mailsuite.relay import courier, rounds
from mailsuite.resolver.question import Type
from mailsuite.store.memory import MemoryStore
from tests.sinks.script import HANG, Wait
from tests.system.courier_case import EVE, JOE, LETTER, MAX, ZOE, CourierCase

NOBODY = Address("nobody", "example.net")
SALES = Address("sales", "example.net")
AWAY = TemporaryFailure(STORE_UNAVAILABLE, "as the test wants it")


class Home(CourierCase):
    async def last(self) -> Outcome:
        """What the first attempt has come to."""
        entry = await self.until_tried()
        outcome = entry.recipients[0].last
        assert outcome is not None
        return outcome

    async def test_who_is_not_there_any_more(self) -> None:
        self.begin()
        await self.put(NOBODY)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.1.1", notice)

    async def test_a_store_that_is_away(self) -> None:
        self.store.refuse_with = AWAY
        self.begin()
        await self.put(JOE)
        self.assertEqual((await self.last()).fate, Fate.DEFERRED)
        self.store.refuse_with = None
        await self.mend()
        await self.empty()
        self.assertEqual(len(self.letters_of(JOE)), 1)

    async def test_a_mistake_of_ours(self) -> None:
        def boom(store: MemoryStore, account: Address) -> Any:
            raise RuntimeError("as the test wants it")

        self.begin()
        self.patch(MemoryStore, "begin", boom)
        await self.put(JOE)
        self.assertEqual((await self.last()).reply, INTERNAL_ERROR)
        self.assertEqual(len(self.events("relay.failed")), 1)

    async def test_an_alias_that_leads_elsewhere(self) -> None:
        await self.directory.add_alias(Alias(SALES, (JOE, EVE)))
        self.begin()
        await self.put(SALES)
        await self.empty()
        self.assertEqual(len(self.letters_of(JOE)), 1)
        (message,) = self.sink.record.messages
        self.assertEqual((message.taken_for, message.body), ((str(EVE),), LETTER))

    async def test_an_alias_that_leads_mail_of_others_elsewhere(self) -> None:
        await self.directory.add_alias(Alias(SALES, (EVE,)))
        stranger = Address("stranger", "example.com")
        self.begin()
        await self.put(SALES, sender=stranger)
        await self.empty()
        (message,) = self.sink.record.messages
        self.assertEqual(self.rewriting.original(Address.parse(message.sender)), stranger)

    async def test_what_goes_in_a_circle(self) -> None:
        self.begin()
        await self.put(JOE, content=b"Delivered-To: joe@example.net\r\n" + LETTER)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.4.6", notice)


class Elsewhere(CourierCase):
    async def test_nowhere(self) -> None:
        self.begin('[[relay]]\nmatch = ["example.org"]\ntransport = "discard"\n')
        await self.put(EVE)
        await self.empty()
        self.assertEqual((self.sink.record.sessions, self.letters_of(JOE)), ((), ()))

    async def test_back(self) -> None:
        self.begin('[[relay]]\nmatch = ["example.org"]\ntransport = "error:5.1.6 They have moved"\n')
        await self.put(EVE)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"They have moved", notice)

    async def test_a_way_that_is_not_there_any_more(self) -> None:
        self.begin(queue='outgoing = "hold"')
        await self.put(EVE)
        (lease,) = await self.queue.claim(time.time(), time.time() + 600, 1, Room(1))
        gone = attrs.evolve(lease, destination="smtp.gone.example:25")
        carrier = self.sending.courier.carrier
        self.assertIsNone(await carrier.carry(gone))
        self.assertEqual(carrier.times(gone.destination), carrier.routes.usual_times)
        self.assertGreater(carrier.bounds(gone.destination)[0], 0)

    async def test_it_is_given_back_and_goes_its_new_way(self) -> None:
        self.patch(courier, "BREATH", 0.01)
        self.own = Queue()
        self.queue, self.desk = self.own, MemoryDesk(self.own)
        self.own.renamed = "smtp.gone.example:25"
        self.begin()
        await self.put(EVE)
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_a_reload_after_which_two_ways_are_no_longer_one(self) -> None:
        """They were the same but for what [queue] says."""
        port = f"port = {self.sink.port}\n"
        block = '[[relay]]\nmatch = ["{}"]\nhost = "mx.example.org"\n' + port
        blocks = block.format("example.org") + 'first_retry = "5m"\n' + block.format("example.com")
        eve = Address("eve", "example.com")
        self.begin(blocks, queue='outgoing = "hold"')
        ways = self.sending.courier.carrier.routes
        self.assertEqual(ways.destination_of(JOE, EVE), ways.destination_of(JOE, eve))
        await self.put(eve)
        self.sending.use(self.config(f'[queue]\n{port}first_retry = "10m"\n{blocks}'))
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)


class Leases(CourierCase):
    def setUp(self) -> None:
        super().setUp()
        self.own = Queue()
        self.queue, self.desk = self.own, MemoryDesk(self.own)
        self.patch(courier, "RECORD_PAUSE", 0.01)
        self.patch(courier, "PAUSE", 0.01)
        self.patch(rounds, "PAUSE", 0.01)
        self.patch(courier, "BREATH", 0.01)
        self.patch(courier, "GRACE_SECONDS", 0.01)

    async def test_they_are_extended(self) -> None:
        gate = threading.Event()
        self.patch(courier, "EXTEND_SECONDS", 0.01)
        self.sink.script.table = {"END": Wait(gate)}
        self.begin()
        await self.put(EVE)
        await self.until(lambda: len(self.own.extended) > 2)
        self.own.refuse_with = AWAY
        await self.until(lambda: self.events("relay.queue_unavailable"))
        self.own.refuse_with = None
        self.own.loses = True
        await self.until(lambda: self.events("relay.lease_lost"))
        gate.set()
        await self.until(lambda: not self.sending.courier.under_way)
        self.assertEqual(len(self.events("relay.sent")), 1)

    async def test_no_more_at_a_time_than_may_be(self) -> None:
        self.begin(queue="per_destination = 1")
        for number in range(3):
            await self.put(EVE, id=f"id{number}")
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 3)
        self.assertEqual(len(self.sink.record.sessions), 1)

    async def test_one_at_a_time_in_all(self) -> None:
        self.resolver.set("example.com", Type.MX, (10, "mx.example.org"))
        self.begin(queue="concurrency = 1\nper_destination = 1")
        for number in range(3):
            await self.put(EVE, id=f"org{number}")
            await self.put(Address("eve", "example.com"), id=f"com{number}")
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 6)

    async def test_a_mistake_of_ours_gives_them_back(self) -> None:
        self.begin()
        carrier = self.sending.courier.carrier
        routes, nothing = carrier.routes, None
        carrier.routes = nothing  # type: ignore[assignment]
        await self.put(EVE)
        await self.until(lambda: self.events("relay.failed"))
        carrier.routes = routes
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_what_cannot_be_written_down_at_the_end_is_left(self) -> None:
        gate = threading.Event()
        self.sink.script.table = {"END": Wait(gate)}
        self.begin()
        await self.put(EVE)
        await self.until(lambda: self.sink.record.messages)
        self.own.refuse_with = AWAY
        gate.set()
        await self.until(lambda: self.events("relay.unrecorded"))
        await self.sending.stop()
        self.assertEqual(len(self.events("relay.lease_left")), 1)
        self.own.refuse_with = None
        (entry,) = await self.entries()
        self.assertEqual(entry.states, (QueueState.LEASED,))

    async def test_what_was_cut_off_before_the_end_was_never_tried(self) -> None:
        self.sink.script.table = {"MAIL": HANG}
        self.begin()
        await self.put(EVE, MAX)
        await self.until(lambda: self.sink.record.sessions)
        await self.sending.stop()
        (entry,) = await self.entries()
        self.assertEqual([each.tries for each in entry.recipients], [0, 0])
        self.assertNotIn(QueueState.LEASED, entry.states)
        self.assertEqual(self.events("relay.in_doubt"), [])

    async def test_the_rest_comes_later_where_the_second_host_lets_nobody_in(self) -> None:
        """What the first has had no room for does not fail for that."""
        self.resolver.set("example.org", Type.MX, (5, "mx.example.org"), (10, "second.example.org"))
        self.resolver.set("second.example.org", Type.A, ip_address("127.0.0.1"))
        self.sink.script.table = {
            "CONNECT": [None, "554 5.3.2 Nobody"],
            "RCPT": {str(ZOE): ["452 4.5.3 Too many"]},
        }
        self.sink.offer = attrs.evolve(self.sink.offer, extensions=("LIMITS MAILMAX=1",))
        self.begin()
        await self.put(EVE, ZOE)
        await self.empty()
        self.assertEqual([each.taken_for for each in self.sink.record.messages], [(str(EVE),), (str(ZOE),)])
        self.assertEqual(self.events("relay.given_up"), [])


@attrs.define(eq=False)
class Queue(MemoryQueue):
    """One that loses leases, and one that has the names of old."""

    loses: bool = False
    renamed: str = ""
    extended: list[int] = attrs.field(factory=list)

    async def claim(self, *arguments: Any) -> tuple[Lease, ...]:
        leases = await super().claim(*arguments)
        if leases and self.renamed:
            name, self.renamed = self.renamed, ""
            return tuple(attrs.evolve(lease, destination=name) for lease in leases)
        return leases

    async def extend(self, leases: Any, until: float) -> tuple[Lease, ...]:
        self.extended.append(len(leases))
        held = await super().extend(leases, until)
        return () if self.loses else held

    async def record(self, *arguments: Any) -> bool:
        return await super().record(*arguments) and not self.loses
