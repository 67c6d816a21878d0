"""How much of something there was lately, by key; bounded in time and in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

import attrs

from mailsuite.model.rate import Rate

SLICES: Final = 12
"""A span is counted in so many pieces; what is older than the span is forgotten a piece later at most."""
MAX_KEYS: Final = 20_000
"""About 12 MB; whoever comes under more keys than that makes us forget those that are the longest quiet."""


@attrs.frozen
class Excess:
    """There was as much as there may be."""

    first: bool
    """Nobody has been told so within the span, for this key."""


@attrs.define
class _Counted:
    slices: list[list[int]] = attrs.field(factory=list)
    """Number of the slice, and how much was in it; no more than SLICES + 1."""
    total: int = 0
    told_until: float = float("-inf")

    def forget(self, before: int) -> None:
        while self.slices and self.slices[0][0] < before:
            self.total -= self.slices.pop(0)[1]

    def add(self, slice: int, amount: int) -> None:
        if self.slices and self.slices[-1][0] == slice:
            self.slices[-1][1] += amount
        else:
            self.slices.append([slice, amount])
        self.total += amount


@attrs.define(eq=False)
class Tally:
    """Counts by key. *seconds* is a clock that never goes back.

    Within no span of a rate more is let pass than the rate says. Keys of rates with other spans are other
    keys.
    """

    seconds: Callable[[], float]
    max_keys: int = MAX_KEYS
    _counted: OrderedDict[tuple[float, Hashable], _Counted] = attrs.field(
        factory=OrderedDict, init=False, repr=False
    )

    def take(self, key: Hashable, rate: Rate, amount: int = 1) -> Excess | None:
        """Count *amount* for *key*; where that would be more than *rate*, count nothing and say so."""
        counted, slice = self._of(key, rate.seconds)
        if counted.total + amount <= rate.count:
            counted.add(slice, amount)
            return None
        now = self.seconds()
        first = now >= counted.told_until
        if first:
            counted.told_until = now + rate.seconds
        return Excess(first)

    def add(self, key: Hashable, seconds: float, amount: int = 1) -> int:
        """Count *amount* for *key*; how much there was in the last *seconds*, with that."""
        counted, slice = self._of(key, seconds)
        counted.add(slice, amount)
        return counted.total

    def __len__(self) -> int:
        return len(self._counted)

    def _of(self, key: Hashable, seconds: float) -> tuple[_Counted, int]:
        """What is counted under *key*, without what is too old, and the number of the slice of now."""
        slice = int(self.seconds() // (seconds / SLICES))
        counted = self._counted.setdefault((seconds, key), _Counted())
        self._counted.move_to_end((seconds, key))
        counted.forget(slice - SLICES)
        while len(self._counted) > self.max_keys:
            self._counted.popitem(last=False)
        return counted, slice
