"""POP3 on a socket, over maildrops that do as the test says: what is released, closed, answered, and when."""

from __future__ import annotations

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

from mailsuite.frontends.door import Door
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.frontends.tls import ServerTLS
from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import MaildropInUse, MessageGone, PermanentFailure, TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.steps import PasswordClaim
from tests.frontends.lines import Wire

JOE = Address("joe", "example.test")
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
    """What expunge() waits for."""
    expunged: list[Sequence[MessageRef]] = attrs.field(factory=list)
    released: int = 0

    async def open(self, ref: MessageRef) -> Body:
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    async def expunge(self, refs: Sequence[MessageRef]) -> int:
        assert not self.released, "after the lock was given back"
        self.expunged.append(refs)
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
        self.claims: list[tuple[PasswordClaim, ConnectionFacts]] = []
        log = Log(lambda line, level: self.lines.append(line), "debug", clock=self.clock.seconds)
        tls = ServerTLS(cast(SSL.Context, None))
        door = Door("pop3", "door", self.clock, log, 600.0, tls)
        settings = SessionSettings("mail.example.test", tls_available=True, plaintext_login=True)
        self.session = Pop3Session(door, Pop3Services(lambda facts: settings, self.login))
        self.transport = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        self.session.makeConnection(self.transport)
        self.transport.clear()

    async def login(self, claim: PasswordClaim, facts: ConnectionFacts) -> IMaildrop:
        self.claims.append((claim, facts))
        if isinstance(self.opens, Exception):
            raise self.opens
        drop = await self.opens if isinstance(self.opens, Deferred) else self.opens
        return cast(IMaildrop, drop)

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
        self.assertEqual((claim.authcid, claim.password), ("joe", SECRET))
        self.assertEqual((facts.peer, facts.tls), (ip_address("192.0.2.1"), ""))
        self.assertEqual((self.session.account, self.drop.released), (JOE, 0))
        self.go()
        self.assertEqual(self.drop.released, 1)
        self.assertIn("account=joe@example.test mechanism=USER", self.logged("pop3.login")[0])

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
        self.opens = opening = Deferred()
        self.log_in()
        self.go()
        opening.callback(self.drop)
        self.assertEqual(self.drop.released, 1)

    def test_a_refusal_for_nobody(self) -> None:
        for error in (UnauthorizedLogin(), MaildropInUse(), ZeroDivisionError()):
            with self.subTest(error=error):
                self.setUp()
                self.opens = opening = Deferred()
                self.log_in()
                self.go()
                opening.errback(Failure(error))
                self.assertEqual(len(self.logged("pop3.closed")), 1)

    def test_apop_is_refused(self) -> None:
        """It is not offered, and who gets here all the same is not let in."""
        self.session.dispatch(cast(Any, _apop_of(self.session)))
        self.assertIn(b"-ERR", self.transport.value() + self.session.core.bytes_to_send())


def _apop_of(session: Pop3Session) -> object:
    from mailsuite.wire.pop3.events import ApopLogin
    from mailsuite.wire.pop3.session import _Awaited

    session.core._awaited = _Awaited.LOGIN
    return ApopLogin("joe", "0" * 32)


class Retrieving(Pop3Case):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_whole(self) -> None:
        self.assertEqual(self.say(b"RETR 1"), b"+OK %d octets\r\n%s.\r\n" % (len(TEXT), SENT))
        self.assertEqual(self.body.closed, 1)
        self.go()
        [line] = self.logged("pop3.session")
        self.assertIn(f"reason=disconnected retrieved=1 tops=0 octets={len(TEXT)} deleted=0", line)

    def test_top_reads_no_further_than_it_must(self) -> None:
        self.body.pieces[:] = [TEXT, ZeroDivisionError()]
        self.assertEqual(self.say(b"TOP 1 0"), b"+OK Top of message follows\r\nSubject: one\r\n\r\n.\r\n")
        self.assertEqual(len(self.body.pieces), 1)
        self.go()
        self.assertIn("retrieved=0 tops=1", self.logged("pop3.session")[0])

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
                self.assertEqual((self.drop.released, self.drop.expunged), (1, []))
                self.assertIn("reason=broken-message retrieved=0", self.logged("pop3.session")[0])
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
        self.assertIn("reason=stalled retrieved=0", self.logged("pop3.session")[0])

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
        self.assertEqual([[ref.uidl for ref in refs] for refs in self.drop.expunged], [["u2"]])
        self.assertEqual(self.drop.released, 1)
        self.assertTrue(self.transport.value().endswith(b"+OK Goodbye\r\n"))
        self.assertTrue(self.transport.disconnecting)
        self.go()
        self.assertEqual(self.drop.released, 1)
        self.assertIn("reason=QUIT", self.logged("pop3.session")[0])
        self.assertIn("deleted=1", self.logged("pop3.session")[0])

    def test_nothing_was_marked(self) -> None:
        self.assertEqual(self.say(b"QUIT"), b"+OK Goodbye\r\n")
        self.assertEqual((self.drop.expunged, self.drop.released), ([], 1))

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
            self.assertEqual((self.drop.expunged, self.drop.released), ([], 1))


class Ending(Pop3Case):
    def test_why_is_in_the_log(self) -> None:
        self.log_in()
        self.say(b"x" * 5000)
        self.assertIn("kind=oversize-command", self.logged("pop3.violation")[0])
        self.go()
        self.assertIn("reason=oversize-command", self.logged("pop3.session")[0])

    def test_without_a_login_there_is_no_session_to_tell_of(self) -> None:
        self.say(b"QUIT")
        self.go()
        self.assertEqual(self.logged("pop3.session"), [])
        self.assertIn("reason=quit", self.logged("pop3.closed")[0])

    def test_a_core_that_lets_everything_pass(self) -> None:
        """RETR without a login is a mistake of ours, and no way around the login."""
        from mailsuite.wire.pop3.events import Retrieve

        self.session.dispatch(Retrieve(MessageRef("u", 1, "k"), None))
        self.assertTrue(self.transport.aborted)
        self.assertEqual(len(self.logged("pop3.failed")), 2)


def test_the_doubles_are_what_they_stand_for() -> None:
    """Drop and Body have what the interfaces have."""
    for double, interface in ((Drop, IMaildrop), (Body, IMessageBody)):
        names = {field.name for field in attrs.fields(cast(Any, double))} | set(vars(double))
        assert set(interface.names()) <= names
