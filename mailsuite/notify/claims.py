"""Who of an account is to be knocked at where, and where each stands.

An account may want knocks by its own preference, the three states of Mac OS X Server, and by subscriptions.
Each of these has a cursor in the book.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.interfaces import IAccountDirectory, ISightings
from mailsuite.model.address import Address
from mailsuite.model.subscription import (
    OWN_PASSWORD,
    Attempt,
    Cursor,
    Subscription,
    SubscriptionState,
    is_preference,
    preference_id,
)
from mailsuite.notify.book import Book
from mailsuite.notify.knocks import CHANNEL, REFUSED, TIMED_OUT, Claim, Knocked, result_of
from mailsuite.notify.patience import MAX_PAUSE, REFUSED_PAUSE
from mailsuite.notify.targets import (
    Target,
    TargetRules,
    Untold,
    choose_subscribed,
    choose_target,
    wants_notice,
)


@attrs.frozen
class Standing:
    """How it stood with a target when its claim was told last."""

    outcome: str
    fails: int
    """In a row."""
    at: float
    """When it was knocked at, in seconds since the epoch."""
    ago: float
    """Seconds since then."""
    suspended_for: float
    """Seconds, from now."""


@attrs.define(eq=False)
class Claims:
    """Raises what directory and sightings raise, where it asks them."""

    book: Book
    accounts: IAccountDirectory
    sightings: ISightings
    now: Callable[[], float]
    """Seconds since the epoch."""
    rules: TargetRules

    async def of(self, address: Address) -> dict[Claim, Target | Untold]:
        """All claims of an account, and where each is told, or why nowhere."""
        account = await self.accounts.account(address)
        if account is None or not await self._may_be_told(address):
            return {}
        found: dict[Claim, Target | Untold] = {}
        if wants_notice(account, self.rules):
            target = await choose_target(account, self.rules, self.sightings, self.now())
            found[Claim(preference_id(address), address)] = target
        for standing in self.book.of(address):
            subscription = standing.subscription
            if self._is_told(subscription):
                found[Claim(subscription.id, address)] = await self.subscribed(subscription)
        return found

    async def subscribed(self, subscription: Subscription) -> Target | Untold:
        return await choose_subscribed(subscription, self.rules, self.sightings, self.now())

    async def _may_be_told(self, address: Address) -> bool:
        domain = await self.accounts.domain(address.domain)
        return domain is None or domain.notify

    def _is_told(self, subscription: Subscription) -> bool:
        is_over = subscription.expires is not None and subscription.expires <= self.now()
        is_ours = subscription.channel == CHANNEL and subscription.state is SubscriptionState.ACTIVE
        return is_ours and not is_over

    async def came_since(self, claim: Claim, since: float) -> bool:
        """Whether the device that made the claim, or any where that is nobody's in particular, has logged in
        since."""
        return await self.sightings.last(claim.account, since, self.device(claim)) is not None

    def device(self, claim: Claim) -> str | None:
        """The device that made the claim; None: it goes for any."""
        subscription = self.subscription(claim)
        if subscription is None or subscription.device == OWN_PASSWORD:
            return None
        return subscription.device

    def subscription(self, claim: Claim) -> Subscription | None:
        """What it wants to be told of; None where it is gone, or is told of nothing now."""
        if is_preference(claim.id):
            return Subscription(claim.id, claim.account, OWN_PASSWORD, CHANNEL, "", "")
        standing = self.book.find(claim.id)
        if standing is None or not self._is_told(standing.subscription):
            return None
        return standing.subscription

    def cursor(self, claim: Claim) -> Cursor | None:
        """None where it is gone."""
        if is_preference(claim.id):
            return self.book.preference(claim.account) or Cursor(claim.id)
        standing = self.book.find(claim.id)
        return None if standing is None else standing.cursor

    def settle(self, claim: Claim, head: int) -> None:
        """Nobody will be told of what happened up to there."""
        cursor = self.cursor(claim)
        if cursor is not None and cursor.acked < head:
            self.book.keep(attrs.evolve(cursor, acked=head))

    def go_back(self, claim: Claim, head: int) -> None:
        """The log ends there. A cursor beyond it is of the log of somebody who had the address before: a
        knock for him was under way when his account went."""
        cursor = self.cursor(claim)
        if cursor is not None and cursor.acked > head:
            self.book.keep(attrs.evolve(cursor, acked=0))

    def record(self, claim: Claim, head: int, knocked: Knocked) -> None:
        """It was knocked for what happened up to there, and that is over unless another knock follows."""
        cursor = self.cursor(claim)
        if cursor is None:
            return
        now = self.now()
        attempt = Attempt(claim.id, head, now - knocked.took, knocked.took, result_of(knocked.outcome))
        after = attrs.evolve(
            cursor,
            acked=cursor.acked if knocked.tried_again else max(head, cursor.acked),
            last_try=now,
            last_result=f"{knocked.outcome} {knocked.target}",
            due=now + knocked.suspended_for if knocked.suspended_for else 0.0,
        )
        if knocked.is_handed_over:
            after = attrs.evolve(after, fails=0, failing_since=0.0, last_ok=now, sent=cursor.sent + 1)
        elif knocked.outcome in {REFUSED, TIMED_OUT}:
            since = cursor.failing_since if cursor.fails else now
            after = attrs.evolve(after, fails=knocked.failures, failing_since=since)
        self.book.keep(after, attempt)

    def useful(self, claim: Claim) -> None:
        """The owner came after a knock."""
        cursor = self.cursor(claim)
        if cursor is not None:
            self.book.keep(attrs.evolve(cursor, useful=cursor.useful + 1))

    def stood(self, claim: Claim, target: Target) -> Standing | None:
        """How it stood with this target, by the claim's cursor; None: it was another one, of which nothing is
        known."""
        cursor, now = self.cursor(claim), self.now()
        if cursor is None:
            return None
        outcome, _, where = cursor.last_result.partition(" ")
        if where != str(target):
            return None
        # Where the clock was set back meanwhile, nothing is further away than it could be.
        longest = REFUSED_PAUSE if outcome == REFUSED else MAX_PAUSE
        ago, left = max(0.0, now - cursor.last_try), min(max(0.0, cursor.due - now), longest)
        return Standing(outcome, cursor.fails, min(cursor.last_try, now), ago, left)
