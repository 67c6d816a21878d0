"""The control API, octet for octet, over a registry in memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.admin.control import REQUEST_TIMEOUT, control_site
from mailsuite.admin.resources import MAX_BODY_OCTETS, Desk, Document
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.services.errors import SERVICES
from tests.accounts.offices import JOE as ADDRESS
from tests.accounts.offices import World, login, now
from tests.admin.operations import operations_of

SECRET = "canary-of-the-control-api"
JOE = {
    "address": "joe@example.test",
    "name": "Joe",
    "origin": "database",
    "password": True,
    "state": "enabled",
    "forward": None,
    "keep_copy": False,
    "pop3": "allow",
    "delete_after": None,
    "delete_unread_after": None,
    "quota": {"octets": None, "messages": None},
    "max_message": None,
    "block_senders": [],
    "accept_senders": [],
    "language": None,
    "notifymail": {"state": None, "address": None, "port": 79},
}


@attrs.frozen
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def document(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        assert self.headers.get("content-length") == str(len(self.content))
        return json.loads(self.content)


def parse(data: bytes) -> Answer:
    head, _, content = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Answer(int(status.split()[1]), headers, content)


class Wire(StringTransport):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()


class ApiCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.tasks = Tasks(lambda failure: log.failure("tasks.failed", failure))
        folder = Path(self.mktemp_directory())
        self.world = World(folder)
        self.database = self.world.database
        self.status: Callable[[], Awaitable[Document]] = self.well
        self.reloads: list[tuple[IPAddress | None, bool]] = []
        self.operations = operations_of(self.clock, log, folder, self.ask_status, self.reload)
        self.site = control_site(self.clock, Desk(log, self.tasks), self.world.office, self.operations)
        self.wire = self.connect()

    def mktemp_directory(self) -> str:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    async def ask_status(self) -> Document:
        return await self.status()

    async def well(self) -> Document:
        return {"state": "well"}

    async def reload(self, caller: IPAddress | None, force: bool) -> tuple[int, Document]:
        self.reloads.append((caller, force))
        return 422, {"problems": ["mailsuite.toml:3: no"]}

    def connect(self) -> Wire:
        channel: Any = self.site.buildProtocol(UNIXAddress(""))
        wire = Wire(peerAddress=UNIXAddress(""))
        channel.makeConnection(wire)
        wire.protocol = channel  # type: ignore[attr-defined]
        return wire

    def send(self, data: bytes) -> None:
        self.wire.protocol.dataReceived(data)  # type: ignore[attr-defined]

    def lose(self) -> None:
        self.wire.protocol.connectionLost(Failure(ConnectionDone()))  # type: ignore[attr-defined]

    def ask(self, method: str, path: str, body: object = None, raw: bytes | None = None) -> Answer:
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        self.wire.clear()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n"
        length = f"Content-Length: {len(content)}\r\n" if content or raw is not None else ""
        self.send(f"{head}{length}\r\n".encode() + content)
        return parse(self.wire.value())

    def add(self, **fields: object) -> Answer:
        return self.ask("POST", "/v1/accounts", {"address": "joe@example.test", "name": "Joe", **fields})

    def tearDown(self) -> None:
        self.assertEqual(len(self.tasks), 0)
        self.assertNotIn(SECRET, "\n".join(self.lines))


class Accounts(ApiCase):
    def test_an_account_without_a_password(self) -> None:
        answer = self.add(without_password=True)
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.document, {"account": {**JOE, "password": False}, "generated": None})
        for fields, words in (
            ({"without_password": True, "password": SECRET}, "a password and no password: one of them"),
            ({"without_password": "yes"}, "without_password is neither true nor false"),
        ):
            refused = self.add(**fields)
            self.assertEqual((refused.status, refused.document["error"]), (400, words))

    def test_who_forwards_to_an_account(self) -> None:
        self.add()
        self.ask("POST", "/v1/accounts", {"address": "ann@example.test"})
        wish = {"state": "forward", "forward": "joe@example.test"}
        self.ask("PATCH", "/v1/accounts/ann@example.test", wish)
        shown = self.ask("GET", "/v1/accounts/Joe@example.test").document
        self.assertEqual(shown["forwarders"], ["ann@example.test"])
        self.ask("PATCH", "/v1/accounts/ann@example.test", {"state": "enabled"})
        self.assertEqual(self.ask("GET", "/v1/accounts/joe@example.test").document["forwarders"], [])

    def test_the_life_of_an_account(self) -> None:
        answer = self.add(password=SECRET)
        self.assertEqual((answer.status, answer.document), (201, {"account": JOE, "generated": None}))
        self.assertEqual(answer.headers["cache-control"], "no-store")
        shown = self.ask("GET", "/v1/accounts/joe@example.test").document
        usage = shown.pop("usage")
        self.assertEqual((usage["messages"], usage["octets"]), (0, 0))
        quota = {"octets": 2 << 30, "messages": None}
        self.assertEqual((shown.pop("quota"), shown.pop("percent")), (quota, 0))
        self.assertEqual(shown, {"account": JOE, "forwarders": [], "devices": 0, "last_login": None})
        listed = self.ask("GET", "/v1/accounts").document["accounts"]
        self.assertEqual([each["address"] for each in listed], ["joe@example.test", "filed@file.test"])
        self.assertEqual(self.ask("GET", "/v1/accounts/").document["accounts"], listed)
        moved = self.ask("PATCH", "/v1/accounts/joe@example.test", {"notifymail": {"port": 7979}})
        self.assertEqual(moved.document["account"]["notifymail"]["port"], 7979)
        renamed = self.ask("PATCH", "/v1/accounts/joe@example.test", {"name": "Jö"})
        self.assertEqual(renamed.document["account"]["name"], "Jö")
        self.assertIn("Jö".encode(), renamed.content)
        answer = self.ask("PUT", "/v1/accounts/joe@example.test/password", {"password": SECRET})
        self.assertEqual((answer.status, answer.document["generated"]), (200, None))
        self.assertEqual(self.ask("DELETE", "/v1/accounts/joe@example.test").document, {})
        self.assertEqual(self.world.ended, [(ADDRESS, None, "the account was removed")])
        self.assertEqual(self.ask("GET", "/v1/accounts/joe@example.test").status, 404)
        events = [line.split()[2] for line in self.lines]
        self.assertEqual(
            events, ["account.added", *["account.changed"] * 2, "account.password", "account.removed"]
        )

    def test_generated_passwords_are_answered_and_not_logged(self) -> None:
        generated = self.add(password=None).document["generated"]
        again = self.ask("PUT", "/v1/accounts/joe@example.test/password", {"password": None})
        for password in (generated, again.document["generated"]):
            self.assertGreater(len(password), 8)
            self.assertNotIn(password, "\n".join(self.lines))

    def test_an_address_is_quoted_once(self) -> None:
        for path in ("joe@example.test", "joe%40example.test", "%6Aoe@example.test"):
            self.assertEqual(self.ask("GET", f"/v1/accounts/{path}").status, 404)
        self.add()
        for path in ("joe@example.test", "joe%40example.test", "%6Aoe@EXAMPLE.test"):
            self.assertEqual(self.ask("GET", f"/v1/accounts/{path}").status, 200)
        odd = self.ask("GET", "/v1/accounts/joe%2540example.test")
        self.assertEqual((odd.status, "no @" in odd.document["error"]), (400, True))

    def test_what_is_wrong_with_a_request(self) -> None:
        table: list[tuple[object, str]] = [
            ({}, "address is missing"),
            ({"address": 3}, "address is no text"),
            ({"address": None}, "address is no text"),
            ({"address": "joe"}, "no @"),
            ({"address": "joe@example.test", "name": 3}, "name is no text"),
            ({"address": "joe@example.test", "password": 3}, "password is no text"),
            ({"address": "joe@example.test", "password": "short"}, "shorter than"),
            ({"address": "joe@example.test", "notifymail": []}, "notifymail is no object"),
            ({"address": "joe@example.test", "notifymail": {"\ud800": 1}}, "no field"),
            ({"address": "joe@example.test", "name": "\ud800"}, "control character"),
            ({"address": "\ud800@example.test"}, ""),
            ([], "the request is no JSON object"),
            ("joe@example.test", "the request is no JSON object"),
        ]
        for body, words in table:
            with self.subTest(body=body):
                answer = self.ask("POST", "/v1/accounts", body)
                self.assertEqual(answer.status, 400)
                self.assertIn(words, answer.document["error"])
        self.assertEqual([line for line in self.lines if "traceback" in line], [])

    def test_each_refusal_has_its_status(self) -> None:
        self.add()
        self.assertEqual(self.add().status, 409)
        self.assertEqual(self.ask("DELETE", "/v1/accounts/filed@file.test").status, 403)
        self.assertEqual(self.ask("DELETE", "/v1/accounts/nobody@example.test").status, 404)
        self.assertEqual(self.world.ended, [])
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "a path")
        answer = self.ask("GET", "/v1/accounts")
        self.assertEqual(answer.status, 503)
        self.assertNotIn("path", answer.document["error"])


class States(ApiCase):
    def test_the_state_of_an_account(self) -> None:
        self.add()
        path = "/v1/accounts/joe@example.test"
        changed = self.ask("PATCH", path, {"state": "off", "name": None})
        self.assertEqual(changed.document["account"], {**JOE, "state": "off"})
        self.assertEqual(self.world.ended, [(ADDRESS, None, "the account was switched off")])
        self.assertIn("account.changed account=joe@example.test state=off pop3=allow", self.lines[-1])
        for body, words in (
            ({"state": "asleep"}, "state: "),
            ({"pop3": False}, "pop3: "),
            ({"forward": "joe@elsewhere.test"}, "joe@elsewhere.test is elsewhere"),
            ({"password": "x"}, "'password' of an account cannot be changed"),
            ({"name": 3}, "name is no text"),
            ({"notifymail": []}, "notifymail is no object"),
        ):
            with self.subTest(body=body):
                answer = self.ask("PATCH", path, body)
                self.assertEqual((answer.status, words in answer.document["error"]), (400, True))
        self.assertEqual(self.ask("PATCH", path, {}).status, 200)


class Devices(ApiCase):
    path = "/v1/accounts/joe@example.test/devices"

    def setUp(self) -> None:
        super().setUp()
        self.add()
        self.lines.clear()

    def test_the_life_of_a_device(self) -> None:
        body = {"name": "Eudora/1 ä", "mechanisms": ["apop"], "networks": None}
        answer = self.ask("POST", self.path, body)
        device, password = answer.document["device"], answer.document["generated"]
        self.assertEqual((answer.status, device["name"]), (201, "Eudora/1 ä"))
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertEqual(self.ask("GET", self.path).document, {"devices": [device]})
        self.assertEqual(self.ask("GET", f"{self.path}/").document, {"devices": [device]})
        self.assertEqual(self.ask("GET", "/v1/devices").document, {"devices": [device]})
        one = f"{self.path}/eudora%2F1%20%C3%A4"
        self.assertEqual(self.ask("GET", one).document, {"device": device})
        self.assertEqual(self.ask("GET", "/v1/accounts/joe@example.test").document["devices"], 1)
        self.assertEqual(self.ask("DELETE", one).document, {"device": device})
        self.assertEqual(self.ask("DELETE", one).status, 404)
        self.assertEqual(self.world.ended, [(ADDRESS, device["id"], "the device was removed")])
        added, removed = self.lines
        fields = f'account=joe@example.test device={device["id"]} name="Eudora/1 ä"'
        self.assertIn(f"device.added {fields} mechanisms=apop", added)
        self.assertIn(f"device.removed {fields}", removed)
        self.assertNotIn(password, "".join(self.lines))

    def test_the_last_login_is_told(self) -> None:
        now(self.world.logins.record(login()))
        last = self.ask("GET", "/v1/accounts/joe@example.test").document["last_login"]
        self.assertEqual((last["peer"], last["device"]), ("192.0.2.9", None))

    def test_each_refusal_has_its_status(self) -> None:
        self.assertEqual(self.ask("POST", self.path, {}).status, 400)
        self.assertEqual(self.ask("POST", self.path, {"name": "x", "scopes": ["imap"]}).status, 400)
        self.assertEqual(self.ask("POST", self.path, {"name": "x"}).status, 201)
        self.assertEqual(self.ask("POST", self.path, {"name": "X"}).status, 409)
        self.assertEqual(self.ask("GET", f"{self.path}/y").status, 404)
        self.assertEqual(self.ask("GET", f"{self.path}/x/y").status, 404)
        self.assertEqual(self.ask("GET", "/v1/accounts/nobody@example.test/devices").status, 404)
        self.assertEqual(self.ask("PUT", self.path).status, 405)
        self.assertEqual(self.ask("POST", "/v1/devices").status, 405)
        self.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "a path")
        self.assertEqual(self.ask("GET", self.path).status, 503)


class Checks(ApiCase):
    def test_keys_are_rotated(self) -> None:
        self.add()
        self.lines.clear()
        answer = self.ask("POST", "/v1/keys/rotate")
        done = {"devices": 0, "verifiers": 1, "subscriptions": 0, "unreadable": 0, "dropped": True}
        self.assertEqual((answer.status, answer.document), (200, done))
        [line] = self.lines
        self.assertIn("key.rotated devices=0 verifiers=1 subscriptions=0 unreadable=0 dropped=true", line)
        self.assertEqual(self.ask("GET", "/v1/keys/rotate").status, 405)
        self.assertEqual(self.ask("GET", "/v1/keys").status, 404)

    def test_a_login_is_judged(self) -> None:
        self.add(password=SECRET)
        self.lines.clear()
        body = {"address": "joe@example.test", "password": SECRET}
        answer = self.ask("POST", "/v1/auth/test", body)
        self.assertEqual((answer.status, answer.document["accepted"]), (200, True))
        wrong = self.ask("POST", "/v1/auth/test", {**body, "password": "x", "service": "submission"})
        self.assertEqual((wrong.status, wrong.document["rule"]), (200, "wrong-password"))
        for extra in ({"password": None}, {"mechanism": 3}, {"service": "smtp"}, {"peer": "here"}):
            self.assertEqual(self.ask("POST", "/v1/auth/test", {**body, **extra}).status, 400)
        self.assertEqual(self.lines, [], "it is nothing that happened")

    def test_what_if(self) -> None:
        self.add()
        now(self.world.logins.record(login()))
        answer = self.ask("POST", "/v1/what-if", {"setting": "pop3.apop", "value": "require"})
        [entry] = answer.document["locked_out"]
        self.assertEqual((answer.status, entry["account"]), (200, "joe@example.test"))
        for body in ({}, {"setting": "pop3.apop"}, {"setting": "pop3.auth", "value": "plain"}):
            self.assertEqual(self.ask("POST", "/v1/what-if", body).status, 400)


class Domains(ApiCase):
    def test_domains(self) -> None:
        answer = self.ask("POST", "/v1/domains", {"name": "Example.TEST"})
        self.assertEqual(answer.status, 201)
        nothing = {"octets": None, "messages": None}
        domain = {
            "name": "example.test",
            "origin": "database",
            "accounts": 0,
            "quota": nothing,
            "total_quota": nothing,
            "notify": "allow",
            "notify_max_level": None,
            "max_message": None,
            "block_senders": [],
            "accept_senders": [],
            "language": None,
        }
        self.assertEqual(answer.document, {"domain": domain})
        self.assertEqual(self.ask("POST", "/v1/domains", {"name": "example.test"}).status, 409)
        self.assertEqual(self.ask("POST", "/v1/domains", {}).status, 400)
        names = [each["name"] for each in self.ask("GET", "/v1/domains").document["domains"]]
        self.assertEqual(names, ["empty.test", "example.test", "file.test"])
        self.assertEqual(self.ask("GET", "/v1/domains/").status, 200)

    def test_what_a_domain_says_and_has(self) -> None:
        self.ask("POST", "/v1/domains", {"name": "example.test"})
        for name in ("joe", "ann"):
            account = {"address": f"{name}@example.test", "without_password": True}
            self.assertEqual(self.ask("POST", "/v1/accounts", account).status, 201)
        changed = self.ask(
            "PATCH",
            "/v1/domains/Example.test",
            {"total_quota": "1KiB,4", "max_message": "64KiB", "senders": {"eve@example.org": "block"}},
        )
        self.assertEqual(changed.status, 200)
        domain = changed.document["domain"]
        self.assertEqual((domain["total_quota"], domain["accounts"]), ({"octets": 1024, "messages": 4}, 2))
        shown = self.ask("GET", "/v1/domains/example.test").document
        self.assertEqual(shown["domain"], domain)
        self.assertEqual((shown["percent"], shown["shared"]), (0, "example.test"))
        self.assertEqual(shown["usage"]["messages"], 0)
        self.assertEqual(shown["total_quota"], {"octets": 1024, "messages": 4})
        self.assertEqual(self.ask("GET", "/v1/domains/nowhere.test").status, 404)
        self.assertEqual(self.ask("PATCH", "/v1/domains/example.test", {"state": "off"}).status, 400)
        self.assertEqual(self.ask("PATCH", "/v1/domains/empty.test", {"quota": "1GiB"}).status, 403)

    def test_how_a_domain_may_be_told(self) -> None:
        self.ask("POST", "/v1/domains", {"name": "example.test"})
        path = "/v1/domains/example.test"
        for asked, level, allowed in (
            ({"notify": "deny", "notify_max_level": "sender"}, "sender", "deny"),
            ({"notify": "allow"}, "sender", "allow"),
            ({"notify_max_level": "default"}, None, "allow"),
        ):
            domain = self.ask("PATCH", path, asked).document["domain"]
            self.assertEqual((domain["notify_max_level"], domain["notify"]), (level, allowed))
        for wrong in ({"notify": True}, {"notify_max_level": "everything"}, {"notify_max_level": 2}):
            self.assertEqual(self.ask("PATCH", path, wrong).status, 400)


class Everywhere(ApiCase):
    def test_operations(self) -> None:
        self.assertEqual(self.ask("GET", "/v1/status").document, {"state": "well"})
        answer = self.ask("POST", "/v1/reload")
        self.assertEqual((answer.status, answer.document), (422, {"problems": ["mailsuite.toml:3: no"]}))
        self.ask("POST", "/v1/reload", {"from": "::ffff:192.0.2.7", "force": True})
        self.assertEqual(self.reloads, [(None, False), (ip_address("192.0.2.7"), True)])
        for body in ({"from": "here"}, {"from": 7}, {"force": "yes"}):
            self.assertEqual(self.ask("POST", "/v1/reload", body).status, 400)
        self.assertEqual(len(self.reloads), 2)

    def test_all_that_the_suite_hands_over_can_be_asked_for(self) -> None:
        self.operations.premises.bans.add(ip_network("198.51.100.0/24"), 60.0)
        [ban] = self.ask("GET", "/v1/bans").document["bans"]
        self.assertEqual(ban["network"], "198.51.100.0/24")
        self.assertEqual(self.ask("GET", "/v1/access?address=198.51.100.7").document["allowed"], False)
        services = self.ask("GET", "/v1/services").document["services"]
        self.assertEqual([each["service"] for each in services], list(SERVICES))
        self.assertEqual(self.ask("GET", "/v1/sessions").document["sessions"], [])
        self.assertIn("mailsuite_build_info", self.ask("GET", "/v1/metrics").document["text"])
        self.assertEqual(self.ask("GET", "/v1/log/protocol").document, {"watches": []})
        self.add()
        deleted = self.ask("GET", "/v1/accounts/joe@example.test/deleted")
        self.assertEqual((deleted.status, deleted.document["deleted"]), (200, []))
        self.assertEqual(self.ask("GET", "/v1/retention").status, 200)

    def test_unknown_paths(self) -> None:
        self.add()
        for path in (
            "/",
            "/v1",
            "/v1/",
            "/v2/status",
            "/v1/statu",
            "/v1/status/x",
            "/v1/accounts/joe@example.test/x",
            "/v1/accounts/joe@example.test/password/x",
            "/%ff%00",
            "//",
        ):
            with self.subTest(path=path):
                answer = self.ask("GET", path)
                self.assertEqual(answer.status, 404)
                self.assertEqual(answer.document, {"error": "there is nothing at this path"})

    def test_wrong_methods(self) -> None:
        for method, path, allowed in (
            ("DELETE", "/v1/status", "GET"),
            ("GET", "/v1/reload", "POST"),
            ("PUT", "/v1/accounts", "GET, POST"),
            ("OPTIONS", "/v1/accounts/x@y", "DELETE, GET, PATCH"),
            ("BREW", "/v1/domains", "GET, POST"),
        ):
            with self.subTest(method=method):
                answer = self.ask(method, path)
                self.assertEqual((answer.status, answer.headers["allow"]), (405, allowed))
                self.assertIn("error", answer.document)
        head = self.ask("HEAD", "/v1/status")
        self.assertEqual((head.status, head.content), (405, b""))

    def test_bodies_that_are_no_json(self) -> None:
        for raw in (b"{", b"\xff\xfe\xfd", b"[" * 60_000, b"nonsense", b'{"a": ' + b"9" * 5000 + b"}"):
            with self.subTest(raw=raw[:10]):
                answer = self.ask("POST", "/v1/accounts", raw=raw)
                self.assertEqual(answer.status, 400)
                self.assertEqual(answer.document["error"], "the request holds no JSON")
        self.assertEqual(self.lines, [])

    def test_an_empty_body_is_an_empty_object(self) -> None:
        self.assertEqual(self.ask("POST", "/v1/accounts", raw=b"").document["error"], "address is missing")

    def test_a_form_is_no_json(self) -> None:
        body = b"address=joe@example.test"
        self.send(
            b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        self.assertEqual(parse(self.wire.value()).status, 400)

    def test_mistakes_of_ours(self) -> None:
        async def broken() -> Document:
            raise ZeroDivisionError("inside")

        self.status = broken
        answer = self.ask("GET", "/v1/status")
        self.assertEqual(answer.status, 500)
        self.assertNotIn("inside", answer.document["error"])
        [line] = self.lines
        self.assertIn("control.failed path=/v1/status", line)
        self.assertIn("inside", line)

    def test_what_cannot_be_done_just_now(self) -> None:
        async def unable() -> Document:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, "the path of a file")

        self.status = unable
        answer = self.ask("GET", "/v1/status")
        self.assertEqual(answer.status, 503)
        self.assertNotIn("path", answer.document["error"])
        self.assertIn('control.unable path=/v1/status detail="the path of a file"', self.lines[0])

    def test_text_that_is_no_text(self) -> None:
        async def odd() -> Document:
            return {"name": "\ud800"}

        self.status = odd
        self.assertEqual(self.ask("GET", "/v1/status").document, {"name": "?"})

    def test_pipelined_requests_are_answered_in_order(self) -> None:
        waiting: list[Deferred[Document]] = []

        async def slow() -> Document:
            waiting.append(Deferred())
            return await waiting[-1]

        self.status = slow
        request = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
        self.send(request * 2)
        self.assertEqual(len(waiting), 1)
        waiting[0].callback({"number": 1})
        self.assertEqual(parse(self.wire.value()).document, {"number": 1})
        waiting[1].callback({"number": 2})
        self.assertTrue(self.wire.value().endswith(b'{"number": 2}\n'))

    def test_the_client_goes_before_the_answer(self) -> None:
        waiting: Deferred[Document] = Deferred()

        async def slow() -> Document:
            return await waiting

        self.status = slow
        self.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        self.lose()
        self.assertEqual(len(self.tasks), 1, "what it wants is done all the same")
        waiting.callback({})
        self.assertEqual((len(self.tasks), self.wire.value(), self.lines), (0, b"", []))


class TooMuch(ApiCase):
    def assert_refused(self) -> None:
        answer = parse(self.wire.value())
        self.assertEqual(answer.status, 413)
        self.assertIn(str(MAX_BODY_OCTETS), answer.document["error"])
        self.assertTrue(self.wire.disconnecting)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.database.accounts())), ())

    def test_a_length_that_is_too_long_is_refused_before_it_comes(self) -> None:
        for length in (MAX_BODY_OCTETS + 1, 10**15):
            self.wire = self.connect()
            self.send(b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)
            self.assert_refused()

    def test_chunks_that_never_end(self) -> None:
        self.send(b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MAX_BODY_OCTETS // 1024):
            self.send(b"400\r\n" + b" " * 1024 + b"\r\n")
        self.assertEqual(self.wire.value(), b"")
        self.send(b"1\r\nx\r\n")
        self.assert_refused()
        before = self.wire.value()
        self.send(b"400\r\n" + b" " * 1024 + b"\r\n0\r\n\r\n")
        self.assertEqual(self.wire.value(), before, "one answer, and no action")

    def test_a_whole_request_in_one_piece(self) -> None:
        body = json.dumps({"address": "joe@example.test", "name": "x" * MAX_BODY_OCTETS}).encode()
        self.send(
            b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        self.assert_refused()
        self.assertEqual(self.wire.value().count(b"HTTP/1.1"), 1)

    def test_just_enough(self) -> None:
        head, tail = b'{"address": "joe@example.test", "name": ""', b"}"
        body = head + b" " * (MAX_BODY_OCTETS - len(head) - len(tail)) + tail
        self.assertEqual(self.ask("POST", "/v1/accounts", raw=body).status, 201)

    def test_headers_without_end(self) -> None:
        self.send(b"GET /v1/status HTTP/1.1\r\n")
        for _ in range(1000):
            self.send(b"X: " + b"x" * 100 + b"\r\n")
            if self.wire.disconnecting:
                break
        self.assertTrue(self.wire.disconnecting)

    def test_a_client_that_sends_nothing_or_half(self) -> None:
        for data in (b"", b"GET /v1/sta", b"POST /v1/accounts HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"):
            self.wire = self.connect()
            self.send(data)
            self.clock.advance(REQUEST_TIMEOUT)
            self.assertTrue(self.wire.disconnecting)

    def test_a_slow_answer_is_not_the_client_s_fault(self) -> None:
        waiting: Deferred[Document] = Deferred()

        async def slow() -> Document:
            return await waiting

        self.status = slow
        self.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        self.clock.advance(10 * REQUEST_TIMEOUT)
        self.assertFalse(self.wire.disconnecting)
        waiting.callback({})
        self.assertEqual(parse(self.wire.value()).status, 200)
