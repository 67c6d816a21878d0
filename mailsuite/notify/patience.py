"""When to try a failing listener again, and when to leave it alone.

Without the short leash a hundred thousand accounts behind silent firewalls would hold hundreds of sockets
open for nothing; a refusal costs next to nothing but helps nobody either.
"""

from __future__ import annotations

import attrs

RETRY_AFTER = 30.0
"""Seconds between a time-out and its one retry."""
MAX_REFUSALS = 3
"""Refusals in a row that suspend a target ..."""
REFUSED_PAUSE = 3600.0
"""... for so many seconds, or until the account logs in again."""
MAX_TIMEOUTS = 2
"""Time-outs in a row that suspend a target ..."""
TIMED_OUT_PAUSE = 6 * 3600.0
"""... for so many seconds; each further one doubles it."""
MAX_PAUSE = 7 * 86400.0


@attrs.define
class Patience:
    """Counts one target's failures in a row. A pause is in seconds; 0.0 means: not suspended.

    After a pause, one more failure of the same kind suspends again.
    """

    refusals: int = attrs.field(default=0, init=False)
    timeouts: int = attrs.field(default=0, init=False)

    def sent(self) -> None:
        """Somebody listens."""
        self.refusals = self.timeouts = 0

    def refused(self) -> float:
        """Nobody listens: answer the pause."""
        self.timeouts = 0
        self.refusals += 1
        return REFUSED_PAUSE if self.refusals >= MAX_REFUSALS else 0.0

    def timed_out(self) -> float:
        """No answer: answer the pause; where there is none, one retry is due after RETRY_AFTER."""
        self.refusals = 0
        self.timeouts += 1
        if self.timeouts < MAX_TIMEOUTS:
            return 0.0
        pause = TIMED_OUT_PAUSE
        for _ in range(self.timeouts - MAX_TIMEOUTS):
            if pause >= MAX_PAUSE:
                break
            pause *= 2
        return min(pause, MAX_PAUSE)
