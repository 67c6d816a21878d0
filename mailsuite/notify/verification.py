"""Whether a target wants what somebody wants sent to it: it is sent a code, and that has to come back, in its
answer or from whoever reads it there (RFC 8620 section 7.2.2)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.refusal import bad, in_words
from mailsuite.interfaces import INotifyChannel
from mailsuite.model.failure import TellingFailed, TellingRefused
from mailsuite.model.subscription import Subscription, SubscriptionState
from mailsuite.notify.book import Book
from mailsuite.notify.endings import Outcome, ending_of
from mailsuite.notify.outgoing.destinations import Destinations, End
from mailsuite.observe.log import Log

MAX_GUESSES: Final = 5
"""Wrong codes; then a new one has to be sent."""
CODE_OCTETS: Final = 16
"""128 random bits."""
VERIFY_WITHIN: Final = 86_400.0
"""Seconds from the creation on; a subscription that was not verified by then is removed."""


def new_code() -> str:
    """What a target has to show."""
    return secrets.token_hex(CODE_OCTETS)


def awaiting(subscription: Subscription, code: str) -> Subscription:
    """The subscription until *code* comes back, of which it keeps a hash alone."""
    state = SubscriptionState.UNVERIFIED
    return attrs.evolve(subscription, state=state, reason="", code=_digest(code), guesses=0)


@attrs.frozen
class Verification:
    """Sends codes and takes them back. *turn* is held by whoever changes subscriptions. Raises
    RegistryError."""

    book: Book
    destinations: Destinations
    log: Log
    turn: DeferredLock

    async def confirm(self, subscription: Subscription, code: str) -> None:
        """Make it active if the code is right. The caller holds the turn."""
        if not subscription.code:
            raise bad("code: there were too many wrong ones; have a new one sent")
        if compare_digest(subscription.code, _digest(code)):
            await self._verified(subscription)
            return
        guesses = subscription.guesses + 1
        left = MAX_GUESSES - guesses
        self.log.info(
            "notify.code_wrong", subscription=subscription.id, account=subscription.account, left=left
        )
        await self._change(
            attrs.evolve(subscription, guesses=guesses, code=subscription.code if left else "")
        )
        raise bad(f"code: it is wrong; {left} more can be tried")

    async def send(self, channel: INotifyChannel, subscription: Subscription, code: str) -> None:
        """Send the code, within the budget of the destination. What comes of it stands in the subscription,
        which is there in any case."""
        key, end, reason = subscription.target_key, End.UNKNOWN, ""
        if not self.destinations.begin(key):
            reason = f"no code was sent: {key} gets or refuses too much just now; have one sent later"
            await self._unless_changed(subscription, self._noting(reason))
            return
        try:
            is_back, end = await channel.verify(subscription, code), End.OK
        except (TellingFailed, TellingRefused) as failure:
            ending = ending_of(failure)
            is_refusal = ending.outcome is not Outcome.FAILED and ending.was_asked
            what = "the target refused the code" if is_refusal else "the code could not be sent"
            is_back, end, reason = False, ending.of_destination, f"{what}: {failure.detail}"
        finally:
            self.destinations.ended(key, end)
        await self._unless_changed(subscription, self._verified if is_back else self._noting(reason))

    def _noting(self, reason: str) -> Callable[[Subscription], Awaitable[None]]:
        async def note(subscription: Subscription) -> None:
            await self._change(attrs.evolve(subscription, reason=reason))

        return note

    async def _unless_changed(
        self, sent: Subscription, act: Callable[[Subscription], Awaitable[None]]
    ) -> None:
        """Somebody may have removed it meanwhile, confirmed it, or had another code sent."""
        async with self.turn:
            standing = self.book.find(sent.id)
            if standing is not None and standing.subscription.code == sent.code:
                await act(standing.subscription)

    async def _verified(self, subscription: Subscription) -> None:
        active = SubscriptionState.ACTIVE
        await self._change(attrs.evolve(subscription, state=active, reason="", code="", guesses=0))
        self.log.info("notify.verified", subscription=subscription.id, account=subscription.account)

    async def _change(self, subscription: Subscription) -> None:
        with in_words("the subscription"):
            await self.book.change(subscription)


def _digest(code: str) -> str:
    return sha256(code.strip().encode("utf-8", "replace")).hexdigest()
