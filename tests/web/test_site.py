"""Who gets in over HTTPS, and what is at which path."""

from __future__ import annotations

import attrs
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.accounts.fakes import CHEAP, SECRET
from tests.accounts.gates import JOE, password_of, sealed
from tests.web.site import BY_ANN, BY_DESKTOP, SiteCase, basic


class Paths(SiteCase):
    def test_what_is_nowhere(self) -> None:
        for path in ("/", "/x", "/subscriptions/", "/subscriptions/a/b", "/subscriptions/..%2f", "/../v1"):
            status, document, fields = self.ask(f"GET {path}")
            self.assertEqual((status, document["status"], document["title"]), (404, 404, "Not Found"), path)
            self.assertEqual(fields["content-type"], "application/problem+json")
        self.send("GET /", basic())
        self.assertEqual(self.answer()[0], 404)
        self.send("GET https://x/notify/v1/subscriptions?x=y", basic())
        self.assertEqual(self.answer()[0], 200, "as proxies write it")
        self.send("GET /v1/accounts", basic())
        self.assertEqual(self.answer()[0], 404, "nothing of an administrator's is here")

    def test_other_methods(self) -> None:
        for line, allowed in (
            ("DELETE /subscriptions", "GET, HEAD, POST"),
            ("PUT /subscriptions/x", "DELETE, GET, HEAD, PATCH"),
            ("GET /test", "POST"),
            ("OPTIONS /devices", "POST"),
            ("BREW /stream", "GET, HEAD"),
        ):
            status, _, fields = self.ask(line)
            self.assertEqual((status, fields["allow"]), (405, allowed))

    def test_what_is_no_json(self) -> None:
        for kind, body, expected in (
            ("text/plain", b"{}", 415),
            ("application/x-www-form-urlencoded", b"a=b", 415),
            ("application/json", b"{", 400),
            ("application/json", b"[]", 400),
            ("application/json", b"[" * 10_000, 400),
            ("application/json; charset=utf-8", b"{}", 400),
        ):
            self.wire.clear()
            head = f"POST /notify/v1/subscriptions HTTP/1.1\r\nHost: x\r\n{basic()}Content-Type: {kind}\r\n"
            self.session.dataReceived(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            self.assertEqual(self.answer()[0], expected, kind)

    def test_another_site_changes_nothing(self) -> None:
        fields = basic() + "Sec-Fetch-Site: cross-site\r\n"
        self.assertEqual(self.ask("POST /test", fields)[0], 403)
        self.assertEqual(self.ask("GET /subscriptions", fields)[0], 200)

    def test_what_is_not_possible_just_now(self) -> None:
        self.kept.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "disk full")
        status, document, _ = self.ask("POST /subscriptions", body={"channel": "hook", "target": "https://x"})
        self.assertEqual((status, "disk full" in str(document)), (503, False))


class Login(SiteCase):
    def test_nobody(self) -> None:
        for fields in ("", "Authorization: Bearer x\r\n", "Authorization: Basic !\r\n"):
            status, document, answered = self.ask("GET /subscriptions", fields)
            self.assertEqual((status, document["status"]), (401, 401))
            self.assertEqual(answered["www-authenticate"], 'Basic realm="mail", charset="UTF-8"')
        self.assertEqual(self.ask("GET /x", "")[0], 404)

    def test_by_the_own_password_and_by_devices_for_that(self) -> None:
        self.assertEqual(self.ask("GET /subscriptions")[0], 200)
        self.assertEqual((self.session.account, self.session.device), (JOE.address, ""))
        self.assertEqual(self.ask("GET /subscriptions", BY_DESKTOP)[0], 200)
        self.assertEqual(self.session.device, f"{JOE.address}/desktop")

    def wrong(self, fields: str) -> None:
        self.send("GET /notify/v1/subscriptions", fields)
        self.assertEqual(self.wire.value(), b"", "after the delay")
        self.clock.advance(16)
        status, document, _ = self.answer()
        self.assertEqual((status, document["detail"]), (401, "wrong name or password"))
        self.assertEqual(self.session.account, None)

    def test_who_is_refused_waits(self) -> None:
        for name, password in (
            ("joe", "wrong"),
            ("nobody", SECRET),
            ("joe", password_of("phone")),
            ("joe", password_of("send-only")),
            ("off", SECRET),
        ):
            self.connect()
            self.wrong(basic(name, password))

    def test_a_wrong_password_after_a_right_one(self) -> None:
        self.assertEqual(self.ask("GET /subscriptions")[0], 200)
        self.wrong(basic(password="wrong"))

    def test_on_one_connection_it_costs_once(self) -> None:
        self.ask("GET /subscriptions")
        hashed = len(self.do(self.logins.since(0.0)))
        for _ in range(5):
            self.assertEqual(self.ask("GET /subscriptions")[0], 200)
        self.assertEqual(len(self.do(self.logins.since(0.0))), hashed)
        self.assertEqual(self.ask("GET /subscriptions", BY_ANN)[0], 200)
        self.assertEqual(str(self.session.account), "ann@example.net")

    def test_what_was_taken_away_since_counts(self) -> None:
        self.assertEqual(self.ask("GET /subscriptions", BY_DESKTOP)[0], 200)
        self.do(self.directory.remove_device(JOE.address, f"{JOE.address}/desktop"))
        self.assertEqual(self.ask("GET /subscriptions", BY_DESKTOP)[0], 401)
        self.assertEqual(self.ask("GET /subscriptions")[0], 200)
        self.do(self.directory.change_account(attrs.evolve(JOE, password_hash=CHEAP.hash("other"))))
        self.assertEqual(self.ask("GET /subscriptions")[0], 401)

    def test_the_same_password_written_anew_is_as_good(self) -> None:
        """As that of an account of the configuration is, whenever that is read."""
        self.assertEqual(self.ask("GET /subscriptions", BY_DESKTOP)[0], 200)
        self.reseal("desktop", sealed(JOE, f"{JOE.address}/desktop", password_of("desktop")))
        self.assertEqual(self.ask("GET /subscriptions", BY_DESKTOP)[0], 200)
        self.reseal("desktop", sealed(JOE, f"{JOE.address}/desktop", "another"))
        self.assertEqual(self.ask("GET /subscriptions", BY_DESKTOP)[0], 401)

    def test_in_clear_from_this_machine_alone(self) -> None:
        self.connect("198.51.100.7", tls=False)
        status, document, _ = self.ask("GET /subscriptions")
        self.assertEqual((status, document["detail"]), (403, "passwords are taken under TLS only"))
        self.assertEqual(self.do(self.logins.since(0.0)), ())
        self.connect("127.0.0.1", tls=False)
        self.assertEqual(self.ask("GET /subscriptions")[0], 200)

    def test_we_cannot_tell(self) -> None:
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "disk full")
        status, document, fields = self.ask("GET /subscriptions")
        self.assertEqual((status, fields["retry-after"]), (503, "5"))
        self.assertNotIn("disk", str(document))

    def test_the_client_goes_while_it_waits(self) -> None:
        self.send("GET /notify/v1/subscriptions", basic(password="wrong"))
        self.session.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(16)
        self.assertEqual(self.flushLoggedErrors(), [])
