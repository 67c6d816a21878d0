"""From a configuration to the listeners it wants."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from mailsuite import __version__
from mailsuite.accounts.attempt import Granted, LoginRules, attempt_of
from mailsuite.accounts.login import Login, OpenedMaildrop
from mailsuite.accounts.offers import mechanisms_of, rules_of
from mailsuite.config.schema import Config, Pop3, ServiceSettings, Smtp, Submission
from mailsuite.config.schema import Listener as ListenerBlock
from mailsuite.delivery.reception import Login as SubmitterLogin
from mailsuite.delivery.reception import Scram
from mailsuite.delivery.reception import Services as ReceptionServices
from mailsuite.frontends.admission import Admission
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory
from mailsuite.frontends.listener import Listener, Place, each_once
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.frontends.smtp import SmtpServices, SmtpSession
from mailsuite.frontends.stamp import new_stamp
from mailsuite.frontends.tls import Pair, ServerTLS
from mailsuite.model import reply, response
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log
from mailsuite.wire.pop3.settings import SessionSettings as Pop3Settings
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion
from mailsuite.wire.smtp.session import SessionSettings as SmtpSettings


@attrs.define
class Admissions:
    """The limits of services and listeners, kept over reloads so that the counts stay exact."""

    _services: dict[str, Admission] = attrs.field(factory=dict, init=False)
    _listeners: dict[tuple[str, str], Admission] = attrs.field(factory=dict, init=False)
    """By service and listener."""

    def listener(self, block: ListenerBlock, general: ServiceSettings) -> Admission:
        """A listener's own limits, within those of its service, as they are today."""
        service = self._services.setdefault(block.service, Admission(0, 0))
        own = self._listeners.setdefault((block.service, block.name), Admission(0, 0, within=service))
        for admission, settings in ((service, general), (own, block.settings)):
            admission.total = settings.max_connections
            admission.per_address = settings.max_connections_per_address
        return own


@attrs.define(eq=False)
class Ruling:
    """What a listener says about logins by the configuration in force: a session that began before a reload
    is held to what was decided since. A listener that is gone says what it said last."""

    block: ListenerBlock
    current: Callable[[], Config]
    _config: Config | None = attrs.field(default=None, init=False)
    _rules: LoginRules = attrs.field(factory=LoginRules, init=False)

    def __call__(self) -> LoginRules:
        config = self.current()
        if config is not self._config:
            own = (self.block.service, self.block.name)
            same = (each for each in config.listeners if (each.service, each.name) == own)
            self.block = next(same, self.block)
            self._rules = rules_of(self.block.settings, config.domains)
            self._config = config
        return self._rules


@attrs.frozen
class Plan:
    """Makes the listeners of a configuration. They are not open yet."""

    config: Config
    current: Callable[[], Config]
    """The configuration in force whenever it is asked for."""
    clock: IReactorTime
    log: Log
    login: Login
    reception: Callable[[SubmitterLogin, Scram], ReceptionServices]
    """Called with how a submitter logs in, and how SCRAM's question is answered."""
    tls: Mapping[Pair, ServerTLS]
    default_pair: Pair
    admissions: Admissions

    def listeners(self) -> list[Listener]:
        """One for each enabled block, in the order of the file."""
        return [self._listener(block) for block in self.config.listeners if block.enabled]

    def _listener(self, block: ListenerBlock) -> Listener:
        tls = None if block.tls == "off" else self.tls[pair_of(block) or self.default_pair]
        implicit = block.tls == "implicit"
        mechanisms = mechanisms_of(block.settings)
        door = Door(
            service=block.service,
            listener=block.name,
            clock=self.clock,
            log=self.log,
            idle_timeout=block.settings.idle_timeout,
            tls=tls,
            implicit_tls=implicit,
            channel_binding=any(name.endswith("-PLUS") for name in mechanisms),
        )
        admission = self.admissions.listener(block, getattr(self.config, block.service))
        session = self._session_of(block, door)
        factory = SessionFactory(self.clock, session, admission, _refusal(block), self.log)
        return Listener(
            block.name, block.service, places_of(block), factory, block.tls, tls if implicit else None
        )

    def _session_of(self, block: ListenerBlock, door: Door) -> Callable[[], SessionProtocol[Any]]:
        settings = block.settings
        banner = settings.banner.replace("{version}", __version__)
        if isinstance(settings, Pop3):
            services = self._pop3(block, settings, door, banner)
            return lambda: Pop3Session(door, services)
        return self._smtp_session_of(block, settings, door, banner)

    def _smtp_session_of(
        self, block: ListenerBlock, settings: Smtp | Submission, door: Door, banner: str
    ) -> Callable[[], SessionProtocol[Any]]:
        """Submission asks for a login, always, and for TLS unless its door has none, where only mechanisms
        that hide the password are offered; the MX offers no login at all."""
        submits = isinstance(settings, Submission)
        rules = Ruling(block, self.current)
        smtp = SmtpSettings(
            hostname=self.config.server.name,
            banner=banner,
            max_message=settings.max_message,
            max_recipients=settings.max_recipients,
            tls_available=door.tls is not None and not door.implicit_tls,
            tls_required=(submits and door.tls is not None) or block.tls == "required-starttls",
            auth_mechanisms=mechanisms_of(settings),
            auth_required=submits,
            octets=secrets.token_bytes,
            seconds=time.time,
        )

        async def login(claim: Claim, facts: ConnectionFacts) -> Granted:
            return await self.login.login_submitter(attempt_of(claim, rules(), facts))

        services = SmtpServices(smtp, self.reception(login, self._scram(rules)).receive)
        return lambda: SmtpSession(door, services)

    def _scram(self, rules: Ruling) -> Scram:
        async def scram(question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
            return await self.login.scram_parameters(question, rules(), facts)

        return scram

    def _pop3(self, block: ListenerBlock, settings: Pop3, door: Door, banner: str) -> Pop3Services:
        rules, ruling = rules_of(settings, self.config.domains), Ruling(block, self.current)

        async def login(claim: Claim, facts: ConnectionFacts) -> OpenedMaildrop:
            return await self.login.login_maildrop(attempt_of(claim, ruling(), facts))

        everybody = Pop3Settings(
            response_name=settings.response_name,
            banner=banner,
            tls_available=door.tls is not None and not door.implicit_tls,
            tls_required=block.tls == "required-starttls",
            apop_required=rules.apop_everywhere,
            sasl_mechanisms=mechanisms_of(settings),
            octets=secrets.token_bytes,
            seconds=time.time,
            max_command=settings.max_command,
        )
        trusted = attrs.evolve(everybody, plaintext_login=block.tls != "required-starttls")

        def session(facts: ConnectionFacts) -> Pop3Settings:
            is_trusted = any(facts.peer in network for network in settings.trusted_networks)
            chosen = trusted if is_trusted else everybody
            if not rules.apop_somewhere:
                return chosen
            return attrs.evolve(chosen, apop_stamp=new_stamp(settings.response_name, time.time()))

        return Pop3Services(session, login, self._scram(ruling))


def places_of(block: ListenerBlock) -> tuple[Place, ...]:
    """Where the sockets of a listener are."""
    if block.endpoint:
        return (Place("", 0, endpoint=block.endpoint),)
    name = "" if block.port else block.name
    return tuple(Place(address, block.port, name=name) for address in each_once(block.bind))


def places(config: Config) -> dict[str, tuple[Place, ...]]:
    """Where the sockets of all enabled listeners are, by name."""
    return {block.name: places_of(block) for block in config.listeners if block.enabled}


def pair_of(block: ListenerBlock) -> Pair | None:
    """The listener's own certificate and key, None where it uses the general one."""
    if block.certificate is None or block.key is None:
        return None
    return block.certificate, block.key


def _refusal(block: ListenerBlock) -> bytes:
    """What a connection beyond the limits is told."""
    if block.service == "pop3":
        return response.TOO_MANY_CONNECTIONS.encode()
    return reply.TOO_MANY_CONNECTIONS.encode()
