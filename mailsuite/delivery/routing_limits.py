"""How much mail for unknown names a domain's catch-all takes (features row L-05)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from mailsuite.model.rate import Rate


@attrs.define(eq=False)
class CatchAllLimits:
    """One for the whole server, so that a spammer who guesses names at several doors has one allowance.

    Grows with the domains that have a catch-all, which are ours, and with what the rate allows.
    """

    _seconds: Callable[[], float]
    """A clock that never goes back."""
    _taken: dict[str, deque[float]] = attrs.field(factory=dict, init=False)

    def take(self, domain: str, rate: Rate) -> bool:
        """Whether one more may be taken now; it counts then."""
        now = self._seconds()
        taken = self._taken.setdefault(domain, deque())
        while taken and now - taken[0] >= rate.seconds:
            taken.popleft()
        if len(taken) >= rate.count:
            return False
        taken.append(now)
        return True
