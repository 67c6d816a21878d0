"""Whoever fails to log in waits for the answer, longer each time (features row A-13).

Who does not wait for it gains nothing: the next attempt is judged no earlier.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from ipaddress import IPv6Address, ip_network

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailsuite.model.account import IPAddress

FIRST_DELAY = 1.0
LONGEST_DELAY = 16.0
"""Seconds. Dovecot waits for 2 s each time."""
JITTER = 0.25
"""A delay is longer by up to this part of it, so that nobody can subtract it."""
FORGOTTEN_AFTER = 900.0
"""Seconds without a failure."""
MAX_ENTRIES = 20_000
"""About 4 MB; who guesses from more addresses than that makes us forget the oldest."""
IPV6_PREFIX = 64
"""One customer's network (RFC 6177)."""


@attrs.define
class _Failures:
    count: int = 0
    last: float = 0.0
    answered: float = 0.0
    """When the answer to the last one is due, on the clock."""


_NONE = _Failures()


@attrs.define(eq=False)
class FailureThrottle:
    """Counts failures by network and name, and by network alone; the greater count says how long.

    A success takes back what that name failed from that network, and nothing else: whoever guesses at many
    accounts gains nothing by owning one. Names are kept as digests. Waiting costs a timer, no thread.
    """

    clock: IReactorTime
    first: float = FIRST_DELAY
    """Seconds for a first failure; 0 turns it off."""
    longest: float = LONGEST_DELAY
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""
    max_entries: int = MAX_ENTRIES
    _failures: OrderedDict[bytes, _Failures] = attrs.field(factory=OrderedDict, init=False, repr=False)

    async def admit(self, peer: IPAddress, name: str) -> None:
        """Return when an attempt may be judged: not before the answers to earlier failures are due, whether
        or not somebody still waits for those. Cancelling ends the wait."""
        await self._until(max(self._failures.get(key, _NONE).answered for key in _keys(peer, name)))

    async def penalty(self, peer: IPAddress, name: str, since: float) -> None:
        """One more failure: return when *since* (on the clock) is as long ago as it costs.

        How long the check itself took is part of that, so it does not show. Cancelling ends the wait.
        """
        failed = [self._failed(key) for key in _keys(peer, name)]
        answered = since + self._delay(max(failures.count for failures in failed))
        for failures in failed:
            failures.answered = max(failures.answered, answered)
        await self._until(answered)

    def succeeded(self, peer: IPAddress, name: str) -> None:
        """This name logged in from there."""
        pair, network = _keys(peer, name)
        forgiven = self._failures.pop(pair, None)
        others = self._failures.get(network)
        if forgiven is not None and others is not None:
            others.count -= min(forgiven.count, others.count)

    def __len__(self) -> int:
        return len(self._failures)

    def _delay(self, count: int) -> float:
        doubled = self.first * float(1 << min(count - 1, 30))
        return min(doubled, self.longest) * (1 + JITTER * self.jitter())

    async def _until(self, moment: float) -> None:
        left = moment - self.clock.seconds()
        if left > 0:
            await deferLater(self.clock, left)

    def _failed(self, key: bytes) -> _Failures:
        now = self.clock.seconds()
        failures = self._failures.setdefault(key, _Failures())
        if now - failures.last >= FORGOTTEN_AFTER:
            failures.count = 0
        failures.count += 1
        failures.last = now
        self._failures.move_to_end(key)
        self._forget_oldest(now)
        return failures

    def _forget_oldest(self, now: float) -> None:
        while True:
            oldest = next(iter(self._failures.values()))
            if len(self._failures) <= self.max_entries and now - oldest.last < FORGOTTEN_AFTER:
                return
            self._failures.popitem(last=False)


def _keys(peer: IPAddress, name: str) -> tuple[bytes, bytes]:
    """Of the name from that network, and of the network."""
    network = (
        ip_network((peer, IPV6_PREFIX), strict=False).network_address
        if isinstance(peer, IPv6Address)
        else peer
    )
    where = network.packed
    return where + blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest(), where
