"""A configuration, and what it leads to: listeners that a test connects to without a socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailsuite.accounts.attempt import Attempt, Granted, LoginRules
from mailsuite.accounts.login import Login, OpenedMaildrop
from mailsuite.accounts.terms import terms_of
from mailsuite.concurrent.now import run_now
from mailsuite.config.load import load
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.logins import Login as SubmitterLogin
from mailsuite.delivery.logins import Scram
from mailsuite.delivery.reception import Services
from mailsuite.delivery.router import Router
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.listener import Listener
from mailsuite.frontends.plan import Plan, wanted_certificates
from mailsuite.frontends.shelf import Certificates, read_all
from mailsuite.frontends.smtp_plan import MailTaking
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log
from mailsuite.policy.access_files import prepared
from mailsuite.policy.chain import Chain
from mailsuite.policy.configured import access_rules, ban_rules
from mailsuite.store.memory import MemoryStore
from mailsuite.wire.sasl.steps import ScramParameters, ScramQuestion
from tests.frontends.issuing import issue
from tests.frontends.lines import Wire
from tests.frontends.premises import premises_of
from tests.wire.proofs import PARAMETERS

HEAD = '[server]\nname = "mail.example.test"\nadmin = "joe@example.test"\nstate = "{state}"\n'
DOOR = '[[listener]]\nname = "{service}"\nservice = "{service}"\nbind = ["127.0.0.1"]\nport = 0\n'
DOMAIN = '[[domain]]\nname = "example.test"\n'


@attrs.define
class Logins:
    """Remembers who tried, and refuses everybody as long as there is no maildrop to open."""

    store: MemoryStore | None = None
    account: Account = attrs.field(factory=lambda: Account(Address("joe", "example.test")))
    attempts: list[Attempt] = attrs.field(factory=list)
    questions: list[tuple[ScramQuestion, LoginRules, ConnectionFacts]] = attrs.field(factory=list)

    async def login_maildrop(self, attempt: Attempt) -> OpenedMaildrop:
        self.attempts.append(attempt)
        if self.store is None:
            raise UnauthorizedLogin
        maildrop = await self.store.open_maildrop(self.account.address)
        return OpenedMaildrop(maildrop, Granted(self.account.address), terms_of(self.account, attempt.rules))

    async def login_submitter(self, attempt: Attempt) -> Address:
        self.attempts.append(attempt)
        raise UnauthorizedLogin

    async def objection(self, address: Address) -> str:
        return ""

    async def scram_parameters(
        self, question: ScramQuestion, rules: LoginRules, facts: ConnectionFacts
    ) -> ScramParameters:
        self.questions.append((question, rules, facts))
        return PARAMETERS


class World:
    """What a configuration leads to."""

    def __init__(self, directory: Path, text: str) -> None:
        self.directory = directory
        file = directory / "mailsuite.toml"
        file.write_text(HEAD.format(state=directory / "state") + text)
        self.config: Config = load(file, {}).accepted()
        self.clock = Clock()
        self.logins = Logins()
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line), "debug", clock=self.clock.seconds)
        self.premises = premises_of(self.clock, self.log)
        self.general = issue("mail.example.test").save(directory, "general")
        self.certificates: Certificates
        self.listeners: dict[str, Listener] = {}
        self.plan(self.config)

    def plan(self, config: Config) -> None:
        """As a start does it, and each reload."""
        self.config = config
        self.premises.access.turn(prepared(access_rules(config)))
        self.premises.bans.rules = ban_rules(config)
        wanted = wanted_certificates(config, self.general)
        self.certificates = Certificates(wanted, read_all(wanted.pairs))
        plan = Plan(
            config=config,
            current=lambda: self.config,
            premises=self.premises,
            login=cast(Login, self.logins),
            reception=self.reception,
            certificates=self.certificates,
        )
        self.listeners = {listener.name: listener for listener in plan.listeners()}

    def reception(self, settings: MailTaking, login: SubmitterLogin, scram: Scram) -> Services:
        directory = MemoryDirectory([Account(Address("joe", "example.test"))])
        router = Router(directory, "mail.example.test", Address("joe", "example.test"))
        chain = Chain((), self.log)
        now = self.clock.seconds
        arrivals = Arrivals(now, self.log)
        return Services(
            "mail.example.test", MemoryStore(), router, chain, arrivals, login, scram, now, self.log
        )

    def fill(self, *messages: bytes) -> None:
        """From now on everybody gets in, and finds these."""
        self.logins.store = store = MemoryStore()
        for message in messages:
            delivery = store.begin(self.logins.account.address)
            delivery.write(message)
            run_now(store.deliver([delivery]))

    def connect(self, name: str, tls: bool = False, peer: str = "192.0.2.1") -> Talk:
        talk = self.connect_or_none(name, tls, peer)
        assert talk is not None
        return talk

    def connect_or_none(self, name: str, tls: bool = False, peer: str = "192.0.2.1") -> Talk | None:
        """None: closed without a word."""
        address = IPv4Address("TCP", peer, 4000)
        session: Any = self.listeners[name].factory.buildProtocol(address)
        if session is None:
            return None
        wire = Wire(peerAddress=address)
        session.makeConnection(wire)
        if tls:
            session.handshakeCompleted()
        return Talk(session, wire)


@attrs.frozen
class Talk:
    session: SessionProtocol[Any]
    wire: Wire

    def read(self) -> str:
        text = self.wire.value().decode()
        self.wire.clear()
        return text

    def say(self, *lines: str) -> str:
        self.wire.clear()
        self.session.dataReceived("".join(f"{line}\r\n" for line in lines).encode())
        return self.read()

    def lose(self) -> None:
        """The connection is gone."""
        self.session.connectionLost(Failure(ConnectionDone()))

    def start_tls(self, command: str) -> None:
        self.say(command)
        assert self.wire.tls is not None
        self.session.handshakeCompleted()


Make = Callable[..., World]
"""make(service, keys of its section, keys of its listener, more of the file)"""
