"""What comes in floods, told once in a while."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

LOGGED_EVERY = 1.0
"""Seconds between two lines in the log about one kind of thing, however often it happens."""


@attrs.define
class Flood:
    """Counts, so that the log hears of it once in LOGGED_EVERY seconds."""

    clock: IReactorTime
    _count: int = attrs.field(default=0, init=False)
    _told_at: float = attrs.field(default=float("-inf"), init=False)

    def one_more(self) -> int:
        """How many there were since the last time that this was told; 0: it is not time yet."""
        self._count += 1
        now = self.clock.seconds()
        if now - self._told_at < LOGGED_EVERY:
            return 0
        count, self._count, self._told_at = self._count, 0, now
        return count
