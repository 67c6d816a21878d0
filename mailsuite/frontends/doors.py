"""All listeners of the suite: what is open, and how a reload gets from there to what is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater

from mailsuite.accounts.endings import concerns
from mailsuite.concurrent.tasks import Tasks
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.factory import DRAIN_TIMEOUT
from mailsuite.frontends.listener import (
    Entrance,
    Listener,
    ListenerError,
    Place,
    listen,
    reason_of,
    spell,
    stop_listening,
)
from mailsuite.frontends.sockets import errno_of
from mailsuite.frontends.unix import UnixPort
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.view import View
from mailsuite.observe.log import Log

FAREWELL_TIMEOUT = 5.0
"""Seconds that a session may take to reach its next boundary once it was told to leave."""
LOOK_INTERVAL = 0.1
"""Seconds between two looks whether the sessions of a service are gone."""
DISPLACED = "a newer session took its place"
STOPPED = "service stopped"


class DoorError(ListenerError):
    """A listener cannot be opened; *listener* is its name, *number* the system's errno, where it has one."""

    def __init__(self, listener: str, reason: str, number: int | None = None) -> None:
        super().__init__(f"listener {listener}: {reason}")
        self.listener = listener
        self.number = number


def _nobody_is_spared(service: str, peer: IPAddress) -> bool:
    return False


@attrs.frozen(eq=False)
class _Socket:
    name: str
    """Of the listener that it was opened for."""
    port: IListeningPort
    entrance: Entrance

    def __str__(self) -> str:
        return spell(self.port.getHost())


@attrs.define
class Doors:
    """A change has two steps: open() does all that can fail, turn() cannot fail.

    A socket whose place is still wanted stays open, whoever stands behind it before and after; no session
    is closed by a change.
    """

    reactor: Any
    log: Log
    listeners: tuple[Listener, ...] = attrs.field(default=(), init=False)
    _sockets: dict[Place, _Socket] = attrs.field(factory=dict, init=False)
    _used: frozenset[Place] = attrs.field(default=frozenset(), init=False)
    """Where a listener stands behind the socket."""
    _leaving: list[Listener] = attrs.field(factory=list, init=False)
    """Former listeners that still have sessions."""
    _closing: Tasks = attrs.field(init=False)

    @_closing.default
    def _make_closing(self) -> Tasks:
        return Tasks(partial(self.log.failure, "listener.failed"))

    async def open(self, wanted: Mapping[str, Sequence[Place]]) -> None:
        """Open the sockets of listeners, by name, that are not open yet. Nobody is let in before turn().

        Raises DoorError where one cannot be opened; then nothing has changed.
        """
        taken: dict[Place, str] = {}
        try:
            for name, places in wanted.items():
                for place in places:
                    if place in taken:
                        raise DoorError(name, f"cannot listen on {place}: listener {taken[place]} does")
                    taken[place] = name
                    if place not in self._sockets:
                        await self._open(name, place)
        except BaseException:
            self.shut_unused()
            raise

    async def _open(self, name: str, place: Place) -> None:
        entrance = Entrance(self.reactor, self.log)
        try:
            port = await listen(self.reactor, place, entrance, self.log)
        except (CannotListenError, ValueError, OSError) as error:
            reason = reason_of(error) + self._who_is_there(place)
            raise DoorError(name, f"cannot listen on {place}: {reason}", errno_of(error)) from error
        self._sockets[place] = _Socket(name, port, entrance)

    def _who_is_there(self, place: Place) -> str:
        """One address and every address exclude each other, also where one is to take the other's place."""
        for other, socket in self._sockets.items():
            if other.port == place.port != 0:
                return f" (listener {socket.name} has {other}; a restart can change that)"
        return ""

    def shut_unused(self) -> None:
        """Close the sockets that open() has opened, unless turn() has put them to use."""
        for place in set(self._sockets) - self._used:
            self._close(place)

    def turn(self, wanted: Sequence[Listener]) -> tuple[list[str], list[str]]:
        """Put *wanted*, whose places are open, behind the sockets, and close all others.

        Answers what was opened and what was closed, in words.
        """
        opened, closed = self._differences(wanted)
        for listener in wanted:
            for place in listener.places:
                self._sockets[place].entrance.turn(listener)
                self._allow(place)
        used = {listener.factory for listener in wanted}
        self._leaving = [
            former for former in self._all if not (former.factory in used or former.factory.is_empty)
        ]
        self.listeners = tuple(wanted)
        self._used = frozenset(place for listener in wanted for place in listener.places)
        self.shut_unused()
        return opened, closed

    def _allow(self, place: Place) -> None:
        """Give a Unix socket the rights that it is to have now. Once we are no longer root that may fail."""
        port = self._sockets[place].port
        if isinstance(port, UnixPort) and port.rights != place.rights:
            try:
                port.allow(place.rights)
            except (OSError, ValueError) as error:
                self.log.warning("listener.rights_kept", at=place, reason=reason_of(error))

    def _differences(self, wanted: Sequence[Listener]) -> tuple[list[str], list[str]]:
        """What turn() is about to open and to close; logged."""
        words: dict[str, list[str]] = {"listener.opened": [], "listener.closed": []}
        kept = {place for listener in wanted for place in listener.places}
        for event, listeners, same in (
            ("listener.opened", wanted, self._used),
            ("listener.closed", self.listeners, kept),
        ):
            for listener in listeners:
                at = " ".join(str(self._sockets[place]) for place in listener.places if place not in same)
                if at:
                    words[event].append(f"{listener.name} {at}")
                    self.log.info(event, listener=listener.name, service=listener.service, at=at)
        return words["listener.opened"], words["listener.closed"]

    def _close(self, place: Place) -> None:
        socket = self._sockets.pop(place)
        socket.entrance.shut()
        self._closing.start(stop_listening(socket.port))

    def addresses(self, listener: Listener) -> tuple[str, ...]:
        """Where *listener* listens, as ``127.0.0.1:2525`` or ``[::]:25``."""
        return tuple(str(self._sockets[place]) for place in listener.places if place in self._sockets)

    def bound(self, *services: str) -> Iterator[tuple[str, int]]:
        """The address and port of each socket of these services that is open, Unix sockets left out."""
        for listener in self.listeners:
            if listener.service in services:
                for place in listener.places:
                    host: Any = self._sockets[place].port.getHost() if place in self._sockets else None
                    if isinstance(host, IPv4Address | IPv6Address):
                        yield host.host, host.port

    # Sessions

    @property
    def _all(self) -> list[Listener]:
        return [*self._leaving, *self.listeners]

    def live(self, service: str | None = None) -> list[SessionProtocol[Any]]:
        """The sessions that live, of one service or of all, those of closed listeners included."""
        return [
            session
            for listener in self._all
            if service in (None, listener.service)
            for session in listener.factory.sessions
        ]

    def sessions(self, service: str) -> int:
        """How many sessions of a service live."""
        return sum(len(each.factory.sessions) for each in self._all if each.service == service)

    def displace(self, account: Address, view: View) -> bool:
        """End the POP3 sessions that have this view of the account's maildrop open; whether there was one.

        What they marked as deleted stays, and the maildrop is free a moment later: a QUIT that is under way
        comes to its end first.
        """
        displaced = [
            session for session in self.live("pop3") if session.account == account and session.view == view
        ]
        for session in displaced:
            session.abort(DISPLACED)
        return bool(displaced)

    def cut_sessions(
        self,
        account: Address,
        device: str | None,
        reason: str,
        spares: Callable[[str, IPAddress], bool] = _nobody_is_spared,
    ) -> int:
        """End all sessions of *account*, or those that logged in with the password of one *device*, by its
        id; *spares* says by service and peer who goes on. What they marked as deleted stays. Answers how
        many they were; *reason* is for the log."""
        cut = [
            session
            for session in self.live()
            if session.account == account
            and device in (None, session.device)
            and concerns(reason, session.door.service)
            and not spares(session.door.service, session.peer)
        ]
        for session in cut:
            session.abort(reason)
        return len(cut)

    async def dismiss(self, service: str, patience: float) -> None:
        """Let the sessions of a service whose listeners are closed go on for *patience* seconds, then have
        them say goodbye at their next boundary, and cut those that reach none (features row S-I01).

        Returns when they are gone and their last answers have ended: what writes or removes a message is
        never cut. A cancellation leaves those that were told nothing yet as they are.
        """
        await self._gone(service, patience)
        for session in self.live(service):
            session.drain()
        await self._gone(service, FAREWELL_TIMEOUT)
        for session in self.live(service):
            session.abort(STOPPED)
        await self._gone(service)

    async def _gone(self, service: str, patience: float = math.inf) -> None:
        """Wait until no session of *service* lives or is about to end, or *patience* seconds are over."""
        end = self.reactor.seconds() + patience
        while self._is_busy(service) and (left := end - self.reactor.seconds()) > 0:
            await deferLater(self.reactor, min(left, LOOK_INTERVAL))

    def _is_busy(self, service: str) -> bool:
        return any(each.service == service and not each.factory.is_empty for each in self._all)

    async def drain(self, patience: float = DRAIN_TIMEOUT) -> None:
        """Take no new connections, let the sessions say goodbye, cut those left after *patience* seconds."""
        for place in list(self._sockets):
            self._close(place)
        await self._closing.finished()
        draining = (each.factory.drain(patience) for each in self._all)
        await gatherResults([Deferred.fromCoroutine(each) for each in draining])

    async def closed(self) -> None:
        """Return when every socket that turn() left behind is closed, and its place is free."""
        await self._closing.finished()

    def cut(self) -> None:
        """End all sessions at once; what writes or removes a message comes to its end all the same."""
        for listener in self._all:
            listener.factory.cut()
