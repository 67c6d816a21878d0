"""The clock of one connection."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@attrs.define(eq=False)
class Timer:
    """Calls *expired* when nothing has moved for a while, or when a limit is over.

    One delayed call per connection: it looks how long ago anything moved, and comes back. So moved(), which
    is called for every piece of input, costs next to nothing.
    """

    _clock: IReactorTime
    _expired: Callable[[], None]
    _moved_at: float = attrs.field(default=0.0, init=False)
    _idle: float = attrs.field(default=inf, init=False)
    _deadline: float = attrs.field(default=inf, init=False)
    _call: IDelayedCall | None = attrs.field(default=None, init=False)

    def moved(self) -> None:
        """Something went on."""
        self._moved_at = self._clock.seconds()

    @property
    def idle(self) -> float:
        """Seconds since anything moved."""
        return self._clock.seconds() - self._moved_at

    def watch(self, idle: float, at_most: float = inf) -> None:
        """From now on expire when nothing moves for *idle* seconds, or in *at_most*, whatever moves."""
        self.moved()
        self._idle = idle
        self._deadline = self._moved_at + at_most
        self._schedule(min(idle, at_most))

    def limit(self, seconds: float) -> None:
        """Expire in *seconds*, whatever moves."""
        self.watch(inf, seconds)

    def stop(self) -> None:
        """Never expire."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _schedule(self, seconds: float) -> None:
        if self._call is not None and self._call.active():
            self._call.reset(seconds)
        else:
            self._call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        left = min(self._moved_at + self._idle, self._deadline) - self._clock.seconds()
        if left <= 0:
            self._expired()
        else:
            self._schedule(left)
