"""What somebody asks for by hand: a notice to see whether it arrives, and one that was given up once more."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.interfaces import INotifyChannel
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.notice import Entry, Level, Notice
from mailsuite.model.reply import MESSAGE_GONE, NO_ANSWER, NO_SUCH_SUBSCRIPTION, NOBODY_LISTENS
from mailsuite.model.subscription import Attempt, DeadLetter, Subscription, SubscriptionState
from mailsuite.notify.endings import Outcome
from mailsuite.notify.followers import Follower
from mailsuite.notify.gathering import PAGE
from mailsuite.notify.judging import unwanted
from mailsuite.notify.rendering import render, trial
from mailsuite.notify.turns import Turns

NOT_NOW = "not now: as much goes to its host as may"


@attrs.frozen
class Trials:
    """Past windows and quiet times, but within what may go to a destination, and never beside another notice
    to the same subscription."""

    turns: Turns
    follower: Callable[[str], Follower]

    async def tell_now(self, id: str) -> Attempt:
        """Tell a notice of nothing, and answer how that ended.

        Raises PermanentFailure where there is no such subscription, or its target has not shown that it wants
        anything, or wants nothing any more; and TemporaryFailure where nothing can be told now.
        """
        subscription, channel, level = await self._asked(id)
        account = subscription.account
        head = (await self.turns.events.heads([account]))[account]
        notice = trial(subscription, level, self.turns.keys, head, self.turns.now())
        attempt, _ = await self._hand(subscription, channel, notice)
        return attempt

    async def replay(self, id: str, seq: int) -> Attempt:
        """Tell what was given up and ends with *seq*; once it is told it is forgotten.

        Raises as tell_now() does, and PermanentFailure(MESSAGE_GONE) where nothing of that is left.
        """
        subscription, channel, level = await self._asked(id)
        letters = await self.turns.after.kept.dead_letters(id)
        letter = next((each for each in letters if each.seq == seq), None)
        if letter is None:
            raise PermanentFailure(MESSAGE_GONE, f"nothing that ends with {seq} was given up")
        entries = await self._entries(subscription, letter)
        if not entries:
            raise PermanentFailure(MESSAGE_GONE, "the log has it no more")
        is_whole = entries[0].seq == letter.first
        notice = render(entries, subscription, level, self.turns.keys, at_least=not is_whole)
        attempt, is_told = await self._hand(subscription, channel, notice)
        if is_told:
            await self.turns.after.kept.unbury(id, seq)
        return attempt

    async def _asked(self, id: str) -> tuple[Subscription, INotifyChannel, Level]:
        standing = self.turns.book.find(id)
        if standing is None:
            raise PermanentFailure(NO_SUCH_SUBSCRIPTION)
        subscription = standing.subscription
        if subscription.state in (SubscriptionState.UNVERIFIED, SubscriptionState.DEAD):
            raise PermanentFailure(NOBODY_LISTENS, f"the subscription is {subscription.state.value}")
        channel = self.turns.channels.get(subscription.channel)
        level = await self.turns.cap(subscription.account)
        if channel is None or level is None or not self.turns.settings.enabled:
            raise TemporaryFailure(NO_ANSWER, "notices are off, or those of its channel or its domain")
        return subscription, channel, min(level, channel.terms.max_level)

    async def _entries(self, subscription: Subscription, letter: DeadLetter) -> list[Entry]:
        """What is left of it: of the kind of its newest, as far as it is wanted now."""
        entries: list[Entry] = []
        after = letter.first - 1
        while after < letter.seq:
            stretch = await self.turns.events.read(subscription.account, after, PAGE)
            entries += (entry for entry in stretch.entries if entry.seq <= letter.seq)
            if not stretch.entries or stretch.entries[-1].seq >= letter.seq:
                break
            after = stretch.entries[-1].seq
        if not entries or entries[-1].seq != letter.seq:
            return []
        kind, suppress = entries[-1].happening.kind, self.turns.settings.suppress
        return [
            entry
            for entry in entries
            if entry.happening.kind is kind and not unwanted(entry.happening, subscription.filter, suppress)
        ]

    async def _hand(
        self, subscription: Subscription, channel: INotifyChannel, notice: Notice
    ) -> tuple[Attempt, bool]:
        """And whether it was told."""
        follower, now = self.follower(subscription.id), self.turns.now
        async with follower.hand:
            began = now()
            if not self.turns.handing.destinations.begin(subscription.target_key):
                return Attempt(subscription.id, notice.seq, began, 0.0, NOT_NOW), False
            follower.began(began)
            ending = await self.turns.handing.hand(channel, subscription, notice)
        attempt = Attempt(subscription.id, notice.seq, began, now() - began, ending.result, ending.code)
        standing = self.turns.book.find(subscription.id)
        if standing is not None:
            is_told = ending.outcome is Outcome.OK
            cursor = attrs.evolve(standing.cursor, last_try=began, last_result=ending.result)
            if is_told:
                cursor = attrs.evolve(cursor, last_ok=now(), sent=cursor.sent + 1)
            self.turns.book.keep(cursor, attempt)
        if ending.outcome is Outcome.GONE:
            await self.turns.after.erase(subscription, ending.result)
        return attempt, ending.outcome is Outcome.OK
