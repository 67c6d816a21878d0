"""The reference of the HTTP interface (docs/reference/notify-api.json) says what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from mailsuite.model.subscription import Attempt, DeadLetter
from mailsuite.notify import wishes
from mailsuite.notify.stream import NAMES
from mailsuite.notify.streams import MAX_PING, MIN_PING
from mailsuite.web.devices import CREATIONS as DEVICES
from mailsuite.web.site import BASE
from mailsuite.web.subscriptions import TESTS
from tests.web.site import BY_DESKTOP, SiteCase

API: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "notify-api.json").read_text("utf-8")
)
HOOK = {"channel": "hook", "target": "https://a.example/hook"}
WHOLE: dict[str, Any] = {
    **HOOK,
    "options": {"mode": "each"},
    "name": "Help desk",
    "level": "subject",
    "filter": {
        "kinds": ["mail.new"],
        "senders": ["*@example.org"],
        "importance": "high",
        "smallest": "1KiB",
        "wanted": ["bulk"],
        "if_unfetched_after": "5m",
    },
    "quiet": {"zone": "UTC", "spans": [{"begin": "22:00", "end": "07:30"}], "manner": "digest"},
    "window": "30s",
    "urgency": "high",
    "expires": "2030-01-02T03:04:05Z",
}


def schema(part: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**part, "components": API["components"]})


class Reference(SiteCase):
    def operation(self, line: str) -> dict[str, Any]:
        """What the page says of a request."""
        method, path = line.lower().split(" ")
        plain = path.partition("?")[0]
        for known, operations in API["paths"].items():
            pattern = re.sub(r"\{id\}", "[^/]+", known)
            if re.fullmatch(pattern, BASE + plain) and method in operations:
                return dict(operations[method])
        raise AssertionError(f"the page has no {line}")

    def check(self, line: str, body: Any = None, fields: str | None = None) -> tuple[int, dict[str, Any]]:
        """Ask; the answer has to be one that the page has."""
        operation = self.operation(line)
        status, document, answered = self.ask(line, fields, body)
        self.assertIn(str(status), operation["responses"], line)
        response = operation["responses"][str(status)]
        if "$ref" in response:
            response = API["components"]["responses"][str(status)]
        ((kind, content),) = response["content"].items()
        self.assertEqual(answered["content-type"], kind)
        schema(content["schema"]).validate(document)
        for name in response.get("headers", {}):
            self.assertIn(name.lower(), answered)
        if body is not None and status < 400:
            schema(operation["requestBody"]["content"]["application/json"]["schema"]).validate(body)
        return status, document

    def test_every_path_and_method_and_no_other(self) -> None:
        written = {
            (path, method.upper())
            for path, operations in API["paths"].items()
            for method in operations
            if method != "parameters"
        }
        served = {(BASE + path, method) for path, actions in self.site().routes.items() for method in actions}
        self.assertEqual(written, served)

    def test_what_is_answered(self) -> None:
        _, document = self.check("POST /subscriptions", WHOLE)
        id = document["subscription"]["id"]
        self.check(f"POST /subscriptions/{id}/verify", {"code": "x"})
        self.check(f"POST /subscriptions/{id}/verify", {})
        self.check(f"POST /subscriptions/{id}/verify", {"code": self.hook.sent[-1]})
        self.check(f"POST /subscriptions/{id}/verify", {"code": "x"})
        standing = self.book.find(id)
        assert standing is not None
        self.book.keep(standing.cursor, Attempt(id, 4, 5.0, 0.01, "http 503", 503))
        self.do(self.kept.bury(DeadLetter(id, 3, 4, 5.0, "timed-out")))
        changes = {"name": None, "quiet": None, "state": "paused", "window": None, "urgency": None}
        self.key = "BNcRdreALRFX"
        for line, body, expected in (
            ("GET /subscriptions", None, 200),
            (f"GET /subscriptions/{id}", None, 200),
            (f"PATCH /subscriptions/{id}", {**changes, "level": None, "filter": None, "expires": None}, 200),
            (f"PATCH /subscriptions/{id}", {"state": "active"}, 200),
            (f"PATCH /subscriptions/{id}", {"target": "x"}, 400),
            (f"POST /subscriptions/{id}/replay", {"seq": 4}, 200),
            (f"POST /subscriptions/{id}/replay", {"seq": 9}, 404),
            (f"POST /subscriptions/{id}/secret", {}, 400),
            ("GET /deliveries", None, 200),
            (f"GET /deliveries?subscription={id}", None, 200),
            ("POST /test", {"subscription": id}, 200),
            ("POST /test", {}, 202),
            ("POST /test", None, 202),
            ("GET /webpush-key", None, 200),
            ("POST /devices", {"name": "Laptop"}, 201),
            ("POST /devices", {"name": "Laptop", "scopes": ["notify"]}, 201),
            ("GET /stream?level=all", None, 400),
            (f"DELETE /subscriptions/{id}", None, 200),
            (f"DELETE /subscriptions/{id}", None, 404),
        ):
            with self.subTest(line=line):
                self.assertEqual(self.check(line, body)[0], expected)
        self.assertEqual(self.check("POST /devices", {"name": "Laptop"}, BY_DESKTOP)[0], 403)
        self.assertEqual(self.check("GET /subscriptions", None, "")[0], 401)

    def test_each_line_refuses_whoever_is_nobody(self) -> None:
        for path, operations in API["paths"].items():
            for method in set(operations) - {"parameters"}:
                line = f"{method.upper()} {path.removeprefix(BASE).replace('{id}', 'sub_x')}"
                self.assertEqual(self.check(line, None, "")[0], 401, line)

    def test_what_a_wish_may_hold(self) -> None:
        parts = API["components"]["schemas"]
        self.assertEqual(
            set(parts["Changes"]["properties"]), {*wishes.CHANGEABLE, "filter", "quiet", "state"}
        )
        self.assertEqual(
            set(parts["Wish"]["properties"]),
            {"channel", "target", "options", *wishes.CHANGEABLE, "filter", "quiet"},
        )
        self.assertEqual(set(parts["Filter"]["properties"]), set(wishes.FILTER))

    def test_the_numbers_and_the_names(self) -> None:
        paths = API["paths"]
        stream = paths[f"{BASE}/stream"]["get"]
        words = {each["name"]: each["description"] for each in stream["parameters"] if "description" in each}
        for name in set(NAMES.values()):
            self.assertIn(name, stream["description"])
            self.assertIn(name, words["types"])
        self.assertIn(f"{MIN_PING:.0f} to {MAX_PING:.0f}", words["ping"])
        self.assertIn(f"{TESTS.count} in an hour", paths[f"{BASE}/test"]["post"]["description"])
        self.assertIn(f"{DEVICES.count} in an hour", paths[f"{BASE}/devices"]["post"]["description"])
        self.assertIn(
            "15 of one account, 10 in an hour", paths[f"{BASE}/subscriptions"]["post"]["description"]
        )
