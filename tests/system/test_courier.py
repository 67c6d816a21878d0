"""The courier against servers that take mail, and servers that do not."""

from __future__ import annotations

import threading
import time
from ipaddress import ip_address

from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, Returned
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import Fate, QueueState
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.relay import courier
from mailsuite.resolver.question import Type
from tests.sinks.script import DROP, GOODBYE, Wait
from tests.system.courier_case import EVE, JOE, LETTER, MAX, ZOE, CourierCase


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
        await self.until(lambda: self.sending.courier._next_look is not None)
        self.assertEqual(self.sink.record.sessions, ())
        self.sending.use(self.config(f"[queue]\nport = {self.sink.port}"))
        await self.until(lambda: len(self.queue.messages) == 1)
        self.assertEqual(len(self.sink.record.messages), 1)


class Trouble(CourierCase):
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

    async def test_the_second_server_where_the_first_is_not_there(self) -> None:
        self.resolver.set("example.org", Type.MX, (5, "gone.example.org"), (10, "mx.example.org"))
        self.resolver.set("gone.example.org", Type.A, ip_address("127.0.0.9"))
        self.begin()
        await self.put(EVE)
        await self.empty()
        self.assertEqual(len(self.sink.record.messages), 1)

    async def test_a_domain_that_takes_no_mail(self) -> None:
        self.resolver.set("example.org", Type.MX, (0, ""))
        self.begin()
        await self.put(EVE)
        await self.empty()
        (notice,) = self.letters_of(JOE)
        self.assertIn(b"Status: 5.1.10", notice)

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
        self.patch(courier, "QUEUE_PAUSE", 0.01)
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

    async def test_the_server_stops_while_mail_is_on_its_way(self) -> None:
        self.sink.script.table = {"RCPT": GOODBYE}
        self.begin()
        await self.put(EVE)
        await self.sending.stop()
        self.assertEqual(len(self.queue.messages), 1)
