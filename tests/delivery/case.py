"""The world of the tests of a reception: a watched store, a recording bus, a log in a list, a clock."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.reception import Reception, Services
from mailsuite.delivery.router import Router
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.interfaces import INoticeIntake, IPolicyRule
from mailsuite.model import reply as replies
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.facts import Accept, ConnectionFacts, Stage, StageFacts, Verdict
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import Happening, Level
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying
from mailsuite.policy.sender import Sender
from mailsuite.wire.sasl.steps import Claim, PasswordClaim, ScramParameters, ScramQuestion
from mailsuite.wire.smtp.events import BodyEnd, Mail, Recipient
from tests.delivery.watched import WatchedStore
from tests.wire.proofs import PARAMETERS

T = TypeVar("T")
JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
EVE = Address("eve", "example.org")
CLAIM = PasswordClaim("PLAIN", "", "joe@example.net", "secret")
FULL = TemporaryFailure(replies.DISK_FULL, "no space on /var")
BODY = b"Subject: hello\r\n\r\nWorld.\r\n"
LONG_BODY = BODY + b"Word.\r\n" * 4000
"""Too long for a transaction to keep back: deliveries have it at once."""
DEFECT = Reply(550, "5.6.0", ("A defect of the body",))


@attrs.frozen
class Granted:
    """As accounts/attempt.py has it."""

    account: Address
    device: Device | None = None
    signature: bytes = b""


@implementer(INoticeIntake)
@attrs.define
class Intake:
    """Keeps what it is told; ``follows`` says of whom it wants to hear, None: of everybody, that there is
    something."""

    follows: dict[Address, Level] | None = None
    happenings: list[Happening] = attrs.field(factory=list)
    asked: list[Address] = attrs.field(factory=list)
    held: Deferred[None] | None = None
    """happened() waits for it."""

    async def followed(self, accounts: Iterable[Address]) -> Mapping[Address, Level]:
        asked = list(accounts)
        self.asked += asked
        if self.follows is None:
            return dict.fromkeys(asked, Level.KNOCK)
        return {account: self.follows[account] for account in asked if account in self.follows}

    async def happened(self, happenings: Sequence[Happening]) -> None:
        if self.held is not None:
            await self.held
        self.happenings += happenings


class Logins:
    """A login facade that answers, raises or waits as a test says."""

    def __init__(self) -> None:
        self.outcome: Any = Granted(JOE)
        self.asked: list[tuple[Claim, ConnectionFacts]] = []
        self.parameters: ScramParameters | Exception = PARAMETERS
        self.questions: list[tuple[ScramQuestion, ConnectionFacts]] = []

    async def __call__(self, claim: Claim, facts: ConnectionFacts) -> Granted:
        self.asked.append((claim, facts))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if isinstance(self.outcome, Deferred):
            await self.outcome
        granted: Granted = self.outcome(claim) if callable(self.outcome) else self.outcome
        return granted

    async def scram(self, question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
        self.questions.append((question, facts))
        if isinstance(self.parameters, Exception):
            raise self.parameters
        return self.parameters


@implementer(IPolicyRule)
@attrs.define
class Ruling:
    """A rule that says what a test wants of it, stage by stage, and keeps what it is told."""

    verdicts: dict[Stage, Verdict] = attrs.field(factory=dict)
    seen: list[StageFacts] = attrs.field(factory=list)
    waiting: Deferred[None] | None = None
    """At HEADER."""
    name: str = "ruling"
    asked_at: frozenset[Stage] = frozenset(Stage)

    async def check(self, facts: StageFacts) -> Verdict:
        self.seen.append(facts)
        if facts.stage is Stage.HEADER and self.waiting is not None:
            await self.waiting
        return self.verdicts.get(facts.stage, Accept())

    def stages(self) -> list[Stage]:
        return [facts.stage for facts in self.seen]


class Case(SynchronousTestCase):
    """A reception with a memory of all that it does."""

    service = "smtp"

    def setUp(self) -> None:
        self.store = WatchedStore()
        self.directory = MemoryDirectory([Account(JOE), Account(ANN)])
        self.intake = Intake()
        self.logins = Logins()
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.lines: list[str] = []
        log = Log(lambda line, urgent: self.lines.append(line))
        ids = iter(f"id{number}" for number in range(1, 100))
        self.services = Services(
            hostname="mail.example.net",
            store=self.store,
            router=Router(self.directory, "mail.example.net", JOE),
            policy=Chain((Sender(), Relaying(), Recipients()), log),
            arrivals=Arrivals(self.clock.seconds, log, self.intake),
            login=self.logins,
            scram=self.logins.scram,
            seconds=self.clock.seconds,
            log=log,
            new_id=lambda: next(ids),
        )
        facts = ConnectionFacts("s77", "mx", self.service, ip_address("192.0.2.1"), 4321)
        self.reception = self.services.receive(facts, log.bind(session=facts.session, peer=facts.peer))
        self.reception.hello("client.example.org", True)

    def replaced(self, **changes: Any) -> Reception:
        """The session again, with other services."""
        self.services = attrs.evolve(self.services, **changes)
        facts = self.reception.facts
        log = self.services.log.bind(session=facts.session, peer=facts.peer)
        self.reception = self.services.receive(facts, log)
        return self.reception

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def mail(self, sender: Address | None = EVE) -> Reply:
        return self.now(self.reception.mail(Mail(sender)))

    def recipient(self, address: Address) -> Reply:
        return self.now(self.reception.recipient(Recipient(address)))

    def envelope(self, *recipients: Address, sender: Address | None = EVE) -> None:
        self.assertEqual(self.mail(sender), replies.SENDER_OK)
        for recipient in recipients or (JOE,):
            self.assertEqual(self.recipient(recipient), replies.RECIPIENT_OK)

    def data(self, *recipients: Address) -> None:
        """An envelope, and a body up to before its end."""
        self.envelope(*recipients)
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)
        self.feed(BODY[:5])
        self.feed(BODY[5:])

    def feed(self, chunk: bytes) -> None:
        """As the shell does, in a store that has kept up so far."""
        self.reception.take(chunk)
        if self.reception.congested:
            self.now(self.reception.drained())

    def ending(self, defect: Reply | None = None) -> Deferred[Reply]:
        return Deferred.fromCoroutine(self.reception.end(BodyEnd(len(BODY), defect, False)))

    def end(self, defect: Reply | None = None) -> Reply:
        return self.successResultOf(self.ending(defect))

    def contents(self, account: Address = JOE) -> tuple[bytes, ...]:
        return self.store.memory.contents(account)

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f" {event} " in line]

    def assert_nothing_open(self) -> None:
        self.assertEqual(self.store.open, 0)
        self.assertEqual(len(self.services.commits), 0)

    def assert_nothing_happened(self) -> None:
        self.assert_nothing_open()
        self.assertEqual(self.contents(JOE) + self.contents(ANN), ())
        self.assertEqual(self.intake.happenings, [])
        self.assertEqual(self.logged("smtp.accepted"), [])

    def assert_one_traceback(self, *parts: str) -> None:
        (line,) = [line for line in self.lines if "traceback=" in line]
        for part in ("smtp.failed", "session=s77", *parts):
            self.assertIn(part, line)
