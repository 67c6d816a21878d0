"""The server as a Twisted service: start, reload, status, stop.

What is opened first is closed last: state directory, log, certificates, ports; then, no longer root,
databases, store, notifier, control socket.
"""

from __future__ import annotations

import datetime
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import globalLogPublisher

from mailsuite import app
from mailsuite.admin.control import ControlError, Operations, control_site, open_control_socket
from mailsuite.admin.resources import Document
from mailsuite.admin.status import SERVICES, Running, describe
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.load import Loaded, load
from mailsuite.config.problems import report
from mailsuite.config.schema import Config
from mailsuite.config.values import changes
from mailsuite.frontends.certificates import self_signed
from mailsuite.frontends.doors import Doors
from mailsuite.frontends.listener import Listener, ListenerError, stop_listening
from mailsuite.frontends.plan import Admissions, Plan, pair_of
from mailsuite.frontends.tls import CertificateError, Certificates, Pair
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log
from mailsuite.observe.sinks import Stream, TwistedObserver, open_stream
from mailsuite.privileges import PrivilegeError, become, notify_systemd
from mailsuite.state import State, StateError, StateLocked


class StartError(Exception):
    """The suite cannot start; the message says why and what would help."""


_FORESEEN = (
    CertificateError,
    ControlError,
    ListenerError,
    MailFailure,
    OSError,
    PrivilegeError,
    StateError,
    StateLocked,
)


@attrs.frozen
class Source:
    """Where the configuration comes from, so that it can be read again."""

    path: Path | None
    overrides: tuple[str, ...] = ()
    environ: Mapping[str, str] = attrs.field(factory=lambda: dict(os.environ))

    def load(self) -> Loaded:
        return load(self.path, self.environ, self.overrides)


class Suite(Service):
    """One server. privilegedStartService() and startService() raise StartError."""

    def __init__(self, reactor: Any, source: Source, loaded: Loaded) -> None:
        self.setName("mailsuite")
        self._reactor = reactor
        self._source = source
        self._config: Config = loaded.accepted()
        self._read_at = time.time()
        self._since = 0.0
        self._state = State(self._config.server.state)
        self._certificates = Certificates()
        self._admissions = Admissions()
        self._stream: Stream
        self.log: Log
        self._parts: app.Parts
        self._doors: Doors
        self._tasks: Tasks
        self._control: IListeningPort | None = None

    # Start

    def privilegedStartService(self) -> None:
        """What may need root: ports, certificates; then become ``server.user``."""
        super().privilegedStartService()
        try:
            self._open_as_root()
        except _FORESEEN as error:
            self._state.release()
            raise StartError(str(error)) from error

    def _open_as_root(self) -> None:
        config = self._config
        self._state.take()
        self._open_log(config)
        self._parts = app.compose(config, self._reactor, self.log, self._state)
        self._doors = Doors(self._reactor, self.log)
        self._certificates.use(self._certificates.read(self._pairs(config), config.tls.minimum_version))
        run_now(self._doors.become(self._listeners(config)))
        become(config.server.user, self._state)

    def _open_log(self, config: Config) -> None:
        self._stream = open_stream(str(config.log.to), self._reactor.callLater)
        self.log = Log(self._stream, config.log.level, config.log.format)
        self._observer = TwistedObserver(self.log)
        globalLogPublisher.addObserver(self._observer)
        self._tasks = Tasks(lambda failure: self.log.failure("suite.failed", failure))

    def startService(self) -> None:
        """Everything else; mail is served when this returns."""
        super().startService()
        config = self._config
        try:
            run_now(self._open_parts(config))
            site = control_site(
                self.log, self._parts.registry, Operations(self._status, self._reload_document)
            )
            self._control = open_control_socket(
                self._reactor, config.server.control_socket, config.server.control_group, site
            )
        except _FORESEEN as error:
            raise StartError(str(error)) from error
        self._since = time.time()
        signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self._hang_up))
        self.log.info("suite.ready", name=config.server.name, state=config.server.state)
        self._stream.flush()
        notify_systemd("READY=1")

    async def _open_parts(self, config: Config) -> None:
        self._parts.open()
        self._parts.directory.replace_file(await app.file_directory(config, app.inline_passwords()))
        self._parts.start()

    # Listeners

    def _pairs(self, config: Config) -> list[Pair]:
        own = [pair for block in config.listeners if block.enabled and (pair := pair_of(block))]
        return [self._default_pair(config), *own]

    def _default_pair(self, config: Config) -> Pair:
        if config.tls.certificate is not None and config.tls.key is not None and config.tls.mode == "files":
            return config.tls.certificate, config.tls.key
        now = datetime.datetime.now(datetime.UTC)
        certificate, key = self_signed(config.server.name, self._state.tls, now)
        return Path(certificate), Path(key)

    def _listeners(self, config: Config) -> list[Listener]:
        parts = self._parts
        plan = Plan(
            config=config,
            clock=self._reactor,
            log=self.log,
            login=parts.login,
            reception=lambda login: parts.reception(config, login),
            tls=self._certificates.pairs,
            default_pair=self._default_pair(config),
            admissions=self._admissions,
        )
        return plan.listeners()

    # Reload

    def _hang_up(self) -> None:
        self._tasks.start(self._reload_document())

    async def _reload_document(self) -> tuple[int, Document]:
        """Read the configuration again and apply what differs, or change nothing and say why."""
        loaded = await self._parts.files.run(self._source.load)  # ten thousand accounts take a second
        problems = report(loaded.problems)
        if loaded.config is None:
            return self._refuse_reload(problems)
        try:
            opened, closed = await self._apply(loaded.config)
        except _FORESEEN as error:
            return self._refuse_reload([*problems, str(error)])
        changed = changes(self._config, loaded.config)
        self._config, self._read_at = loaded.config, time.time()
        self.log.info("suite.reloaded", changed=len(changed), opened=len(opened), closed=len(closed))
        return 200, {
            "changed": [attrs.asdict(change) for change in changed],
            "opened": opened,
            "closed": closed,
            "problems": problems,
        }

    def _refuse_reload(self, problems: list[str]) -> tuple[int, Document]:
        for problem in problems:
            self.log.error("suite.reload_refused", problem=problem)
        return 422, {"problems": problems}

    async def _apply(self, config: Config) -> tuple[list[str], list[str]]:
        """All that can fail comes first; a restart is needed for state, control socket and user."""
        contexts = self._certificates.read(self._pairs(config), config.tls.minimum_version)
        file = await app.file_directory(config, self._parts.passwords)
        self._stream.reopen(str(config.log.to))
        self.log.change(config.log.level, config.log.format)
        self._certificates.use(contexts)
        self._parts.use(config, file)
        return await self._doors.become(self._listeners(config))

    # Status

    async def _status(self) -> Document:
        running = Running(
            config=self._config,
            path=self._source.path,
            read_at=self._read_at,
            since=self._since,
            doors=self._doors,
            admissions=self._admissions,
            notifier=self._parts.notifier.counters,
            accounts=len(await self._parts.directory.accounts()),
        )
        return describe(running)

    # Stop

    def stopService(self) -> Deferred[None]:
        """Drain the sessions, finish what was begun, close everything. Fires when all is closed."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        notify_systemd("STOPPING=1")
        self.log.info("suite.stopping", sessions=sum(map(self._doors.sessions, SERVICES)))
        if self._control is not None:
            await stop_listening(self._control)
        await self._doors.drain()
        await self._parts.stop()
        self.log.info("suite.stopped")
        globalLogPublisher.removeObserver(self._observer)
        self._stream.close()
        self._state.release()
