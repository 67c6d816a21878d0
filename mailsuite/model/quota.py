"""How much mail an account may have."""

from __future__ import annotations

import attrs


@attrs.frozen
class Quota:
    """Limits of a maildrop; None is no limit."""

    octets: int | None = None
    messages: int | None = None

    @property
    def is_unlimited(self) -> bool:
        return self.octets is None and self.messages is None

    def within(self, general: Quota) -> Quota:
        """What holds where *general* is for all, and this says otherwise in one or the other."""
        return Quota(
            general.octets if self.octets is None else self.octets,
            general.messages if self.messages is None else self.messages,
        )


UNLIMITED = Quota()
