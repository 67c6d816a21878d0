"""``POST /v1/accounts/import``, octet for octet, over a registry in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.registry import Registry
from mailsuite.admin.imports import MAX_ACCOUNTS, AccountImport
from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.origin import Origin
from mailsuite.observe.log import Log
from tests.accounts.fakes import SECRET, CountingHasher

SSHA = "{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA=="


class AccountImportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.tasks = Tasks(lambda failure: log.failure("tasks.failed", failure))
        self.database = MemoryDirectory()
        directory = LayeredDirectory(MemoryDirectory(origin=Origin.FILE), self.database)
        passwords = Passwords(Inline(), hasher=CountingHasher())
        root = Missing()
        root.putChild(
            b"import",
            AccountImport(Desk(log, self.tasks), Registry(directory, passwords, MemorySightings())),
        )
        self.site = Site(root, BoundedRequest, reactor=Clock())

    def tearDown(self) -> None:
        self.assertEqual(len(self.tasks), 0)
        self.assertNotIn(SECRET, "\n".join(self.lines))
        self.assertNotIn(SSHA, "\n".join(self.lines))

    def post(self, body: object) -> tuple[int, Any]:
        content = json.dumps(body).encode()
        channel: Any = self.site.buildProtocol(UNIXAddress(""))
        wire = StringTransport(peerAddress=UNIXAddress(""))
        channel.makeConnection(wire)
        head = f"POST /import HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
        channel.dataReceived(head.encode() + content)
        status, _, answer = wire.value().partition(b"\r\n\r\n")
        return int(status.split()[1]), json.loads(answer)

    def test_accounts_are_made_and_each_has_its_result(self) -> None:
        accounts = [
            {"line": 1, "address": "joe@example.test", "password_hash": SSHA, "fields": {"name": "Joe"}},
            {"line": 2, "address": "ann@example.test", "password": SECRET},
            {"line": 5, "address": "eve@example.test", "password_hash": "nonsense"},
        ]
        status, document = self.post({"accounts": accounts})
        self.assertEqual(status, 200)
        said = [(each["line"], each["address"], each["outcome"]) for each in document["results"]]
        self.assertEqual(
            said,
            [
                (1, "joe@example.test", "made"),
                (2, "ann@example.test", "made"),
                (5, "eve@example.test", "refused"),
            ],
        )
        self.assertIn("no hash", document["results"][2]["reason"])
        self.assertEqual(sum("account.imported" in line for line in self.lines), 2)
        again = self.post({"accounts": accounts, "overwrite": True})[1]["results"]
        self.assertEqual([each["outcome"] for each in again], ["unchanged", "unchanged", "refused"])
        self.assertEqual(sum("account.imported" in line for line in self.lines), 2)

    def test_a_rehearsal_makes_none_and_logs_none(self) -> None:
        accounts = [{"line": 1, "address": "joe@example.test", "password": SECRET}]
        status, document = self.post({"accounts": accounts, "dry_run": True})
        self.assertEqual((status, document["results"][0]["outcome"]), (200, "made"))
        self.assertEqual(run_now(self.database.accounts()), ())
        self.assertEqual(self.lines, [])

    def test_what_is_wrong_with_a_request(self) -> None:
        account = {"line": 1, "address": "joe@example.test"}
        for body, words in (
            ({}, "accounts is no list"),
            ({"accounts": {}}, "accounts is no list"),
            ({"accounts": [account], "dry_run": "yes"}, "dry_run"),
            ({"accounts": [account], "overwrite": 1}, "overwrite"),
            ({"accounts": [account, {"address": SECRET}]}, "a line and an address"),
            ({"accounts": [{**account, "fields": SECRET}]}, "fields of an account"),
            ({"accounts": [account] * (MAX_ACCOUNTS + 1)}, "several requests"),
        ):
            status, document = self.post(body)
            self.assertEqual(status, 400)
            self.assertIn(words, document["error"])
            self.assertNotIn(SECRET, document["error"])
        self.assertEqual(run_now(self.database.accounts()), ())
