"""What a running suite goes by, and how that is exchanged while mail flows."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from mailsuite import app
from mailsuite.accounts.keyring import KeyringError
from mailsuite.accounts.login import Login
from mailsuite.accounts.office import Office
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.sources.trust import SourceError
from mailsuite.admin.control import ControlError
from mailsuite.admin.resources import Document
from mailsuite.config.load import Loaded, load
from mailsuite.config.problems import report
from mailsuite.config.schema import Config, NotifyDoor
from mailsuite.config.schema import Listener as ListenerBlock
from mailsuite.config.values import changes
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.file_accounts import expelled, file_directory
from mailsuite.frontends.certificates import self_signed
from mailsuite.frontends.http import Application
from mailsuite.frontends.listener import Listener, ListenerError
from mailsuite.frontends.plan import Plan, wanted_certificates
from mailsuite.frontends.ruling import Ruling
from mailsuite.frontends.shelf import Certificates, read_all
from mailsuite.frontends.tls import CertificateError, Pair
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log
from mailsuite.observe.sinks import Stream, Target
from mailsuite.policy.access import locks_out
from mailsuite.policy.access_files import AccessError, Prepared
from mailsuite.policy.configured import access_rules, all_sender_rules
from mailsuite.policy.sender_files import PreparedSenders, SenderListError
from mailsuite.privileges import PrivilegeError
from mailsuite.services.control import Services
from mailsuite.state import State, StateError, StateLocked
from mailsuite.web.users import UsersSide

FORESEEN = (
    AccessError,
    SenderListError,
    CertificateError,
    ControlError,
    KeyringError,
    ListenerError,
    MailFailure,
    OSError,
    PrivilegeError,
    SourceError,
    StateError,
    StateLocked,
)
"""What may go wrong at a start or a reload; each says in words what it is."""


@attrs.frozen
class Source:
    """Where the configuration comes from, so that it can be read again."""

    path: Path | None
    overrides: tuple[str, ...] = ()
    environ: Mapping[str, str] = attrs.field(factory=lambda: dict(os.environ))

    def load(self) -> Loaded:
        return load(self.path, self.environ, self.overrides)


def general_pair(config: Config, state: State) -> Pair:
    """What listeners use that name none; of our own making where there is no other. Raises OSError."""
    tls = config.tls
    if tls.mode == "files" and tls.certificate is not None and tls.key is not None:
        return tls.certificate, tls.key
    return self_signed(config.server.name, state.tls, datetime.datetime.now(datetime.UTC))


@attrs.frozen
class _Next:
    """All that a reload needs, made before anything is changed."""

    config: Config
    accounts: MemoryDirectory
    sources: Sources
    certificates: Certificates
    access: Prepared
    senders: PreparedSenders
    listeners: list[Listener]
    target: Target


@attrs.define(eq=False)
class Course:
    """The configuration of now, and the parts that follow it."""

    reactor: Any
    source: Source
    config: Config
    state: State
    parts: app.Parts
    services: Services
    stream: Stream
    log: Log
    read_at: float = attrs.field(factory=time.time)
    """When the configuration was read, in seconds since the epoch."""
    _ended: bool = attrs.field(default=False, init=False)
    _users_side: UsersSide = attrs.field(init=False)

    @_users_side.default
    def _make_users_side(self) -> UsersSide:
        telling = self.parts.telling
        return UsersSide(
            telling.office,
            telling.streams,
            self.office().devices,
            telling.intake.happened,
            time.time,
            self.log,
            telling.push_key,
            self.parts.seen_streaming,
            lambda: self.config.notify.enabled and self.config.notify.stream.enabled,
        )

    def listeners(self, config: Config, certificates: Certificates) -> list[Listener]:
        """What *config* wants to be open."""
        plan = Plan(
            config=config,
            current=lambda: self.config,
            premises=self.parts.premises,
            login=self.parts.login(config),
            reception=partial(self.parts.receiving.receptions.of, config),
            certificates=certificates,
            web=self._web,
        )
        return plan.listeners()

    def _web(self, block: ListenerBlock, settings: NotifyDoor, rules: Ruling, login: Login) -> Application:
        return self._users_side.application(block, settings, rules, login)

    def office(self) -> Office:
        """What can be done for the people of the configuration that is in force whenever it is done."""

        async def foresee(override: str) -> Loaded:
            source = attrs.evolve(self.source, overrides=(*self.source.overrides, override))
            return await self.parts.files.run(source.load)

        return self.parts.people.office(lambda: self.config, foresee)

    def end(self) -> None:
        """The suite stops: reloads, and whatever else comes or waits for its turn, are refused."""
        self._ended = True
        self.services.end()

    async def reload(self, caller: IPAddress | None = None, force: bool = False) -> tuple[int, Document]:
        """Read the configuration again and apply what differs, or change nothing and say why.

        One after the other. What was opened when the suite started (state directory, control socket, user)
        stays as it is until a restart, and so does a service that somebody stopped. A configuration that
        locks *caller* out is refused unless it is to be *force*d.
        """
        async with self.services.turn:
            if self._ended:
                return 503, {"error": "the server is stopping"}
            return await self._reload(None if force else caller)

    async def _reload(self, caller: IPAddress | None) -> tuple[int, Document]:
        problems: list[str] = []
        try:
            loaded = await self.parts.files.run(self.source.load)  # ten thousand accounts take a second
            problems = report(loaded.problems)
            if loaded.config is None:
                return self._refuse(problems)
            access = await self.parts.premises.access.prepare(access_rules(loaded.config))
            if caller is not None and (words := self._locks_out(access, caller)):
                return 409, {"error": words}
            wanted = await self._prepare(loaded.config, access)
        except FORESEEN as error:
            return self._refuse([*problems, str(error)])
        return 200, {**self._apply(wanted), "problems": problems}

    def _locks_out(self, access: Prepared, caller: IPAddress) -> str:
        """Whether an administrator who gets in now would not any more: in words, or empty."""
        words = locks_out(self.parts.premises.access.lists, access.lists, caller)
        return f"{words}; reload --force does it all the same" if words else ""

    def _refuse(self, problems: Iterable[str]) -> tuple[int, Document]:
        for problem in problems:
            self.log.error("suite.reload_refused", problem=problem)
        return 422, {"problems": list(problems)}

    async def _prepare(self, config: Config, access: Prepared) -> _Next:
        """All that can fail. Raises what is foreseen, or anything; then nothing has changed."""
        certificates = await self.parts.files.run(partial(self._certificates, config))
        senders = await self.parts.receiving.senders.prepare(all_sender_rules(config))
        people = self.parts.people
        accounts = await file_directory(config, people.passwords, people.vault)
        keyring = people.vault.keyring
        listeners = self.listeners(config, certificates)
        sources = app.sources_of(config, self.reactor, self.parts.files, people.passwords, self.log)
        target = Target.open(str(config.log.to))
        try:
            await self.services.open(listeners)
            if people.vault.keyring is not keyring:  # rotated meanwhile; behind this nothing is awaited
                accounts = await file_directory(config, people.passwords, people.vault)
        except BaseException:
            self.services.doors.shut_unused()
            target.close()
            raise
        return _Next(config, accounts, sources, certificates, access, senders, listeners, target)

    def _certificates(self, config: Config) -> Certificates:
        """Blocks: for a thread. Raises CertificateError, OSError."""
        wanted = wanted_certificates(config, general_pair(config, self.state))
        return Certificates(wanted, read_all(wanted.pairs))

    def _apply(self, wanted: _Next) -> Document:
        """Nothing of this can fail."""
        config = wanted.config
        self.stream.turn(wanted.target)
        self.log.change(config.log.level, config.log.format)
        self.parts.use(config, wanted.accounts, wanted.sources)
        self.parts.premises.access.turn(wanted.access)
        self.parts.receiving.senders.turn(wanted.senders)
        self.parts.keeper.use(wanted.certificates)
        self.parts.keeper.renew = partial(app.renew, config, self.state)
        opened, closed = self.services.use(wanted.listeners)
        now = time.time()
        ended = sum(
            self.services.doors.cut_sessions(each.account, each.device, each.reason, each.spares)
            for each in expelled(self.config, config, now)
        )
        changed = changes(self.config, config)
        self.config, self.read_at = config, now
        self.log.info(
            "suite.reloaded", changed=len(changed), opened=len(opened), closed=len(closed), ended=ended
        )
        return {
            "changed": [attrs.asdict(change) for change in changed],
            "opened": opened,
            "closed": closed,
            "ended": ended,
        }
