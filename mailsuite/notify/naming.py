"""Which listeners a user may name for knocks: those at an address that an authenticated connection of his
account came from. An administrator may name any that the rules allow."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.interfaces import ISightings
from mailsuite.model.access import unmapped
from mailsuite.model.subscription import Subscription
from mailsuite.notify.knocks import CHANNEL
from mailsuite.notify.listeners import LAST_IP, read_listener
from mailsuite.notify.office import Caller
from mailsuite.notify.targets import BY_LEAVE, PROVED_FOR


@attrs.frozen
class Naming:
    """What the office asks before it takes a subscription. Raises what the sightings raise."""

    sightings: ISightings
    now: Callable[[], float]
    """Seconds since the epoch."""

    async def __call__(self, subscription: Subscription, caller: Caller) -> str:
        """What speaks against it, in a sentence for who asks; empty: nothing."""
        if subscription.channel != CHANNEL or BY_LEAVE in subscription.options:
            return ""
        address = read_listener(subscription.target).address
        if address is None or (caller.peer is not None and unmapped(caller.peer) == address):
            return ""
        since = self.now() - PROVED_FOR
        if await self.sightings.seen_from(subscription.account, address, since):
            return ""
        return (
            f"target: {subscription.account} was not seen at {address} within 30 days; log in from there, or "
            f"ask for {LAST_IP}"
        )
