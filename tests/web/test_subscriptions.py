"""Subscriptions over HTTP: whose, how they are verified, changed and removed, and what is never told."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from mailsuite.model.subscription import Attempt, DeadLetter, Subscription
from mailsuite.notices.memory import MemorySubscriptions
from tests.accounts.gates import JOE
from tests.web.site import BY_ANN, BY_DESKTOP, BY_TABLET, SiteCase

HOOK = {"channel": "hook", "target": "https://a.example/hook/S3CRET"}


class SubscriptionCase(SiteCase):
    def add(self, fields: str | None = None, **more: Any) -> str:
        status, document, answered = self.ask("POST /subscriptions", fields, {**HOOK, **more})
        self.assertEqual(status, 201)
        id = str(document["subscription"]["id"])
        self.assertEqual(answered["location"], f"/notify/v1/subscriptions/{id}")
        return id

    def active(self, fields: str | None = None) -> str:
        id = self.add(fields)
        self.assertEqual(self.verify(id, self.hook.sent[-1], fields)[0], 200)
        return id

    def verify(self, id: str, code: str, fields: str | None = None) -> tuple[int, dict[str, Any]]:
        status, document, _ = self.ask(f"POST /subscriptions/{id}/verify", fields, {"code": code})
        return status, document


class Held(MemorySubscriptions):
    """Adds when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[None] = Deferred()

    async def add(self, subscription: Subscription, acked: int) -> None:
        await self.gate
        await super().add(subscription, acked)


class Making(SubscriptionCase):
    def test_by_a_password_that_goes_meanwhile(self) -> None:
        """What it makes behind its own removal goes with it, too."""
        held = self.book.subscriptions = self.office.kept = Held()
        self.send("POST /notify/v1/subscriptions", BY_DESKTOP, HOOK)
        desktop = f"{JOE.address}/desktop"
        self.do(self.directory.remove_device(JOE.address, desktop))
        self.assertEqual(self.do(self.book.remove_of(JOE.address, desktop)), ())
        held.gate.callback(None)
        self.assertEqual(self.answer()[0], 401)
        self.assertEqual((self.book.all(), self.do(held.all())), ((), ()))

    def test_the_whole_way(self) -> None:
        id = self.add(name="Help desk")
        status, document, _ = self.ask(f"GET /subscriptions/{id}")
        self.assertEqual((status, document["subscription"]["state"]), (200, "unverified"))
        status, document = self.verify(id, self.hook.sent[0])
        self.assertEqual((status, document["subscription"]["state"]), (200, "active"))
        _, document, _ = self.ask("GET /subscriptions")
        self.assertEqual([each["name"] for each in document["subscriptions"]], ["Help desk"])
        self.assertEqual(self.ask(f"DELETE /subscriptions/{id}")[0], 200)
        self.assertEqual(self.ask(f"GET /subscriptions/{id}")[0], 404)

    def test_url_and_keys_are_never_given_back(self) -> None:
        id = self.active()
        for line in ("GET /subscriptions", f"GET /subscriptions/{id}", "GET /deliveries"):
            self.ask(line)
            self.assertNotIn(b"S3CRET", self.wire.value())
            self.assertNotIn(b"kkkk", self.wire.value())

    def test_what_is_wrong_is_said(self) -> None:
        for body, words in (
            ({}, "channel is missing"),
            ({**HOOK, "level": "all"}, "level: "),
            ({**HOOK, "target": "ftp://x"}, "target: "),
        ):
            status, document, _ = self.ask("POST /subscriptions", body=body)
            self.assertEqual((status, words in document["detail"]), (400, True))

    def test_codes_cannot_be_guessed(self) -> None:
        id = self.add()
        for _ in range(5):
            self.assertEqual(self.verify(id, "0" * 32)[0], 400)
        status, document = self.verify(id, self.hook.sent[0])
        self.assertEqual((status, "new one" in document["detail"]), (400, True))
        self.assertEqual(self.ask(f"POST /subscriptions/{id}/verify", body={})[0], 202)
        self.assertEqual(self.verify(id, self.hook.sent[1])[0], 200)
        self.assertEqual(self.verify(id, self.hook.sent[1])[0], 409)
        self.assertEqual(self.ask(f"POST /subscriptions/{id}/verify", body={"code": 5})[0], 400)

    def test_ten_in_an_hour(self) -> None:
        for _ in range(10):
            self.add()
        status, _, fields = self.ask("POST /subscriptions", body=HOOK)
        self.assertEqual((status, fields["retry-after"]), (429, "300"))

    def test_immutable_fields(self) -> None:
        id = self.active()
        for name in ("channel", "target", "options", "id", "account", "device"):
            status, document, _ = self.ask(f"PATCH /subscriptions/{id}", body={name: "x"})
            self.assertEqual((status, "never changes" in document["detail"]), (400, True))
        status, document, _ = self.ask(f"PATCH /subscriptions/{id}", body={"level": "knock"})
        self.assertEqual((status, document["subscription"]["level"]), (200, "knock"))
        status, document, _ = self.ask(f"PATCH /subscriptions/{id}", body={"state": "paused"})
        self.assertEqual((status, document["subscription"]["state"]), (200, "paused"))


class Whose(SubscriptionCase):
    def test_of_others_there_is_nothing(self) -> None:
        id = self.active(BY_DESKTOP)
        lines: tuple[tuple[str, dict[str, Any] | None], ...] = (
            (f"GET /subscriptions/{id}", None),
            (f"PATCH /subscriptions/{id}", {"name": "mine"}),
            (f"POST /subscriptions/{id}/verify", {"code": "x"}),
            (f"POST /subscriptions/{id}/verify", {}),
            (f"POST /subscriptions/{id}/replay", {"seq": 1}),
            ("POST /test", {"subscription": id}),
            (f"GET /deliveries?subscription={id}", None),
            (f"DELETE /subscriptions/{id}", None),
        )
        for fields in (BY_ANN, BY_TABLET):
            for line, body in lines:
                self.assertEqual(self.ask(line, fields, body)[0], 404, line)
            self.assertEqual(self.ask("GET /subscriptions", fields)[1], {"subscriptions": []})
            self.assertEqual(self.ask("GET /deliveries", fields)[1], {"deliveries": [], "given_up": []})
        for fields in (None, BY_DESKTOP):
            self.assertEqual(self.ask(f"GET /subscriptions/{id}", fields)[0], 200)


class Telling(SubscriptionCase):
    def test_a_test_by_one(self) -> None:
        id = self.add()
        self.assertEqual(self.ask("POST /test", body={"subscription": id})[0], 400)
        self.verify(id, self.hook.sent[0])
        status, document, _ = self.ask("POST /test", body={"subscription": id})
        self.assertEqual((status, document["delivery"]["ms"]), (200, 38.0))
        self.assertEqual(self.ask("POST /test", body={"subscription": 5})[0], 400)

    def test_a_test_over_the_streams(self) -> None:
        _, wire = self.stream()
        self.connect()
        self.assertEqual(self.ask("POST /test", body={})[0], 202)
        self.clock.advance(0)
        self.assertEqual([event.type for event in self.told(wire)], ["test"])

    def test_so_many_tests(self) -> None:
        for _ in range(30):
            self.assertEqual(self.ask("POST /test")[0], 202)
        self.assertEqual(self.ask("POST /test")[0], 429)
        self.assertEqual(self.ask("POST /test", BY_ANN)[0], 202)

    def test_what_was_tried_and_given_up(self) -> None:
        id = self.active()
        standing = self.book.find(id)
        assert standing is not None
        self.book.keep(standing.cursor, Attempt(id, 4, 5.0, 0.01, "http 503", 503))
        self.do(self.kept.bury(DeadLetter(id, 3, 4, 5.0, "http 503", 503)))
        for line in ("GET /deliveries", f"GET /deliveries?subscription={id}"):
            _, document, _ = self.ask(line)
            self.assertEqual([each["result"] for each in document["deliveries"]], ["http 503"])
            self.assertEqual([each["seq"] for each in document["given_up"]], [4])
        for body, expected in (({}, 400), ({"seq": True}, 400), ({"seq": 3}, 404), ({"seq": 4}, 200)):
            self.assertEqual(self.ask(f"POST /subscriptions/{id}/replay", body=body)[0], expected)
        self.assertEqual(self.desk.told, [(id, 4)])

    def test_the_key_of_web_push(self) -> None:
        self.assertEqual(self.ask("GET /webpush-key")[0], 404)
        self.key = "BNcRdreALRFX"
        self.assertEqual(self.ask("GET /webpush-key")[:2], (200, {"key": "BNcRdreALRFX"}))
