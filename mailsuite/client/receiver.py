"""The listening side of RFC 4146: what runs on the user's computer.

Anybody can knock, and a flood costs an attacker nothing (RFC 4146 section 5): so connections, octets and
seconds are bounded, nothing is ever answered, and a flood makes one action in five seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import cast

import attrs
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.client.throttle import Throttle
from mailsuite.model.access import unmapped
from mailsuite.wire.finger import Heard, KnockReader

MAX_CONNECTIONS = 32
"""More are closed at once; our own limit: a knock takes milliseconds."""
PATIENCE = 5.0
"""Seconds that a connection may take to say its line; our own limit."""
ACTION_INTERVAL = 5.0
"""Seconds between two actions at least; our own limit (RFC 4146 section 5 asks for one)."""


@attrs.define
class ReceiverCounters:
    knocks: int = 0
    noise: int = 0
    """Connections that said something else, or nothing in time."""
    turned_away: int = 0
    """Connections beyond MAX_CONNECTIONS."""
    strangers: int = 0
    """Connections from elsewhere than where knocks may come from."""


def _anybody(peer: str) -> bool:
    return True


def _unworried(peer: str) -> None:
    """Hears of no flood."""


class Receiver(Factory):
    """Listens for knocks and calls *act* with the peer's address and the number of knocks it stands for.

    *allowed* says by its address who may knock at all; *flooded* hears of a flood once. stop() ends the open
    connections and forgets what waits; whoever listens closes the port.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        act: Callable[[str, int], None],
        allowed: Callable[[str], bool] = _anybody,
        flooded: Callable[[str], None] = _unworried,
    ) -> None:
        self.clock = clock
        self.allowed = allowed
        self.counters = ReceiverCounters()
        self.connections: set[_Listening] = set()
        self.peers: frozenset[str] = frozenset()
        """All whose knocks the latest action stands for."""
        self._knocked: set[str] = set()
        self._act = act
        self._throttle: Throttle[str] = Throttle(clock, ACTION_INTERVAL, self._take, flooded)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        peer = _peer(addr)
        if not self.allowed(peer):
            self.counters.strangers += 1
            return None  # which closes the connection
        if len(self.connections) >= MAX_CONNECTIONS:
            self.counters.turned_away += 1
            return None
        return _Listening(self, peer)

    def heard(self, what: Heard, peer: str) -> None:
        """One connection's judgement."""
        if what is Heard.KNOCK:
            self.counters.knocks += 1
            if len(self._knocked) < MAX_CONNECTIONS:
                self._knocked.add(peer)
            self._throttle.offer(peer)
        else:
            self.counters.noise += 1

    def _take(self, peer: str, knocks: int) -> None:
        self.peers, self._knocked = frozenset(self._knocked), set()
        self._act(peer, knocks)

    def stop(self) -> None:
        self._throttle.stop()
        for connection in list(self.connections):
            connection.drop()


class _Listening(Protocol):
    """One connection: judged once, then closed without a word."""

    def __init__(self, receiver: Receiver, peer: str) -> None:
        self._receiver = receiver
        self._peer = peer
        self._reader = KnockReader()
        self._limit: IDelayedCall | None = None

    @property
    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    def connectionMade(self) -> None:
        self._receiver.connections.add(self)
        self._limit = self._receiver.clock.callLater(PATIENCE, self._too_slow)

    def dataReceived(self, data: bytes) -> None:
        if self._limit is None:
            return  # judged already
        heard = self._reader.feed(data)
        if heard is not None:
            self._judged(heard)
            self._tcp.loseConnection()

    def _too_slow(self) -> None:
        self._limit = None
        self._tcp.abortConnection()
        self._receiver.heard(Heard.NOISE, self._peer)

    def drop(self) -> None:
        """End the connection without judging it; one that is judged closes in its own time."""
        if self._limit is None:
            return
        self._stop_waiting()
        self._tcp.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._receiver.connections.discard(self)
        if self._limit is not None:
            self._judged(self._reader.end() if reason.check(ConnectionDone) else Heard.NOISE)

    def _judged(self, heard: Heard) -> None:
        self._stop_waiting()
        self._receiver.heard(heard, self._peer)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


def _peer(addr: IAddress | None) -> str:
    host = getattr(addr, "host", None)
    return "unknown" if host is None else str(unmapped(ip_address(host)))
