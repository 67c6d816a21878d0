"""Leading and trailing edge: the first of a flood at once, the rest together when the interval ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")


@attrs.define(eq=False)
class Throttle(Generic[T]):
    """Calls *act* at most once in *interval* seconds, with the latest thing and how many it stands for.

    The last thing offered is always acted upon.
    """

    clock: IReactorTime
    interval: float
    act: Callable[[T, int], None]
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _waiting: tuple[T, int] | None = attrs.field(default=None, init=False)

    def offer(self, thing: T) -> None:
        """Act now, or together with what else comes within the interval."""
        if self._timer is None:
            self._timer = self.clock.callLater(self.interval, self._interval_ended)
            self.act(thing, 1)
        else:
            self._waiting = (thing, 1 + (self._waiting[1] if self._waiting else 0))

    def stop(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = None

    def _interval_ended(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._timer = self.clock.callLater(self.interval, self._interval_ended)
            self.act(*waiting)
