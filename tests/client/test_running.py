"""The whole program in one process, with a server of events over TLS."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from mailsuite.client.files import places
from mailsuite.client.follower import Transport
from mailsuite.client.running import REFUSED, RunProgram, Wishes
from mailsuite.client.settings import Account, Preferences
from mailsuite.client.throttle import MAX_A_MINUTE
from mailsuite.client.trust import NoTrust
from mailsuite.client.tryout import TryOut
from mailsuite.wire.finger import KNOCK
from mailsuite.wire.sse import Event
from tests.client.maildrops import Maildrop
from tests.client.streams import ALICE, EventServer
from tests.ports import free_port

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Reactor:
    """The real one, but for its end."""

    def __init__(self) -> None:
        self.before_shutdown: list[Callable[[], Deferred[None]]] = []

    def addSystemEventTrigger(self, phase: str, event: str, function: Callable[[], Deferred[None]]) -> None:
        self.before_shutdown.append(function)

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class RunTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.running = EventServer.start()
        self.stage = self.running.stage
        self.addCleanup(lambda: Deferred.fromCoroutine(self.running.stop()))
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.places = places({"HOME": self.folder.name}, "linux")
        self.reactor = Reactor()
        self.lines: list[str] = []
        self.complaints: list[str] = []
        self.awaited: list[tuple[str, Deferred[None]]] = []

    def hear(self, into: list[str]) -> Callable[[str], None]:
        def heard(line: str) -> None:
            into.append(line)
            for each in [each for each in self.awaited if each[0] in line]:
                self.awaited.remove(each)
                reactor.callLater(0, each[1].callback, None)  # when what prints it has come to its end

        return heard

    async def words(self, words: str) -> None:
        if not any(words in line for line in self.lines + self.complaints):
            waiting: Deferred[None] = Deferred()
            self.awaited.append((words, waiting))
            await waiting

    def account(self, transport: Transport = Transport.STREAM, ca_file: str | None = None) -> Account:
        return Account(
            ALICE.name,
            "localhost",
            transport=transport,
            stream_port=self.running.number,
            pop3_port=1,
            ca_file=str(self.running.certificate) if ca_file is None else ca_file,
        )

    def program(
        self, account: Account | None = None, password: str = ALICE.password, **more: Any
    ) -> RunProgram:
        preferences = more.pop("preferences", Preferences(popup="off"))
        wishes = Wishes({account or self.account(): password}, preferences, self.places, **more)
        return RunProgram(
            self.reactor, wishes, self.hear(self.lines), self.hear(self.complaints), lambda: NOON
        )

    def start(self, *arguments: Any, **more: Any) -> Deferred[None]:
        self.done = Deferred.fromCoroutine(self.program(*arguments, **more).run())
        return self.done

    async def stop(self) -> None:
        for function in self.reactor.before_shutdown:
            await function()

    async def test_news_of_the_stream_as_json(self) -> None:
        self.start(as_json=True)
        await self.stage.opened
        await self.words("following")
        event = {
            "type": "mail.new",
            "count": 1,
            "id": "ev_1",
            "from": {"name": "Bob", "addr": "b@example.net"},
        }
        self.stage.say(Event(json.dumps(event), "mail", "912"))
        await self.words("mail.new")
        following, news = map(json.loads, self.lines)
        self.assertEqual(following, {"event": "following", "account": ALICE.name, "by": "stream"})
        self.assertEqual(news["from"], {"name": "Bob", "addr": "b@example.net"})
        self.assertEqual((news["account"], news["source"]), (ALICE.name, "stream"))
        await self.stop()
        self.assertIn('"912"', self.places.kept(ALICE.name).read_text())

    async def test_where_it_stood_is_known_at_the_next_start(self) -> None:
        self.start(as_json=True)
        await self.stage.opened
        self.stage.say(Event('{"type": "mail.new", "id": "ev_1"}', "mail", "912"))
        await self.words("mail.new")
        await self.stop()
        self.lines.clear()
        self.start(as_json=True)
        await self.stage.opened
        self.assertEqual(self.stage.asked[-1]["last-event-id"], "912")
        self.stage.say(
            Event('{"type": "mail.new", "id": "ev_1"}', "mail", "912"),
            Event('{"type": "mail.new", "count": 5, "id": "ev_2"}', "mail", "913"),
        )
        await self.words('"count": 5')
        self.assertEqual(sum("mail.new" in line for line in self.lines), 1)
        await self.stop()

    async def test_as_text_nothing_of_the_mail_is_printed(self) -> None:
        """Where it runs as a service, what it prints is kept in a journal."""
        self.start()
        await self.stage.opened
        self.stage.say(Event('{"type": "mail.new", "subject": "secret plans", "id": "ev_1"}', "mail", "1"))
        await self.words("1 new")
        self.assertEqual(self.lines, ["2026-11-21T12:00:00+00:00 alice@example.org: 1 new"])
        self.assertNotIn("secret", "".join(self.complaints))
        await self.stop()

    async def test_a_refused_password_ends_it_when_it_was_the_only_one(self) -> None:
        with self.assertRaises(SystemExit) as ended:
            await self.start(password="wrong")
        self.assertEqual(ended.exception.code, REFUSED)
        self.assertIn(f"mailsuite-notify enrol {ALICE.name}", self.complaints[-1])
        self.assertNotIn("wrong", "".join(self.complaints))
        await self.stop()

    async def test_a_reader_that_has_gone(self) -> None:
        program = self.program(as_json=True)

        def broken(line: str) -> None:
            raise BrokenPipeError

        program.say = broken
        with self.assertRaises(SystemExit):
            await program.run()
        await self.stop()

    async def test_a_mistake_of_ours_is_shown_and_ends_it(self) -> None:
        program = self.program(as_json=True)

        def broken(line: str) -> None:
            raise ZeroDivisionError("ours")

        program.say = broken
        with self.assertRaises(SystemExit) as ended:
            await program.run()
        self.assertEqual(ended.exception.code, 1)
        self.assertIn("ZeroDivisionError: ours", "".join(self.complaints))
        self.assertNotIn(ALICE.password, "".join(self.complaints))
        await self.stop()

    async def test_programs_that_are_not_there(self) -> None:
        preferences = Preferences("off", command=("no-such-program", "x"), fetch=("neither-this",))
        self.start(preferences=preferences)
        await self.stage.opened
        self.stage.say(Event('{"type": "mail.new", "id": "ev_1"}', "mail", "1"))
        await self.words("1 new")
        self.assertEqual(
            [line for line in self.complaints if "no program" in line],
            ["there is no program 'no-such-program'", "there is no program 'neither-this'"],
        )
        await self.stop()

    async def test_certificates_that_cannot_be_read(self) -> None:
        with self.assertRaises(NoTrust):
            await self.start(self.account(ca_file="/no/such/file"))
        await self.stop()

    async def test_without_a_stream_a_knock_is_verified(self) -> None:
        self.stage.status = 404
        maildrop = Maildrop(ALICE.name, [ALICE.password], ["a"])
        pop3, port = maildrop.listen(self.running.context), free_port()
        self.addCleanup(pop3.stopListening)
        account = attrs.evolve(self.account(Transport.AUTO), pop3_port=pop3.getHost().port)
        marker = Path(self.folder.name, "ran")
        command = ("/bin/sh", "-c", f"cat > /dev/null; echo >> {marker}; exit 3")
        preferences = Preferences(
            "osascript", command=command, fetch=("/bin/false",), port=port, bind="127.0.0.1"
        )
        self.start(account, preferences=preferences)
        await self.words("no pop-ups: there is no program osascript")
        await self.words(f"listening 127.0.0.1:{port}")
        await self.words("following alice@example.org: POP3 of localhost")
        await self.words("the server has no stream for this account (HTTP 404)")
        self.assertEqual(self.lines, [])  # what was there at the first look is old
        maildrop.uidls.append("b")
        await self.knock(port)
        await self.words("alice@example.org: 1 new")
        await self.words("/bin/sh: ended with 3")
        await self.words("/bin/false: ended with 1")
        self.assertEqual(marker.read_text(), "\n")  # noqa: ASYNC240 - a few octets
        await self.stop()
        self.assertEqual(len(maildrop.logins), 2)

    async def test_a_flood_is_told_of_once(self) -> None:
        account, port = self.account(Transport.LISTENER), free_port()
        self.start(account, preferences=Preferences("off", port=port, bind="127.0.0.1"))
        await self.words(f"listening 127.0.0.1:{port}")
        for _ in range(MAX_A_MINUTE + 20):
            await self.knock(port)
        self.assertEqual(sum("a flood of knocks" in line for line in self.complaints), 1)
        self.assertEqual(self.lines, [])
        await self.stop()

    async def knock(self, port: int) -> None:
        """Until it was heard."""
        closed: Deferred[None] = Deferred()

        class Knock(Protocol):
            def connectionLost(self, reason: object = None) -> None:
                closed.callback(None)

        protocol = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Knock())
        protocol.transport.write(KNOCK)
        await closed

    async def try_out(self, account: Account, clock: Callable[[], float]) -> None:
        trying = TryOut(reactor, Preferences("off"), self.lines.append, self.complaints.append, clock)
        await trying.run({account: ALICE.password})

    async def test_a_test_notice(self) -> None:
        def notice(request: object) -> tuple[int, dict[str, object]]:
            self.stage.say(Event('{"type": "test", "id": "ev_t"}', "mail", "1"))
            return 200, {}

        self.stage.answer = notice
        clock = iter([1.0, 1.0384])
        await self.try_out(self.account(), lambda: next(clock))
        self.assertEqual(self.lines, ["alice@example.org: a test notice was seen after 38 ms"])

    async def test_a_test_without_a_stream(self) -> None:
        self.stage.status = 404
        pop3 = Maildrop(ALICE.name, [ALICE.password], ["a", "b"]).listen(self.running.context)
        self.addCleanup(pop3.stopListening)
        for transport in (Transport.AUTO, Transport.POLL):
            account = attrs.evolve(self.account(transport), pop3_port=pop3.getHost().port)
            clock = iter([1.0, 1.005])
            await self.try_out(account, lambda clock=clock: next(clock))
        words = "alice@example.org: POP3: 2 messages are there, seen after 5 ms"
        self.assertEqual(self.lines, [words, words])
        self.assertEqual(sum("no test notice came" in line for line in self.complaints), 1)

    async def test_a_test_that_fails(self) -> None:
        self.stage.status = 404
        for account in (self.account(), self.account(Transport.POLL)):
            with self.assertRaises(SystemExit) as ended:
                await self.try_out(account, lambda: 0.0)
            self.assertEqual(ended.exception.code, 1)
        self.assertEqual(len(self.complaints), 2)
