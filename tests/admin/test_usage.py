"""Usage and quotas in the control API."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailsuite.admin.accounts import Accounts
from mailsuite.admin.control import control_site
from mailsuite.admin.resources import Desk
from mailsuite.model.address import Address
from mailsuite.model.quota import Quota
from mailsuite.observe.log import Log
from tests.admin.test_api import ApiCase

JOE = Address("joe", "example.test")
PATH = "/v1/accounts/joe@example.test"


class UsageTests(ApiCase):
    def setUp(self) -> None:
        super().setUp()
        office = self.world.office
        self.site = control_site(self.clock, Desk(Log(), self.tasks), office, self.operations)
        accounts = Accounts(
            Desk(Log(), self.tasks),
            office.registry,
            office.devices,
            self.operations.store,
            outbound=self.operations.outbound,
            general=lambda: Quota(1000, 20),
        )
        self.site.resource.children[b"v1"].putChild(b"accounts", accounts)
        self.wire = self.connect()
        self.add()

    def deliver(self, octets: int) -> None:
        delivery = self.operations.store.begin(JOE)
        delivery.write(b"x" * octets)
        self.successResultOf(Deferred.fromCoroutine(self.operations.store.deliver([delivery])))

    def shown(self) -> tuple[object, object, object]:
        document = self.ask("GET", PATH).document
        return document["usage"]["octets"], document["quota"], document["percent"]

    def test_what_holds_for_an_account(self) -> None:
        self.deliver(500)
        self.assertEqual(self.shown(), (500, {"octets": 1000, "messages": 20}, 50))
        self.ask("PATCH", "/v1/domains/example.test", {"quota": "1KiB"})
        self.assertEqual(self.shown(), (500, {"octets": 1024, "messages": 20}, 48))
        changed = self.ask("PATCH", PATH, {"quota": "2KiB,2"}).document["account"]
        self.assertEqual(changed["quota"], {"octets": 2048, "messages": 2})
        self.assertEqual(self.shown(), (500, {"octets": 2048, "messages": 2}, 50))
        self.ask("PATCH", PATH, {"quota": "0"})
        self.assertEqual(self.shown(), (500, {"octets": 0, "messages": 0}, 0))
        self.ask("PATCH", PATH, {"quota": "default"})
        self.assertEqual(self.shown(), (500, {"octets": 1024, "messages": 20}, 48))

    def test_all_accounts(self) -> None:
        self.deliver(900)
        document = self.ask("GET", "/v1/accounts/usage").document
        self.assertEqual(
            [(one["account"], one["usage"]["messages"], one["percent"]) for one in document["accounts"]],
            [("joe@example.test", 1, 90), ("filed@file.test", 0, 0)],
        )

    def test_what_is_no_quota(self) -> None:
        for quota in ("much", 5, [], "1B"):
            for path in (PATH, "/v1/domains/example.test"):
                answer = self.ask("PATCH", path, {"quota": quota})
                self.assertEqual(answer.status, 400, (quota, path))
                self.assertIn("quota: ", answer.document["error"])

    def test_domains(self) -> None:
        answer = self.ask("PATCH", "/v1/domains/Example.test", {"quota": "1GiB,7"})
        self.assertEqual(answer.document["domain"]["quota"], {"octets": 1 << 30, "messages": 7})
        self.assertEqual(answer.document["domain"]["accounts"], 1)
        self.assertEqual(self.ask("PATCH", "/v1/domains/example.test", {}).document, answer.document)
        for path, body, status in (
            ("nowhere.test", {"quota": "0"}, 404),
            ("empty.test", {"quota": "0"}, 403),
            ("example.test", {"name": "other.test"}, 400),
            ("%ff", {"quota": "0"}, 400),
        ):
            self.assertEqual(self.ask("PATCH", f"/v1/domains/{path}", body).status, status, path)
        self.assertEqual(len(self.ask("GET", "/v1/domains/").document["domains"]), 3)
