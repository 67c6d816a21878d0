"""The server as a Twisted service: start, status, stop.

What is opened first is closed last: state directory and ports, while we may be root; then, no longer root,
log, databases, control socket, threads. A start that fails undoes what it did.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from mailsuite import app, garbage
from mailsuite.admin.control import Operations, control_site, open_control_socket
from mailsuite.admin.notices import Notices
from mailsuite.admin.notices_figures import notices_summary, show_notices
from mailsuite.admin.queue import Outbound, queue_summary
from mailsuite.admin.queue_figures import QueueFigures
from mailsuite.admin.resources import Desk, Document
from mailsuite.admin.status import Running, describe
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.load import Loaded
from mailsuite.config.schema import Config
from mailsuite.file_accounts import file_directory
from mailsuite.frontends.doors import Doors
from mailsuite.frontends.listener import stop_listening
from mailsuite.frontends.plan import pairs_in_files, wanted_certificates
from mailsuite.frontends.shelf import Certificates, read_all
from mailsuite.frontends.tls import Credentials, Pair
from mailsuite.keys import inline_passwords, inline_vault
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.notify.channels.webpush import WebPushChannel
from mailsuite.notify.own_knocks import OwnKnocks
from mailsuite.observe.sinks import Stream, Target, TwistedObserver
from mailsuite.policy.access_files import prepared
from mailsuite.policy.configured import access_rules, all_sender_rules
from mailsuite.policy.sender_files import prepared as prepared_senders
from mailsuite.privileges import become, notify_systemd, raise_descriptor_limit
from mailsuite.reload import FORESEEN, Course, Source, general_pair
from mailsuite.services.control import Services, open_places
from mailsuite.services.errors import SERVICES, LastErrors, ServiceLog
from mailsuite.state import State, Stopped
from mailsuite.wire.vapid import public_text

__all__ = ["Source", "StartError", "Suite"]


class StartError(Exception):
    """The suite cannot start; the message says why and what would help."""


class Suite(Service):
    """One server. privilegedStartService() and startService() raise StartError, with nothing left open."""

    def __init__(self, reactor: Any, source: Source, loaded: Loaded) -> None:
        self.setName("mailsuite")
        self._reactor = reactor
        self._source = source
        self._config = loaded.accepted()
        self._since = 0.0
        self._state = State(self._config.server.state)
        self._stream = Stream(reactor.callLater)
        self._errors = LastErrors()
        self.log = ServiceLog(
            self._stream, self._config.log.level, self._config.log.format, errors=self._errors
        )
        self._desk = Desk(self.log, Tasks(partial(self.log.failure, "suite.failed")))
        self._doors = Doors(reactor, self.log)
        self._stopped = Stopped()
        self._credentials: dict[Pair, Credentials] = {}
        self._course: Course | None = None
        self._control: IListeningPort
        self._figures: QueueFigures
        self._held = ExitStack()
        """What is let go of at the very end."""
        self._begun = ExitStack()
        """How a start that fails is undone."""
        self._stopping = self._is_closed = False
        self._waiting: list[Deferred[None]] = []
        """Who waits for the end."""

    # Start

    def privilegedStartService(self) -> None:
        """What may need root: ports, certificates; then become ``server.user``."""
        self._start(self._as_root)
        super().privilegedStartService()

    def startService(self) -> None:
        """Everything else; mail is served when this returns."""
        self._start(self._as_user)
        super().startService()
        self.log.info("suite.ready", name=self._config.server.name, state=self._config.server.state)
        self._stream.flush()
        notify_systemd("READY=1")

    def _start(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:
            self._begun.close()
            self._held.close()
            if isinstance(error, FORESEEN):
                raise StartError(str(error)) from error
            raise

    def _as_root(self) -> None:
        config = self._config
        raise_descriptor_limit()
        self._state.take()
        self._held.callback(self._state.release)
        self._credentials = read_all(pairs_in_files(config))
        self._stopped = Stopped.read(self._state.services_file, SERVICES)
        run_now(self._doors.open(open_places(config, self._stopped)))
        self._begun.callback(self._doors.shut_unused)
        become(config.server.user, self._state, [config.server.control_socket.parent])

    def _as_user(self) -> None:
        config = self._config
        self._stream.turn(Target.open(str(config.log.to)))
        self._held.callback(self._stream.close)
        self._observe_twisted()
        parts = app.compose(config, self._reactor, self.log, self._state)
        self._begun.callback(parts.close)
        passwords, vault = inline_passwords(), inline_vault(self._state)
        parts.open(run_now(file_directory(config, passwords, vault)))
        certificates = self._certificates(config)
        parts.premises.access.turn(prepared(access_rules(config)))
        parts.receiving.senders.turn(prepared_senders(all_sender_rules(config)))
        services = self._services(parts)
        parts.turnstile.displace = self._doors.displace
        parts.sending.sockets.bound = partial(self._doors.bound, "smtp", "submission")
        course = Course(
            self._reactor, self._source, config, self._state, parts, services, self._stream, self.log
        )
        listeners = course.listeners(config, certificates)
        self._open_control(course)
        self._begun.pop_all()
        # From here on nothing is foreseen to fail.
        self._course = course
        parts.start()
        self._figures = QueueFigures(parts.desk, self._reactor, time.time, self.log)
        self._figures.show(parts.premises.metrics)
        self._figures.start()
        show_notices(parts.premises.metrics, parts.telling.book, parts.telling.knocking.notifier.counters)
        parts.keeper.use(certificates)
        services.use(listeners)
        self._on_signal(signal.SIGHUP, self._hang_up)
        self._since = time.time()
        self._held.callback(garbage.settle())

    def _certificates(self, config: Config) -> Certificates:
        """Those of the configuration were read as root; the one of our own making is ours now."""
        wanted = wanted_certificates(config, general_pair(config, self._state))
        missing = [pair for pair in wanted.pairs if pair not in self._credentials]
        return Certificates(wanted, {**self._credentials, **read_all(missing)})

    def _services(self, parts: app.Parts) -> Services:
        record = self._state.services_file
        if not self._stopped.is_whole:
            self.log.warning("service.record_broken", file=record, stopped=" ".join(self._stopped.services))
        return Services(self._doors, record, self._stopped, parts.files, self.log, self._errors)

    def _observe_twisted(self) -> None:
        observer = TwistedObserver(self.log)
        globalLogPublisher.addObserver(observer)
        self._held.callback(globalLogPublisher.removeObserver, observer)

    def _open_control(self, course: Course) -> None:
        office = course.office().telling(self._doors.cut_sessions)
        operations = Operations(
            config=lambda: course.config,
            status=partial(self._status, course),
            reload=course.reload,
            services=course.services,
            premises=course.parts.premises,
            store=course.parts.store,
            outbound=_outbound(course.parts),
            notices=_notices(course.parts),
            lists=course.parts.receiving.senders,
            retention=course.parts.housekeeper.report,
            delay=course.parts.turnstile.delay,
            rewriting=course.parts.receiving.receptions.rewriting,
        )
        site = control_site(self._reactor, self._desk, office, operations)
        server = self._config.server
        self._control = open_control_socket(self._reactor, server.control_socket, server.control_group, site)

    def _on_signal(self, number: int, act: Callable[[], None]) -> None:
        before = signal.signal(number, lambda number, frame: self._reactor.callFromThread(act))
        self._held.callback(signal.signal, number, before if before is not None else signal.SIG_DFL)

    # While it runs

    def _hang_up(self) -> None:
        if self._course is not None:
            self._desk.tasks.start(self._course.reload())

    async def _status(self, course: Course) -> Document:
        keeper = course.parts.keeper
        running = Running(
            config=course.config,
            path=self._source.path,
            read_at=course.read_at,
            since=self._since,
            services=course.services,
            notifier=course.parts.telling.knocking.notifier.counters,
            accounts=len(await course.parts.directory.accounts()),
            certificates=[*keeper.problems(), *map(str, keeper.expiring())],
            notices=notices_summary(course.parts.premises.metrics, course.parts.telling.book),
            queue=await self._queue(course.parts),
        )
        return describe(running)

    async def _queue(self, parts: app.Parts) -> Document | None:
        try:
            return await queue_summary(_outbound(parts))
        except MailFailure as failure:
            self.log.warning("control.unable", path="status", detail=failure.detail)
            return None

    # Stop

    def stopService(self) -> Deferred[None]:
        """Drain the sessions, finish what was begun, close everything. Fires when all is closed, never fails.

        Any number of times. A second SIGTERM or SIGINT cuts the sessions that are still there.
        """
        super().stopService()
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if self._is_closed:
            self._tell_of_the_end()
        elif not self._stopping:
            self._stopping = True
            Deferred.fromCoroutine(self._stop())
        return done

    async def _stop(self) -> None:
        try:
            if self._course is not None:
                await self._wind_down(self._course)
        except Exception:
            self.log.failure("suite.stop_failed", Failure())
        finally:
            self._begun.close()
            self._held.close()
            self._is_closed = True
            self._tell_of_the_end()

    async def _wind_down(self, course: Course) -> None:
        notify_systemd("STOPPING=1")
        self.log.info("suite.stopping", sessions=sum(map(self._doors.sessions, SERVICES)))
        self._on_signal(signal.SIGTERM, self._doors.cut)
        self._on_signal(signal.SIGINT, self._doors.cut)
        course.end()
        with suppress(OSError):  # its file stays where the disk is ill; the next server removes it
            await stop_listening(self._control)
        draining = Deferred.fromCoroutine(self._doors.drain())
        await self._desk.tasks.finished()
        await draining
        await self._figures.stop()
        await course.parts.stop()
        self.log.info("suite.stopped")

    def _tell_of_the_end(self) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)


def _outbound(parts: app.Parts) -> Outbound:
    courier = parts.sending.courier
    return Outbound(parts.desk, parts.queue.content, courier.wake, courier.rests_until)


def _notices(parts: app.Parts) -> Notices:
    office = parts.telling.office

    async def exists(account: Address) -> bool:
        return await parts.directory.account(account) is not None

    def push_key() -> str:
        channel = office.channels.get("webpush")
        return public_text(channel.key()) if isinstance(channel, WebPushChannel) else ""

    knocks = OwnKnocks(
        parts.directory,
        parts.people.sightings,
        parts.people.logins,
        parts.telling.knocking.notifier,
        time.time,
    )
    return Notices(office, knocks, push_key, exists)
