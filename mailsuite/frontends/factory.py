"""The sessions of one listener: let in, counted, drained."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.frontends.admission import Admission
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import address_of
from mailsuite.frontends.flood import Flood
from mailsuite.frontends.unix import Caller
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork
from mailsuite.observe.log import Log
from mailsuite.policy.admission import Refused

REFUSAL_TIMEOUT = 10.0
"""Seconds that a connection beyond the limits may take to read that it is refused."""
MAX_REFUSALS = 100
"""Connections of one listener that are being told so; those beyond are closed without a word."""
TOO_MANY = "too-many"
"""Why a connection beyond the limits is refused; the other reasons are policy/admission.py's."""
DRAIN_TIMEOUT = 30.0
"""Seconds that a session may go on after the service was told to stop (features row S-I01)."""


def _welcome(peer: IPAddress) -> Refused | None:
    return None


def _uncounted(reason: str) -> None:
    """Where nobody keeps figures."""


class Refusal(Protocol):
    """Says why nobody talks to this connection, and closes."""

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


class Sessions(typing.Protocol):
    """Those of one listener: a factory, and what is asked of it beyond that."""

    @property
    def sessions(self) -> AbstractSet[SessionProtocol[Any]]: ...

    @property
    def is_empty(self) -> bool: ...

    def buildProtocol(self, addr: Any) -> Any: ...

    async def drain(self, patience: float = DRAIN_TIMEOUT) -> None: ...

    def cut(self) -> None: ...


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
        *,
        keeps_out: Callable[[IPAddress], Refused | None] = _welcome,
        on_refused: Callable[[str], None] = _uncounted,
        proxies: Sequence[IPNetwork] = (),
    ) -> None:
        """*build* makes a session; *refusal* is what a connection beyond the limits is told; *keeps_out* is
        asked of each connection before all else; *on_refused* is told why each one was turned away:
        ``banned``, ``denied`` or TOO_MANY. *proxies* may have any number of connections of their own."""
        self.admission = admission
        self.sessions: set[SessionProtocol[Any]] = set()
        """Those that are connected."""
        self._clock = clock
        self._build = build
        self._refusal = refusal
        self._log = log
        self._keeps_out = keeps_out
        self._on_refused = on_refused
        self._proxies = proxies
        self._ending: set[SessionProtocol[Any]] = set()
        """Those whose connection is gone, and whose last answer is still under way."""
        self._empty: list[Deferred[None]] = []
        self._refusals = 0
        self._denied = Flood(clock)
        self._beyond = Flood(clock)

    def buildProtocol(self, addr: Any) -> Protocol | None:
        """A session, or a refusal, or None: closed without a word.

        Who is kept out counts for no limit, and is dealt with before the banner and before TLS. A Caller has
        no address: the socket's mode says who may, and root may come as often as it wants.
        """
        peer, _ = address_of(addr)
        refused = None if isinstance(addr, Caller) else self._keeps_out(peer)
        if refused is not None:
            return self._deny(peer, refused)
        who = addr if isinstance(addr, Caller) else peer
        if not self.admission.enter(who, self._is_many(who)):
            return self._refuse(peer, who)
        try:
            session = self._build()
        except Exception:
            self.admission.leave(who)
            self._log.failure("connection.failed", Failure(), peer=peer)
            return None
        session.disconnected = partial(self._disconnected, session, who)
        session.finished = partial(self._finished, session)
        self.sessions.add(session)
        return session

    def _is_many(self, who: IPAddress | Caller) -> bool:
        if isinstance(who, Caller):
            return who.is_root
        return any(who in network for network in self._proxies)

    def _deny(self, peer: IPAddress, refused: Refused) -> Protocol | None:
        self._on_refused(refused.reason)
        if count := self._denied.one_more():
            fields = {"peer": peer, "reason": refused.reason, "rule": refused.rule, "denied": count}
            self._log.info("connection.denied", **fields)
        return self._tell(refused.words)

    def _refuse(self, peer: IPAddress, who: IPAddress | Caller) -> Protocol | None:
        self._on_refused(TOO_MANY)
        if count := self._beyond.one_more():
            fields: dict[str, object] = {"peer": peer, "open": self.admission.count, "refused": count}
            if isinstance(who, Caller):
                fields["user"] = who.user
            self._log.info("connection.refused", **fields)
        return self._tell(self._refusal)

    def _tell(self, words: bytes) -> Protocol | None:
        if not words or self._refusals >= MAX_REFUSALS:
            return None
        self._refusals += 1
        return Refusal(self._clock, words, self._refusal_gone)

    def _refusal_gone(self) -> None:
        self._refusals -= 1

    def _disconnected(self, session: SessionProtocol[Any], who: IPAddress | Caller) -> None:
        self.sessions.discard(session)
        self._ending.add(session)
        self.admission.leave(who)

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
