"""``/v1/queue``, octet for octet: what can be seen of the outbound queue."""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailsuite.admin.control import control_site
from mailsuite.admin.questions import MAX_COUNT
from mailsuite.admin.queue import queue_summary
from mailsuite.admin.queue_content import CHUNK_OCTETS, MAX_HEADER_OCTETS
from mailsuite.admin.queue_documents import MAX_IDS, MAX_LISTED
from mailsuite.admin.resources import Desk
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundEnvelope, OutboundRecipient
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueueFilter, Room
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.queue.memory import MemoryQueue
from tests.admin.asking import Asked
from tests.admin.queues import (
    ANN,
    BUSY,
    EVE,
    GONE,
    JOE,
    MAIL,
    MAX,
    NOW,
    QueueApiCase,
    SteppedContent,
    outbound_of,
)
from tests.admin.test_api import ApiCase


class ListTests(QueueApiCase):
    def test_an_empty_queue(self) -> None:
        self.assertEqual(self.ask(), (200, {"messages": [], "after": None}))
        self.assertEqual(self.ask("/"), self.ask())
        self.assertEqual(self.ask("/count"), (200, {"messages": 0}))
        self.assertEqual(self.ask("/errors"), (200, {"errors": []}))
        self.assertEqual(self.ask("/shape")[1]["destinations"], [])

    def test_a_message_says_where_each_recipient_stands(self) -> None:
        bob = Address("bob", "example.org")
        self.put("m1", EVE, bob, age=60)
        self.record({0: GONE, 1: BUSY})
        status, document = self.ask()
        self.assertEqual(status, 200)
        over, waiting = "over", "waiting"
        self.assertEqual(
            document["messages"],
            [
                {
                    "id": "m1",
                    "sender": str(JOE),
                    "account": str(JOE),
                    "arrived": NOW - 60,
                    "release": None,
                    "size": len(MAIL),
                    "states": {waiting: 1, over: 1},
                    "recipients": [
                        {
                            "address": str(bob),
                            "state": waiting,
                            "due": NOW + 600,
                            "tries": 1,
                            "last": {
                                "fate": "deferred",
                                "said": "421 4.7.28 rate limited",
                                "host": "mx.example.org [192.0.2.1]",
                                "at": NOW,
                            },
                            "notify": None,
                        },
                        {
                            "address": str(EVE),
                            "state": over,
                            "due": None,
                            "tries": 1,
                            "last": {
                                "fate": "failed",
                                "said": "550 5.1.1 no such user",
                                "host": "mx.example.org [192.0.2.1]",
                                "at": NOW,
                            },
                            "notify": None,
                        },
                    ],
                    "more": 0,
                }
            ],
        )

    def test_pages(self) -> None:
        for number in range(5):
            self.put(f"m{number}")
        status, first = self.ask("?count=2")
        self.assertEqual((status, first["after"]), (200, "m1"))
        self.assertEqual(self.ids("count=2&after=m1"), ["m2", "m3"])
        self.assertIsNone(self.ask("?count=2&after=m3")[1]["after"])

    def test_filters(self) -> None:
        self.put("m1", EVE, age=7200)
        self.put("m2", MAX, sender=None, account=None, age=60)
        self.put("m3", MAX, sender=ANN, account=ANN, release=NOW + 3600)
        self.answer(self.outbound.queue.hold(QueueFilter(ids=frozenset({"m2"})), NOW))
        for query, expected in (
            ("", "m1 m2 m3"),
            ("ids=m1&ids=m3&ids=x", "m1 m3"),
            ("sender=joe@EXAMPLE.net", "m1"),
            ("sender=@example.net", "m1 m3"),
            ("sender=%3C%3E", "m2"),
            ("recipient=max@example.com", "m2 m3"),
            ("recipient=@example.org", "m1"),
            ("domain=EXAMPLE.com", "m2 m3"),
            ("account=Ann@example.net", "m3"),
            ("older_than=3600", "m1"),
            ("older_than=30&domain=example.com", "m2"),
            ("state=held", "m2"),
            ("state=waiting", "m3"),
            ("error=rate", ""),
        ):
            self.assertEqual(self.ids(query), expected.split(), query)
            self.assertEqual(self.ask(f"/count?{query}")[1], {"messages": len(expected.split())}, query)

    def test_an_error_is_part_of_the_last_reply(self) -> None:
        self.put("m1")
        self.record({0: BUSY})
        self.assertEqual(self.ids("error=Rate%20Lim"), ["m1"])

    def test_domains_are_one_however_they_are_spelt(self) -> None:
        self.put("m1", Address("x", "xn--bcher-kva.example"))
        self.assertEqual(self.ids("domain=b%C3%BCcher.example"), ["m1"])
        self.assertEqual(self.ids("recipient=x@B%C3%BCcher.example"), ["m1"])

    def test_what_makes_no_sense_is_refused(self) -> None:
        self.put("m1")
        for query in (
            "sendr=joe@example.net",
            "sender=",
            "sender=joe",
            "sender=joe@",
            "domain=a..b",
            "domain=example.org&recipient=@example.org",
            "account=joe",
            "older_than=1h",
            "older_than=inf",
            "state=frozen",
            "error=%20",
            "ids=",
            "&".join(f"ids={number}" for number in range(MAX_IDS + 1)),
            "count=0",
            "count=x",
            "count=-1",
            f"count={MAX_COUNT + 1}",
            f"count={'9' * 50}",
        ):
            status, document = self.ask(f"?{query}")
            self.assertEqual((status, list(document)), (400, ["error"]), query)
        for path in ("/shape?sender=@example.net", "/errors?x=1"):
            self.assertEqual(self.ask(path)[0], 400)
        self.assertEqual(self.ask("", {})[0], 405)
        self.assertEqual(self.ask("/nothing")[0], 404)
        self.assertEqual(self.ask("/count/x")[0], 404)

    def test_a_crowd_is_cut(self) -> None:
        self.put("m1", *(Address(f"r{number}", "example.org") for number in range(MAX_LISTED + 3)))
        self.record({0: GONE, 1: BUSY})
        (message,) = self.ask()[1]["messages"]
        self.assertEqual((len(message["recipients"]), message["more"]), (MAX_LISTED, 3))
        self.assertNotIn("over", [each["state"] for each in message["recipients"]])
        self.assertEqual(self.ask("/messages/m1")[1]["message"]["more"], 0)

    def test_a_queue_that_cannot(self) -> None:
        self.queue.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "bad disk")
        for path in ("", "/count", "/shape", "/errors", "/messages/m1", "/messages/m1/content"):
            self.assertEqual(self.ask(path)[0], 503, path)
        self.assertIn("bad disk", self.lines[-1])


class GlanceTests(QueueApiCase):
    def test_the_shape(self) -> None:
        self.put("m1", EVE, MAX, age=60)
        self.put("m2", EVE, age=3000)
        self.put("m3", EVE, age=100_000)
        status, document = self.ask("/shape?count=1")
        self.assertEqual(status, 200)
        self.assertEqual(
            document,
            {
                "ages": [300.0, 600.0, 1800.0, 7200.0, 43200.0],
                "total": 4,
                "counts": [2, 0, 0, 1, 0, 1],
                "destinations": [
                    {
                        "destination": "example.org",
                        "total": 3,
                        "counts": [1, 0, 0, 1, 0, 1],
                        "last": None,
                        "blocked_until": None,
                    }
                ],
                "more": 1,
            },
        )

    def test_a_destination_that_rests(self) -> None:
        self.put("m1")
        self.record({0: BUSY})
        self.rests["example.org"] = NOW + 60
        (line,) = self.ask("/shape")[1]["destinations"]
        self.assertEqual((line["last"], line["blocked_until"]), ("421 4.7.28 rate limited", NOW + 60))

    def test_errors(self) -> None:
        self.put("m1")
        self.record({0: BUSY})
        expected = [{"error": "421 4.7.28 rate limited", "recipients": 1}]
        self.assertEqual(self.ask("/errors"), (200, {"errors": expected}))

    def test_the_summary(self) -> None:
        self.assertEqual(self.answer(queue_summary(self.outbound)), {"messages": 0, "oldest": None})
        bob = Address("bob", "example.org")
        self.put("m1", EVE, bob, age=60)
        self.put("m2", MAX)
        self.record({0: GONE, 1: BUSY})
        self.assertEqual(
            self.answer(queue_summary(self.outbound)),
            {
                "messages": 2,
                "oldest": {
                    "id": "m1",
                    "arrived": NOW - 60,
                    "domain": "example.org",
                    "last": "421 4.7.28 rate limited",
                },
            },
        )

    def test_the_summary_where_only_a_notice_is_owed(self) -> None:
        self.put("m1")
        (lease,) = self.answer(self.queue.claim(NOW, NOW + 60, 1, Room(1)))
        self.answer(self.queue.record(lease, {0: GONE}, NOW, {0: NotifyOn.FAILURE}))
        oldest = self.answer(queue_summary(self.outbound))["oldest"]
        self.assertEqual((oldest["id"], oldest["domain"], oldest["last"]), ("m1", None, None))


class MessageTests(QueueApiCase):
    def test_one_message(self) -> None:
        self.put("m1", release=NOW + 60)
        status, document = self.ask("/messages/m1")
        self.assertEqual(status, 200)
        message = document["message"]
        self.assertEqual((message["id"], message["release"], message["body"]), ("m1", NOW + 60, "7BIT"))
        self.assertEqual((message["ret"], message["envid"]), (None, None))
        self.assertEqual(document["header"], "Subject: hello\nFrom: joe@example.net")
        self.assertEqual(json.loads(json.dumps(document)), document)

    def test_there_is_none(self) -> None:
        for path in ("/messages/m2", "/messages/m2/content"):
            self.assertEqual(self.ask(path), (404, {"error": "there is no message m2 in the queue"}))
        for path in ("/messages", "/messages/", "/messages/m1/x"):
            self.assertEqual(self.ask(path)[0], 404, path)

    def test_a_header_without_end_is_cut(self) -> None:
        self.put("m1", content=b"a" * (2 * MAX_HEADER_OCTETS))
        self.assertEqual(self.ask("/messages/m1")[1]["header"], "a" * MAX_HEADER_OCTETS)
        self.put("m2", content=b"Subject: \xff\r\n")
        self.assertEqual(self.ask("/messages/m2")[1]["header"], "Subject: \ufffd\n")

    def test_a_message_whose_content_cannot_be_read(self) -> None:
        self.put("m1")
        self.reader = reader = SteppedContent(b"")
        for path, answered in (("", 200), ("/content", 503)):
            asked = Asked(self.site, "GET", f"/queue/messages/m1{path}")
            reader.fail()
            status, document = asked.answer
            self.assertEqual(status, answered)
            self.assertTrue(reader.closed)
            self.assertIn("the disk is ill", self.lines[-1])
            if status == 200:
                self.assertEqual((document["message"]["id"], document["header"]), ("m1", None))
            reader.closed = False


class ContentTests(QueueApiCase):
    CONTENT = b"Subject: x\r\n\r\n" + bytes(range(256)) * (3 * CHUNK_OCTETS // 256)

    def connect(self, path: str = "/queue/messages/m1/content") -> tuple[StringTransport, Any]:
        channel: Any = self.site.buildProtocol(UNIXAddress(""))
        wire = StringTransport(peerAddress=UNIXAddress(""))
        channel.makeConnection(wire)
        channel.dataReceived(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return wire, channel

    def test_octet_for_octet(self) -> None:
        self.put("m1", content=self.CONTENT)
        head, _, content = self.connect()[0].value().partition(b"\r\n\r\n")
        self.assertEqual(content, self.CONTENT)
        self.assertIn(b"content-type: message/rfc822", head.lower())
        self.assertIn(f"content-length: {len(self.CONTENT)}".encode(), head.lower())

    def test_at_the_pace_of_the_reader(self) -> None:
        self.put("m1", content=self.CONTENT)
        self.reader = slow = SteppedContent(self.CONTENT)
        wire, _ = self.connect()
        slow.go()  # the first octets
        assert wire.producer is not None
        wire.producer.pauseProducing()
        slow.go()
        reads = slow.reads
        self.assertIsNone(slow.waiting, "nothing is read while nobody takes it")
        wire.producer.resumeProducing()
        self.assertEqual(slow.reads, reads + 1)
        while slow.waiting is not None:
            slow.go()
        self.assertTrue(wire.value().endswith(self.CONTENT))
        self.assertTrue(slow.closed)

    def test_a_reader_that_goes_away(self) -> None:
        self.put("m1", content=self.CONTENT)
        self.reader = slow = SteppedContent(self.CONTENT)
        wire, channel = self.connect()
        slow.go()
        assert wire.producer is not None
        wire.producer.pauseProducing()
        slow.go()
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(slow.closed)
        self.assertFalse([line for line in self.lines if "failed" in line], self.lines)

    def test_half_a_message_is_no_message(self) -> None:
        self.put("m1", content=self.CONTENT)
        self.reader = slow = SteppedContent(self.CONTENT)
        wire, _ = self.connect()
        slow.go()
        slow.fail()
        self.assertTrue(wire.disconnecting or wire.disconnected)
        self.assertTrue(slow.closed)
        self.assertIn("control.unable", self.lines[-1])

    def test_nothing_but_reading(self) -> None:
        self.put("m1")
        self.assertEqual(self.ask("/messages/m1/content", {})[0], 405)


class OwnerTests(QueueApiCase):
    def test_nobody_sees_what_others_have_sent(self) -> None:
        self.put("m1")
        self.put("m2", account=ANN)
        self.put("m3", account=None)
        self.assertEqual(self.ids(owner=True), ["m1"])
        self.assertEqual(self.ids("ids=m1&ids=m2", owner=True), ["m1"])
        self.assertEqual(self.ask("/count", owner=True)[1], {"messages": 1})
        self.assertEqual(self.ask("/messages/m1", owner=True)[0], 200)
        for path in ("/messages/m2", "/messages/m3", "/messages/m2/content", "/shape", "/errors"):
            self.assertEqual(self.ask(path, owner=True)[0], 404, path)
        self.assertEqual(self.ask(f"?account={ANN}", owner=True)[0], 400)


class PlaceTests(ApiCase):
    """Where it is in the control API."""

    def test_the_queue_and_that_of_an_account(self) -> None:
        queue = MemoryQueue()
        operations = attrs.evolve(self.operations, outbound=outbound_of(queue, self.clock.seconds))
        self.site = control_site(self.clock, Desk(Log(), self.tasks), self.world.office, operations)
        for id, account in (("m1", JOE), ("m2", ANN)):
            queue.put(OutboundEnvelope(id, account, (OutboundRecipient(EVE),), account=account), MAIL)
        for path, expected in (
            ("/v1/queue", ["m1", "m2"]),
            (f"/v1/accounts/{JOE}/queue", ["m1"]),
            (f"/v1/accounts/{ANN}/queue", ["m2"]),
        ):
            status, document = Asked(self.site, "GET", path).answer
            self.assertEqual((status, [each["id"] for each in document["messages"]]), (200, expected))
        self.assertEqual(Asked(self.site, "GET", "/v1/accounts/nonsense/queue").answer[0], 400)
