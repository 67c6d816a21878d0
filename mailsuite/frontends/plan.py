"""From a configuration to the listeners it wants."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from mailsuite import __version__
from mailsuite.accounts.attempt import Granted, attempt_of
from mailsuite.accounts.callers import Callers
from mailsuite.accounts.login import Login, OpenedMaildrop
from mailsuite.accounts.offers import mechanisms_of, rules_of
from mailsuite.config.pop3 import Utf8Mail
from mailsuite.config.schema import Config, DoorSettings, MailSettings, Metrics, NotifyDoor, Pop3, Submission
from mailsuite.config.schema import Listener as ListenerBlock
from mailsuite.delivery.downgraded import downgraded
from mailsuite.delivery.logins import Login as SubmitterLogin
from mailsuite.delivery.logins import Scram
from mailsuite.delivery.reception import Services as ReceptionServices
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.called import CalledSession
from mailsuite.frontends.door import Door
from mailsuite.frontends.factory import SessionFactory, Sessions
from mailsuite.frontends.http import Application, HttpSession, nothing_is_there
from mailsuite.frontends.http_core import unread
from mailsuite.frontends.listener import Listener, Place, each_once
from mailsuite.frontends.metrics import Exposition, MetricsFactory
from mailsuite.frontends.offer import Offer
from mailsuite.frontends.pace import pace_of
from mailsuite.frontends.pop3 import Pop3Services, Pop3Session
from mailsuite.frontends.premises import Premises
from mailsuite.frontends.ruling import Ruling
from mailsuite.frontends.shelf import Certificates, Wanted
from mailsuite.frontends.smtp import SmtpServices, SmtpSession
from mailsuite.frontends.smtp_plan import MailTaking, session_settings
from mailsuite.frontends.tls import Pair, ServerTLS
from mailsuite.frontends.unix import Rights
from mailsuite.interfaces import IMaildrop, IThreads
from mailsuite.model import reply, response
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork
from mailsuite.model.facts import ConnectionFacts
from mailsuite.policy.admission import Gatekeeper
from mailsuite.policy.configured import relay_rules
from mailsuite.wire.pop3.settings import SessionSettings as Pop3Settings
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion


@attrs.frozen
class Plan:
    """Makes the listeners of a configuration. They are not open yet."""

    config: Config
    current: Callable[[], Config]
    """The configuration in force whenever it is asked for."""
    premises: Premises
    login: Login
    reception: Callable[[MailTaking, SubmitterLogin, Scram], ReceptionServices]
    """By the settings of a listener, how a submitter logs in, and how SCRAM's question is answered."""
    certificates: Certificates
    web: Callable[[ListenerBlock, NotifyDoor, Ruling, Login], Application] = nothing_is_there
    """Who answers the requests of a listener for notices, by its settings, what it says about logins, and the
    way in."""

    def listeners(self) -> list[Listener]:
        """One for each open block, in the order of the file."""
        return [self._listener(block) for block in open_blocks(self.config)]

    def _listener(self, block: ListenerBlock) -> Listener:
        tls = None if block.tls == "off" else self.certificates.tls_for(pair_of(block))
        implicit = block.tls == "implicit"
        settings = block.settings
        if isinstance(settings, Metrics):
            factory: Sessions = self._figures(block, settings)
        elif isinstance(settings, NotifyDoor):
            factory = self._web(block, settings, tls)
        else:
            factory = self._mail(block, settings, tls)
        return Listener(
            block.name,
            block.service,
            places_of(block),
            factory,
            block.tls,
            tls if implicit else None,
            block.proxy_from,
        )

    def _figures(self, block: ListenerBlock, settings: Metrics) -> MetricsFactory:
        premises = self.premises

        def allowed() -> tuple[IPNetwork, ...]:
            """By the configuration in force, whenever the connection began; a listener that is gone lets
            nobody ask."""
            same = (each.settings for each in self.current().listeners if each.name == block.name)
            now = next(same, None)
            return now.allow if isinstance(now, Metrics) else ()

        exposition = Exposition(premises.metrics.text, allowed, premises.log, path=settings.path)
        return MetricsFactory(premises.clock, exposition)

    def _mail(self, block: ListenerBlock, settings: MailSettings, tls: ServerTLS | None) -> SessionFactory:
        door = self._door(block, settings, tls)
        return self._sessions(block, settings, door, self._session_of(block, settings, door))

    def _web(self, block: ListenerBlock, settings: NotifyDoor, tls: ServerTLS | None) -> SessionFactory:
        """What is spoken there is HTTP; who answers is above front-ends."""
        premises = self.premises
        door = Door(
            service=block.service,
            listener=block.name,
            clock=premises.clock,
            log=premises.log,
            idle_timeout=settings.idle_timeout,
            tls=tls,
            implicit_tls=block.tls == "implicit",
            watches=premises.watches,
            meter=premises.metrics.sessions(block.service, block.name),
        )
        application = self.web(block, settings, Ruling(block, self.current), self.login)
        return self._sessions(block, settings, door, lambda: HttpSession(door, application))

    def _sessions(
        self,
        block: ListenerBlock,
        settings: DoorSettings,
        door: Door,
        session: Callable[[], SessionProtocol[Any]],
    ) -> SessionFactory:
        premises, guard = self.premises, self.config.guard
        general = getattr(self.config, block.service)
        keeper = Gatekeeper(premises.bans, premises.access, block.name, _denial(block))
        return SessionFactory(
            premises.clock,
            session,
            premises.admissions.listener(block, settings, general, guard),
            _refusal(block),
            premises.log,
            keeps_out=keeper.refusal,
            on_refused=door.meter.refused,
            proxies=block.proxy_from,
        )

    def _door(self, block: ListenerBlock, settings: MailSettings, tls: ServerTLS | None) -> Door:
        premises = self.premises
        door = Door(
            service=block.service,
            listener=block.name,
            clock=premises.clock,
            log=premises.log,
            idle_timeout=settings.idle_timeout,
            tls=tls,
            implicit_tls=block.tls == "implicit",
            channel_binding=any(name.endswith("-PLUS") for name in mechanisms_of(settings)),
            watches=premises.watches,
            meter=premises.metrics.sessions(block.service, block.name),
            report=premises.bans.reporter(block.service, block.name),
        )
        if settings.on_overlong_command != "ban":
            door = attrs.evolve(door, report=_nobody_is_banned)
        if not isinstance(settings, Pop3):
            return door
        return attrs.evolve(door, login_timeout=settings.login_timeout, protocol_log=settings.protocol_log)

    def _session_of(
        self, block: ListenerBlock, settings: MailSettings, door: Door
    ) -> Callable[[], SessionProtocol[Any]]:
        banner = settings.banner.replace("{version}", __version__)
        if isinstance(settings, Pop3):
            services = self._pop3(block, settings, door, banner)
            return lambda: Pop3Session(door, services)
        return self._smtp_session_of(block, settings, door, banner)

    def _smtp_session_of(
        self, block: ListenerBlock, settings: MailTaking, door: Door, banner: str
    ) -> Callable[[], SessionProtocol[Any]]:
        if block.socket is not None and isinstance(settings, Submission):
            settings = attrs.evolve(settings, relay_networks=())  # who has no name has no address either
        rules = Ruling(block, self.current)

        async def login(claim: Claim, facts: ConnectionFacts) -> Granted:
            return await self.login.login_submitter(attempt_of(claim, rules(), facts))

        reception = self.reception(settings, login, self._scram(rules))
        hostname = self.config.server.name
        smtp = session_settings(
            settings, door, hostname, banner, block.tls, sends=reception.queue is not None
        )
        services = SmtpServices(smtp, reception.receive, pace_of(settings))
        if isinstance(settings, Submission):
            services = attrs.evolve(services, unasked=relay_rules(settings).lists)
        if block.socket is not None and isinstance(settings, Submission):
            return self._called(settings, door, services)
        return lambda: SmtpSession(door, services)

    def _called(
        self, settings: Submission, door: Door, services: SmtpServices
    ) -> Callable[[], SessionProtocol[Any]]:
        """On a Unix socket the system says who calls, so nobody logs in. The greeting names the domain of
        those whom it says, for programs that know it by no other way."""
        domain = settings.default_domain
        named = attrs.evolve(services.settings, hostname=domain, auth_mechanisms=(), auth_required=False)
        called = attrs.evolve(services, settings=named)
        callers = Callers(domain, self.premises.threads, self.login.objection)
        return lambda: CalledSession(door, called, callers)

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
            overlong="error" if settings.on_overlong_command == "error" else "close",
            strict_crlf=settings.strict_crlf,
            utf8=settings.utf8,
            last=settings.last,
            implementation=settings.implementation,
            quirks=frozenset(settings.quirks),
        )
        offer = Offer(
            everybody,
            rules,
            settings.trusted_networks if block.tls != "required-starttls" else (),
            self.premises.own_retentions,
        )
        return Pop3Services(
            offer, login, self._scram(ruling), _shown_by(settings.utf8_mail, self.premises.threads)
        )


def _shown_by(policy: Utf8Mail, threads: IThreads) -> Callable[[IMaildrop, bool], Awaitable[IMaildrop]]:
    """How mail with a UTF-8 header is given to clients that have not said UTF8."""

    async def show(maildrop: IMaildrop, utf8: bool) -> IMaildrop:
        return maildrop if utf8 or policy == "as-is" else await downgraded(maildrop, policy, threads)

    return show


def _nobody_is_banned(peer: IPAddress, port: int, kind: str, octets: int, first: bytes) -> None:
    """Where an over-long command is just an error."""


def open_blocks(config: Config) -> tuple[ListenerBlock, ...]:
    """The doors that are to be open."""
    return tuple(
        block
        for block in config.listeners
        if block.enabled and (config.metrics.enabled or not isinstance(block.settings, Metrics))
    )


def places_of(block: ListenerBlock) -> tuple[Place, ...]:
    """Where the sockets of a listener are."""
    if block.socket is not None:
        rights = Rights(block.socket_owner, block.socket_group, block.socket_mode)
        return (Place("", 0, socket=str(block.socket), rights=rights),)
    if block.endpoint:
        return (Place("", 0, endpoint=block.endpoint),)
    name = "" if block.port else block.name
    return tuple(
        Place(address, block.port, name=name, v6only=block.v6only and ":" in address, wait=block.wait)
        for address in each_once(block.bind, block.v6only)
    )


def places(config: Config) -> dict[str, tuple[Place, ...]]:
    """Where the sockets of all enabled listeners are, by name."""
    return {block.name: places_of(block) for block in open_blocks(config)}


def wanted_certificates(config: Config, general: Pair) -> Wanted:
    """All that the listeners may show; *general* is for those that name none."""
    own = {pair for block in open_blocks(config) if (pair := pair_of(block)) is not None}
    named = tuple(((each.certificate, each.key), each.names) for each in config.certificates)
    return Wanted(general, frozenset(own), named, config.tls.minimum_version)


def pairs_in_files(config: Config) -> set[Pair]:
    """The certificates and keys that the configuration names; whoever reads them may have to be root."""
    general = (config.tls.certificate, config.tls.key)
    pairs = {(each.certificate, each.key) for each in config.certificates}
    pairs |= {pair for block in open_blocks(config) if (pair := pair_of(block)) is not None}
    if config.tls.mode == "files" and general[0] is not None and general[1] is not None:
        pairs.add((general[0], general[1]))
    return pairs


def pair_of(block: ListenerBlock) -> Pair | None:
    """The listener's own certificate and key, None where it uses the general one."""
    if block.certificate is None or block.key is None:
        return None
    return block.certificate, block.key


def _denial(block: ListenerBlock) -> bytes:
    """What is told who is denied; nothing may be said in clear where TLS comes first."""
    if block.service in {"pop3", "notify"} or block.tls == "implicit":
        return b""
    return reply.ACCESS_DENIED.encode()


def _refusal(block: ListenerBlock) -> bytes:
    """What a connection beyond the limits is told."""
    if block.service == "pop3":
        return response.TOO_MANY_CONNECTIONS.encode()
    if block.service == "notify":
        return unread(b"503 Service Unavailable", "there are too many connections")
    return reply.TOO_MANY_CONNECTIONS.encode()
