"""Who waits for leave to send to a destination: one line for each, first come first served."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import attrs

from mailsuite.notify.outgoing.destinations import Destinations


@attrs.define(eq=False)
class Lines:
    """One at a time is let in from each line, and the next when that one has begun, or gone away: so nobody
    looks at what he would tell before he may, and nobody comes in between."""

    destinations: Destinations
    now: Callable[[], float]
    """Seconds since the epoch."""
    look_at: Callable[[str, float], None]
    """Have come_up() called with this destination at that moment."""
    let_in: Callable[[str, str], None]
    """Is told of who is let in, and to which destination: passed() must follow."""
    _lines: dict[str, deque[str]] = attrs.field(factory=dict, init=False)
    _let_in: set[str] = attrs.field(factory=set, init=False)
    """Destinations to which somebody is on the way in."""

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._lines.values()))

    def is_closed(self, key: str) -> bool:
        """Whether somebody who comes now has to wait."""
        return key in self._lines or self.destinations.ready_at(key) > self.now()

    def join(self, key: str, id: str, *, in_front: bool = False) -> None:
        """Wait; one who waits already must not join again."""
        line = self._lines.setdefault(key, deque())
        if in_front:
            line.appendleft(id)
        else:
            line.append(id)
        self._arrange(key)

    def passed(self, key: str) -> None:
        """Who was let in has begun, or does not want to."""
        self._let_in.discard(key)
        self._arrange(key)

    def freed(self, key: str) -> None:
        """Something that went to this destination is over."""
        self._arrange(key)

    def come_up(self, key: str) -> None:
        """It is time to look."""
        if key not in self._lines or key in self._let_in:
            return
        if self.destinations.ready_at(key) > self.now():
            self._arrange(key)
            return
        line = self._lines[key]
        id = line.popleft()
        if not line:
            del self._lines[key]
        self._let_in.add(key)
        self.let_in(id, key)

    def dissolve(self) -> list[str]:
        """Nobody waits any more; answers who did."""
        waited = [id for line in self._lines.values() for id in line]
        self._lines.clear()
        self._let_in.clear()
        return waited

    def _arrange(self, key: str) -> None:
        if key in self._lines and key not in self._let_in:
            at = self.destinations.ready_at(key)
            if at < math.inf:  # else freed() comes
                self.look_at(key, at)
