"""One turn of one subscription: what it is to be told of is read, judged and told, and its cursor moves."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from random import random
from typing import Final

import attrs
from twisted.internet.defer import DeferredSemaphore

from mailsuite.interfaces import IEventLog, INotifyChannel
from mailsuite.model.address import Address
from mailsuite.model.notice import Level
from mailsuite.model.subscription import (
    Attempt,
    ChannelTerms,
    Cursor,
    Standing,
    Subscription,
    SubscriptionState,
)
from mailsuite.notify.aftermath import Aftermath
from mailsuite.notify.book import Book
from mailsuite.notify.endings import Outcome, course, longest_wait
from mailsuite.notify.followers import Follower
from mailsuite.notify.gathering import Batch, Group, gather
from mailsuite.notify.handing import Handing
from mailsuite.notify.judging import SUPPRESSIBLE, Rules
from mailsuite.notify.rendering import NoticeKeys, render
from mailsuite.observe.log import Log

MAX_READING: Final = 16
"""Turns that read the log at a time: what one has read may be a megabyte."""
MAX_GROUPS: Final = 50
"""Notices of one turn; then others have theirs."""
AGAIN_AFTER: Final = 5.0
"""Seconds, where log, book or directory failed."""


@attrs.frozen
class DispatcherSettings:
    """``[notify]``, as far as it is the dispatcher's."""

    enabled: bool = True
    suppress: frozenset[str] = frozenset(SUPPRESSIBLE)
    """What nobody is told of."""
    windows: Mapping[str, float] = attrs.field(factory=dict)
    """Seconds by channel; of one that is not named its own terms hold."""
    max_per_hour: int = 120
    """Notices to one subscription."""


@attrs.frozen
class Rest:
    """How a turn came to its end."""

    at: float = math.inf
    """When the next one is due, in seconds since the epoch; infinite: when something happens."""
    joins: str = ""
    """A destination that gives no leave now."""


async def _no_cap(account: Address) -> Level | None:
    """Where nobody limits what is told."""
    return Level.PREVIEW


def _nobody_asks(account: Address) -> None:
    """Where it makes no difference that somebody was told."""


@attrs.define(eq=False)
class Turns:
    """Belongs to the reactor's thread."""

    events: IEventLog
    book: Book
    channels: Mapping[str, INotifyChannel]
    """By name; of others nobody is told here."""
    handing: Handing
    after: Aftermath
    keys: NoticeKeys
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log
    settings: DispatcherSettings = attrs.field(factory=DispatcherSettings)
    cap: Callable[[Address], Awaitable[Level | None]] = _no_cap
    """The most that an account may be told, by server and domain; None: nothing. Raises MailFailure."""
    told: Callable[[Address], None] = _nobody_asks
    """Is told of each account whose owner has been told of something (features row B-09)."""
    chance: Callable[[], float] = random
    """From 0 to 1, for the jitter of retries."""
    _reading: DeferredSemaphore = attrs.field(factory=lambda: DeferredSemaphore(MAX_READING), init=False)

    def tellable(self, id: str) -> Standing | None:
        """Where a subscription stands that may be told of something now; None: it may not."""
        standing = self.book.find(id)
        if standing is None or not self.settings.enabled:
            return None
        subscription = standing.subscription
        if subscription.state is not SubscriptionState.ACTIVE or subscription.channel not in self.channels:
            return None
        if subscription.expires is not None and subscription.expires <= self.now():
            return None
        return standing

    def due_at(self, standing: Standing, follower: Follower) -> float:
        """When it may be told: now, or later. A clock that was set back does not make that later."""
        cursor, now = standing.cursor, self.now()
        subscription = standing.subscription
        terms = self.channels[subscription.channel].terms
        longest = self._window(subscription, terms)
        if cursor.fails:
            longest = max(longest, longest_wait(terms))
        if cursor.due > now + longest:
            cursor = attrs.evolve(cursor, due=now + longest)
            self.book.keep(cursor)
        return max(now, cursor.due, follower.next_at(now, self.settings.max_per_hour))

    async def take(self, follower: Follower, begun: Callable[[], None]) -> Rest:
        """Tell what is due. *begun* is called as soon as the destination has given leave. Raises MailFailure
        where something is not available."""
        standing = self.tellable(follower.id)
        if standing is None:
            return Rest()
        due = self.due_at(standing, follower)
        if due > self.now():
            return Rest(due)
        subscription = standing.subscription
        in_order = keeps_order(subscription, self.channels[subscription.channel].terms)
        level = await self.cap(subscription.account)
        batch = await self._gather(follower, standing, in_order and not follower.together)
        found = self.book.find(follower.id)
        if found is None or found.subscription is not subscription:
            return Rest(self.now())  # it has changed meanwhile: judge by what it is now
        if level is None:
            self._move(attrs.evolve(found.cursor, acked=max(found.cursor.acked, batch.read_to)), follower)
            return Rest(self.now() if batch.more else math.inf)
        self._move(attrs.evolve(found.cursor, acked=max(found.cursor.acked, batch.acked)), follower)
        return await self._tell_all(follower, subscription, level, batch, begun)

    async def _gather(self, follower: Follower, standing: Standing, one_by_one: bool) -> Batch:
        now, subscription = self.now(), standing.subscription
        if now >= follower.waits_until:
            follower.judge_anew()
        async with self._reading:
            return await gather(
                self.events,
                subscription,
                standing.cursor.acked,
                Rules(now, self.settings.suppress),
                told=follower.told,
                judged_to=follower.judged_to,
                one_by_one=one_by_one,
            )

    async def _tell_all(
        self,
        follower: Follower,
        subscription: Subscription,
        level: Level,
        batch: Batch,
        begun: Callable[[], None],
    ) -> Rest:
        waited_until = follower.waits_until or math.inf
        follower.judge_anew()
        for group in batch.groups[:MAX_GROUPS]:
            async with follower.hand:
                standing = self.tellable(follower.id)
                if standing is None or standing.subscription is not subscription:
                    return Rest(self.now())
                if (at := follower.next_at(self.now(), self.settings.max_per_hour)) > self.now():
                    follower.together = True
                    return Rest(at)
                in_order = keeps_order(subscription, self.channels[subscription.channel].terms)
                if in_order and (at := self.due_at(standing, follower)) > self.now():
                    return Rest(at)
                if not self.handing.destinations.begin(subscription.target_key):
                    return Rest(joins=subscription.target_key)
                begun()
                is_well = await self._tell(follower, subscription, level, batch, group)
            if not is_well:
                found = self.book.find(follower.id)
                return Rest() if found is None else Rest(found.cursor.due)
        if len(batch.groups) > MAX_GROUPS:
            return Rest(self.now())
        # Also where there is more: it is behind what waits, and that is not looked at again and again.
        follower.judged_to, follower.waits_until = batch.read_to, min(batch.until, waited_until)
        if batch.more:
            return Rest(self.now())
        follower.together = False
        return Rest(follower.waits_until)

    async def _tell(
        self, follower: Follower, subscription: Subscription, level: Level, batch: Batch, group: Group
    ) -> bool:
        """Whether the next one can follow."""
        channel, began = self.channels[subscription.channel], self.now()
        most = min(level, channel.terms.max_level)
        # Where some have gone by age the first notice says so; after it, all is told that is left.
        missed, batch.missed = batch.missed, False
        notice = render(group.entries, subscription, most, self.keys, digest=group.digest, at_least=missed)
        follower.began(began)
        ending = await self.handing.hand(channel, subscription, notice)
        standing = self.book.find(follower.id)
        if standing is None:
            return False
        then = course(
            standing.cursor,
            ending,
            channel.terms,
            began=began,
            now=self.now(),
            window=self._window(subscription, channel.terms),
            keeps_order=keeps_order(subscription, channel.terms),
            chance=self.chance(),
        )
        attempt = Attempt(follower.id, notice.seq, began, self.now() - began, ending.result, ending.code)
        if then.given_up and not await self.after.bury(subscription, channel.terms, notice, ending):
            then = attrs.evolve(then, is_over=False, suspends=False)
            then = attrs.evolve(then, cursor=attrs.evolve(then.cursor, due=self.now() + AGAIN_AFTER))
        if then.is_over:
            batch.over(group)
            follower.told |= {entry.seq for entry in group.entries}
        cursor = attrs.evolve(then.cursor, acked=max(standing.cursor.acked, batch.acked))
        self._move(cursor, follower, attempt)
        if ending.outcome is Outcome.OK:
            follower.useful = False
            self.told(subscription.account)
        elif ending.outcome is Outcome.GONE:
            await self.after.erase(subscription, ending.result)
        elif then.suspends:
            await self.after.suspend(subscription, ending.result)
        return then.is_over and not then.suspends

    def _move(self, cursor: Cursor, follower: Follower, attempt: Attempt | None = None) -> None:
        follower.told = frozenset(seq for seq in follower.told if seq > cursor.acked)
        standing = self.book.find(follower.id)
        if attempt is not None or (standing is not None and standing.cursor != cursor):
            self.book.keep(cursor, attempt)

    def _window(self, subscription: Subscription, terms: ChannelTerms) -> float:
        """Seconds. It may ask for a longer one than others have."""
        own = subscription.window or 0.0
        if keeps_order(subscription, terms):
            return own
        return max(own, self.settings.windows.get(subscription.channel, terms.window))


def keeps_order(subscription: Subscription, terms: ChannelTerms) -> bool:
    """Whether it is told of every happening by itself: by its option ``mode``, or as its channel does."""
    mode = subscription.options.get("mode")
    return terms.each if mode is None else mode == "each"
