"""Enrolling with a server that has all, and with servers that lack something."""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.server import Request

from mailsuite.client.doctor import MAX_SKEW, Doctor, Finding, State
from mailsuite.client.enrolment import Enrolment, EnrolmentFailed
from mailsuite.client.files import places
from mailsuite.client.follower import Transport
from mailsuite.client.kept import Kept
from mailsuite.client.passwords import NoPassword, Passwords
from mailsuite.client.pop3 import Login
from mailsuite.client.settings import Account, Preferences, accounts
from mailsuite.client.threads import InThread
from mailsuite.wire.sse import Event
from tests.client.maildrops import Maildrop
from tests.client.streams import ALICE, EventServer
from tests.ports import free_port

OWN = "the-password-of-the-account"


class ServerTestCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.places = places({"HOME": folder.name}, "linux")
        self.running = EventServer.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.running.stop()))
        self.stage = self.running.stage
        self.maildrop = Maildrop(ALICE.name, [OWN, ALICE.password], ["a", "b"])
        self.pop3 = self.maildrop.listen(self.running.context)
        self.addCleanup(self.pop3.stopListening)

    def account(self, transport: Transport = Transport.AUTO, **more: Any) -> Account:
        return Account(
            ALICE.name,
            "localhost",
            transport=transport,
            stream_port=self.running.number,
            pop3_port=self.pop3.getHost().port,
            ca_file=str(self.running.certificate),
            **more,
        )


class EnrolmentTests(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.passwords = Passwords(self.places, use_keyring=False)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[], tuple[int, dict[str, Any]]]] = {
            "/notify/v1/devices": lambda: (201, {"device": {"id": "d1"}, "password": ALICE.password}),
            "/notify/v1/subscriptions": lambda: (201, {"subscription": {"id": "sub_1"}}),
            "/notify/v1/test": self.notice,
        }
        self.stage.answer = self.answer

    def notice(self) -> tuple[int, dict[str, Any]]:
        self.stage.say(Event('{"type": "test", "id": "ev_t"}', "mail", "1"))
        return 202, {}

    def answer(self, request: Request) -> tuple[int, Any]:
        kind, _, shown = request.requestHeaders.getRawHeaders("authorization")[0].partition(" ")
        self.assertEqual(kind, "Basic")
        password = base64.b64decode(shown).decode().partition(":")[2]
        path = request.path.decode()
        self.asked.append((path, password, json.loads(request.content.read())))
        return self.answers.get(path, lambda: (404, {}))()

    async def enrol(self, account: Account | None = None, typed: str = OWN) -> None:
        enrolment = Enrolment(reactor, self.places, self.passwords, self.said.append, time.monotonic, 10079)
        await enrolment.enrol(account or self.account(), typed)

    async def test_a_server_that_has_all(self) -> None:
        await self.enrol()
        self.assertEqual(accounts(self.places), (self.account(),))
        self.assertEqual(self.passwords.find(ALICE.name), ALICE.password)
        path, password, wanted = self.asked[0]
        self.assertEqual((path, password), ("/notify/v1/devices", OWN))
        self.assertEqual(wanted["scopes"], ["notify", "pop3"])
        self.assertTrue(wanted["name"].startswith("mailsuite-notify on "))
        self.assertEqual(self.asked[1][:2], ("/notify/v1/test", ALICE.password))
        self.assertRegex(self.said[1], r"POP3: 2 messages are there, seen after \d+ ms")
        self.assertRegex(self.said[2], r"stream: a test notice was seen after \d+ ms")
        self.assertEqual(Kept.read(self.places.kept(ALICE.name)).looked(["a", "b", "c"]), 1)
        self.assertEqual(self.maildrop.logins, [Login(ALICE.name, OWN)])

    async def test_the_accounts_own_password_is_kept_nowhere(self) -> None:
        await self.enrol()
        files = [path.read_text() for path in self.places.config.rglob("*") if path.is_file()]
        self.assertEqual(len(files), 2)
        self.assertNotIn(OWN, "".join([*files, *self.said]))

    async def test_a_server_that_makes_no_device_passwords(self) -> None:
        for status, words in ((404, "does not make them"), (403, "HTTP 403")):
            self.answers["/notify/v1/devices"] = lambda status=status: (status, {})
            await self.enrol(typed=ALICE.password)
            self.assertIn(words, self.said[0])
            self.assertEqual(self.passwords.find(ALICE.name), ALICE.password)
            self.said.clear()

    async def test_a_password_that_is_good_for_pop3_alone(self) -> None:
        self.answers["/notify/v1/devices"] = lambda: (401, {})
        with self.assertRaisesRegex(EnrolmentFailed, "refuses"):
            await self.enrol()
        self.assertEqual(accounts(self.places), ())

    async def test_knocks(self) -> None:
        await self.enrol(self.account(Transport.LISTENER))
        path, password, wanted = self.asked[1]
        self.assertEqual((path, password), ("/notify/v1/subscriptions", ALICE.password))
        self.assertEqual((wanted["channel"], wanted["target"]), ("notifymail", "last-ip:10079"))
        self.assertIn("sends them to port 10079", self.said[-1])

    async def test_knocks_that_the_server_does_not_send(self) -> None:
        self.answers["/notify/v1/subscriptions"] = lambda: (400, {"detail": "port 10079 is none of them"})
        await self.enrol(self.account(Transport.LISTENER))
        self.assertEqual(
            self.said[-1],
            "knocks: have the server send them to port 10079 (port 10079 is none of them)",
        )

    async def test_without_https(self) -> None:
        nowhere = free_port()
        for transport, words in (
            (Transport.LISTENER, "knocks: have the server send them"),
            (Transport.AUTO, "stream: nothing listens there"),
            (Transport.POLL, "POP3: 2 messages"),
        ):
            self.said.clear()
            account = attrs.evolve(self.account(transport), stream_port=nowhere)
            await self.enrol(account, ALICE.password)
            self.assertIn("nothing listens there", self.said[0])
            self.assertIn(words, self.said[-1])

    async def test_a_server_without_a_stream(self) -> None:
        self.stage.status = 404
        await self.enrol()
        self.assertIn("looking now and then are used instead", self.said[-1])

    async def test_nothing_is_kept_where_the_password_is_wrong(self) -> None:
        with self.assertRaisesRegex(EnrolmentFailed, "refuses"):
            await self.enrol(typed="wrong")
        self.assertEqual((self.asked, accounts(self.places)), ([], ()))
        with self.assertRaises(NoPassword):
            self.passwords.find(ALICE.name)

    async def test_no_maildrop_there(self) -> None:
        with self.assertRaisesRegex(EnrolmentFailed, "nothing listens there"):
            await self.enrol(attrs.evolve(self.account(), pop3_port=free_port()))


class DoctorTests(ServerTestCase):
    def doctor(self, **preferences: Any) -> Doctor:
        settings = Preferences(**{"popup": "off", "port": free_port(), **preferences})
        return Doctor(reactor, self.places, settings, InThread(reactor), lambda: self.now)

    now = 0.0

    async def found(self, account: Account, login: Login | None = ALICE) -> dict[str, Finding]:
        return {each.what.partition(" ")[0]: each for each in await self.doctor().examine(account, login)}

    async def test_all_is_well(self) -> None:
        self.now = time.time()
        found = await self.found(self.account())
        self.assertEqual({each.state for each in found.values()}, {State.OK})
        self.assertEqual(set(found), {"POP3", "stream", "clock"})

    async def test_clocks(self) -> None:
        for skew, words in ((MAX_SKEW + 60, "ahead of"), (-MAX_SKEW - 60, "behind")):
            self.now = time.time() + skew
            clock = (await self.found(self.account()))["clock"]
            self.assertEqual(clock.state, State.WRONG)
            self.assertIn(words, clock.said)

    async def test_a_server_that_wants_fewer_logins(self) -> None:
        self.maildrop.login_delay = 1800
        found = (await self.found(self.account(Transport.POLL)))["POP3"]
        self.assertEqual(found.state, State.NOTE)
        self.assertIn("1800 s between two logins", found.said)

    async def test_a_password_that_is_refused_or_missing(self) -> None:
        found = (await self.found(self.account(Transport.POLL), Login(ALICE.name, "wrong")))["POP3"]
        self.assertEqual(found.state, State.WRONG)
        self.assertIn(f"mailsuite-notify enrol {ALICE.name}", found.said)
        found = (await self.found(self.account(Transport.POLL), None))["password"]
        self.assertEqual(found.state, State.WRONG)

    async def test_whether_the_server_can_knock_here(self) -> None:
        tried: list[object] = []

        def answer(request: Request) -> tuple[int, dict[str, Any]]:
            if request.method == b"GET":
                listed = [{"id": "sub_1", "channel": "notifymail"}, {"id": "sub_2", "channel": "webhook"}]
                return 200, {"subscriptions": [*listed, "x", {"channel": "notifymail"}]}
            tried.append(json.loads(request.content.read()))
            return 200, {"delivery": {"result": self.result}}

        self.stage.answer = answer
        for self.result, state, words in (
            ("ok", State.OK, "ok"),
            ("refused", State.WRONG, "does mailsuite-notify run?"),
            ("too soon\x1b", State.WRONG, "too soon"),
        ):
            found = (await self.found(self.account(Transport.LISTENER)))["knocks"]
            self.assertEqual(found.state, state)
            self.assertIn(words, found.said)
            self.assertTrue(found.said.isprintable())
        self.assertEqual(tried, [{"subscription": "sub_1"}] * 3)

    result = ""

    async def test_a_server_that_cannot_be_asked_to_knock(self) -> None:
        for status, content, words in (
            (404, {}, "HTTP 404"),
            (403, {"detail": "not for you"}, "not for you"),
            (200, {"subscriptions": []}, "enrol again"),
            (200, {"subscriptions": 3}, "enrol again"),
        ):
            self.stage.answer = lambda request, status=status, content=content: (status, content)
            found = (await self.found(self.account(Transport.LISTENER)))["knocks"]
            self.assertEqual(found.state, State.NOTE)
            self.assertIn(words, found.said)

    async def test_no_stream(self) -> None:
        nowhere = {"stream_port": free_port()}
        for transport, state in ((Transport.AUTO, State.NOTE), (Transport.STREAM, State.WRONG)):
            found = await self.found(attrs.evolve(self.account(transport), **nowhere))
            self.assertEqual(found["stream"], Finding(state, found["stream"].what, "nothing listens there"))

    async def test_files_that_others_can_read(self) -> None:
        self.account().write(self.places.account(ALICE.name))
        self.places.account(ALICE.name).chmod(0o644)
        found = (await self.found(self.account(Transport.POLL)))["files"]
        self.assertIn("chmod 600", found.said)

    async def test_this_computer(self) -> None:
        found = {each.what: each for each in await self.doctor().examine_here()}
        self.assertEqual(found["pop-ups"], Finding(State.OK, "pop-ups", "off"))
        (port,) = [each for what, each in found.items() if what.startswith("port ") and what != "port 79"]
        self.assertEqual(port.state, State.OK)

    async def test_a_port_that_is_taken(self) -> None:
        taken = self.pop3.getHost().port
        port = (await self.doctor(port=taken, bind="127.0.0.1").examine_here())[0]
        self.assertEqual(port.state, State.NOTE)
        self.assertIn("in use", port.said)

    async def test_no_such_address(self) -> None:
        port = (await self.doctor(bind="198.51.100.1").examine_here())[0]
        self.assertEqual(port.state, State.WRONG)

    async def test_no_program_for_pop_ups(self) -> None:
        found = (await self.doctor(popup="osascript").examine_here())[-1]
        self.assertEqual(found.state, State.WRONG)
        self.assertIn("osascript", found.said)
