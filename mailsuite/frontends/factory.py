"""The sessions of one listener: let in, counted, drained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import address_of
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log

REFUSAL_TIMEOUT = 10.0
"""Seconds that a connection beyond the limits may take to read that it is refused."""
MAX_REFUSALS = 100
"""Connections of one listener that are being told so; those beyond are closed without a word."""
REFUSALS_LOGGED_EVERY = 1.0
"""Seconds between two lines in the log, however many come."""
DRAIN_TIMEOUT = 30.0
"""Seconds that a session may go on after the service was told to stop (features row S-I01)."""


class Refusal(Protocol):
    """Says that there is no room, and closes."""

    def __init__(self, clock: IReactorTime, words: bytes, gone: Callable[[], None]) -> None:
        self._clock = clock
        self._words = words
        self._gone = gone
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self._timer = self._clock.callLater(REFUSAL_TIMEOUT, transport.abortConnection)
        transport.write(self._words)
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._gone()


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
        self.admission = admission
        self.sessions: set[SessionProtocol[Any]] = set()
        """Those that are connected."""
        self._clock = clock
        self._build = build
        self._refusal = refusal
        self._log = log
        self._ending: set[SessionProtocol[Any]] = set()
        """Those whose connection is gone, and whose last answer is still under way."""
        self._empty: list[Deferred[None]] = []
        self._refusals = 0
        self._unlogged = 0
        self._logged_at = float("-inf")

    def buildProtocol(self, addr: Any) -> Protocol | None:
        """A session, or a refusal, or None: closed without a word."""
        peer, _ = address_of(addr)
        if not self.admission.enter(peer):
            return self._refuse(peer)
        try:
            session = self._build()
        except Exception:
            self.admission.leave(peer)
            self._log.failure("connection.failed", Failure(), peer=peer)
            return None
        session.disconnected = partial(self._disconnected, session, peer)
        session.finished = partial(self._finished, session)
        self.sessions.add(session)
        return session

    def _refuse(self, peer: IPAddress) -> Protocol | None:
        self._unlogged += 1
        now = self._clock.seconds()
        if now - self._logged_at >= REFUSALS_LOGGED_EVERY:
            fields = {"peer": peer, "open": self.admission.count, "refused": self._unlogged}
            self._log.info("connection.refused", **fields)
            self._logged_at, self._unlogged = now, 0
        if self._refusals >= MAX_REFUSALS:
            return None
        self._refusals += 1
        return Refusal(self._clock, self._refusal, self._refusal_gone)

    def _refusal_gone(self) -> None:
        self._refusals -= 1

    def _disconnected(self, session: SessionProtocol[Any], peer: IPAddress) -> None:
        self.sessions.discard(session)
        self._ending.add(session)
        self.admission.leave(peer)

    def _finished(self, session: SessionProtocol[Any]) -> None:
        self._ending.discard(session)
        if self.is_empty:
            waiting, self._empty = self._empty, []
            for done in waiting:
                done.callback(None)

    @property
    def is_empty(self) -> bool:
        """No session lives, and no last answer is under way."""
        return not self.sessions and not self._ending

    async def drain(self, patience: float = DRAIN_TIMEOUT) -> None:
        """Let every session say goodbye; after *patience* seconds cut those that are left.

        Returns when their last answers have ended too: what writes or removes a message is never cut.
        """
        for session in list(self.sessions):
            session.drain()
        if self.is_empty:
            return
        done: Deferred[None] = Deferred()
        self._empty.append(done)
        cut = self._clock.callLater(patience, self.cut)
        await done
        if cut.active():
            cut.cancel()

    def cut(self) -> None:
        """End every session at once."""
        for session in list(self.sessions):
            session.abort("service stopped")
