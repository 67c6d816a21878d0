"""What the event bus carries. Events are hints: the store is the truth."""

from __future__ import annotations

import attrs

from mailsuite.model.address import Address
from mailsuite.model.quota import QuotaReached


@attrs.frozen
class MessageStored:
    """A message became durable and visible; published after the commit, never before."""

    account: Address
    uidl: str
    size: int


Event = MessageStored | QuotaReached
