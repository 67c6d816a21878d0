"""What follows where a subscription cannot be told: what is given up is kept, and who has failed for too long
is left alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
from twisted.python.failure import Failure

from mailsuite.interfaces import ISubscriptions
from mailsuite.model.failure import MailFailure
from mailsuite.model.notice import Notice
from mailsuite.model.subscription import ChannelTerms, DeadLetter, Subscription, SubscriptionState
from mailsuite.notify.book import Book
from mailsuite.notify.endings import Ending, Outcome, give_up
from mailsuite.observe.log import Log


async def _nobody_is_told(subscription: Subscription, reason: str) -> None:
    """Where no owner can be told that a subscription was left alone."""


@attrs.define(eq=False)
class Aftermath:
    """Belongs to the reactor's thread. Nothing here raises but cancellation."""

    kept: ISubscriptions
    book: Book
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log
    owner: Callable[[Subscription, str], Awaitable[None]] = _nobody_is_told
    """Is told once of each subscription that is left alone from now on, and why. May raise MailFailure."""
    _ending: set[str] = attrs.field(factory=set, init=False)
    """Those whose end is being written."""

    async def bury(
        self, subscription: Subscription, terms: ChannelTerms, notice: Notice, ending: Ending
    ) -> bool:
        """Whether what is given up is kept, where it is to be."""
        if ending.outcome is Outcome.GONE:
            return True
        self.log.info(
            "notify.given_up",
            subscription=subscription.id,
            account=subscription.account,
            channel=subscription.channel,
            host=subscription.target_key,
            seq=notice.seq,
            count=notice.count,
            result=ending.result,
        )
        if not terms.buries:
            return True
        letter = DeadLetter(subscription.id, notice.first, notice.seq, self.now(), ending.result, ending.code)
        try:
            await self.kept.bury(letter)
        except MailFailure as failure:
            self.log.warning("notify.unburied", subscription=subscription.id, reason=failure.reason)
            return False
        return True

    async def despair(self, subscription: Subscription, terms: ChannelTerms) -> None:
        """Give up on one whose destination has been left alone for as long as all its retries take."""
        standing = self.book.find(subscription.id)
        if standing is None or standing.subscription is not subscription:
            return
        self.book.keep(give_up(standing.cursor, terms, now=self.now(), window=0.0, keeps_order=False).cursor)
        if terms.suspends:
            await self.suspend(subscription, "its host has failed for too long")

    async def suspend(self, subscription: Subscription, reason: str) -> None:
        """Tell it nothing until somebody resumes it; its owner hears of that once."""
        if not await self._end(subscription, reason, _suspended):
            return
        self._say("notify.subscription_suspended", subscription, reason)
        try:
            await self.owner(subscription, reason)
        except MailFailure as failure:
            self.log.warning("notify.owner_untold", subscription=subscription.id, reason=failure.reason)
        except Exception:
            self.log.failure("notify.failed", Failure(), subscription=subscription.id)

    async def erase(self, subscription: Subscription, reason: str) -> None:
        """Its target is no more: forget all that was secret of it."""
        if await self._end(subscription, reason, _dead):
            self._say("notify.subscription_dead", subscription, reason)

    async def _end(
        self, subscription: Subscription, reason: str, ended: Callable[[Subscription], Subscription]
    ) -> bool:
        """Whether it is *ended* now. What its owner has changed of it meanwhile stays."""
        id = subscription.id
        found = self.book.find(id)
        is_active = found is not None and found.subscription.state is SubscriptionState.ACTIVE
        if found is None or not is_active or id in self._ending:
            return False
        self._ending.add(id)
        try:
            await self.book.change(attrs.evolve(ended(found.subscription), reason=reason))
        except MailFailure as failure:
            self.log.warning("notify.unchanged", subscription=id, reason=failure.reason)
            return False
        finally:
            self._ending.discard(id)
        return True

    def _say(self, event: str, subscription: Subscription, reason: str) -> None:
        self.log.info(
            event,
            subscription=subscription.id,
            account=subscription.account,
            channel=subscription.channel,
            host=subscription.target_key,
            reason=reason,
        )


def _suspended(subscription: Subscription) -> Subscription:
    return attrs.evolve(subscription, state=SubscriptionState.SUSPENDED)


def _dead(subscription: Subscription) -> Subscription:
    return attrs.evolve(
        subscription, state=SubscriptionState.DEAD, target="", secrets=(), options={}, code=""
    )
