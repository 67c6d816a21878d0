"""NotifyMail as one of the ways that a subscription may name: ``target`` is where the listener is, or
``last-ip``; option ``transport`` is tcp or udp.

Knocks have budgets, suspensions and a window of their own for each listener, over all accounts
(notify/notifier.py). So this checks what somebody asks for, and knocks for whoever tries it out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
from zope.interface import implementer

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.failure import TellingFailed, TellingRefused
from mailsuite.model.notice import Level, Notice
from mailsuite.model.subscription import Attempt, ChannelTerms, Subscription
from mailsuite.notify.knocks import CHANNEL
from mailsuite.notify.listeners import read_listener
from mailsuite.notify.patience import RETRY_AFTER
from mailsuite.notify.targets import BY_LEAVE, TargetRules, objection_to_naming

TRANSPORTS: Final = ("tcp", "udp")


@implementer(INotifyChannel)
@attrs.frozen
class NotifyMail:
    """Rules and window may change at any time."""

    rules: Callable[[], TargetRules]
    window: Callable[[], float]
    """Seconds."""
    knock: Callable[[str], Awaitable[Attempt]]
    """Knocks for the subscription of this id: notify/notifier.py's Notifier.tell_now."""
    name: str = attrs.field(default=CHANNEL, init=False)

    @property
    def terms(self) -> ChannelTerms:
        return ChannelTerms(
            max_level=Level.KNOCK,
            window=self.window(),
            each=False,
            retries=(RETRY_AFTER,),
            jitter=0.0,
            suspends=False,
            verifies=False,
        )

    def prepare(self, subscription: Subscription, by_admin: bool = False) -> Subscription:
        rules = self.rules()
        try:
            listener = read_listener(subscription.target)
        except ValueError as error:
            raise ValueError(f"target: {error}") from None
        if said := objection_to_naming(listener.address, listener.port, rules):
            raise ValueError(f"target: {said}")
        options = dict(subscription.options)
        transport = options.pop("transport", "tcp")
        if transport not in TRANSPORTS:
            raise ValueError("options.transport: tcp or udp")
        if transport == "udp" and not rules.udp:
            raise ValueError("options.transport: udp is switched off (notify.notifymail.udp)")
        if unknown := set(options) - {BY_LEAVE}:
            raise ValueError(f"options.{min(unknown)}: notifymail takes none of that name")
        kept = {"transport": transport}
        if by_admin:
            kept[BY_LEAVE] = "yes"
        return attrs.evolve(
            subscription, target=str(listener), target_key=str(listener), secrets=(), options=kept
        )

    async def tell(self, subscription: Subscription, notice: Notice) -> int:
        attempt = await self.knock(subscription.id)
        if attempt.result == "refused":
            raise TellingRefused(attempt.result)
        if not attempt.result.startswith("ok"):
            raise TellingFailed(attempt.result)
        return 0

    async def verify(self, subscription: Subscription, code: str) -> bool:
        return True

    async def stop(self) -> None:
        return
