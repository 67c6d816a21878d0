"""Another secret for what is signed: for a day notices are signed with both, so that the receiver can change
to the new one whenever it suits him (Standard Webhooks)."""

from __future__ import annotations

import secrets
from typing import Final

import attrs

from mailsuite.model.subscription import Subscription
from mailsuite.wire.webhook import Secret

OVERLAP: Final = 86_400.0
"""Seconds in which both are good."""
SECRET_OCTETS: Final = 32
_SINCE: Final = "rotated"
"""The option under which it is kept since when there is a second secret."""


def rotated(subscription: Subscription, wanted: str, now: float) -> Subscription:
    """The subscription with another secret, *wanted* or, where that is empty, one that nobody knows yet; what
    it had before goes on being good. Raises BadSecret."""
    secret = Secret.parse(wanted) if wanted else Secret(secrets.token_bytes(SECRET_OCTETS))
    options = {**subscription.options, _SINCE: str(int(now))}
    return attrs.evolve(subscription, secrets=(secret.octets, *subscription.secrets[:1]), options=options)


def settled(subscription: Subscription, now: float) -> Subscription:
    """The subscription without the old secret, as soon as its day is over; else as it is."""
    since = subscription.options.get(_SINCE)
    if since is None or now < float(since) + OVERLAP:
        return subscription
    options = {name: value for name, value in subscription.options.items() if name != _SINCE}
    return attrs.evolve(subscription, secrets=subscription.secrets[:1], options=options)
