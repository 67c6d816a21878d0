"""What is to be looked at when: one timer for any number of dates."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

LOOK_EVERY: Final = 60.0
"""Seconds after which it looks at the latest: the clock of dates may have been set."""
BATCH: Final = 256
"""Dates that come up in one turn of the reactor; the next ones wait until sockets had their chance."""
_SURPLUS: Final = 1000
"""So many dates that hold no more may be kept beside each that does."""


@attrs.define(eq=False)
class Agenda:
    """Calls *comes_up* with a name when its date has come. One date for each name: the earliest."""

    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch; may jump."""
    comes_up: Callable[[str], None]
    """Must not raise."""
    _dates: dict[str, float] = attrs.field(factory=dict, init=False)
    _heap: list[tuple[float, str]] = attrs.field(factory=list, init=False)
    """Has each date, and some that hold no more."""
    _call: IDelayedCall | None = attrs.field(default=None, init=False)
    _call_for: float = attrs.field(default=0.0, init=False)

    def __len__(self) -> int:
        return len(self._dates)

    def put(self, name: str, at: float) -> None:
        """Have *name* come up at that moment, unless it comes up earlier anyway."""
        if self._dates.get(name, at + 1.0) <= at:
            return
        self._dates[name] = at
        heappush(self._heap, (at, name))
        if len(self._heap) > 2 * len(self._dates) + _SURPLUS:
            self._heap = [(date, each) for each, date in self._dates.items()]
            heapify(self._heap)
        self._wind()

    def drop(self, name: str) -> None:
        """It does not come up any more."""
        self._dates.pop(name, None)

    def stop(self) -> None:
        """Nothing comes up any more."""
        self._dates.clear()
        self._heap.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wind(self) -> None:
        """Have the timer go off for the first date."""
        while self._heap and self._dates.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        if not self._heap:
            return
        first = self._heap[0][0]
        if self._call is not None:
            if self._call_for <= first:
                return
            self._call.cancel()
        self._call_for = first
        wait = min(max(0.0, first - self.now()), LOOK_EVERY)
        self._call = self.clock.callLater(wait, self._look)

    def _look(self) -> None:
        self._call = None
        now = self.now()
        try:
            for _ in range(BATCH):
                if not self._heap or self._heap[0][0] > now:
                    break
                date, name = heappop(self._heap)
                if self._dates.get(name) == date:
                    del self._dates[name]
                    self.comes_up(name)
        finally:
            self._wind()
