"""The client's side of the stream over real sockets and TLS."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from twisted.web.server import Request

from mailsuite.client import trial
from mailsuite.client.asking import MAX_ANSWER, ask
from mailsuite.client.pop3 import Login, LoginRefused
from mailsuite.client.stream import SILENCE_SECONDS, Server, StreamBroken, StreamClient, StreamMissing
from mailsuite.client.trial import seconds_of_a_test
from mailsuite.client.trouble import in_words
from mailsuite.client.trust import NoTrust, Trust
from mailsuite.wire.sse import MAX_LINE, Event, reconnect_after
from tests.client.streams import ALICE, EventServer


class StreamTestCase(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.running = EventServer.start()
        self.stage = self.running.stage
        self.opened = 0
        self.heard: list[Event] = []
        self.moved: list[str] = []
        self.awaited: list[tuple[int, Deferred[None]]] = []
        self.clock = Clock()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.running.stop()))

    def client(self, login: Login = ALICE, server: Server | None = None) -> StreamClient:
        return StreamClient(self.clock, server or self.running.server(), login)

    def follow(self, client: StreamClient | None = None, last_id: str = "") -> Deferred[None]:
        following = (client or self.client()).follow(last_id, self.is_open, self.hear, self.moved.append)
        return Deferred.fromCoroutine(following)

    def is_open(self) -> None:
        self.opened += 1

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        for number, waiting in self.awaited:
            if len(self.heard) == number:
                waiting.callback(None)

    async def events(self, number: int) -> None:
        if len(self.heard) < number:
            waiting: Deferred[None] = Deferred()
            self.awaited.append((number, waiting))
            await waiting

    async def failure(self, following: Deferred[None]) -> Exception:
        try:
            await following
        except Exception as error:
            return error
        raise AssertionError("it should have failed")


class FollowTests(StreamTestCase):
    async def test_events_come_as_they_are_said(self) -> None:
        following = self.follow(last_id="911")
        await self.stage.opened
        self.stage.say(Event('{"type": "mail.new"}', "mail", "912"), Event("{}", "ping"))
        await self.events(2)
        self.assertEqual([(each.type, each.id) for each in self.heard], [("mail", "912"), ("ping", "912")])
        (asked,) = self.stage.asked
        self.assertEqual(asked["uri"], "/notify/v1/stream?ping=30&level=subject")
        self.assertEqual(asked["last-event-id"], "911")
        self.assertEqual(asked["host"], f"localhost:{self.running.number}")
        self.assertEqual((self.opened, self.moved), (1, ["912"]))
        closed = self.stage.closed
        following.cancel()
        self.assertIsInstance(await self.failure(following), CancelledError)
        await closed

    async def test_nobody_asks_from_where_at_the_first_time(self) -> None:
        following = self.follow()
        await self.stage.opened
        self.assertNotIn("last-event-id", self.stage.asked[0])
        following.cancel()
        await self.failure(following)

    async def test_where_it_begins_is_known_before_the_first_event(self) -> None:
        following = self.follow()
        request = await self.stage.opened
        request.write(reconnect_after(5_000, 900))
        self.stage.say(Event("{}", "ping"))
        await self.events(1)
        self.assertEqual(self.moved, ["900"])
        following.cancel()
        await self.failure(following)

    async def test_the_server_ends_it_and_says_when_to_come_back(self) -> None:
        following = self.follow()
        request = await self.stage.opened
        request.write(reconnect_after(17_000))
        request.finish()
        error = await self.failure(following)
        self.assertIsInstance(error, StreamBroken)
        self.assertEqual(error.after, 17.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_the_connection_is_cut(self) -> None:
        following = self.follow()
        request = await self.stage.opened
        self.stage.say(Event("{}", "ping"))
        await self.events(1)
        request.transport.abortConnection()
        error = await self.failure(following)
        self.assertIsInstance(error, StreamBroken)
        self.assertIsNone(error.after)

    async def test_silence_is_the_end_though_nobody_says_so(self) -> None:
        following = self.follow()
        await self.stage.opened
        self.stage.say(Event("{}", "ping"))
        await self.events(1)
        self.clock.advance(SILENCE_SECONDS - 1)
        self.assertFalse(following.called)
        self.stage.say(Event("{}", "ping"))
        await self.events(2)
        self.clock.advance(SILENCE_SECONDS - 1)
        self.assertFalse(following.called)
        self.clock.advance(1)
        self.assertIn("silent", str(await self.failure(following)))

    async def test_a_line_without_an_end(self) -> None:
        following = self.follow()
        request = await self.stage.opened
        request.write(b"data: " + b"x" * MAX_LINE)
        self.assertIn("more than", str(await self.failure(following)))

    async def test_a_mistake_of_ours_is_no_mistake_of_the_servers(self) -> None:
        def broken(event: Event) -> None:
            raise ZeroDivisionError

        following = Deferred.fromCoroutine(self.client().follow("", self.is_open, broken, self.moved.append))
        await self.stage.opened
        self.stage.say(Event("{}", "mail"))
        self.assertIsInstance(await self.failure(following), ZeroDivisionError)

    async def test_a_wrong_password(self) -> None:
        error = await self.failure(self.follow(self.client(Login(ALICE.name, "wrong"))))
        self.assertIsInstance(error, LoginRefused)
        self.assertEqual(self.opened, 0)

    async def test_servers_without_a_stream(self) -> None:
        for status in (403, 404, 405, 301):
            self.stage.status = status
            self.stage.headers = {"location": "https://127.0.0.1:1/"}
            error = await self.failure(self.follow())
            self.assertIsInstance(error, StreamMissing)

    async def test_a_page_is_no_stream(self) -> None:
        self.stage.kind = "text/html"
        self.assertIsInstance(await self.failure(self.follow()), StreamMissing)
        self.assertEqual(self.opened, 0)

    async def test_a_busy_server(self) -> None:
        self.stage.status = 503
        for said, after in (("120", 120.0), ("soon", None), ("99999999999999", None), ("999999", 3600.0)):
            self.stage.headers = {"retry-after": said}
            error = await self.failure(self.follow())
            self.assertIsInstance(error, StreamBroken)
            self.assertEqual(error.after, after)


class TrustTests(StreamTestCase):
    async def words(self, server: Server) -> str:
        return in_words(await self.failure(self.follow(self.client(server=server))))

    async def test_a_certificate_of_nobody_we_know(self) -> None:
        words = await self.words(self.running.server(trust=Trust()))
        self.assertIn("signed by nobody", words)
        self.assertEqual(self.stage.asked, [])

    async def test_a_certificate_for_another_name(self) -> None:
        """The one of this server is for 127.0.0.1, and it listens on 127.0.0.2 as well."""
        elsewhere = self.running.also_at("127.0.0.2")
        self.addCleanup(elsewhere.stopListening)
        port = elsewhere.getHost().port
        endpoint = Trust(self.running.certificate).endpoint(reactor, "127.0.0.2", port)
        words = await self.words(Server("127.0.0.2", port, endpoint))
        self.assertIn("another name", words)
        self.assertEqual(self.stage.asked, [])

    async def test_nothing_there(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            endpoint = Trust().endpoint(reactor, "127.0.0.1", port)
            self.assertEqual(await self.words(Server("127.0.0.1", port, endpoint)), "nothing listens there")

    async def test_files_that_are_no_certificates(self) -> None:
        folder = Path(self.running.folder.name)
        (folder / "empty").touch()
        (folder / "broken").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        for name, words in (("empty", "no certificate in it"), ("broken", "PEM"), ("gone", "No such file")):
            with self.assertRaisesRegex(NoTrust, words):
                Trust(folder / name).endpoint(reactor, "localhost", 1)

    def test_the_host_as_it_is_named(self) -> None:
        endpoint = Trust().endpoint(reactor, "localhost", 443)
        self.assertEqual(Server("mail.example.org", 443, endpoint).authority, "mail.example.org")
        self.assertEqual(Server("2001:db8::1", 8443, endpoint).authority, "[2001:db8::1]:8443")


class AskTests(StreamTestCase):
    async def ask(self, document: dict[str, object] | None = None) -> object:
        return await ask(reactor, self.running.server(), ALICE, "POST", "/x", document=document)

    async def test_a_document_there_and_back(self) -> None:
        def answer(request: Request) -> tuple[int, dict[str, object]]:
            self.assertEqual(request.requestHeaders.getRawHeaders("content-type"), ["application/json"])
            return 201, {"said": request.content.read().decode()}

        self.stage.answer = answer
        answered = await self.ask({"name": "n"})
        self.assertEqual((answered.status, answered.document), (201, {"said": '{"name": "n"}'}))
        self.assertLess(abs(answered.date - time.time()), 60)

    async def test_what_is_no_document(self) -> None:
        for said in (b"<html>", b"[]", b"", b"[" * 60_000):
            self.stage.answer = lambda request, said=said: (200, said)
            self.assertEqual((await self.ask()).document, {})

    async def test_too_much(self) -> None:
        self.stage.answer = lambda request: (200, b"x" * (MAX_ANSWER + 1))
        with self.assertRaisesRegex(StreamBroken, "too long"):
            await self.ask()


class TrialTests(StreamTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.stage.answer = self.test_notice

    def test_notice(self, request: Request | None = None) -> tuple[int, dict[str, object]]:
        if request is not None:
            self.stage.say(Event("{}", "ping"), Event('{"type": "later"}'), Event('{"type": "test"}', "mail"))
        return 200, {}

    async def seconds(self) -> float:
        return await seconds_of_a_test(reactor, self.running.server(), ALICE, time.monotonic)

    async def test_it_comes_and_is_measured(self) -> None:
        took = await self.seconds()
        self.assertGreater(took, 0)
        self.assertLess(took, 30)

    async def test_a_server_that_sends_none(self) -> None:
        self.stage.answer = lambda request: (404, {})
        with self.assertRaisesRegex(StreamMissing, "404"):
            await self.seconds()

    async def test_one_that_says_it_will_and_does_not(self) -> None:
        self.patch(trial, "SECONDS", 0.05)
        self.stage.answer = lambda request: (200, {})
        with self.assertRaisesRegex(StreamBroken, "did not come"):
            await self.seconds()

    async def test_a_stream_that_is_not_there(self) -> None:
        self.stage.status = 404
        with self.assertRaises(StreamMissing):
            await self.seconds()

    async def test_a_stream_that_breaks(self) -> None:
        def cut(request: Request) -> tuple[int, dict[str, object]]:
            self.stage.open[-1].transport.abortConnection()
            return 200, {}

        self.stage.answer = cut
        with self.assertRaises(StreamBroken):
            await self.seconds()
