"""How much mail an account may have, and when its owner hears of it (features row L-07)."""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.model.address import Address
from mailsuite.model.retention import Usage

WARNING_LEVELS: Final = (80, 95)
"""Percent of a quota at which the owner is warned, the lowest first."""


@attrs.frozen
class Quota:
    """Limits of a maildrop. None: nothing is said; 0: there is no limit."""

    octets: int | None = None
    messages: int | None = None

    @property
    def is_unlimited(self) -> bool:
        return not self.octets and not self.messages

    def within(self, general: Quota) -> Quota:
        """What holds where *general* is for all, and this says otherwise in one or the other."""
        return Quota(
            general.octets if self.octets is None else self.octets,
            general.messages if self.messages is None else self.messages,
        )

    def holds(self, octets: int, messages: int) -> bool:
        """Whether so much is within the limits."""
        return not (self.octets and octets > self.octets) and not (self.messages and messages > self.messages)

    def percent(self, octets: int, messages: int) -> int:
        """How much of it so much is, rounded down; of the limit that is nearer. 0 where there is none."""
        of_octets = 100 * octets // self.octets if self.octets else 0
        of_messages = 100 * messages // self.messages if self.messages else 0
        return max(of_octets, of_messages)

    def level(self, octets: int, messages: int) -> int:
        """The highest of WARNING_LEVELS that so much has reached; 0 below all of them."""
        percent = self.percent(octets, messages)
        if percent < WARNING_LEVELS[0]:  # nearly all
            return 0
        return max(level for level in WARNING_LEVELS if percent >= level)


UNLIMITED = Quota()
"""Nothing is said."""


@attrs.frozen
class QuotaReached:
    """A maildrop has come to one of WARNING_LEVELS. Told once per crossing: it has to be below the level
    again before there is another."""

    account: Address
    level: int
    """Percent."""
    usage: Usage
    quota: Quota
