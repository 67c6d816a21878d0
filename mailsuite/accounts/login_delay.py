"""How long an account waits from one POP3 login to the next, and who does not wait (RFC 2449 section 6.5).

In memory alone: a restart forgives everybody.
"""

from __future__ import annotations

import itertools
import statistics
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, TypeVar

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import LoginTooSoon

MAX_LOGINS: Final = 50_000
"""Of accounts by one password each, about 15 MB; whoever is forgotten may log in."""
MAX_KNOCKS: Final = 50_000
"""Accounts; whoever is forgotten waits."""
MAX_IMPATIENT: Final = 1000
"""Programs that the report tells of."""
KNOCK_LIFE: Final = 3600.0
"""Seconds; who has not come by then was not called by it."""
KEPT_INTERVALS: Final = 9

K = TypeVar("K")
V = TypeVar("V")


@attrs.frozen
class Impatient:
    """A program that was refused because it came too soon."""

    account: Address
    device: str
    """The id of the device whose password it uses; empty: the account's own."""
    peer: IPAddress
    refusals: int
    interval: float
    """The median of the last intervals between its attempts, in seconds."""
    last: float
    """When it was refused the last time, in seconds on the clock."""


@attrs.frozen
class _Moment:
    """When something happened: *turn* also tells the order of what happened at one time."""

    at: float
    turn: int


@attrs.define
class _Polls:
    refusals: int = 0
    last: float = 0.0
    intervals: deque[float] = attrs.field(factory=lambda: deque(maxlen=KEPT_INTERVALS))


@attrs.define(eq=False)
class LoginDelay:
    """Remembers the last login of each account by each password, and the last knock at its door.

    A knock tells of new mail, so it opens the door once to each password of the account: whoever logged in
    before it may log in again at once. *seconds* is a clock.
    """

    seconds: Callable[[], float]
    _logins: OrderedDict[tuple[Address, str], _Moment] = attrs.field(factory=OrderedDict, init=False)
    _knocks: OrderedDict[Address, _Moment] = attrs.field(factory=OrderedDict, init=False)
    _polls: OrderedDict[tuple[Address, str, IPAddress], _Polls] = attrs.field(factory=OrderedDict, init=False)
    _turns: itertools.count[int] = attrs.field(factory=itertools.count, init=False)

    def judge(self, account: Address, device: str, delay: float, peer: IPAddress) -> int:
        """Answer this login's turn, for succeeded(). Raises LoginTooSoon where its last one, by the same
        password (*device*: its id, or empty), was less than *delay* seconds ago."""
        now, turn = self.seconds(), next(self._turns)
        last = self._logins.get((account, device))
        if last is None or not 0 <= now - last.at < delay:  # below 0: the clock was set back
            return turn
        if self._was_called(account, last, now):
            return turn
        self._refused((account, device, peer), last.at, now)
        raise LoginTooSoon(last.at + delay - now)

    def succeeded(self, account: Address, device: str, turn: int) -> None:
        """The client is told now that it is in; its *turn* came when it was judged, and what knocked since is
        still news to it."""
        _put(self._logins, (account, device), _Moment(self.seconds(), turn), MAX_LOGINS)

    def knocked(self, account: Address) -> None:
        """The owner was told of new mail."""
        _put(self._knocks, account, _Moment(self.seconds(), next(self._turns)), MAX_KNOCKS)

    def impatient(self) -> tuple[Impatient, ...]:
        """Who came too soon, the most often refused first."""
        found = [
            Impatient(*who, polls.refusals, statistics.median(polls.intervals), polls.last)
            for who, polls in self._polls.items()
        ]
        return tuple(sorted(found, key=lambda one: -one.refusals))

    def _was_called(self, account: Address, last: _Moment, now: float) -> bool:
        knock = self._knocks.get(account)
        return knock is not None and knock.turn > last.turn and 0 <= now - knock.at < KNOCK_LIFE

    def _refused(self, who: tuple[Address, str, IPAddress], last_login: float, now: float) -> None:
        polls = self._polls.get(who) or _Polls()
        polls.intervals.append(now - max(polls.last, last_login))
        polls.refusals += 1
        polls.last = now
        _put(self._polls, who, polls, MAX_IMPATIENT)


def _put(kept: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    """Keep the *limit* that were put last."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)
