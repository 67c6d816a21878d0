"""What the dispatcher remembers of a subscription beside its cursor: nothing that must outlive a restart."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs
from twisted.internet.defer import DeferredLock

HOUR: Final = 3600.0


@attrs.define(eq=False)
class Follower:
    """One subscription that something happened to since the start."""

    id: str
    busy: bool = False
    """It is being told, or stands in a line."""
    again: bool = False
    """Something happened meanwhile."""
    told: frozenset[int] = frozenset()
    """The seqs that are over and lie behind one that still waits."""
    judged_to: int = 0
    """What is not over up to this seq waits ..."""
    waits_until: float = 0.0
    """... till then, in seconds since the epoch."""
    together: bool = False
    """It has had as many notices as an hour may have, so that the next one tells of all."""
    hand: DeferredLock = attrs.field(factory=DeferredLock)
    """Held while something is handed to the target."""
    useful: bool = True
    """The owner came after what it was told last, or there is nothing that he could come for."""
    _lately: deque[float] = attrs.field(factory=deque)
    """When it was told, in the last hour."""

    def judge_anew(self) -> None:
        """What was said of those that wait counts no more."""
        self.judged_to, self.waits_until = 0, 0.0

    def began(self, now: float) -> None:
        """It is told of something."""
        self._lately.append(now)

    def next_at(self, now: float, most: int) -> float:
        """When it may be told again, if an hour has at most so many; now, or later."""
        while self._lately and not now - HOUR < self._lately[0] <= now:
            self._lately.popleft()  # also where the clock was set back
        return now if len(self._lately) < most else self._lately[-most] + HOUR

    @property
    def is_spent(self) -> bool:
        """Nothing of it need be remembered."""
        has_to_do = self.busy or self.again or self.hand.locked
        return not (has_to_do or self.told or self._lately) and self.waits_until in (0.0, math.inf)
