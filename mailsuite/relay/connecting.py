"""Connecting to a host that has several addresses: happy eyeballs (RFC 8305 section 5).

The next address is tried a quarter of a second after the one before, or when that has failed, whichever comes
first; who answers first wins, and the others are given up. An address that has failed lately comes last.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TransportProtocol
from twisted.python.failure import Failure

from mailsuite.model.account import IPAddress
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import NO_ANSWER
from mailsuite.relay.mx import Host
from mailsuite.relay.source import Source

P = TypeVar("P", bound=TransportProtocol)

STAGGER: Final = 0.25
"""Seconds between two attempts (RFC 8305 section 8: 250 ms recommended)."""
FAILED_SECONDS: Final = 300.0
"""How long an address that did not answer comes last."""
MAX_FAILED: Final = 10_000
"""So many are remembered."""


class ReactorTCPTime(Protocol):
    """What is needed of the reactor: IReactorTCP and IReactorTime."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall: ...

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float, bindAddress: tuple[str, int] | None
    ) -> Any: ...


@attrs.define(eq=False)
class Connector:
    """Makes connections, and remembers which addresses did not answer."""

    reactor: ReactorTCPTime
    timeout: float = 30.0
    """Seconds for one address; ``queue.connect_timeout``."""
    _failed: dict[tuple[IPAddress, int, str | None], float] = attrs.field(factory=dict, init=False)
    """Until when an address and port come last, for what is bound to an address of ours."""

    async def dial(self, host: Host, source: Source, make: Callable[[IPAddress], P]) -> P:
        """Connect to the first address that answers; *make* gives the protocol for a connection to it.

        Raises TemporaryFailure where none answers; its detail says why of each. Whoever cancels this gives up
        all attempts.
        """
        race = _Race(self, self._in_order(host, source), host.port, make, source)
        race.start()
        return await race.finish

    def failed(self, address: IPAddress, port: int, source: Source) -> None:
        """This address does not answer, or nothing sensible; it comes last for a while. Another source may
        have more luck."""
        key = (address, port, source.towards(address))
        self._failed.pop(key, None)
        while len(self._failed) >= MAX_FAILED:
            del self._failed[next(iter(self._failed))]
        self._failed[key] = self.reactor.seconds() + FAILED_SECONDS

    def answered(self, address: IPAddress, port: int, source: Source) -> None:
        """It does."""
        self._failed.pop((address, port, source.towards(address)), None)

    def _in_order(self, host: Host, source: Source) -> list[IPAddress]:
        now = self.reactor.seconds()

        def has_failed(address: IPAddress) -> bool:
            return self._failed.get((address, host.port, source.towards(address)), 0.0) > now

        return sorted(host.addresses, key=has_failed)


@attrs.define(eq=False)
class _Race(Generic[P]):
    """One connect()."""

    connector: Connector
    left: list[IPAddress]
    port: int
    make: Callable[[IPAddress], P]
    source: Source
    finish: Deferred[P] = attrs.field(init=False)
    _running: dict[IPAddress, Deferred[Any]] = attrs.field(factory=dict, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _reasons: list[str] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.finish = Deferred(lambda _: self._give_up())

    def start(self) -> None:
        """Begin the next attempt, and set the clock for the one after it."""
        self._stop_clock()
        if not self.left:
            if not self._running and not self.finish.called:
                self.finish.errback(TemporaryFailure(NO_ANSWER, "; ".join(self._reasons)))
            return
        address = self.left.pop(0)
        if self.left:
            self._timer = self.connector.reactor.callLater(STAGGER, self.start)
        factory = Factory.forProtocol(lambda: self.make(address))
        factory.noisy = False
        attempt: Deferred[Any] = self._endpoint(address).connect(factory)
        self._running[address] = attempt
        attempt.addCallbacks(self._won, self._lost, callbackArgs=(address,), errbackArgs=(address,))

    def _endpoint(self, address: IPAddress) -> TCP4ClientEndpoint | TCP6ClientEndpoint:
        kind = TCP6ClientEndpoint if address.version == 6 else TCP4ClientEndpoint
        bound = self.source.towards(address)
        bind = (bound, 0) if bound is not None else None
        return kind(self.connector.reactor, str(address), self.port, self.connector.timeout, bind)

    def _won(self, protocol: P, address: IPAddress) -> None:
        del self._running[address]
        self.connector.answered(address, self.port, self.source)
        self._give_up()
        self.finish.callback(protocol)

    def _lost(self, reason: Failure, address: IPAddress) -> None:
        if self._running.pop(address, None) is None:  # given up: it was not the address that failed
            return
        self.connector.failed(address, self.port, self.source)
        self._reasons.append(f"{address}: {_words(reason)}")
        self.start()

    def _give_up(self) -> None:
        """End all attempts that are under way, and begin no more."""
        self._stop_clock()
        self.left.clear()
        while self._running:
            _, attempt = self._running.popitem()
            attempt.cancel()

    def _stop_clock(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _words(reason: Failure) -> str:
    """Why, in the words of the system where it has some."""
    error = reason.value
    if isinstance(error, ConnectTimeout):
        return "no answer in time"
    number = getattr(error, "osError", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
