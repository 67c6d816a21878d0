"""The clock of one connection, a client's or a server's."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

LOOK_EVERY = 60.0
"""Seconds after which the timer looks at the latest, however long it waits: so a shorter wait that follows a
longer one mostly finds a look in time, and needs no other call."""


def _never() -> float:
    return inf


@attrs.define(eq=False)
class Timer:
    """Calls *expired* when nothing has moved for a while, or when a limit is over.

    One delayed call per connection: it looks how long ago anything moved, and comes back. So moved(), which
    is called for every piece of input, costs next to nothing; and so does watch(), called for each message.
    """

    _clock: IReactorTime
    _expired: Callable[[], None]
    _moved_at: float = attrs.field(default=0.0, init=False)
    _idle: float = attrs.field(default=inf, init=False)
    _deadline: float = attrs.field(default=inf, init=False)
    _until: Callable[[], float] = attrs.field(default=_never, init=False)
    _call: IDelayedCall | None = attrs.field(default=None, init=False)

    def moved(self) -> None:
        """Something went on."""
        self._moved_at = self._clock.seconds()

    @property
    def idle(self) -> float:
        """Seconds since anything moved."""
        return self._clock.seconds() - self._moved_at

    def watch(self, idle: float, by: float = inf, until: Callable[[], float] = _never) -> None:
        """From now on expire when nothing moves for *idle* seconds; at *by*, a time of the clock, whatever
        moves; and at the time that *until* answers, which may become later and later, but no earlier."""
        self.moved()
        self._idle, self._deadline, self._until = idle, by, until
        self._look_by(self._due())

    def limit(self, seconds: float) -> None:
        """Expire in *seconds*, whatever moves."""
        self.watch(inf, self._clock.seconds() + seconds)

    def stop(self) -> None:
        """Never expire."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _due(self) -> float:
        return min(self._moved_at + self._idle, self._deadline, self._until())

    def _look_by(self, due: float) -> None:
        seconds = max(0.0, min(due - self._clock.seconds(), LOOK_EVERY))
        if self._call is not None and self._call.active():
            if self._call.getTime() <= due:
                return
            self._call.cancel()  # reset() searches all calls for it: while 10,000 sessions end, a minute
        self._call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        due = self._due()
        if due <= self._clock.seconds():
            self._expired()
        else:
            self._look_by(due)
