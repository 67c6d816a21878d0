"""Stopping and starting one service while the others run (features row S-I01).

What somebody stopped stays stopped over reloads and restarts of the server, until somebody starts it.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.schema import Config
from mailsuite.frontends.doors import DoorError, Doors
from mailsuite.frontends.factory import DRAIN_TIMEOUT
from mailsuite.frontends.listener import Listener, Place
from mailsuite.frontends.plan import places
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log
from mailsuite.services.errors import SERVICES, LastError, LastErrors
from mailsuite.state import Stopped

ServiceState = Literal["running", "draining", "stopped"]

_NOT_ALLOWED = {errno.EACCES, errno.EPERM}


class ServiceError(Exception):
    """It cannot be done, or not all of it; the message says why."""


class UnknownService(ServiceError):
    """There is no such service; the message names those that there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no service {name!r}; there are {', '.join(SERVICES)}")


class ServerStopping(ServiceError):
    """The whole server is about to end."""

    def __init__(self) -> None:
        super().__init__("the server is stopping")


@attrs.frozen
class ServiceStatus:
    """How a service is at this moment."""

    name: str
    state: ServiceState
    since: float
    """When that began, in seconds since the epoch."""
    listeners: tuple[Listener, ...]
    """Those that are open."""
    sessions: int
    last_error: LastError | None


@attrs.define(eq=False)
class _Service:
    name: str
    leaving: Tasks
    """The end of the sessions that were there when it was stopped."""
    since: float
    state: ServiceState = "stopped"
    is_open: bool = True
    """Its listeners are to be open, those that the configuration has."""
    is_leaving: bool = False


def open_places(config: Config, stopped: Stopped) -> dict[str, tuple[Place, ...]]:
    """Where sockets are opened at a start, by listener: none for services that somebody stopped."""
    shut = {block.name for block in config.listeners if block.service in stopped.services}
    return {name: each for name, each in places(config).items() if name not in shut}


@attrs.define(eq=False)
class Services:
    """The services, each with all of its listeners.

    Whatever opens or closes listeners does so in turn, reloads included; sessions that end are waited for
    outside of it. *record* is the file that remembers what is stopped.
    """

    doors: Doors
    record: Path
    stopped: Stopped
    threads: IThreads
    log: Log
    errors: LastErrors
    now: Callable[[], float] = time.time
    turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)
    """Whoever holds it changes what is open."""
    _configured: tuple[Listener, ...] = attrs.field(default=(), init=False)
    """What the configuration wants to be open."""
    _ended: bool = attrs.field(default=False, init=False)
    _services: Mapping[str, _Service] = attrs.field(init=False)

    @_services.default
    def _make_services(self) -> dict[str, _Service]:
        now, stopped = self.now(), self.stopped.services

        def service(name: str) -> _Service:
            tasks = Tasks(partial(self.log.failure, f"{name}.failed"))
            return _Service(name, tasks, stopped.get(name, now), is_open=name not in stopped)

        return {name: service(name) for name in SERVICES}

    # For a start and a reload, which hold the turn

    async def open(self, wanted: Sequence[Listener]) -> None:
        """Open the sockets of *wanted* that are to be open and are not. Raises DoorError; then nothing has
        changed."""
        await self._open_doors(self._let_in(wanted))

    def use(self, wanted: Sequence[Listener]) -> tuple[list[str], list[str]]:
        """Put *wanted* behind the sockets, but for what is stopped, and close all others; what was opened
        and what was closed, in words. Cannot fail."""
        self._configured = tuple(wanted)
        return self._turn_doors()

    def _let_in(self, wanted: Iterable[Listener]) -> list[Listener]:
        shut = {service.name for service in self._services.values() if not service.is_open}
        return [listener for listener in wanted if listener.service not in shut]

    async def _open_doors(self, wanted: Sequence[Listener]) -> None:
        try:
            await self.doors.open({listener.name: listener.places for listener in wanted})
        except DoorError as error:
            for listener in wanted:
                if listener.name == error.listener:
                    self.errors.record(listener.service, str(error))
            raise

    def _turn_doors(self) -> tuple[list[str], list[str]]:
        words = self.doors.turn(self._let_in(self._configured))
        for service in self._services.values():
            self._look(service)
        return words

    def _look(self, service: _Service) -> None:
        """Bring the state up to what is."""
        state: ServiceState = "stopped"
        if service.is_leaving:
            state = "draining"
        elif any(listener.service == service.name for listener in self.doors.listeners):
            state = "running"
        if state != service.state:
            service.state, service.since = state, self.now()

    # What somebody wants

    def status(self, name: str) -> ServiceStatus:
        """Raises UnknownService."""
        service = self._of(name)
        return ServiceStatus(
            name=name,
            state=service.state,
            since=service.since,
            listeners=tuple(each for each in self.doors.listeners if each.service == name),
            sessions=self.doors.sessions(name),
            last_error=self.errors.of(name),
        )

    async def stop(self, name: str, now: bool = False) -> int:
        """Close the listeners of a service, have that remembered, and let its sessions go: they go on for up
        to DRAIN_TIMEOUT seconds, or until their next boundary where it is to be *now*.

        Returns when no connection is taken any more, with how many sessions go on. Raises ServiceError; where
        only the remembering failed, the service is stopped all the same.
        """
        service = self._of(name)
        async with self.turn:
            self._refuse_at_the_end()
            sessions = await self._close(service, now)
            self.stopped = Stopped({**self.stopped.services, name: self.now()})
            await self._remember("a start of the server opens it again")
            return sessions

    async def start(self, name: str) -> None:
        """Open the listeners of a service as they are configured; sessions that were about to end go on.

        Raises ServiceError where there is none that is enabled; where one cannot be opened, and leaves the
        service stopped; and where it was started and that cannot be remembered.
        """
        service = self._of(name)
        async with self.turn:
            self._refuse_at_the_end()
            await self._open(service)

    async def restart(self, name: str, now: bool = False) -> int:
        """Stop, wait until the sessions are gone, start; how many they were. Raises ServiceError.

        A server that dies meanwhile comes back with the service started; a listener that cannot be opened
        again leaves it stopped.
        """
        service = self._of(name)
        async with self.turn:
            self._refuse_at_the_end()
            sessions = await self._close(service, now)
        while service.is_leaving:
            await service.leaving.finished()
        async with self.turn:
            self._refuse_at_the_end()
            if name in self.stopped.services:
                raise ServiceError(f"{name} was stopped while it restarted")
            await self._open(service)
        return sessions

    def end(self) -> None:
        """The server stops: who waits is refused, and sessions are from now on the server's to end."""
        self._ended = True
        for service in self._services.values():
            service.leaving.cancel()

    def _of(self, name: str) -> _Service:
        try:
            return self._services[name]
        except KeyError:
            raise UnknownService(name) from None

    def _refuse_at_the_end(self) -> None:
        if self._ended:
            raise ServerStopping

    async def _close(self, service: _Service, now: bool) -> int:
        service.leaving.cancel()
        service.is_open, service.is_leaving = False, True
        self._turn_doors()
        await self.doors.closed()  # who is told to go and comes back at once must not meet us again
        sessions = self.doors.sessions(service.name)
        self.log.info("service.stopping", service=service.name, sessions=sessions)
        service.leaving.start(self._leave(service, 0.0 if now else DRAIN_TIMEOUT))
        return sessions

    async def _leave(self, service: _Service, patience: float) -> None:
        try:
            await self.doors.dismiss(service.name, patience)
        finally:
            service.is_leaving = False
            self._look(service)
        self.log.info("service.stopped", service=service.name)

    async def _open(self, service: _Service) -> None:
        name = service.name
        wanted = [listener for listener in self._configured if listener.service == name]
        if not wanted:
            raise ServiceError(f"{name} has no listener that is enabled")
        if service.is_open:
            return
        try:
            await self._open_doors([*self.doors.listeners, *wanted])
        except DoorError as error:
            self.log.error("service.start_failed", service=name, reason=str(error))
            raise ServiceError(await self._why_not(name, error)) from error
        service.leaving.cancel()
        service.is_open = True
        self._turn_doors()
        self.log.info("service.started", service=name)
        await self._remember_started(name)

    async def _why_not(self, name: str, error: DoorError) -> str:
        """What has no way to start while the server runs must have one at its next start: when it began, it
        may have had the rights to open ports below 1024."""
        if error.number in _NOT_ALLOWED:
            await self._remember_started(name)
            return f"{error}; it is opened at the next start of the server"
        if name not in self.stopped.services:
            self.stopped = Stopped({**self.stopped.services, name: self.now()})
            await self._remember("a start of the server tries again")
        return str(error)

    async def _remember_started(self, name: str) -> None:
        if name in self.stopped.services:
            others = {each: since for each, since in self.stopped.services.items() if each != name}
            self.stopped = Stopped(others)
            await self._remember("a start of the server leaves it closed")

    async def _remember(self, else_: str) -> None:
        """Write down what is stopped. Raises ServiceError with what comes of it if that fails."""
        stopped = self.stopped
        try:
            await self.threads.run(lambda: stopped.write(self.record))
        except (OSError, MailFailure) as error:
            self.log.error("service.unrecorded", reason=str(error))
            raise ServiceError(f"done, but {self.record} cannot be written ({error}): {else_}") from error
