"""A program on a user's computer gets a password of its own."""

from __future__ import annotations

from mailsuite.model.device import Scope
from tests.accounts.gates import JOE
from tests.web.site import BY_DESKTOP, SiteCase, basic


class Enrolling(SiteCase):
    def test_a_password_for_notices_and_fetching(self) -> None:
        status, document, _ = self.ask("POST /devices", body={"name": "Laptop"})
        self.assertEqual((status, document["device"]["scopes"]), (201, ["pop3", "notify"]))
        by_laptop = basic(password=document["password"])
        self.connect()
        self.assertEqual(self.ask("GET /subscriptions", by_laptop)[0], 200)
        self.assertEqual(self.session.device, document["device"]["id"])
        self.assertNotIn(document["password"], "".join(self.lines))

    def test_less_but_never_more(self) -> None:
        _, document, _ = self.ask("POST /devices", body={"name": "x", "scopes": ["notify"]})
        self.assertEqual(document["device"]["scopes"], ["notify"])
        for body in (
            {"name": "y", "scopes": ["submission"]},
            {"name": "y", "scopes": ["console"]},
            {"name": "y", "scopes": []},
            {"name": "y", "scopes": [[]]},
            {"name": "y", "scopes": "pop3"},
            {"name": "y", "mechanisms": ["apop"]},
            {"name": "y", "expires": "2030-01-01"},
            {"name": 5},
            {"name": " "},
            {},
        ):
            status, document, _ = self.ask("POST /devices", body=body)
            self.assertEqual((status, "device" in document["detail"]), (400, True), body)

    def test_by_the_own_password_alone(self) -> None:
        status, document, _ = self.ask("POST /devices", BY_DESKTOP, {"name": "Laptop"})
        self.assertEqual((status, "own password" in document["detail"]), (403, True))
        devices = self.do(self.directory.devices(JOE.address))
        self.assertNotIn("Laptop", [device.name for device in devices])

    def test_a_computer_that_comes_again(self) -> None:
        names = []
        for _ in range(3):
            _, document, _ = self.ask("POST /devices", body={"name": "Laptop"})
            names.append(document["device"]["name"])
        self.assertEqual(names, ["Laptop", "Laptop 2", "Laptop 3"])
        for _ in range(6):
            self.ask("POST /devices", body={"name": "Laptop"})
        status, document, _ = self.ask("POST /devices", body={"name": "Laptop"})
        self.assertEqual((status, "too many" in document["detail"]), (400, True))

    def test_ten_in_an_hour(self) -> None:
        for number in range(10):
            self.assertEqual(self.ask("POST /devices", body={"name": f"n{number}"})[0], 201)
        self.assertEqual(self.ask("POST /devices", body={"name": "one more"})[0], 429)
        self.clock.advance(361.0)
        self.connect()
        self.assertEqual(self.ask("POST /devices", body={"name": "one more"})[0], 201)
        devices = self.do(self.directory.devices(JOE.address))
        made = next(device for device in devices if device.name == "one more")
        self.assertEqual(made.scopes, {Scope.NOTIFY, Scope.POP3})
