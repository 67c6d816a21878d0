"""The sessions of one listener: let in, counted, drained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.base import SessionProtocol, address_of
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log

REFUSAL_TIMEOUT = 10.0
"""Seconds that a connection beyond the limits may take to read that it is refused."""
DRAIN_TIMEOUT = 30.0
"""Seconds that a session may go on after the service was told to stop (features row S-I01)."""


class Refusal(Protocol):
    """Says that there is no room, and closes."""

    def __init__(self, clock: IReactorTime, words: bytes) -> None:
        self._clock = clock
        self._words = words
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self._timer = self._clock.callLater(REFUSAL_TIMEOUT, transport.abortConnection)
        transport.write(self._words)
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class SessionFactory(Factory):
    """Makes the sessions of one listener, and knows those that live."""

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        build: Callable[[], SessionProtocol[Any]],
        admission: Admission,
        refusal: bytes,
        log: Log,
    ) -> None:
        """*build* makes a session; *refusal* is what a connection beyond the limits is told."""
        self._clock = clock
        self._refusal = refusal
        self._log = log
        self._build = build
        self.admission = admission
        self.sessions: set[SessionProtocol[Any]] = set()
        self._empty: list[Deferred[None]] = []

    def buildProtocol(self, addr: Any) -> Protocol:
        peer, _ = address_of(addr)
        if not self.admission.enter(peer):
            self._log.info("connection.refused", peer=peer, open=self.admission.count)
            return Refusal(self._clock, self._refusal)
        session = self._build()
        admission = self.admission
        session.ending = lambda: self._session_ended(session, admission, peer)
        self.sessions.add(session)
        return session

    def become(self, other: SessionFactory) -> None:
        """Make new sessions as *other* would. Sessions that live count where they came in."""
        self._build, self.admission, self._refusal = other._build, other.admission, other._refusal

    def _session_ended(self, session: SessionProtocol[Any], admission: Admission, peer: IPAddress) -> None:
        self.sessions.discard(session)
        admission.leave(peer)
        if not self.sessions:
            waiting, self._empty = self._empty, []
            for done in waiting:
                done.callback(None)

    async def drain(self, patience: float = DRAIN_TIMEOUT) -> None:
        """Let every session say goodbye; after *patience* seconds cut those that are left."""
        for session in list(self.sessions):
            session.drain()
        if not self.sessions:
            return
        done: Deferred[None] = Deferred()
        self._empty.append(done)
        cut = self._clock.callLater(patience, self._cut)
        await done
        if cut.active():
            cut.cancel()

    def _cut(self) -> None:
        for session in list(self.sessions):
            session.abort("service stopped")
