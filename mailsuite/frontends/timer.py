"""The clock of one connection."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@attrs.define(eq=False)
class Timer:
    """Calls *expired* when nothing has moved for *idle* seconds, or when a limit is over.

    One delayed call per connection: it looks how long ago anything moved, and comes back. So moved(), which
    is called for every piece of input, costs next to nothing.
    """

    _clock: IReactorTime
    _idle: float
    _expired: Callable[[], None]
    _moved_at: float = attrs.field(default=0.0, init=False)
    _limited: bool = attrs.field(default=False, init=False)
    _call: IDelayedCall | None = attrs.field(default=None, init=False)

    def moved(self) -> None:
        """Something went on."""
        self._moved_at = self._clock.seconds()

    def watch(self) -> None:
        """From now on expire when nothing moves."""
        self.moved()
        self._limited = False
        self._schedule(self._idle)

    def limit(self, seconds: float) -> None:
        """Expire in *seconds*, whatever moves."""
        self._limited = True
        self._schedule(seconds)

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
        left = self._moved_at + self._idle - self._clock.seconds()
        if self._limited or left <= 0:
            self._expired()
        else:
            self._schedule(left)
