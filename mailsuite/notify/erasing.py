"""Whoever is gone leaves nothing, also where no server runs that has the subscriptions in a book."""

from __future__ import annotations

from mailsuite.interfaces import IEventLog, ISubscriptions
from mailsuite.model.address import Address
from mailsuite.model.subscription import preference_id


async def erase(
    subscriptions: ISubscriptions, event_log: IEventLog, account: Address, device: str | None = None
) -> None:
    """Remove what this device of the account made; None: all of the account's, and what happened to it. Fails
    as both do."""
    for standing in await subscriptions.all():
        subscription = standing.subscription
        if subscription.account == account and device in (None, subscription.device):
            await subscriptions.remove(subscription.id)
    if device is None:
        await subscriptions.remove(preference_id(account))
        await event_log.erase(account)
