"""``deleted`` below an account and ``/v1/retention``, octet for octet, over a store in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from mailsuite.admin.deleted import AccountDeleted, RetentionReport
from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.concurrent.tasks import Tasks
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.model.retention import DAY, Usage
from mailsuite.observe.log import Log
from mailsuite.store.memory import MemoryStore
from tests.admin.asking import Asked

NOW = 1_795_000_000.0
JOE = Address("joe", "example.net")
MAIL = b"Subject: x\r\n\r\n"


class DeletedApiTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line.split(maxsplit=1)[1]))
        desk = Desk(log, Tasks(lambda failure: log.failure("tasks.failed", failure)))
        self.store = MemoryStore(clock=lambda: self.now)
        directory = MemoryDirectory([Account(JOE)])
        self.asked: list[float] = []
        root = Missing()
        for name in (str(JOE), "nobody@example.net", "nonsense"):
            root.putChild(name.encode(), AccountDeleted(desk, self.store, directory, name))
        root.putChild(b"retention", RetentionReport(desk, self.report))
        self.site = Site(root, BoundedRequest, reactor=Clock())
        for _ in range(3):
            delivery = self.store.begin(JOE)
            delivery.write(MAIL)
            self.answer(self.store.deliver([delivery]))

    async def report(self, ahead: float) -> Sequence[tuple[Address, Usage]]:
        self.asked.append(ahead)
        return [(JOE, Usage(2, 84))]

    def answer(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def ask(self, method: str, path: str = str(JOE), body: object = None) -> tuple[int, Any]:
        return Asked(self.site, method, f"/{path}", body).answer

    def delete(self, count: int) -> list[str]:
        drop = self.answer(self.store.open_maildrop(JOE))
        refs = drop.messages[:count]
        self.answer(drop.update(refs, []))
        self.answer(drop.release())
        return [ref.uidl for ref in refs]

    def inbox(self) -> int:
        return len(self.store.contents(JOE))

    def test_list(self) -> None:
        [uidl] = self.delete(1)
        status, document = self.ask("GET")
        self.assertEqual(status, 200)
        size = len(MAIL)
        self.assertEqual(
            document,
            {
                "account": str(JOE),
                "deleted": [{"uidl": uidl, "size": size, "at": NOW}],
                "usage": {
                    "messages": 2,
                    "octets": 2 * size,
                    "deleted_messages": 1,
                    "deleted_octets": size,
                },
            },
        )

    def test_restore_by_uidl(self) -> None:
        first, _ = self.delete(2)
        answer = self.ask("POST", body={"uidls": [first, "unknown"]})
        self.assertEqual(answer, (200, {"account": str(JOE), "restored": 1}))
        self.assertEqual(self.inbox(), 2)
        self.assertEqual(self.lines, [f"info    mail.restored account={JOE} messages=1"])
        self.assertEqual(self.ask("POST", body={"uidls": [first]})[1]["restored"], 0)
        self.assertEqual(self.ask("POST", body={"uidls": []})[1]["restored"], 0)
        self.assertEqual(len(self.lines), 1)

    def test_restore_by_time(self) -> None:
        self.delete(1)
        self.now += 60
        self.delete(1)
        self.assertEqual(self.ask("POST", body={"since": self.now})[1]["restored"], 1)
        self.assertEqual(self.ask("POST", body={"since": NOW})[1]["restored"], 1)

    def test_restore_all(self) -> None:
        self.delete(3)
        self.assertEqual(self.ask("POST", body={"all": True})[1]["restored"], 3)
        self.assertEqual(self.inbox(), 3)

    def test_purge(self) -> None:
        self.delete(2)
        self.assertEqual(self.ask("DELETE"), (200, {"account": str(JOE), "purged": 2}))
        self.assertEqual(self.ask("DELETE")[1]["purged"], 0)
        self.assertEqual(self.answer(self.store.usage(JOE)), Usage(1, len(MAIL)))
        self.assertEqual(self.lines, [f"info    mail.purged account={JOE} messages=2"])

    def test_requests_that_say_nothing_or_nonsense(self) -> None:
        self.delete(1)
        bodies: list[Any] = [
            {},
            {"all": False},
            {"all": True, "uidls": []},
            {"since": 1, "uidls": []},
            {"uidls": "x"},
            {"uidls": [1]},
            {"all": "yes"},
            {"since": "yesterday"},
            {"since": True},
        ]
        for body in bodies:
            status, document = self.ask("POST", body=body)
            self.assertEqual((status, list(document)), (400, ["error"]), body)
        self.assertEqual(self.inbox(), 2)

    def test_nobody(self) -> None:
        for method, body in (("GET", None), ("POST", {"all": True}), ("DELETE", None)):
            self.assertEqual(self.ask(method, "nobody@example.net", body)[0], 404)
            self.assertEqual(self.ask(method, "nonsense", body)[0], 400)

    def test_a_store_that_cannot(self) -> None:
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE, "bad disk")
        self.assertEqual(self.ask("GET")[0], 503)
        self.assertIn("control.unable", self.lines[-1])
        self.assertIn("bad disk", self.lines[-1])

    def test_the_report_of_retention(self) -> None:
        expected = [{"account": str(JOE), "messages": 2, "octets": 84}]
        self.assertEqual(self.ask("GET", "retention"), (200, {"days": 0.0, "accounts": expected}))
        answer = self.ask("POST", "retention", {"days": 7})
        self.assertEqual(answer, (200, {"days": 7.0, "accounts": expected}))
        self.assertEqual(self.asked, [0.0, 7 * DAY])
        for days in (-1, 36_501, "7", True, None, 1e999):
            self.assertEqual(self.ask("POST", "retention", {"days": days})[0], 400, days)
