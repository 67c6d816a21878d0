"""The courier against servers that take mail, and servers that do not."""

from __future__ import annotations

import threading
import time
from ipaddress import ip_address
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, Returned
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import Fate, Lease, QueueState, Room
from mailsuite.model.reply import INTERNAL_ERROR, STORE_UNAVAILABLE
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk
from mailsuite.relay import courier, rounds
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.resolver.question import Type
from tests.sinks.script import DROP, GOODBYE, HANG, Say, Scene, Wait
from tests.sinks.sink import Sink
from tests.system.courier_case import EVE, JOE, LETTER, MAX, POSTMASTER, ZOE, CourierCase


class Queue(MemoryQueue):
    """One that keeps its callers waiting, or fails in a way that nobody has foreseen."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, Deferred[None]] = {}
        self.waiting: set[str] = set()
        self.mistakes = 0

    async def _wait_for(self, name: str) -> None:
        if name in self.gates:
            self.waiting.add(name)
            await self.gates.pop(name)

    async def claim(self, *arguments: Any) -> tuple[Lease, ...]:
        if self.mistakes:
            self.mistakes -= 1
            raise RuntimeError("as the test wants it")
        await self._wait_for("claim")
        return await super().claim(*arguments)

    async def record(self, *arguments: Any) -> bool:
        await self._wait_for("record")
        return await super().record(*arguments)

    async def reroute(self, *arguments: Any) -> None:
        await self._wait_for("reroute")
        await super().reroute(*arguments)


class MadResolver(MemoryResolver):
    async def exchanges(self, name: str) -> Any:
        raise ValueError("as the test wants it")


class OwnQueueCase(CourierCase):
    def setUp(self) -> None:
        super().setUp()
        self.queue = self.own = Queue()
        self.desk = MemoryDesk(self.own)


class Plain(CourierCase):
    async def test_a_letter_leaves_octet_for_octet(self) -> None:
        self.begin()
        await self.put(EVE, MAX)
        await self.empty()
        (message,) = self.sink.record.messages
        self.assertEqual(message.body, LETTER)
        self.assertEqual((message.sender, message.taken_for), ("joe@example.net", (str(EVE), str(MAX))))
        self.assertEqual(len(self.events("relay.sent")), 2)

    async def test_what_was_there_before_the_start_leaves(self) -> None:
        await self.put(EVE)
        self.begin()
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_one_session_takes_what_comes_soon(self) -> None:
        self.begin()
        for number in range(20):
            await self.put(EVE, id=f"id{number}")
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 20)
        self.assertLessEqual(len(self.sink.record.sessions), 20 // 2)

    async def test_a_session_that_ended_meanwhile_is_no_attempt(self) -> None:
        self.sink.script.table = {"AFTER": [DROP]}
        self.begin()
        await self.put(EVE, id="id1")
        await self.empty()
        await self.put(EVE, id="id2")
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 2)
        self.assertEqual(self.events("relay.deferred"), [])

    async def test_a_large_message(self) -> None:
        content = LETTER + b"..A line of no interest.\r\n" * 60_000
        self.sink.offer = self.sink.offer.__class__(extensions=("8BITMIME",))
        self.begin()
        await self.put(EVE, content=content)
        await self.empty()
        self.assertEqual(self.sink.record.messages[0].body, content)

    async def test_each_recipient_has_a_fate_of_its_own(self) -> None:
        self.sink.script.table = {"RCPT": {str(MAX): "450 4.2.0 Later", str(ZOE): "550 5.1.1 Nobody"}}
        self.begin()
        await self.put(EVE, MAX, ZOE)
        entry = await self.until_tried()
        fates = [each.last.fate for each in entry.recipients if each.last is not None]
        self.assertEqual(fates, [Fate.RELAYED, Fate.DEFERRED, Fate.FAILED])
        self.assertEqual(entry.states, (QueueState.OVER, QueueState.WAITING, QueueState.OVER))
        await self.until(lambda: self.letters_of(JOE))
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"zoe@example.org", notice)
        self.assertIn(b"550 5.1.1 Nobody", notice)
        self.assertNotIn(b"eve@example.org", notice)
        self.sink.script.table = {}
        await self.mend()
        await self.empty()
        self.assertEqual([each.taken_for for each in self.sink.record.messages], [(str(EVE),), (str(MAX),)])

    async def test_what_the_next_server_promises_to_tell_is_not_told_here(self) -> None:
        self.begin()
        await self.put(EVE, parameters=MailParameters(returned=Returned.HEADER, envelope_id="e+1"))
        await self.empty()
        self.assertIn("ENVID=e+2B1", self.sink.record.messages[0].parameters)
        self.assertEqual(self.letters_of(JOE), ())

    async def test_mail_that_is_ours_by_now_comes_home(self) -> None:
        self.begin()
        await self.put(JOE, EVE, sender=JOE)
        await self.empty()
        (letter,) = self.letters_of(JOE)
        self.assertTrue(letter.startswith(b"Return-Path: <joe@example.net>\r\n"))
        self.assertIn(b"Delivered-To: joe@example.net\r\n", letter)
        self.assertTrue(letter.endswith(LETTER))
        self.assertEqual(self.sink.record.messages[0].taken_for, (str(EVE),))

    async def test_what_is_held_back_waits(self) -> None:
        self.begin(queue='outgoing = "hold"')
        await self.put(EVE)
        await self.put(EVE, id="id2", release=time.time() + 3600)
        await self.until(lambda: self.sending.courier.rounds.waits)
        self.sending.use(self.config(f'[queue]\nport = {self.sink.port}\noutgoing = "local-only"'))
        await self.until(lambda: not self.sending.courier.rounds.works)
        self.assertEqual(self.sink.record.sessions, ())
        self.sending.use(self.config(f"[queue]\nport = {self.sink.port}"))
        await self.until(lambda: len(self.queue.messages) == 1)
        self.assertEqual(len(self.sink.record.messages), 1)


class Trouble(OwnQueueCase):
    async def test_a_server_that_is_not_there_is_waited_for(self) -> None:
        self.sink.stop()
        self.begin()
        await self.put(EVE, MAX)
        entry = await self.until_tried()
        self.assertEqual(entry.states, (QueueState.WAITING,) * 2)
        last = entry.recipients[0].last
        assert last is not None
        self.assertEqual((last.fate, last.reply.enhanced, last.host), (Fate.DEFERRED, "4.4.1", ""))
        # What comes while the destination rests is not tried, and shows why it waits.
        await self.put(EVE, id="id2")
        await self.until(lambda: len(self.events("relay.deferred")) == 3)
        self.assertEqual(len(self.events("relay.unreachable")), 1)
        self.assertGreater(self.sending.courier.rests_until("example.org"), time.time() + 30)
        self.sending.courier.wake()
        self.assertEqual(self.sending.courier.rests_until("example.org"), 0)

    async def test_the_second_server_where_the_first_is_not_there(self) -> None:
        self.resolver.set("example.org", Type.MX, (5, "gone.example.org"), (10, "mx.example.org"))
        self.resolver.set("gone.example.org", Type.A, ip_address("127.0.0.9"))
        self.begin()
        await self.put(EVE)
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_the_sender_is_told_in_his_language(self) -> None:
        self.directory = MemoryDirectory([Account(JOE, language="de"), Account(POSTMASTER)])
        self.sink.script.table = {"RCPT": "550 5.1.1 No such user"}
        self.begin()
        await self.put(EVE)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Content-Language: de", notice)

    async def test_a_domain_that_takes_no_mail(self) -> None:
        self.resolver.set("example.org", Type.MX, (0, ""))
        self.begin()
        await self.put(EVE)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.1.10", notice)

    async def test_a_domain_that_leads_to_this_machine(self) -> None:
        self.begin(queue="ignore_target_hosts = ['127.0.0.0/8']")
        await self.put(EVE)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.4.4", notice)
        self.assertEqual(self.sink.record.sessions, ())

    async def test_a_domain_that_is_not_there(self) -> None:
        self.begin()
        await self.put(Address("eve", "nowhere.test"))
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.1.2", notice)

    async def test_a_domain_that_nobody_knows_of_now(self) -> None:
        self.resolver.trouble("example.org", Type.MX)
        self.begin()
        await self.put(EVE)
        entry = await self.until_tried()
        last = entry.recipients[0].last
        assert last is not None
        self.assertEqual((last.fate, last.reply.enhanced), (Fate.DEFERRED, "4.4.3"))

    async def test_what_never_leaves_comes_back(self) -> None:
        self.sink.stop()
        self.begin()
        await self.put(EVE, age=6 * 86400)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"eve@example.org", notice)
        self.assertIn(b"Action: failed", notice)

    async def test_a_server_that_breaks_off_gets_it_again(self) -> None:
        self.begin()
        for point in ("CONNECT", "EHLO", "MAIL", "RCPT", "BODY"):
            self.sink.script.table = {point: DROP}
            self.sending.courier.carrier.pool.close()
            self.lines.clear()
            await self.put(EVE, id=point)
            await self.until(lambda: self.events("relay.deferred"))
            self.sink.script.table = {}
            await self.mend()
            await self.empty()
        self.assertEqual(len(self.sink.record.messages), 5)

    async def test_an_answer_that_is_lost_is_doubt(self) -> None:
        """RFC 1047: it was taken, we cannot know, and it goes again."""
        self.sink.script.table = {"END": [DROP]}
        self.begin()
        await self.put(EVE)
        await self.until_tried()
        self.assertEqual(len(self.events("relay.in_doubt")), 1)
        await self.mend()
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 2)

    async def test_a_server_that_sends_us_away(self) -> None:
        self.sink.script.table = {"CONNECT": GOODBYE}
        self.begin()
        await self.put(EVE)
        entry = await self.until_tried()
        last = entry.recipients[0].last
        assert last is not None
        self.assertEqual((last.fate, last.reply.code), (Fate.DEFERRED, 421))
        self.assertEqual(last.host, "mx.example.org [127.0.0.1]")

    async def test_a_queue_that_cannot_be_reached_is_asked_again(self) -> None:
        self.patch(rounds, "PAUSE", 0.01)
        self.queue.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "as the test wants it")
        self.begin()
        await self.until(lambda: len(self.events("relay.queue_unavailable")) > 1)
        self.queue.refuse_with = None
        await self.put(EVE)
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_what_was_taken_is_not_sent_again_for_a_queue_that_was_away(self) -> None:
        self.patch(courier, "RECORD_PAUSE", 0.01)
        gate = threading.Event()
        self.sink.script.table = {"END": Wait(gate)}
        self.begin()
        await self.put(EVE)
        await self.until(lambda: self.sending.courier.under_way)
        self.queue.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "as the test wants it")
        gate.set()
        await self.until(lambda: len(self.events("relay.unrecorded")) > 1)
        self.queue.refuse_with = None
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_a_mistake_of_ours_is_an_attempt(self) -> None:
        """It is tried later and later, and comes back in time."""
        self.resolver = MadResolver()
        self.begin()
        await self.put(EVE)
        entry = await self.until_tried()
        last = entry.recipients[0].last
        assert last is not None
        self.assertEqual((last.fate, last.reply), (Fate.DEFERRED, INTERNAL_ERROR))
        self.assertGreater(entry.due[0], time.time() + 60)
        self.assertEqual(len(self.events("relay.failed")), 1)

    async def test_a_mistake_of_ours_does_not_end_the_courier(self) -> None:
        self.patch(rounds, "PAUSE", 0.01)
        self.own.mistakes = 2
        await self.put(EVE)
        self.begin()
        await self.empty()
        self.assertEqual(len(self.events("relay.failed")), 2)


class Once(OwnQueueCase):
    """What somebody has taken is not sent again, whatever ends the attempt."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(courier, "RECORD_PAUSE", 0.01)
        self.patch(courier, "GRACE_SECONDS", 0.01)

    def second_host(self) -> Sink:
        """Takes over what the first has put off; it says nothing."""
        second = Sink(addresses=("127.0.0.7",), port=self.sink.port)
        second.script.table = {"MAIL": HANG}
        second.__enter__()
        self.addCleanup(second.stop)
        self.resolver.set("example.org", Type.MX, (5, "mx.example.org"), (10, "second.example.org"))
        self.resolver.set("second.example.org", Type.A, ip_address("127.0.0.7"))
        return second

    async def test_the_server_stops_while_the_second_host_is_asked(self) -> None:
        second = self.second_host()
        self.sink.script.table = {"RCPT": {str(MAX): "450 4.2.0 Later"}}
        self.begin()
        await self.put(EVE, MAX)
        await self.until(lambda: second.record.sessions)
        await self.sending.stop()
        (entry,) = await self.entries()
        self.assertEqual(entry.states, (QueueState.OVER, QueueState.WAITING))

    async def test_the_disk_fails_while_the_second_host_is_asked(self) -> None:
        self.second_host().script.table = {}

        def fail(scene: Scene) -> None:
            if scene.recipients == (str(EVE),):
                self.queue.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "as the test wants it")

        self.sink.script.table = {"RCPT": {str(MAX): "450 4.2.0 Later"}, "END": fail}
        self.begin()
        await self.put(EVE, MAX, content=LETTER + b"A line of no interest.\r\n" * 20_000)
        await self.until(lambda: self.events("relay.unrecorded"))
        self.assertEqual(len(self.events("relay.unread")), 1)
        self.queue.refuse_with = None
        entry = await self.until_tried()
        self.assertEqual(entry.states, (QueueState.OVER, QueueState.WAITING))

    async def test_the_server_stops_before_the_answer_is_there(self) -> None:
        """RFC 1047: that it may arrive twice is said."""
        self.sink.script.table = {"END": HANG}
        self.begin()
        await self.put(EVE)
        await self.until(lambda: self.sink.record.messages)
        await self.sending.stop()
        self.assertEqual(len(self.events("relay.in_doubt")), 1)
        (entry,) = await self.entries()
        self.assertEqual([each.tries for each in entry.recipients], [1])

    async def test_an_answer_that_is_none_is_doubt(self) -> None:
        second = self.second_host()
        self.sink.script.table = {"END": Say(b"what?\r\n")}
        self.begin()
        await self.put(EVE)
        await self.until_tried()
        self.assertEqual(len(self.events("relay.in_doubt")), 1)
        self.assertEqual(second.record.sessions, ())

    async def test_the_server_stops_while_the_answer_is_written_down(self) -> None:
        self.begin()
        self.own.gates["record"] = gate = Deferred[None]()
        await self.put(EVE)
        await self.until(lambda: "record" in self.own.waiting)
        stopping = Deferred.fromCoroutine(self.sending.stop())
        await self.until(lambda: not self.sending.courier._tasks)
        self.assertFalse(stopping.called)
        gate.callback(None)
        await stopping
        self.assertEqual(self.queue.messages, ())

    async def test_the_server_stops_while_the_queue_is_asked(self) -> None:
        self.own.gates["claim"] = gate = Deferred[None]()
        await self.put(EVE)
        self.begin()
        await self.until(lambda: "claim" in self.own.waiting)
        stopping = Deferred.fromCoroutine(self.sending.stop())
        gate.callback(None)
        await stopping
        (entry,) = await self.entries()
        self.assertNotIn(QueueState.LEASED, entry.states)
        self.assertEqual(self.sink.record.sessions, ())

    async def test_the_clock_is_set_forward(self) -> None:
        gate = threading.Event()
        self.sink.script.table = {"END": Wait(gate)}
        self.begin()
        await self.put(EVE)
        await self.until(lambda: self.sink.record.messages)
        self.sending.courier.seconds = lambda: time.time() + 3600
        self.sink.script.table = {}
        await self.put(MAX, id="id2")
        await self.until(lambda: len(self.queue.messages) == 1)
        gate.set()
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 2)

    async def test_what_comes_home_comes_once(self) -> None:
        self.begin()
        self.store.congested = True
        await self.put(JOE)
        await self.until(lambda: self.sending.courier.under_way)
        stopping = Deferred.fromCoroutine(self.sending.stop())
        await self.until(lambda: not self.sending.courier.rounds.runs)
        turn: Deferred[None] = Deferred()
        reactor.callLater(0.05, turn.callback, None)  # longer than the grace
        await turn
        self.assertFalse(stopping.called)
        self.store.congested = False
        self.store.relieve()
        await stopping
        self.assertEqual(len(self.letters_of(JOE)), 1)
        self.assertEqual(self.queue.messages, ())


class Stopping(OwnQueueCase):
    async def test_while_mail_is_on_its_way(self) -> None:
        self.sink.script.table = {"RCPT": GOODBYE}
        self.begin()
        await self.put(EVE)
        await self.sending.stop()
        self.assertEqual(len(self.queue.messages), 1)

    async def test_while_ways_are_made_anew(self) -> None:
        """That takes long where much waits. Mail leaves meanwhile, and nobody who stops waits for it."""
        self.own.gates["reroute"] = Deferred[None]()
        self.begin()
        await self.put(EVE)
        await self.empty()
        await self.sending.stop()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_a_way_that_has_the_name_of_another_by_now(self) -> None:
        """What has waited for long goes by the login of its own block, not by that of the other."""
        port = f"port = {self.sink.port}\n"
        block = '[[relay]]\nmatch = ["{}"]\nhost = "mx.example.org"\n' + port
        first, second = block.format("example.org") + "per_destination = 1\n", block.format("example.com")
        hold = 'outgoing = "hold"\n'
        self.begin(first + second, queue=hold)
        await self.put(EVE)
        (lease,) = await self.queue.claim(time.time(), time.time() + 600, 1, Room(1))
        self.sending.use(self.config(f"[queue]\n{port}{hold}{second}{first}"))
        carrier = self.sending.courier.carrier
        self.assertEqual(carrier.routes.destination_of(JOE, Address("max", "example.com")), lease.destination)
        self.assertIsNone(await carrier.carry(lease))
        self.assertEqual(self.sink.record.sessions, ())
