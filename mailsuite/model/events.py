"""What the event bus carries. Events are hints: the store is the truth."""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address


@attrs.frozen
class LogGrown:
    """Something happened to an account that somebody follows, and it is in the log by now."""

    account: Address
    head: int
    """The seq of its newest entry."""


Event = LogGrown
