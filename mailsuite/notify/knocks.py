"""Who wants to hear knocks, and what came of one."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.model.address import Address
from mailsuite.notify.channels.nm import ANSWERED, SENT
from mailsuite.notify.targets import Target

CHANNEL: Final = "notifymail"
REFUSED: Final = "refused"
TIMED_OUT: Final = "timed-out"
NO_ROUTE: Final = "no-route"
HANDED_OVER: Final = frozenset({SENT, ANSWERED})
_RESULTS: Final = {SENT: "ok", ANSWERED: "ok, but something like a finger daemon answered"}


@attrs.frozen
class Claim:
    """An account by its own preference, or a subscription of it."""

    id: str
    """Of the subscription, or preference_id()."""
    account: Address


@attrs.frozen
class Knocked:
    """What came of one knock."""

    target: Target
    outcome: str
    """SENT, ANSWERED, REFUSED, TIMED_OUT or NO_ROUTE."""
    took: float
    """Seconds."""
    failures: int = 0
    """In a row, of this kind; counting this one."""
    suspended_for: float = 0.0
    """Seconds for which the target is left alone now; 0: it is not."""
    tried_again: bool = False
    """It has timed out for the first time, and another knock follows."""

    @property
    def is_handed_over(self) -> bool:
        return self.outcome in HANDED_OVER


def result_of(outcome: str) -> str:
    """The outcome for people."""
    return _RESULTS.get(outcome, outcome)
