"""Leading and trailing edge: the first of a flood at once, the rest together when the interval ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

MINUTE: Final = 60.0
MAX_A_MINUTE: Final = 100
"""Things offered in a minute; more are a flood. Our own limit: a busy server knocks once in ten seconds."""
FLOOD_INTERVAL: Final = 60.0
"""Seconds between two calls in a flood."""


def _nobody(thing: object) -> None:
    """Hears of no flood."""


@attrs.define(eq=False)
class Throttle(Generic[T]):
    """Calls *act* at most once in *interval* seconds, with the latest thing and how many it stands for.

    The last thing offered is always acted upon. More than MAX_A_MINUTE in a minute are a flood: *flooded* is
    told of it once, with the thing that made it one, and *act* is called once in FLOOD_INTERVAL until a
    minute was calm.
    """

    clock: IReactorTime
    interval: float
    act: Callable[[T, int], None]
    flooded: Callable[[T], None] = _nobody
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _waiting: tuple[T, int] | None = attrs.field(default=None, init=False)
    _minute: float = attrs.field(default=float("-inf"), init=False)
    """When the present minute began."""
    _offered: int = attrs.field(default=0, init=False)
    _in_flood: bool = attrs.field(default=False, init=False)

    def offer(self, thing: T) -> None:
        """Act now, or together with what else comes within the interval."""
        self._count(thing)
        if self._timer is None:
            self._wait()
            self.act(thing, 1)
        else:
            self._waiting = (thing, 1 + (self._waiting[1] if self._waiting else 0))

    def stop(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = None

    def _count(self, thing: T) -> None:
        now = self.clock.seconds()
        if now >= self._minute + MINUTE:
            calm = self._offered <= MAX_A_MINUTE or now >= self._minute + 2 * MINUTE
            self._in_flood = self._in_flood and not calm
            self._minute, self._offered = now, 0
        self._offered += 1
        if self._offered > MAX_A_MINUTE and not self._in_flood:
            self._in_flood = True
            self.flooded(thing)

    def _wait(self) -> None:
        interval = max(self.interval, FLOOD_INTERVAL) if self._in_flood else self.interval
        self._timer = self.clock.callLater(interval, self._interval_ended)

    def _interval_ended(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._wait()
            self.act(*waiting)
