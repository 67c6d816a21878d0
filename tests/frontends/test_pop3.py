"""POP3 on a socket, over maildrops that do as the test says: what is released, closed, answered, and when."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, cast

import attrs
from OpenSSL import SSL
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.attempt import Granted
from mailsuite.accounts.login import OpenedMaildrop
from mailsuite.frontends.door import Door
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.frontends.pop3_tap import MAX_EVENTS
from mailsuite.frontends.tls import ServerTLS
from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import (
    LoginTooSoon,
    MaildropInUse,
    MessageGone,
    PermanentFailure,
    TemporaryFailure,
)
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.model.retention import Terms
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.observe.protocol_log import Watches, parse_who
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.steps import Claim, DigestClaim, PasswordClaim, ScramParameters, ScramQuestion
from tests.frontends.lines import Wire
from tests.wire.proofs import PARAMETERS, ScramClient, judged

JOE = Address("joe", "example.test")
STAMP = "<1896.697170952@mail.example.test>"
SECRET = "canary-of-the-pop3-shell"
TEXT = b"Subject: one\r\n\r\n.\r\nbody\r\n"
SENT = b"Subject: one\r\n\r\n..\r\nbody\r\n"


@attrs.define(eq=False)
class Body:
    """Gives its pieces, each when the test has let it: an exception among them is raised."""

    pieces: list[bytes | Exception]
    size: int
    descriptor: int = -1
    closed: int = 0
    held: Deferred[None] | None = None
    """What a read waits for."""

    async def read(self) -> bytes:
        if self.held is not None:
            await self.held
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1


@attrs.define(eq=False)
class Drop:
    account: Address
    messages: tuple[MessageRef, ...]
    body: Body | Exception
    not_removed: int | Exception = 0
    held: Deferred[None] | None = None
    """What update() waits for."""
    updates: list[tuple[list[str], list[str]]] = attrs.field(factory=list)
    """UIDLs, deleted and retrieved."""
    released: int = 0

    async def open(self, ref: MessageRef) -> Body:
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        assert not self.released, "after the lock was given back"
        self.updates.append(([ref.uidl for ref in deleted], [ref.uidl for ref in retrieved]))
        if self.held is not None:
            await self.held
        if isinstance(self.not_removed, Exception):
            raise self.not_removed
        return self.not_removed

    async def release(self) -> None:
        self.released += 1


class Pop3Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.body = Body([TEXT], len(TEXT))
        refs = tuple(MessageRef(f"u{number}", len(TEXT), f"k{number}") for number in (1, 2))
        self.drop = Drop(JOE, refs, self.body)
        self.opens: Deferred[Drop] | Drop | Exception = self.drop
        self.device: Device | None = None
        self.claims: list[tuple[Claim, ConnectionFacts]] = []
        self.asked: list[ScramQuestion] = []
        self.parameters: ScramParameters | Exception = PARAMETERS
        log = Log(lambda line, level: self.lines.append(line), "debug", clock=self.clock.seconds)
        tls = ServerTLS(cast(SSL.Context, None))
        self.metrics = Metrics()
        self.reported: list[tuple[object, ...]] = []
        self.watches = Watches(self.clock.seconds)
        self.view = View()
        self.shows: Drop | Exception | None = None
        self.shown: list[bool] = []
        self.fetched: list[str] = []
        self.door = Door(
            "pop3",
            "door",
            self.clock,
            log,
            600.0,
            tls,
            report=lambda *what: self.reported.append(what),
            watches=self.watches,
            meter=self.metrics.sessions("pop3", "door"),
        )
        settings = SessionSettings(
            "mail.example.test",
            tls_available=True,
            plaintext_login=True,
            apop_stamp=STAMP,
            sasl_mechanisms=("SCRAM-SHA-256", "PLAIN"),
            octets=lambda count: b"7" * count,
            seconds=self.clock.seconds,
        )
        self.services = Pop3Services(lambda facts: settings, self.login, self.scram, self.show)
        self.connect()

    def connect(self) -> None:
        self.session = Pop3Session(self.door, self.services)
        self.transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        self.session.makeConnection(self.transport)
        self.transport.clear()

    async def login(self, claim: Claim, facts: ConnectionFacts) -> OpenedMaildrop:
        self.claims.append((claim, facts))
        if isinstance(self.opens, Exception):
            raise self.opens
        drop = await self.opens if isinstance(self.opens, Deferred) else self.opens
        granted = Granted(drop.account, self.device, judged(claim) or b"")
        return OpenedMaildrop(cast(IMaildrop, drop), granted, Terms(), self.view, fetched=self.fetched.append)

    async def show(self, maildrop: IMaildrop, utf8: bool) -> IMaildrop:
        self.shown.append(utf8)
        if isinstance(self.shows, Exception):
            raise self.shows
        return maildrop if self.shows is None else cast(IMaildrop, self.shows)

    def reconnect(self) -> None:
        """Go, and come again: through another door perhaps."""
        if not self.session.lost:
            self.go()
        self.lines.clear()
        self.connect()

    async def scram(self, question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
        self.asked.append(question)
        if isinstance(self.parameters, Exception):
            raise self.parameters
        return self.parameters

    def say(self, *commands: bytes) -> bytes:
        """What is answered to commands that come in one segment."""
        self.transport.clear()
        self.session.dataReceived(b"".join(command + b"\r\n" for command in commands))
        return self.transport.value()

    def log_in(self) -> bytes:
        return self.say(b"USER joe", b"PASS " + SECRET.encode()).partition(b"\r\n")[2]

    def go(self) -> None:
        self.session.connectionLost(Failure(ConnectionDone()))

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f" {event} " in line]

    def tearDown(self) -> None:
        if not self.session.lost:
            self.go()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn(SECRET, "\n".join(self.lines))


class LoggingIn(Pop3Case):
    def test_it_opens_and_the_end_releases_once(self) -> None:
        self.assertTrue(self.log_in().startswith(b"+OK 2 messages"))
        [(claim, facts)] = self.claims
        self.assertEqual(claim, PasswordClaim("USER", "", "joe", SECRET))
        self.assertEqual((facts.peer, facts.tls), (ip_address("192.0.2.1"), ""))
        self.assertEqual((self.session.account, self.drop.released), (JOE, 0))
        self.go()
        self.assertEqual(self.drop.released, 1)
        line = self.logged("pop3.login")[0]
        self.assertIn('account=joe@example.test mechanism=USER tls="" device="" messages=2', line)

    def test_the_device_is_known_by_its_id_and_logged_by_its_name(self) -> None:
        self.device = Device("d1", "Joe's phone", b"sealed")
        self.log_in()
        self.assertEqual((self.session.account, self.session.device), (JOE, "d1"))
        self.assertIn('device="Joe\'s phone"', self.logged("pop3.login")[0])

    def test_apop(self) -> None:
        digest = "0123456789abcdef" * 2
        self.assertTrue(self.say(b"APOP joe " + digest.encode()).startswith(b"+OK 2 messages"))
        self.assertEqual(self.claims[0][0], DigestClaim("APOP", "joe", STAMP.encode(), digest))
        self.assertNotIn(digest, "\n".join(self.lines))

    def prove(self, client: ScramClient) -> bytes:
        """What is answered to its proof."""
        first = self.say(b"AUTH SCRAM-SHA-256 " + b64encode(client.first()))
        return self.say(b64encode(client.final(b64decode(first[2:]))))

    def test_scram(self) -> None:
        client = ScramClient()
        self.assertTrue(client.believes(b64decode(self.prove(client)[2:])))
        self.assertEqual(self.asked, [ScramQuestion("joe", "sha256")])
        self.assertTrue(self.say(b"").startswith(b"+OK 2 messages"))
        self.assertIn("mechanism=SCRAM-SHA-256", self.logged("pop3.login")[0])

    def test_a_client_that_does_not_believe_us_leaves_its_maildrop_as_it_was(self) -> None:
        self.prove(ScramClient())
        self.assertEqual(self.say(b"*", b"DELE 1", b"QUIT"), b"-ERR Authentication is cancelled\r\n")
        self.assertTrue(self.transport.disconnecting)
        self.go()
        self.assertEqual((self.drop.updates, self.drop.released), ([], 1))
        self.assertIn("reason=login-declined", self.logged("pop3.session")[0])

    def test_scram_that_cannot_ask(self) -> None:
        self.parameters = TemporaryFailure(STORE_UNAVAILABLE, "a detail")
        said = self.say(b"AUTH SCRAM-SHA-256 " + b64encode(ScramClient().first()))
        self.assertTrue(said.startswith(b"-ERR [SYS/TEMP]"), said)
        self.assertTrue(self.log_in().startswith(b"+OK"))

    def test_a_client_that_goes_frees_who_judges_it(self) -> None:
        """A refusal may wait for its penalty: nobody waits for nobody, and nobody is called idle."""
        cancelled: list[object] = []
        self.opens = Deferred(cancelled.append)
        self.log_in()
        self.clock.advance(1000.0)
        self.assertFalse(self.transport.disconnecting)
        self.assertEqual(cancelled, [])
        self.go()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(len(self.logged("pop3.closed")), 1)
        self.assertEqual(self.logged("pop3.failed"), [])

    def test_tls_is_told_to_who_judges(self) -> None:
        self.say(b"STLS")
        self.session.handshakeCompleted()
        self.log_in()
        self.assertEqual(self.claims[0][1].tls, "TLSv1.3 TLS_AES_256_GCM_SHA384")

    def test_refusals(self) -> None:
        table: list[tuple[Exception, bytes]] = [
            (UnauthorizedLogin(SECRET), b"-ERR [AUTH] "),
            (MaildropInUse(), b"-ERR [IN-USE] "),
            (TemporaryFailure(STORE_UNAVAILABLE, "a detail"), b"-ERR [SYS/TEMP] "),
            (PermanentFailure(STORE_UNAVAILABLE, "a detail"), b"-ERR [SYS/PERM] "),
            (ZeroDivisionError("a detail"), b"-ERR [SYS/TEMP] "),
        ]
        for error, answer in table:
            with self.subTest(error=error):
                self.opens = error
                said = self.log_in()
                self.assertTrue(said.startswith(answer), said)
                self.assertNotIn(b"detail", said)
                self.assertFalse(self.transport.disconnecting)
        self.assertEqual(len(self.logged("pop3.failed")), 1)
        self.opens = self.drop
        self.assertTrue(self.log_in().startswith(b"+OK"))

    def test_a_maildrop_that_opens_for_nobody_is_released(self) -> None:
        """It was too late to cancel its opening."""
        self.opens = Deferred(lambda opening: opening.callback(self.drop))
        self.log_in()
        self.go()
        self.assertEqual(self.drop.released, 1)

    def test_a_refusal_for_nobody(self) -> None:
        for error in (UnauthorizedLogin(), MaildropInUse(), ZeroDivisionError()):
            with self.subTest(error=error):
                self.setUp()
                self.opens = Deferred(lambda opening, error=error: opening.errback(Failure(error)))
                self.log_in()
                self.go()
                self.assertEqual(len(self.logged("pop3.closed")), 1)


class Retrieving(Pop3Case):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_whole(self) -> None:
        self.assertEqual(self.say(b"RETR 1"), b"+OK %d octets\r\n%s.\r\n" % (len(TEXT), SENT))
        self.assertEqual(self.body.closed, 1)
        self.go()
        [line] = self.logged("pop3.session")
        self.assertIn(f"messages=2 octets={2 * len(TEXT)} retrieved=1 retrieved_octets={len(SENT) + 3}", line)
        self.assertIn("tops=0 top_octets=0 deleted=0", line)

    def test_top_reads_no_further_than_it_must(self) -> None:
        self.body.pieces[:] = [TEXT, ZeroDivisionError()]
        self.assertEqual(self.say(b"TOP 1 0"), b"+OK Top of message follows\r\nSubject: one\r\n\r\n.\r\n")
        self.assertEqual(len(self.body.pieces), 1)
        self.go()
        self.assertIn("retrieved=0 retrieved_octets=0 tops=1 top_octets=19", self.logged("pop3.session")[0])

    def test_failures_before_the_first_octet_are_answered(self) -> None:
        table: list[tuple[Exception, bytes]] = [
            (MessageGone("taken"), b"-ERR [SYS/TEMP] Another program"),
            (TemporaryFailure(STORE_UNAVAILABLE, "the path"), b"-ERR [SYS/TEMP] "),
            (OSError("the path"), b"-ERR [SYS/TEMP] "),
        ]
        for error, answer in table:
            with self.subTest(error=error):
                self.drop.body = error
                said = self.say(b"RETR 1", b"NOOP")
                self.assertTrue(said.startswith(answer), said)
                self.assertTrue(said.endswith(b"+OK Done\r\n"), "others go on")
                self.assertNotIn(b"path", said)

    def test_failures_behind_it_close_and_write_nothing(self) -> None:
        for error in (TemporaryFailure(STORE_UNAVAILABLE, "a detail"), OSError("a detail")):
            with self.subTest(error=error):
                self.setUp()
                self.body.pieces[:] = [TEXT, error]
                said = self.say(b"RETR 1", b"NOOP")
                self.assertEqual(said, b"+OK %d octets\r\n%s" % (len(TEXT), SENT))
                self.assertTrue(self.transport.disconnecting)
                self.assertEqual(self.body.closed, 1)
                self.go()
                self.assertEqual((self.drop.released, self.drop.updates), (1, []))
                [line] = self.logged("pop3.session")
                self.assertIn("reason=broken-message", line)
                self.assertIn(f"retrieved=0 retrieved_octets={len(SENT)}", line)
                [line] = self.logged("pop3.broken_message") + self.logged("pop3.failed")
                self.assertIn("uidl=u1", line)

    def test_a_client_that_goes_in_the_middle(self) -> None:
        self.body.held = Deferred()
        self.say(b"RETR 1")
        self.go()
        self.assertEqual((self.body.closed, self.drop.released), (0, 0), "a thread still reads")
        self.body.held.callback(None)
        self.assertEqual((self.body.closed, self.drop.released), (1, 1))
        self.assertIn("retrieved=0", self.logged("pop3.session")[0])

    def test_a_client_that_does_not_read(self) -> None:
        self.body.pieces[:] = [TEXT, TEXT]
        self.body.held = Deferred()
        self.say(b"RETR 1")
        self.transport.flow.pauseProducing()
        self.body.held.callback(None)
        self.assertEqual(len(self.body.pieces), 1, "nothing is read ahead")
        self.clock.advance(600.0)
        self.assertTrue(self.transport.aborted)
        self.go()
        self.assertEqual((self.body.closed, self.drop.released), (1, 1))
        self.assertIn("reason=stalled", self.logged("pop3.session")[0])
        self.assertIn("retrieved=0", self.logged("pop3.session")[0])

    def test_a_failure_for_nobody(self) -> None:
        self.body.held = Deferred()
        self.say(b"RETR 1")
        self.go()
        self.body.held.errback(Failure(OSError("?")))
        self.assertEqual((self.body.closed, self.drop.released), (1, 1))

    def test_a_size_that_differs_is_logged(self) -> None:
        self.body.size += 1
        self.assertTrue(self.say(b"RETR 1").startswith(b"+OK %d octets" % (len(TEXT) + 1)))
        self.assertIn(f"uidl=u1 listed={len(TEXT)} now={len(TEXT) + 1}", self.logged("pop3.size_differs")[0])
        self.body.pieces[:] = [TEXT]
        self.say(b"TOP 1 0")
        self.assertEqual(len(self.logged("pop3.size_differs")), 1)

    def test_the_service_stops_after_the_message(self) -> None:
        self.body.held = Deferred()
        self.say(b"RETR 1", b"NOOP")
        self.session.drain()
        self.assertFalse(self.transport.disconnecting)
        self.body.held.callback(None)
        self.assertTrue(self.transport.value().endswith(b"\r\n.\r\n-ERR [SYS/TEMP] " + STOPPING))
        self.assertTrue(self.transport.disconnecting)


STOPPING = b"The service is stopping; please come back in a minute\r\n"


class Listing(Pop3Case):
    def setUp(self) -> None:
        super().setUp()
        refs = [MessageRef(f"u{number}", 100, f"k{number}") for number in range(1, 20_001)]
        self.drop.messages = tuple(refs)
        self.log_in()

    def test_a_long_one_waits_for_its_reader(self) -> None:
        flow = self.transport.flow
        write, written = self.transport.write, []

        def choking(data: bytes) -> None:
            write(data)
            written.append(len(data))
            flow.pauseProducing()

        self.transport.write = choking  # type: ignore[method-assign]
        said = self.say(b"UIDL", b"NOOP")
        self.assertLess(len(said), 200_000)
        for _ in range(1000):
            if self.transport.value().endswith(b"\r\n.\r\n+OK Done\r\n"):
                break
            flow.resumeProducing()
        lines = self.transport.value().splitlines()
        self.assertEqual(len(lines), 20_003)
        self.assertLess(max(written), 200_000)

    def test_its_reader_goes(self) -> None:
        flow = self.transport.flow
        flow.pauseProducing()
        self.say(b"UIDL")
        flow.resumeProducing()
        flow.pauseProducing()
        self.go()
        self.assertEqual(self.drop.released, 1)


class Quitting(Pop3Case):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_what_was_marked_is_removed_and_then_released_and_then_answered(self) -> None:
        self.drop.held = Deferred()
        said = self.say(b"DELE 2", b"QUIT")
        self.assertEqual(said.count(b"\r\n"), 1, "no answer to QUIT before it is done")
        self.assertEqual(self.drop.released, 0)
        self.drop.held.callback(None)
        self.assertEqual(self.drop.updates, [(["u2"], [])])
        self.assertEqual(self.drop.released, 1)
        self.assertTrue(self.transport.value().endswith(b"+OK Goodbye\r\n"))
        self.assertTrue(self.transport.disconnecting)
        self.go()
        self.assertEqual(self.drop.released, 1)
        self.assertIn("reason=QUIT", self.logged("pop3.session")[0])
        self.assertIn("deleted=1", self.logged("pop3.session")[0])

    def test_nothing_was_marked(self) -> None:
        self.assertEqual(self.say(b"QUIT"), b"+OK Goodbye\r\n")
        self.assertEqual((self.drop.updates, self.drop.released), ([], 1))

    def test_some_were_not_removed(self) -> None:
        self.drop.not_removed = 1
        self.assertIn(b"-ERR [SYS/TEMP] 1 messages", self.say(b"DELE 1", b"DELE 2", b"QUIT"))
        self.go()
        self.assertIn("deleted=1", self.logged("pop3.session")[0])

    def test_it_fails(self) -> None:
        for error in (TemporaryFailure(STORE_UNAVAILABLE, "x"), OSError("a detail")):
            with self.subTest(error=error):
                self.setUp()
                self.drop.not_removed = error
                said = self.say(b"DELE 1", b"QUIT")
                self.assertTrue(said.splitlines()[-1].startswith(b"-ERR [SYS/TEMP] "), said)
                self.assertEqual(self.drop.released, 1, "the client may be back at once")
                self.assertTrue(self.transport.disconnecting)
                self.go()
                self.assertEqual(self.drop.released, 1)

    def test_the_client_goes_meanwhile(self) -> None:
        self.drop.held = Deferred()
        self.say(b"DELE 1", b"QUIT")
        self.go()
        self.assertEqual(self.drop.released, 0, "the lock stays while messages are removed")
        self.drop.held.callback(None)
        self.assertEqual(self.drop.released, 1)

    def test_no_other_end_removes_anything(self) -> None:
        ends: tuple[Callable[[Pop3Session], object], ...] = (
            lambda session: session.connectionLost(Failure(ConnectionDone())),
            lambda session: self.clock.advance(600.0),
            lambda session: session.drain(),
            lambda session: session.abort("the account was removed"),
            lambda session: session.readConnectionLost(),
            lambda session: session.dataReceived(b"x" * 5000),
        )
        for end in ends:
            self.setUp()
            self.say(b"DELE 1")
            end(self.session)
            if not self.session.lost:
                self.assertTrue(self.transport.disconnecting)
                self.go()
            self.assertEqual((self.drop.updates, self.drop.released), ([], 1))


class Ending(Pop3Case):
    def test_why_is_in_the_log(self) -> None:
        self.log_in()
        self.say(b"x" * 5000)
        self.assertIn("kind=oversize-command", self.logged("pop3.violation")[0])
        self.go()
        self.assertIn("reason=oversize-command", self.logged("pop3.session")[0])

    def test_without_a_login_there_is_a_line_too(self) -> None:
        self.say(b"CAPA", b"QUIT")
        self.clock.advance(1.5)
        self.go()
        [line] = self.logged("pop3.session")
        self.assertTrue(
            line.partition(f"session={self.session.id} ")[2].startswith(
                'peer=192.0.2.1 listener=door account="" mechanism="" tls="" device="" view="" reason=QUIT'
                " messages=0 octets=0 retrieved=0 retrieved_octets=0 tops=0 top_octets=0 deleted=0 octets_in="
            ),
            line,
        )
        self.assertTrue(line.endswith(" seconds=1.5"), line)

    def test_what_the_client_has_whole_is_told(self) -> None:
        first, second = (ref.uidl for ref in self.drop.messages)
        self.log_in()
        self.say(b"TOP 1 0")
        self.assertEqual(self.fetched, [])
        self.say(b"RETR 1")
        self.assertEqual(self.fetched, [first])
        self.say(b"TOP 2 1000")
        self.assertEqual(self.fetched, [first, second])
        self.go()
        self.assertEqual(self.fetched, [first, second])

    def test_and_what_it_deletes_at_quit_alone(self) -> None:
        _, second = (ref.uidl for ref in self.drop.messages)
        self.log_in()
        self.say(b"DELE 1", b"RSET", b"DELE 2")
        self.assertEqual(self.fetched, [])
        self.say(b"QUIT")
        self.assertEqual(self.fetched, [second])

    def test_nothing_is_told_of_who_does_not_quit(self) -> None:
        self.log_in()
        self.say(b"DELE 2")
        self.go()
        self.assertEqual(self.fetched, [])

    def test_one_line_tells_of_the_whole_session(self) -> None:
        self.device = Device("d1", "Joe's phone", b"sealed")
        self.view = View(Box.TRASH)
        self.say(b"STLS")
        self.session.handshakeCompleted()
        self.log_in()
        said = self.say(b"RETR 1", b"DELE 2", b"QUIT")
        self.assertIn(b"+OK Goodbye", said)
        self.go()
        [line] = self.logged("pop3.session")
        tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"
        self.assertIn(f'account=joe@example.test listener=door mechanism=USER tls="{tls}"', line)
        self.assertIn('device="Joe\'s phone" view=trash reason=QUIT messages=2', line)
        self.assertIn("retrieved=1", line)
        self.assertIn("deleted=1", line)
        self.assertIn(f"octets_in={self.session.octets_in} octets_out={self.session.octets_out}", line)

    def test_every_end_has_its_reason(self) -> None:
        def quit_while_stopping(session: Pop3Session) -> None:
            self.body.held = Deferred()
            session.dataReceived(b"RETR 1\r\nQUIT\r\n")
            self.body.held.callback(None)

        ends: tuple[tuple[str, Callable[[Pop3Session], object]], ...] = (
            ("QUIT", lambda session: session.dataReceived(b"QUIT\r\n")),
            ("QUIT", quit_while_stopping),
            ("disconnected", lambda session: None),
            ('"idle time-out"', lambda session: self.clock.advance(600.0)),
            ('"service stops"', lambda session: session.drain()),
            ('"service stopped"', lambda session: session.abort("service stopped")),
            ("kicked", lambda session: session.abort("kicked")),
            ("banned", lambda session: session.abort("banned")),
            ("oversize-command", lambda session: session.dataReceived(b"x" * 5000)),
            ("bad-commands", lambda session: session.dataReceived(b"NO\r\n" * 30)),
        )
        for reason, end in ends:
            with self.subTest(reason=reason):
                self.setUp()
                self.log_in()
                end(self.session)
                self.go()
                [line] = self.logged("pop3.session")
                self.assertIn(f" reason={reason} ", line)

    def test_who_never_logs_in(self) -> None:
        for _ in range(17):
            self.clock.advance(10.0)
            self.say(b"CAPA")
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(10.0)
        self.go()
        self.assertIn('reason="login time-out"', self.logged("pop3.session")[0])

    def test_a_door_that_logs_no_sessions(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="off")
        self.reconnect()
        self.log_in()
        self.go()
        self.assertEqual((self.logged("pop3.session"), self.logged("pop3.login")), ([], []))

    def test_a_violation_is_reported(self) -> None:
        self.say(b"NOOP " * 160)
        self.assertEqual(
            self.reported, [(ip_address("192.0.2.1"), 4000, "oversize-command", 802, (b"NOOP " * 7)[:32])]
        )
        self.assertIn(
            b'mailsuite_violations_total{kind="oversize-command",service="pop3"} 1.0', self.metrics.text()
        )

    def test_the_figures(self) -> None:
        self.opens = UnauthorizedLogin()
        self.log_in()
        for error in (
            MaildropInUse(),
            LoginTooSoon(30),
            TemporaryFailure(STORE_UNAVAILABLE),
            ZeroDivisionError(),
        ):
            self.opens = error
            self.log_in()
        self.opens = self.drop
        self.log_in()
        self.say(b"RETR 1", b"TOP 1 0", b"DELE 1", b"QUIT")
        self.go()
        text = self.metrics.text().decode()
        for result, count in (("ok", 1), ("refused", 1), ("in-use", 1), ("too-soon", 1), ("unavailable", 2)):
            line = f'mailsuite_logins_total{{mechanism="USER",result="{result}",service="pop3"}} {count}.0\n'
            self.assertIn(line, text)
        self.assertIn('mailsuite_messages_retrieved_total{service="pop3"} 1.0\n', text)
        self.assertIn('mailsuite_messages_deleted_total{service="pop3"} 1.0\n', text)

    def test_a_core_that_lets_everything_pass(self) -> None:
        """RETR without a login is a mistake of ours, and no way around the login."""
        from mailsuite.wire.pop3.events import Retrieve

        self.session.dispatch(Retrieve(MessageRef("u", 1, "k"), None))
        self.assertTrue(self.transport.aborted)
        self.assertEqual(len(self.logged("pop3.failed")), 2)


class Showing(Pop3Case):
    """Maildrops as a client may see them that did, or did not, say UTF8."""

    def test_what_is_shown_is_what_is_listed_and_opened_and_released(self) -> None:
        other = Drop(JOE, self.drop.messages[:1], Body([b"other\r\n"], 7))
        self.shows = other
        self.assertIn(b"+OK 1 messages", self.log_in())
        self.assertIn(b"other\r\n.\r\n", self.say(b"RETR 1"))
        self.say(b"QUIT")
        self.assertEqual((other.updates, other.released), ([([], ["u1"])], 1))
        self.assertEqual(self.shown, [False])

    def test_a_client_that_says_utf8(self) -> None:
        self.say(b"UTF8")
        self.log_in()
        self.assertEqual(self.shown, [True])

    def test_what_cannot_be_shown_is_released_and_nobody_is_logged_in(self) -> None:
        self.shows = TemporaryFailure(STORE_UNAVAILABLE, "a detail")
        self.assertIn(b"-ERR [SYS/TEMP]", self.log_in())
        self.assertEqual((self.session.account, self.session.view, self.drop.released), (None, None, 1))
        self.shows = None
        self.drop.released = 0
        self.assertIn(b"+OK 2 messages", self.log_in())
        self.assertEqual(self.session.account, JOE)


class Watched(Pop3Case):
    """What the log shows of a session that somebody wants to see (features row S-I07)."""

    def passed(self) -> list[str]:
        """Commands and responses, as they came."""
        marks = {"pop3.command": "C", "pop3.reply": "S", "pop3.octets": "O"}
        found = []
        for line in self.lines:
            _, _, event, *_ = line.split()
            if event in marks:
                found.append(f"{marks[event]}: {line.partition('line=')[2] or line.partition('octets=')[2]}")
        return found

    def test_nobody_is_where_nobody_wants_to(self) -> None:
        self.log_in()
        self.assertFalse(self.session.is_tapped)
        self.assertEqual(self.passed(), [])

    def test_a_door_that_shows_commands(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="commands")
        self.reconnect()
        self.log_in()
        self.say(b"RETR 1", b"LIST", b"QUIT")
        self.assertEqual(
            self.passed(),
            [
                f'S: "+OK mail.example.test POP3 ready {STAMP}"',
                'C: "USER joe"',
                'C: "PASS ***"',
                'S: "+OK Send your password"',
                'S: "+OK 2 messages (50 octets)"',
                'C: "RETR 1"',
                "C: LIST",
                "C: QUIT",
                f'S: "+OK {len(TEXT)} octets"',
                'S: "+OK 2 messages (50 octets)"',
                'S: "+OK Goodbye"',
            ],
        )

    def test_an_address_for_a_while(self) -> None:
        self.watches.put_on(parse_who("192.0.2.0/24"), "commands", 60.0)
        self.reconnect()
        self.say(b"CAPA")
        self.clock.advance(60.0)
        self.say(b"CAPA")
        self.assertEqual(len(self.passed()), 3)
        self.assertFalse(self.session.is_tapped)
        self.watches.put_on(JOE, "commands")
        self.log_in()
        self.assertTrue(self.session.is_tapped)

    def test_an_account_from_its_login_on_until_it_is_taken_off(self) -> None:
        self.watches.put_on(JOE, "commands")
        self.log_in()
        self.say(b"NOOP")
        self.assertEqual(self.passed()[-2:], ["C: NOOP", 'S: "+OK Done"'])
        shown = len(self.passed())
        self.watches.take_off(JOE)
        self.say(b"NOOP")
        self.assertEqual(len(self.passed()), shown)

    def test_the_one_who_wants_to_see_more_decides(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="commands")
        self.watches.put_on(parse_who("192.0.2.1"), "commands", 60.0)
        self.reconnect()
        self.watches.put_on(JOE, "raw", 30.0)
        self.log_in()
        self.lines.clear()
        self.say(b"NOOP")
        self.clock.advance(30.0)
        self.say(b"NOOP")
        self.clock.advance(30.0)
        self.say(b"NOOP")
        command = "C: NOOP"
        shown = [line.replace(r"\\", "\\") for line in self.passed()]
        self.assertEqual(
            shown, [command, r'O: "+OK Done\r\n"', command, 'S: "+OK Done"', command, 'S: "+OK Done"']
        )

    def test_all_octets_and_never_a_secret(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="raw")
        self.reconnect()
        self.log_in()
        self.say(b"RETR 1", b"PASS " + SECRET.encode())
        self.assertEqual(
            [line.replace(r"\\", "\\") for line in self.passed()[3:]],
            [
                r'O: "+OK Send your password\r\n+OK 2 messages (50 octets)\r\n"',
                'C: "RETR 1"',
                'C: "PASS ***"',
                r'O: "+OK 25 octets\r\n"',
                r'O: "Subject: one\r\n\r\n..\r\nbody\r\n"',
                r'O: ".\r\n"',
                r'O: "-ERR You are logged in already\r\n"',
            ],
        )

    def test_no_secret_of_an_exchange_however_it_comes(self) -> None:
        secret = b64encode(b"\0joe\0" + SECRET.encode())
        self.door = attrs.evolve(self.door, protocol_log="raw")
        for segments in (
            [b"AUTH PLAIN\r\n" + secret + b"\r\n"],
            [b"AUTH PLAIN\r\n", secret + b"\r\n"],
            [b"AUTH PLAIN " + secret + b"\r\n"],
            [b"  auth plain " + secret + b"\r\n"],
            [b"AUTH PLAIN\r\n", secret[:5], secret[5:] + b"\r\nNOOP\r\n"],
            [b"CAPA\r\nAUTH PLAIN\r\n", secret + b"\r\n"],
            [b"USER joe\r\nPASS", b" " + secret + b"\r\nSTAT\r\n"],
            [b"USER joe\r\n\xff" + secret + b"\r\n"],
            [secret + b"\r\n"],
        ):
            with self.subTest(segments=segments):
                self.lines.clear()
                self.reconnect()
                for segment in segments:
                    self.session.dataReceived(segment)
                self.assertTrue(self.passed())
                self.assertNotIn(secret[:8].decode(), "".join(self.lines))
                self.assertNotIn(secret[8:].decode(), "".join(self.lines))

    def test_no_secret_behind_an_exchange_that_is_refused(self) -> None:
        """Who is logged in has no AUTH any more, but may have sent the response with it."""
        secret = b64encode(b"\0joe\0" + SECRET.encode())
        for level in ("commands", "raw"):
            self.door = attrs.evolve(self.door, protocol_log=level)
            for segments in ([b"AUTH PLAIN\r\n" + secret], [b"AUTH PLAIN\r\n", secret[:5], secret[5:]]):
                with self.subTest(level=level, segments=segments):
                    self.reconnect()
                    self.log_in()
                    for segment in [*segments, b"\r\nNOOP\r\n"]:
                        self.session.dataReceived(segment)
                    self.assertIn("C: NOOP", self.passed())
                    self.assertNotIn(secret[:5].decode(), "".join(self.lines))
                    self.assertNotIn(secret[5:].decode(), "".join(self.lines))

    def test_a_challenge_and_what_answers_it(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="raw")
        self.reconnect()
        client = ScramClient()
        first = self.say(b"AUTH SCRAM-SHA-256 " + b64encode(client.first()))
        self.say(b64encode(client.final(b64decode(first[2:]))))
        self.assertEqual(
            self.passed()[1:], ['C: "AUTH SCRAM-SHA-256 ***"', 'S: "+ ***"', "C: ***", 'S: "+ ***"']
        )

    def test_a_large_message_fills_no_more_either(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="raw")
        self.reconnect()
        self.log_in()
        self.body.pieces[:] = [TEXT * 10_000]
        self.say(b"RETR 1")
        self.assertEqual(len(self.passed()), MAX_EVENTS)

    def test_a_session_fills_no_more_than_so_many_lines(self) -> None:
        self.door = attrs.evolve(self.door, protocol_log="commands")
        self.reconnect()
        self.log_in()
        for _ in range(MAX_EVENTS // 2):
            self.session.dataReceived(b"NOOP\r\n")
        self.assertEqual(len(self.passed()), MAX_EVENTS)
        self.assertEqual(len(self.logged("pop3.log_ends")), 1)


def test_the_doubles_are_what_they_stand_for() -> None:
    """Drop and Body have what the interfaces have."""
    for double, interface in ((Drop, IMaildrop), (Body, IMessageBody)):
        names = {field.name for field in attrs.fields(cast(Any, double))} | set(vars(double))
        assert set(interface.names()) <= names
