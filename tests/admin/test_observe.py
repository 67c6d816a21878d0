"""Figures and watches over the control API."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from mailsuite.accounts.refusal import RegistryError
from mailsuite.admin.metrics import metrics_resource
from mailsuite.admin.protocol_log import log_resource
from mailsuite.admin.resources import BoundedRequest, Desk, Document, Missing
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.address import Address
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.observe.protocol_log import MAX_WATCHES, Watches

NOW = 1_795_000_000.0


class ObserveCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.tasks = Tasks(lambda failure: log.failure("tasks.failed", failure))
        desk = Desk(log, self.tasks)
        self.metrics = Metrics("1.2.3")
        self.watches = Watches(lambda: NOW)
        version = Missing()
        version.putChild(b"metrics", metrics_resource(desk, self.metrics))
        version.putChild(b"log", log_resource(desk, self.watches, self.find))
        root = Missing()
        root.putChild(b"v1", version)
        self.clock = Clock()
        self.channel: Any = Site(root, BoundedRequest, reactor=self.clock).buildProtocol(UNIXAddress(""))
        self.wire = StringTransport(peerAddress=UNIXAddress(""))
        self.channel.makeConnection(self.wire)

    async def find(self, address: str) -> None:
        if address != "joe@example.test":
            raise RegistryError("not-found", f"there is no account {address}")

    def ask(self, method: str, path: str, body: Document | None = None) -> tuple[int, Document]:
        content = b"" if body is None else json.dumps(body).encode()
        self.wire.clear()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
        self.channel.dataReceived(head.encode() + content)
        status, _, answer = self.wire.value().partition(b"\r\n\r\n")
        return int(status.split()[1]), json.loads(answer)

    def tearDown(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.tasks), 0)


class Figures(ObserveCase):
    def test_as_prometheus_reads_them(self) -> None:
        status, document = self.ask("GET", "/v1/metrics")
        self.assertEqual(status, 200)
        self.assertIn('mailsuite_build_info{version="1.2.3"} 1.0\n', document["text"])
        self.assertTrue(document["content_type"].startswith("text/plain; version="))
        self.assertEqual(self.ask("POST", "/v1/metrics", {})[0], 405)


class Watching(ObserveCase):
    def test_an_account_for_a_while(self) -> None:
        wish = {"who": "Joe@example.test", "level": "raw", "seconds": 60}
        status, document = self.ask("POST", "/v1/log/protocol", wish)
        shown = {"who": "joe@example.test", "level": "raw", "until": NOW + 60.0}
        self.assertEqual((status, document), (201, {"watch": shown}))
        self.assertIsNotNone(self.watches.on_account(Address("joe", "example.test")))
        self.assertEqual(self.ask("GET", "/v1/log/protocol"), (200, {"watches": [shown]}))
        self.assertEqual(self.ask("GET", "/v1/log/protocol/"), (200, {"watches": [shown]}))
        self.assertIn("log.watching who=joe@example.test level=raw seconds=60", self.lines[0])
        gone = self.ask("DELETE", "/v1/log/protocol/joe@example.test")
        self.assertEqual(gone, (200, {"who": "joe@example.test"}))
        self.assertEqual(self.ask("GET", "/v1/log/protocol"), (200, {"watches": []}))
        self.assertEqual(self.ask("DELETE", "/v1/log/protocol/joe@example.test")[0], 404)

    def test_what_is_not_said(self) -> None:
        for who, spelled in (
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:db8::/32", "2001:db8::/32"),
        ):
            status, document = self.ask("POST", "/v1/log/protocol", {"who": who})
            watch = {"who": spelled, "level": "commands", "until": NOW + 900.0}
            self.assertEqual((status, document), (201, {"watch": watch}))
            path = f"/v1/log/protocol/{quote(who, safe='')}"
            self.assertEqual(self.ask("DELETE", path), (200, {"who": spelled}))

    def test_what_cannot_be(self) -> None:
        for wish, status in (
            ({}, 400),
            ({"who": "joe"}, 400),
            ({"who": "joe@"}, 400),
            ({"who": "192.0.2.300"}, 400),
            ({"who": "192.0.2.7", "level": "sessions"}, 400),
            ({"who": "192.0.2.7", "seconds": 0}, 400),
            ({"who": "192.0.2.7", "seconds": 86401}, 400),
            ({"who": "192.0.2.7", "seconds": True}, 400),
            ({"who": "192.0.2.7", "seconds": "900"}, 400),
            ({"who": "ann@example.test"}, 404),
        ):
            with self.subTest(wish=wish):
                self.assertEqual(self.ask("POST", "/v1/log/protocol", dict(wish))[0], status)
        self.assertEqual(self.ask("DELETE", "/v1/log/protocol/joe")[0], 400)
        self.assertEqual((self.watches.list(), self.lines), ((), []))

    def test_too_many(self) -> None:
        for number in range(MAX_WATCHES):
            self.watches.put_on(Address(f"u{number}", "example.test"), "commands")
        status, document = self.ask("POST", "/v1/log/protocol", {"who": "joe@example.test"})
        self.assertEqual((status, document["error"]), (409, f"{MAX_WATCHES} are watched already"))

    def test_nothing_else_is_there(self) -> None:
        self.assertEqual(self.ask("GET", "/v1/log")[0], 404)
