"""A disk that fails, in the middle of real deliveries: real sessions, the real reception, the real store.

Every file operation of a delivery fails in its turn, alone or with all that follow, with each error that a
sick machine has. Whatever it is, the sender is told to come again, and nobody sees half a message, or one
that its sender still has.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mailsuite.accounts.attempt import Granted
from mailsuite.accounts.login import OpenedMaildrop
from mailsuite.concurrent.threads import Inline
from mailsuite.delivery.reception import new_message_id
from mailsuite.frontends.door import Door
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.frontends.smtp import SmtpServices, SmtpSession
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log
from mailsuite.store.maildir.layout import Layout
from mailsuite.store.maildir.store import MaildirStore
from mailsuite.wire.pop3.settings import SessionSettings as Pop3Settings
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion
from mailsuite.wire.smtp.session import SessionSettings
from tests.delivery.case import ANN, JOE, Case
from tests.frontends.lines import Wire
from tests.store.pump import Pump
from tests.store.recording import RecordingFiles

MEMORY = Path("/dev/shm")
"""Thousands of fsyncs, which need no disk here."""
NO_SPACE = b"452 4.3.1 "
UNAVAILABLE = b"451 4.3.0 "
ANSWERS = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EIO: UNAVAILABLE,
    errno.EMFILE: UNAVAILABLE,
    errno.EROFS: UNAVAILABLE,
}
"""What the sender hears."""
TAKES_SPACE = frozenset(("create", "write", "sync", "close", "move", "make_directory"))
OPENS = frozenset(("create", "sync_directory"))
STAY = {errno.ENOSPC: TAKES_SPACE, errno.EDQUOT: TAKES_SPACE, errno.EMFILE: OPENS}
"""Which operations fail while that goes on; with any other error all do."""

SMALL = b"Subject: small\r\n\r\nsmall\r\n"
SPOOLED = b"Subject: spooled\r\n\r\n" + b"%s\r\n" % (b"s" * 70) * 5000


@attrs.define(eq=False)
class Sickness:
    """Which operations fail from now on: the *first*, counted from none, or all *kinds* from there."""

    number: int
    first: int
    lasts: bool
    kinds: frozenset[str] | None
    seen: int = 0
    struck: int = 0

    def strikes(self, kind: str) -> bool:
        seen, self.seen = self.seen, self.seen + 1
        if seen == self.first:
            self.struck += 1
            return True
        if self.lasts and self.struck and (self.kinds is None or kind in self.kinds):
            self.struck += 1
            return True
        return False


class SickFiles(RecordingFiles):  # type: ignore[misc]
    """A write that fails has written half of it, and a sync or a close of a file says so only then."""

    sickness: Sickness | None = None

    def _do(self, operation: str, path: str, act: Callable[[], object]) -> object:
        sickness = self.sickness
        if sickness is not None and sickness.strikes(operation):
            if operation == "write":
                self._write_half(path)
            self.fail(0, OSError(sickness.number, os.strerror(sickness.number), path))
        return super()._do(operation, path, act)

    def _write_half(self, path: str) -> None:
        with Path(path).open("ab") as file:
            file.write(b"Subject: ha")


class Machine(Case):
    """Sessions over a store of files that fail as they are told."""

    def setUp(self) -> None:
        super().setUp()
        self.root = Path(tempfile.mkdtemp(prefix="mailsuite-test-", dir=MEMORY if MEMORY.is_dir() else None))
        self.addCleanup(shutil.rmtree, self.root)
        self.pump = Pump()
        self.log = Log(lambda line, urgent: self.lines.append(line), "debug")
        self.fresh("0")

    def fresh(self, name: str) -> None:
        """A machine that has never had a message."""
        self.tree = self.root / name
        self.lines.clear()
        self.files = SickFiles(self.tree)
        layout = Layout.below(self.tree)
        self.maildirs = MaildirStore(layout, self.pump, Inline(), self.log, files=self.files)
        self.maildirs.start()
        self.addCleanup(self.maildirs.stop)
        self.services = attrs.evolve(self.services, store=self.maildirs, log=self.log, new_id=new_message_id)

    def send(self, message: bytes, *recipients: bytes) -> bytes:
        """The answer to a message in a session of its own."""
        door = Door("smtp", "mx", self.clock, self.log, 300.0)
        services = SmtpServices(SessionSettings("mail.example.net"), self.services.receive)
        session = SmtpSession(door, services)
        wire = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        session.makeConnection(wire)
        commands = [b"EHLO x", b"MAIL FROM:<eve@example.org>"]
        commands += [b"RCPT TO:<%s>" % recipient for recipient in recipients]
        session.dataReceived(b"\r\n".join((*commands, b"DATA\r\n")))
        self.assertIn(b"\r\n354 ", wire.value(), "no disk is asked until the message comes")
        wire.clear()
        for start in range(0, len(message), 65_536):
            session.dataReceived(message[start : start + 65_536])
        session.dataReceived(b".\r\n")
        self.pump.until(wire.value)
        answer: bytes = wire.value()
        session.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.services.commits), 0)
        return answer

    def fetched(self) -> list[bytes]:
        """What joe gets by POP3: the text of each message, without the fields that we put in front."""
        door = Door("pop3", "pop3", self.clock, self.log, 600.0)
        settings = Pop3Settings("mail.example.net", plaintext_login=True)
        session = Pop3Session(door, Pop3Services(lambda facts: settings, self._let_in, self._no_scram))
        wire = Wire(peerAddress=IPv4Address("TCP", "192.0.2.1", 4000))
        session.makeConnection(wire)
        return list(self._dialogue(session, wire))

    def _dialogue(self, session: Pop3Session, wire: Wire) -> Iterator[bytes]:
        def say(line: bytes, end: bytes) -> bytes:
            wire.clear()
            session.dataReceived(line + b"\r\n")
            self.pump.until(lambda: wire.value().endswith(end))
            self.assertTrue(wire.value().startswith(b"+OK"), wire.value())
            return bytes(wire.value())

        say(b"USER joe@example.net", b"\r\n")
        say(b"PASS secret", b"\r\n")
        count = int(say(b"STAT", b"\r\n").split()[1])
        for number in range(1, count + 1):
            text = say(b"RETR %d" % number, b"\r\n.\r\n")
            yield text[text.index(b"Subject: ") :].removesuffix(b".\r\n")
        say(b"QUIT", b"\r\n")
        session.connectionLost(Failure(ConnectionDone()))

    async def _let_in(self, claim: Claim, facts: ConnectionFacts) -> OpenedMaildrop:
        return OpenedMaildrop(await self.maildirs.open_maildrop(JOE), Granted(JOE))

    async def _no_scram(self, question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
        raise AssertionError("nobody asks")

    def found(self, *folders: str) -> list[str]:
        return sorted(
            str(path.relative_to(self.tree))
            for account in (JOE, ANN)
            for folder in folders
            for path in (self.tree / account.domain / account.local / folder).glob("*")
        )


@attrs.frozen
class Scenario:
    """What is sent, on a machine that has had *before*."""

    message: bytes
    recipients: tuple[bytes, ...]
    before: bool
    least: int
    """Operations that it takes at least: else nothing would be tried."""


BOTH = (b"joe@example.net", b"ann@example.net")


class Faults(Machine):
    def sweep(self, scenario: Scenario, lasts: bool) -> None:
        """Run it once well, and count; then with each operation failing, with each error."""
        self.prepare(scenario, "well")
        self.files.sickness = Sickness(0, -1, False, None)
        self.assertTrue(self.send(scenario.message, *scenario.recipients).startswith(b"250 2.0.0 "))
        count = self.files.sickness.seen
        self.assertGreaterEqual(count, scenario.least)
        for number, answer in ANSWERS.items():
            for first in range(count):
                with self.subTest(error=errno.errorcode[number], operation=first):
                    self.prepare(scenario, f"{number} {first}")
                    self.fall_ill(scenario, Sickness(number, first, lasts, STAY.get(number)), answer)

    def prepare(self, scenario: Scenario, name: str) -> None:
        self.fresh(name)
        if scenario.before:
            self.send(SMALL, *BOTH)

    def fall_ill(self, scenario: Scenario, sickness: Sickness, answer: bytes) -> None:
        already = self.found("new", "cur")
        self.files.sickness = sickness
        said = self.send(scenario.message, *scenario.recipients)
        where = f"{self.files.done} {said!r}"
        self.assertGreater(sickness.struck, 0, where)
        self.assertTrue(said.startswith(answer), where)
        if not sickness.lasts or sickness.kinds is not None:
            self.assertEqual(self.found("new", "cur"), already, where)
            self.assertEqual(self.found("tmp"), [], where)
        elif self.found("new", "cur", "tmp") != already:  # nothing could be removed: somebody must know
            self.assertNotEqual(self.logged("store.undo_failed"), [], where)
        self.assertEqual(self.files.paths, {}, "a descriptor is open")
        self.files.sickness = None
        left = len(self.found("new", "cur")) - len(already)
        self.recover(scenario, left)

    def recover(self, scenario: Scenario, left: int) -> None:
        """The next message is taken, and what was acknowledged can be fetched, whole. *left*: so many could
        not be taken back, and their sender will send them again (RFC 1047)."""
        self.assertTrue(self.send(SMALL, *scenario.recipients).startswith(b"250 2.0.0 "))
        fetched = self.fetched()
        self.assertEqual([each for each in fetched if each not in (SMALL, scenario.message)], [], "torn")
        if not left:
            self.assertEqual(fetched, [SMALL] * (2 if scenario.before else 1))

    def test_the_first_message_of_two_accounts(self) -> None:
        self.sweep(Scenario(SMALL, BOTH, before=False, least=20), lasts=False)

    def test_a_message_to_two_accounts(self) -> None:
        self.sweep(Scenario(SMALL, BOTH, before=True, least=12), lasts=False)

    def test_a_large_message_to_two_accounts(self) -> None:
        self.sweep(Scenario(SPOOLED, BOTH, before=True, least=12), lasts=False)

    def test_a_first_message_where_the_fault_stays(self) -> None:
        self.sweep(Scenario(SMALL, BOTH, before=False, least=20), lasts=True)

    def test_a_message_where_the_fault_stays(self) -> None:
        self.sweep(Scenario(SMALL, BOTH, before=True, least=12), lasts=True)

    def test_a_large_message_where_the_fault_stays(self) -> None:
        self.sweep(Scenario(SPOOLED, BOTH, before=True, least=12), lasts=True)

    def test_mail_goes_on_to_be_fetched_while_none_can_be_taken(self) -> None:
        self.send(SMALL, *BOTH)
        for number, answer in ANSWERS.items():
            self.files.sickness = Sickness(number, 0, True, STAY.get(number))
            self.assertTrue(self.send(SPOOLED, *BOTH).startswith(answer))
            self.assertEqual(self.fetched(), [SMALL])
