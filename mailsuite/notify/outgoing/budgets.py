"""How much of something in how long, for each of many: token buckets that forget whom they need not know.

A bucket is kept as one number, the time at which it will be full again (the "generic cell rate algorithm" of
ITU-T I.371): one that is full is no different from one that nothing was ever taken from, and is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import islice
from typing import Final, Generic, TypeVar

import attrs

from mailsuite.model.rate import Rate

K = TypeVar("K", bound=Hashable)

MAX_KEYS: Final = 50_000
"""Buckets that are not full and may be kept; each takes about 200 octets."""


@attrs.define(eq=False)
class Budgets(Generic[K]):
    """A bucket for each key: ``burst`` at once where nothing was taken for long, and else what ``rate`` says.

    One thread.
    """

    rate: Rate
    burst: int
    seconds: Callable[[], float]
    """The time; any clock. Where it is set back, nobody waits longer than a whole bucket takes to fill."""
    max_keys: int = MAX_KEYS
    _full_at: dict[K, float] = attrs.field(factory=dict, init=False)
    """When each is full; the one that was taken from last is the last."""

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._full_at)

    def ready_at(self, key: K) -> float:
        """From when on take() answers True: now, or later."""
        now = self.seconds()
        return max(now, self._time_of_fullness(key, now) - (self.burst - 1) * self._each)

    def take(self, key: K) -> bool:
        """Take one, if there is one."""
        now = self.seconds()
        full_at = self._time_of_fullness(key, now)
        if full_at - now > (self.burst - 1) * self._each + _ROUNDING:
            return False
        self._full_at.pop(key, None)
        self._full_at[key] = full_at + self._each
        self._forget(now)
        return True

    @property
    def _each(self) -> float:
        """Seconds in which a bucket gains one."""
        return self.rate.seconds / self.rate.count

    def _time_of_fullness(self, key: K, now: float) -> float:
        full_at, latest = self._full_at.get(key, now), now + self.burst * self._each + _ROUNDING
        if full_at > latest:  # the clock was set back
            self._full_at[key] = full_at = latest
        return max(now, full_at)

    def _forget(self, now: float) -> None:
        """Those that are full, each time a look at the two that were taken from first; and where there are
        too many all the same, whoever has been left in peace longest begins anew."""
        for key in list(islice(self._full_at, 2)):
            if self._full_at[key] <= now or len(self._full_at) > self.max_keys:
                del self._full_at[key]


_ROUNDING: Final = 1e-6
"""Seconds: what ready_at() answers is early by less, since sums of fractions are not exact."""
