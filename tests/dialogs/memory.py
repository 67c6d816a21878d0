"""Plays dialogues in memory: the real server from its configuration on, on back-ends without a disk.

Configuration, listeners, sessions, accounts, policy and delivery are those of production. Stores, transport
and clock are not, and passwords are hashed in the caller.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs
from OpenSSL import SSL
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailsuite.accounts.checkers import PasswordChecker, ScramChecker, SecretChecker
from mailsuite.accounts.gate import Gate
from mailsuite.accounts.hopeless import HopelessChecker
from mailsuite.accounts.keyring import Keyring
from mailsuite.accounts.login import Login
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.realm import MailRealm
from mailsuite.accounts.renewal import Renewal
from mailsuite.accounts.terms import OwnRetentions
from mailsuite.accounts.throttle import FailureThrottle
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.disk import DiskSpace
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.config.load import load
from mailsuite.config.schema import Config
from mailsuite.delivery.arrivals import Arrivals
from mailsuite.delivery.quota_ledger import Ledger, Standing
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.directory.bans import MemoryBans
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.logins import MemoryLogins
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.file_accounts import file_directory
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.listener import Listener
from mailsuite.frontends.plan import Plan
from mailsuite.frontends.premises import Premises
from mailsuite.frontends.receptions import Receptions
from mailsuite.frontends.shelf import Certificates
from mailsuite.frontends.tls import Pair, ServerTLS
from mailsuite.model.address import Address
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import Metrics
from mailsuite.observe.protocol_log import Watches
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import Bans
from mailsuite.policy.configured import access_rules, all_sender_rules, ban_rules
from mailsuite.policy.ruleset import Tallies
from mailsuite.policy.sender_files import SenderLists
from mailsuite.policy.sender_files import prepared as prepared_senders
from mailsuite.resolver.memory import MemoryResolver
from mailsuite.store.memory import MemoryStore
from tests.dialogs.configured import CHEAP, DOORS, configured
from tests.dialogs.play import Missing
from tests.dialogs.scene import MESSAGES, Scene


class _NoWarnings:
    """Nobody is told how full a maildrop is."""

    def fallen(self, standing: Standing) -> None: ...

    def reached(self, standing: Standing) -> None: ...


class _NoCertificates:
    """TLS is not spoken here, only agreed upon."""

    def tls_for(self, pair: Pair | None) -> ServerTLS:
        return ServerTLS(cast(Any, None))


@attrs.frozen
class Template:
    """What all servers share, as it is read once."""

    config: Config
    file: MemoryDirectory
    passwords: Passwords
    vault: Vault
    _with_one: dict[str, Config] = attrs.field(factory=dict, init=False)

    def with_one(self, listener: str) -> Config:
        """The configuration as if there were no other listener."""
        if listener not in self._with_one:
            blocks = tuple(block for block in self.config.listeners if block.name == listener)
            self._with_one[listener] = attrs.evolve(self.config, listeners=blocks)
        return self._with_one[listener]

    @classmethod
    def read(cls, directory: Path, scene: Scene) -> Template:
        """Write the configuration below *directory* and load it as the suite does."""
        server = configured(directory, [scene], [scene.user])
        server.write_config()
        config = load(server.config, {}).accepted()
        server.close()
        passwords, vault = Passwords(Inline(), hasher=CHEAP), Vault(Keyring.new(), Inline())
        return cls(config, run_now(file_directory(config, passwords, vault)), passwords, vault)


class MemoryServer:
    """A server that was started a moment ago; the maildrop of the scene's user holds the known messages."""

    def __init__(self, template: Template, scene: Scene) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.logged: list[str] = []
        self.store = MemoryStore()
        self.directory = LayeredDirectory(template.file, MemoryDirectory())
        self._template, self._scene = template, scene
        self._ports = iter(range(4000, 5000))
        log = Log(lambda line, urgent: self.logged.append(line), clock=self.clock.seconds)
        self.tasks = Tasks(lambda failure: log.failure("task.failed", failure))
        premises = self._premises(template, log)
        self._plan = Plan(
            config=template.config,
            current=lambda: template.config,
            premises=premises,
            login=self._login(template, log),
            reception=partial(self._receptions(template.config, log, premises).of, template.config),
            certificates=cast(Certificates, _NoCertificates()),
        )
        self._listeners: dict[str, Listener] = {}
        run_now(self._fill())

    def _premises(self, template: Template, log: Log) -> Premises:
        watch = FileWatch(Inline(), self.clock, log)
        access = AccessLists(Inline(), watch, log)
        access.turn(run_now(access.prepare(access_rules(template.config))))
        bans = Bans(MemoryBans(), self.clock.seconds, log, ban_rules(template.config))
        return Premises(self.clock, Inline(), log, bans, access, Metrics(), Watches(), OwnRetentions())

    def _login(self, template: Template, log: Log) -> Login:
        passwords, vault, now = template.passwords, template.vault, self.clock.seconds
        portal = Portal(MailRealm(self.store, self.directory, self.tasks))
        renewal = Renewal(self.directory, vault, passwords, self.tasks, log)
        gate = Gate(self.directory, vault, now, log, renewal.successor)
        portal.registerChecker(PasswordChecker(gate, passwords, PasswordCache(now), renewal))
        portal.registerChecker(SecretChecker(gate))
        portal.registerChecker(ScramChecker(gate))
        portal.registerChecker(HopelessChecker(gate))
        return Login(
            portal=portal,
            gate=gate,
            throttle=FailureThrottle(self.clock, template.config.guard.failure_delay),
            sightings=MemorySightings(),
            logins=MemoryLogins(),
            learn_from=frozenset({"pop3"}),
            now=now,
            tasks=self.tasks,
            log=log,
        )

    def _receptions(self, config: Config, log: Log, premises: Premises) -> Receptions:
        seconds = self.clock.seconds
        senders = SenderLists(Inline(), FileWatch(Inline(), self.clock, log), log)
        senders.turn(prepared_senders(all_sender_rules(config)))
        return Receptions(
            config=config,
            directory=self.directory,
            store=self.store,
            quotas=Ledger(self.store, self.directory, _NoWarnings()),
            arrivals=Arrivals(time.time, log),
            resolver=MemoryResolver(),
            disk=DiskSpace((), Inline(), self.clock, log, look=lambda paths: ()),
            senders=senders,
            tallies=Tallies.by(seconds),
            catch_all=CatchAllLimits(seconds),
            ban=premises.bans.ban,
            clock=self.clock,
            seconds=time.time,
            commits=self.tasks,
            log=log,
        )

    async def _fill(self) -> None:
        for message in MESSAGES:
            delivery = self.store.begin(Address.parse(self._scene.user))
            delivery.write(message)
            await self.store.deliver([delivery])

    def _listener(self, name: str) -> Listener:
        """Made when somebody connects: a dialogue meets one or two of the many."""
        if name not in self._listeners:
            plan = attrs.evolve(self._plan, config=self._template.with_one(name))
            [self._listeners[name]] = plan.listeners()
        return self._listeners[name]

    def connect(self, service: str, tls: str, login: str) -> MemoryConnection:
        factory = self._listener(DOORS[service, tls, login]).factory
        address = IPv4Address("TCP", "127.0.0.1", next(self._ports))
        session = cast(SessionProtocol[Any], factory.buildProtocol(address))
        return MemoryConnection(session, Wire(peerAddress=address), implicit_tls=tls == "yes")

    def left_behind(self) -> list[str]:
        """What must not be there once all connections have gone, in words."""
        self.clock.advance(0)
        found = [line for line in self.logged if "traceback=" in line]
        found += [
            f"{len(each.factory.sessions)} sessions"
            for each in self._listeners.values()
            if each.factory.sessions
        ]
        found += [f"a timer: {call}" for call in self.clock.getDelayedCalls()]
        if self.tasks:
            found.append(f"{len(self.tasks)} tasks")
        maildrop = run_now(self.store.open_maildrop(Address.parse(self._scene.user)))
        run_now(maildrop.release())
        return found


class Wire(StringTransport):
    """A transport that can begin TLS, and pretends that it is a handshake that everybody likes.

    Binding to it proves nothing.
    """

    awaits_handshake = False

    def startTLS(self, context: object) -> None:
        self.awaits_handshake = True

    def getHandle(self) -> Wire:
        return self

    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_protocol_version(self) -> int:
        return SSL.TLS1_3_VERSION

    def get_cipher_name(self) -> str:
        return "TLS_AES_256_GCM_SHA384"

    def get_shutdown(self) -> int:
        return 0

    def export_keying_material(self, label: bytes, octets: int, context: bytes) -> bytes:
        return bytes(octets)

    def get_certificate(self) -> Wire:
        return self

    def to_cryptography(self) -> Wire:
        return self

    signature_hash_algorithm = None
    """Of a certificate that has no hash of its own: it is no end point."""


class MemoryConnection:
    """The client's end: what it sends is answered before send() returns."""

    def __init__(self, session: SessionProtocol[Any], wire: Wire, implicit_tls: bool) -> None:
        self._session, self._wire = session, wire
        self._open = True
        session.makeConnection(wire)
        if implicit_tls:
            session.handshakeCompleted()

    def send(self, data: bytes) -> None:
        if self._wire.awaits_handshake:
            raise Missing("the server waits for a TLS handshake")
        if not self._wire.disconnecting:
            self._session.dataReceived(data)

    def line(self) -> bytes:
        line, end, rest = self.unread().partition(b"\n")
        if not end:
            raise Missing("the server has closed" if self._wire.disconnecting else "the server says nothing")
        self._wire.clear()
        self._wire.write(rest)
        return line + end

    def unread(self) -> bytes:
        octets: bytes = self._wire.value()
        return octets

    def start_tls(self) -> None:
        if not self._wire.awaits_handshake:
            raise Missing("the server does not begin TLS")
        if self.unread():
            raise Missing(f"the server has sent more in clear: {self.unread()!r}")
        self._wire.awaits_handshake = False
        self._session.handshakeCompleted()

    def closed(self) -> None:
        if self.unread():
            raise Missing(f"the server has sent more: {self.unread()!r}")
        if not self._wire.disconnecting:
            raise Missing("the server has not closed")

    def close(self) -> None:
        if self._open:
            self._open = False
            self._session.connectionLost(Failure(ConnectionDone()))
