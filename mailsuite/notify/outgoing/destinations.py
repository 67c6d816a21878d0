"""How much may go to one destination, over all accounts, and when it is left alone.

A destination is a host and port (``target_key``). It gets a few requests at a time, and so many in a second.
Where ten in a row have failed its circuit breaker opens: for ten minutes nothing is sent, then one request
alone, to see; that closes the breaker, or opens it for another ten minutes.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import attrs

from mailsuite.model.rate import Rate
from mailsuite.notify.outgoing.budgets import Budgets

PER_HOST: Final = 4
"""Requests under way at a time; ``notify.webhook.per_host``."""
USUAL_RATE: Final = Rate(20, 1.0)
"""Requests that begin, in the long run; our own limit ..."""
USUAL_BURST: Final = 100
"""... and at once."""
MAX_FAILURES: Final = 10
"""In a row, which open the breaker ..."""
OPEN_SECONDS: Final = 600.0
"""... for so long (notifications.md section 9)."""
MAX_KNOWN: Final = 10_000
"""Destinations that something is remembered of."""


class End(enum.Enum):
    """How a request came to its end."""

    OK = "ok"
    """The destination is there and does its work, whatever it thinks of this notice."""
    FAILED = "failed"
    """It is not reached, or in trouble."""
    UNKNOWN = "unknown"
    """We broke off, or never got to ask."""


@attrs.frozen
class Trouble:
    """What outlives a restart: a destination that has failed lately."""

    key: str
    fails: int
    """In a row."""
    open_until: float = 0.0
    """Seconds since the epoch; 0: the breaker is closed."""


@attrs.define(eq=False)
class _State:
    fails: int = 0
    open_until: float = 0.0
    """0: closed."""
    active: int = 0


@attrs.define(eq=False)
class Destinations:
    """Leave to send. One for a server. One thread."""

    seconds: Callable[[], float]
    """Since the epoch."""
    per_host: int = PER_HOST
    """May be changed at any time; ``rate`` and ``burst`` by limit()."""
    rate: Rate = USUAL_RATE
    burst: int = USUAL_BURST
    _budgets: Budgets[str] = attrs.field(init=False)
    _well: dict[str, _State] = attrs.field(factory=dict, init=False)
    """Those that are in use or have failed, and whose breaker is closed; used last is last."""
    _open: dict[str, _State] = attrs.field(factory=dict, init=False)
    """Those whose breaker is open, or half open while one request is under way; the same order."""

    def __attrs_post_init__(self) -> None:
        self._budgets = Budgets(self.rate, self.burst, self.seconds)

    def __len__(self) -> int:
        """How many destinations something is remembered of, beside their budgets."""
        return len(self._well) + len(self._open)

    def ready_at(self, key: str) -> float:
        """From when on begin() may answer True, in seconds since the epoch: now, or later; infinite: not
        before a request to it has ended()."""
        state = self._open.get(key)
        if state is not None:
            if state.active:
                return math.inf
            return max(self._ends(state), self._budgets.ready_at(key))
        state = self._well.get(key)
        if state is not None and state.active >= self.per_host:
            return math.inf
        return self._budgets.ready_at(key)

    def begin(self, key: str) -> bool:
        """Whether a request may go out now; then ended() must follow."""
        if self.ready_at(key) > self.seconds():
            return False
        self._budgets.take(key)
        group = self._open if key in self._open else self._well
        state = group.pop(key, None) or _State()
        group[key] = state
        state.active += 1
        self._forget()
        return True

    def ended(self, key: str, end: End) -> None:
        """A request that began is over."""
        group = self._open if key in self._open else self._well
        state = group.pop(key)
        state.active -= 1
        if end is End.OK:
            state.fails, state.open_until = 0, 0.0
        elif end is End.FAILED:
            state.fails += 1
            if state.fails >= MAX_FAILURES:
                state.open_until = self.seconds() + OPEN_SECONDS
        if state.open_until:
            self._open[key] = state
        elif state.active or state.fails:
            self._well[key] = state
        self._forget()

    def open_until(self, key: str) -> float:
        """When a destination that is left alone is tried again, in seconds since the epoch; 0.0: it is not
        left alone."""
        state = self._open.get(key)
        return 0.0 if state is None else self._ends(state)

    def close(self, key: str) -> None:
        """Forget its failures: somebody says that it is mended."""
        state = self._open.pop(key, None) or self._well.pop(key, None)
        if state is not None and state.active:
            self._well[key] = _State(active=state.active)

    def limit(self, rate: Rate, burst: int) -> None:
        """From now on so much may go to each."""
        self.rate = self._budgets.rate = rate
        self.burst = self._budgets.burst = burst

    # What outlives a restart

    def snapshot(self) -> tuple[Trouble, ...]:
        """What restore() needs to know."""
        groups = (self._well, self._open)
        return tuple(
            Trouble(key, state.fails, state.open_until)
            for group in groups
            for key, state in group.items()
            if state.fails
        )

    def restore(self, troubles: Iterable[Trouble]) -> None:
        """Go on from a snapshot, before anything begins. One whose time is over is tried alone first, as it
        would have been."""
        for trouble in troubles:
            group = self._open if trouble.open_until else self._well
            group[trouble.key] = _State(trouble.fails, trouble.open_until)
            self._forget()

    # Inside

    def _ends(self, state: _State) -> float:
        """When its breaker lets one through; a clock that was set back does not make that later."""
        state.open_until = min(state.open_until, self.seconds() + OPEN_SECONDS)
        return state.open_until

    def _forget(self) -> None:
        """Where there are too many, one that is not in use: first one whose breaker is closed."""
        if len(self) <= MAX_KNOWN:
            return
        for group in (self._well, self._open):
            for key in list(islice(group, _LOOKS)):
                if not group[key].active:
                    del group[key]
                    return
                group[key] = group.pop(key)  # in use: look at others next time


_LOOKS: Final = 16
"""At a time; so an excess is gone soon, and no step takes long."""
