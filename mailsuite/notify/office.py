"""What users and administrators do with subscriptions, whichever way they come: HTTP, command line, mail.

A subscription belongs to the credential that made it. A device's sees and changes its own, the account's own
password all of the account's, an administrator all there are; for anybody else it is not there
(RFC 8620 section 7.2). Nothing is sent to a target but a code until it has shown that it wants more.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import DeferredLock

from mailsuite.accounts.refusal import RegistryError, bad, in_words
from mailsuite.interfaces import IEventLog, INotifyChannel, ISubscriptions
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.notice import Level
from mailsuite.model.rate import Rate
from mailsuite.model.subscription import OWN_PASSWORD, Attempt, Standing, Subscription, SubscriptionState
from mailsuite.notify import wishes
from mailsuite.notify.book import Book
from mailsuite.notify.outgoing.budgets import Budgets
from mailsuite.notify.outgoing.destinations import Destinations
from mailsuite.notify.rotation import rotated, settled
from mailsuite.notify.verification import VERIFY_WITHIN, Verification, awaiting, new_code
from mailsuite.notify.wishes import Document
from mailsuite.observe.log import Log
from mailsuite.wire.webhook import Secret

MAX_SUBSCRIPTIONS: Final = 15
"""Of one account, streams not counted (notifications.md section 7)."""
CREATIONS: Final = Rate(10, 3600.0)
"""Of one account; a code that is sent anew counts, too."""
ID_OCTETS: Final = 12
SIGNED: Final = "webhook"
"""The channel whose notices are signed with a secret that receiver and server share."""
STREAM: Final = "stream"
"""The channel of those who stay connected: they come and go by themselves (web/stream.py)."""


@attrs.frozen
class Caller:
    """Who asks."""

    account: Address
    """Whose subscriptions are meant, canonical."""
    device: str = OWN_PASSWORD
    """By whose password: a device's id, or OWN_PASSWORD."""
    is_admin: bool = False
    peer: IPAddress | None = None
    """From where; None: that says nothing."""

    def owns(self, subscription: Subscription) -> bool:
        """Whether they may see and change it."""
        if self.is_admin:
            return True
        return subscription.account == self.account and self.device in (OWN_PASSWORD, subscription.device)


class Desk(Protocol):
    """Who tells: notify/dispatcher.py's Dispatcher."""

    async def tell_now(self, id: str) -> Attempt:
        """Tell a test notice, past windows and quiet times."""

    async def replay(self, id: str, seq: int) -> Attempt:
        """Tell again what was given up. Raises PermanentFailure where the log has it no more."""


async def _nobody_objects(subscription: Subscription, caller: Caller) -> str:
    """Where a channel's own word is enough."""
    return ""


def _nobody_is_told(subscription: Subscription) -> None:
    """Where nothing hangs on a subscription that goes."""


@attrs.frozen
class Made:
    """A subscription that was made just now."""

    document: Document
    secret: str
    """What its notices are signed with, where that was made here: it is told this once. Else empty."""


@attrs.define(eq=False)
class Office:
    """One for a server. All methods raise RegistryError with a sentence for who asks; those on one
    subscription "not-found" where it is not theirs."""

    book: Book
    kept: ISubscriptions
    events: IEventLog
    channels: Mapping[str, INotifyChannel]
    """Those that are offered now, by name."""
    desk: Desk
    destinations: Destinations
    cap: Callable[[Address], Awaitable[Level | None]]
    """The most that notices of an account may tell, by server and domain; None: it gets none. Raises
    MailFailure."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    log: Log = attrs.field(factory=Log)
    objection: Callable[[Subscription, Caller], Awaitable[str]] = _nobody_objects
    """What else speaks against a new one, in a sentence that names the field; empty: nothing."""
    removed: Callable[[Subscription], None] = _nobody_is_told
    """Is told of each that was removed."""
    _creations: Budgets[Address] = attrs.field(init=False)
    """Of users; what an administrator makes counts for nobody."""
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)
    """Whoever adds one has counted them."""

    _verification: Verification = attrs.field(init=False)

    @_verification.default
    def _make_verification(self) -> Verification:
        return Verification(self.book, self.destinations, self.log, self._turn)

    @_creations.default
    def _make_creations(self) -> Budgets[Address]:
        return Budgets(CREATIONS, CREATIONS.count, self.now)

    # Looking

    async def of(self, caller: Caller) -> list[Document]:
        """Theirs, the oldest first."""
        return [await self._document(each) for each in self._theirs(caller)]

    async def one(self, caller: Caller, id: str) -> Document:
        """One of them."""
        return await self._document(self._found(caller, id))

    async def attempts(self, caller: Caller, id: str = "") -> list[Document]:
        """What was tried lately, the newest first, of one of theirs or of all."""
        standings = [self._found(caller, id)] if id else self._theirs(caller)
        with in_words("the attempts"):
            tried = [each for one in standings for each in await self.book.attempts(one.subscription.id)]
        tried.sort(key=lambda attempt: attempt.at, reverse=True)
        return [wishes.attempt_document(each) for each in tried]

    async def letters(self, caller: Caller, id: str) -> list[Document]:
        """What was given up of one of theirs, and can be told again."""
        subscription = self._found(caller, id).subscription
        with in_words("the notices that were given up"):
            return [wishes.letter_document(each) for each in await self.kept.dead_letters(subscription.id)]

    def _theirs(self, caller: Caller) -> list[Standing]:
        standings = (each for each in self.book.of(caller.account) if caller.owns(each.subscription))
        return sorted(standings, key=lambda each: (each.subscription.created, each.subscription.id))

    def _found(self, caller: Caller, id: str) -> Standing:
        standing = self.book.find(id)
        if standing is None or not caller.owns(standing.subscription):
            raise RegistryError("not-found", f"there is no subscription {id[:40]!r}")
        return standing

    async def _document(self, standing: Standing) -> Document:
        subscription = standing.subscription
        with in_words(str(subscription.account)):
            most = await self.cap(subscription.account)
        channel = self.channels.get(subscription.channel)
        if most is not None and channel is not None:
            most = min(most, channel.terms.max_level)
        return wishes.subscription_document(standing, most)

    # Making

    async def subscribe(
        self, caller: Caller, fields: Mapping[str, object], *, verified: bool = False
    ) -> Made:
        """Make one, and send its target a code where its channel wants that, unless it is *verified* already:
        an administrator may vouch for it."""
        if verified and not caller.is_admin:
            raise bad("verified: only an administrator can say that")
        wish = wishes.wish(fields)
        channel = self._channel(wish["channel"])
        with in_words(str(caller.account)):
            if await self.cap(caller.account) is None:
                raise RegistryError("read-only", f"there are no notices for {caller.account}")
        subscription = await self._prepared(caller, channel, wish)
        code = new_code() if channel.terms.verifies and not verified else ""
        if code:
            subscription = awaiting(subscription, code)
        async with self._turn:
            self._make_room(caller)
            with in_words("the subscription"):
                heads = await self.events.heads([caller.account])
                await self.book.add(subscription, heads[caller.account])
        self._say("notify.subscribed", subscription, caller)
        if code:
            await self._verification.send(channel, subscription, code)
        return Made(await self.one(caller, subscription.id), _told_once(subscription, wish["options"]))

    def _channel(self, name: str) -> INotifyChannel:
        channel = self.channels.get(name)
        if channel is None:
            known = ", ".join(sorted(self.channels)) or "none"
            raise bad(f"channel: {name!r} is not offered here; there are: {known}")
        return channel

    async def _prepared(self, caller: Caller, channel: INotifyChannel, wish: dict[str, Any]) -> Subscription:
        now = self.now()
        asked = Subscription(
            id="sub_" + secrets.token_urlsafe(ID_OCTETS),
            account=caller.account,
            device=OWN_PASSWORD if caller.is_admin else caller.device,
            target_key="",
            created=now,
            **wish,
        )
        try:
            prepared = channel.prepare(asked, caller.is_admin)
        except ValueError as error:
            raise bad(str(error)) from error
        with in_words(str(caller.account)):
            objection = await self.objection(prepared, caller)
        if objection:
            raise bad(objection)
        return attrs.evolve(prepared, expires=_end(channel, prepared.expires, now))

    def _make_room(self, caller: Caller) -> None:
        present = [each for each in self.book.of(caller.account) if each.subscription.channel != STREAM]
        if len(present) >= MAX_SUBSCRIPTIONS:
            raise bad(f"{caller.account} has {MAX_SUBSCRIPTIONS} subscriptions already; remove one")
        self._count(caller)

    def _count(self, caller: Caller) -> None:
        if not caller.is_admin and not self._creations.take(caller.account):
            minutes = math.ceil((self._creations.ready_at(caller.account) - self.now()) / 60.0)
            raise RegistryError(
                "too-many",
                f"{caller.account} made {CREATIONS.count} subscriptions within an hour; "
                f"the next one is possible in {minutes} min",
            )

    # Showing that a target wants it

    async def send_code(self, caller: Caller, id: str) -> Document:
        """Send a new code; the one before is worth nothing any more."""
        async with self._turn:
            subscription = await self._unverified(caller, id)
            self._count(caller)
            code = new_code()
            subscription = awaiting(subscription, code)
            await self._change(subscription)
        await self._verification.send(self._channel(subscription.channel), subscription, code)
        return await self.one(caller, id)

    async def confirm(self, caller: Caller, id: str, code: str) -> Document:
        """Show that the target has got the code."""
        async with self._turn:
            await self._verification.confirm(await self._unverified(caller, id), code)
        return await self.one(caller, id)

    async def _unverified(self, caller: Caller, id: str) -> Subscription:
        subscription = self._found(caller, id).subscription
        if subscription.state is not SubscriptionState.UNVERIFIED:
            raise RegistryError("exists", "the subscription is verified already")
        if self._is_over(subscription):
            await self._remove(subscription)
            raise RegistryError("not-found", "the time to verify the subscription is over; make it anew")
        return subscription

    # Changing

    async def change(self, caller: Caller, id: str, fields: Mapping[str, object]) -> Document:
        """Change what may change: name, level, filter, quiet, window, urgency and, as renewal, expires; and
        ``state``, to "paused" or "active"."""
        given = dict(fields)
        wanted = given.pop("state", None)
        if wanted not in (None, "paused", "active"):
            raise bad('state: expected "paused" or "active"')
        values = wishes.changes(given)
        async with self._turn:
            standing = self._found(caller, id)
            subscription = attrs.evolve(standing.subscription, **values)
            if "expires" in values:
                channel = self._channel(subscription.channel)
                subscription = attrs.evolve(
                    subscription, expires=_end(channel, values["expires"], self.now())
                )
            if wanted == "paused":
                subscription = _paused(subscription, caller)
            elif wanted == "active":
                subscription = await self._resumed(standing, subscription)
            await self._change(subscription)
        self._say("notify.changed", subscription, caller)
        return await self.one(caller, id)

    async def pause(self, caller: Caller, id: str) -> Document:
        """Tell it nothing until somebody resumes it."""
        return await self.change(caller, id, {"state": "paused"})

    async def resume(self, caller: Caller, id: str) -> Document:
        """Tell it again: from now on where somebody had paused it, from where it stood where we had."""
        return await self.change(caller, id, {"state": "active"})

    async def _resumed(self, standing: Standing, changed: Subscription) -> Subscription:
        before = changed.state
        if before is SubscriptionState.UNVERIFIED:
            raise bad("state: the subscription is not verified yet")
        if before is SubscriptionState.DEAD:
            raise bad("state: the target said that it is gone; make another subscription")
        cursor = attrs.evolve(standing.cursor, fails=0, failing_since=0.0, due=0.0)
        if before is SubscriptionState.PAUSED:
            with in_words("the subscription"):
                heads = await self.events.heads([changed.account])
            cursor = attrs.evolve(cursor, acked=max(cursor.acked, heads[changed.account]))
        self.book.keep(cursor)
        return attrs.evolve(changed, state=SubscriptionState.ACTIVE, reason="")

    async def renew_secret(self, caller: Caller, id: str, wanted: str = "") -> Made:
        """Sign its notices with another secret, *wanted* or one that is made here and told this once; for a
        day with the one before, too."""
        async with self._turn:
            before = self._found(caller, id).subscription
            if before.channel != SIGNED:
                raise bad(f"the channel {before.channel} signs nothing")
            try:
                after = rotated(before, wanted, self.now())
            except ValueError as error:
                raise bad(f"secret: {error}") from error
            await self._change(after)
        self._say("notify.changed", after, caller)
        return Made(await self.one(caller, id), "" if wanted else Secret(after.secrets[0]).text)

    async def remove(self, caller: Caller, id: str) -> Document:
        """Remove it, and all that is kept of it."""
        async with self._turn:
            standing = self._found(caller, id)
            document = await self._document(standing)
            await self._remove(standing.subscription)
        self._say("notify.unsubscribed", standing.subscription, caller)
        return document

    async def device_gone(self, account: Address, device: str) -> int:
        """The credential is no more, and takes along what it made; answers how many."""
        return await self._gone(account, device)

    async def account_gone(self, account: Address) -> int:
        """Nobody follows who is not there any more; answers how many did."""
        return await self._gone(account, None)

    async def _gone(self, account: Address, device: str | None) -> int:
        standings = {each.subscription.id: each.subscription for each in self.book.of(account)}
        with in_words(str(account)):
            ids = await self.book.remove_of(account, device)
        for id in ids:
            if id in standings:
                self.removed(standings[id])
        return len(ids)

    async def tidy(self) -> int:
        """Remove what has expired, and what nobody verified in time, and forget secrets that were replaced;
        answers how many were removed."""
        due = [each.subscription.id for each in self.book.all() if self._wants_tidying(each.subscription)]
        removed = 0
        for id in due:
            async with self._turn:  # each by itself, as it is by then: others go on meanwhile
                removed += await self._tidy_one(id)
        return removed

    def _wants_tidying(self, subscription: Subscription) -> bool:
        return self._is_over(subscription) or settled(subscription, self.now()) is not subscription

    async def _tidy_one(self, id: str) -> bool:
        """Whether it was removed."""
        standing = self.book.find(id)
        if standing is None or not self._wants_tidying(standing.subscription):
            return False
        subscription = standing.subscription
        if not self._is_over(subscription):
            await self._change(settled(subscription, self.now()))
            return False
        await self._remove(subscription)
        self.log.info("notify.expired", subscription=subscription.id, account=subscription.account)
        return True

    def _is_over(self, subscription: Subscription) -> bool:
        now = self.now()
        is_new = subscription.state is SubscriptionState.UNVERIFIED
        if is_new and now >= subscription.created + VERIFY_WITHIN:
            return True
        return subscription.expires is not None and now >= subscription.expires

    async def _change(self, subscription: Subscription) -> None:
        with in_words("the subscription"):
            await self.book.change(subscription)

    async def _remove(self, subscription: Subscription) -> None:
        with in_words("the subscription"):
            await self.book.remove(subscription.id)
        self.removed(subscription)

    # Telling

    async def test(self, caller: Caller, id: str) -> Document:
        """Tell a test notice now; what came of it."""
        self._tellable(caller, id)
        with in_words("the test"):
            return wishes.attempt_document(await self.desk.tell_now(id))

    async def replay(self, caller: Caller, id: str, seq: int) -> Document:
        """Tell again what was given up and ends with *seq*; what came of it."""
        self._tellable(caller, id)
        if seq not in {letter["seq"] for letter in await self.letters(caller, id)}:
            raise RegistryError("not-found", f"seq: no notice that was given up ends with {seq}")
        with in_words("the notice"):
            return wishes.attempt_document(await self.desk.replay(id, seq))

    def _tellable(self, caller: Caller, id: str) -> None:
        subscription = self._found(caller, id).subscription
        if subscription.channel == STREAM:
            raise bad("a stream is told while it is connected; there is nothing to try")
        if subscription.state in (SubscriptionState.UNVERIFIED, SubscriptionState.DEAD):
            raise bad(f"the subscription is {subscription.state.value}: nothing is sent to its target")

    def _say(self, event: str, subscription: Subscription, caller: Caller) -> None:
        self.log.info(
            event,
            subscription=subscription.id,
            account=subscription.account,
            device=subscription.device,
            channel=subscription.channel,
            host=subscription.target_key,
            by_admin=caller.is_admin,
        )


def _end(channel: INotifyChannel, wanted: float | None, now: float) -> float | None:
    """When it expires: as is wanted, but no later than its channel lets it live."""
    if wanted is not None and wanted <= now:
        raise bad("expires: that moment is over")
    lifetime = channel.terms.lifetime
    if lifetime is None:
        return wanted
    return now + lifetime if wanted is None else min(wanted, now + lifetime)


def _paused(subscription: Subscription, caller: Caller) -> Subscription:
    if subscription.state in (SubscriptionState.UNVERIFIED, SubscriptionState.DEAD):
        raise bad(f"state: the subscription is {subscription.state.value}: nothing is sent to its target")
    who = "an administrator" if caller.is_admin else "its owner"
    return attrs.evolve(subscription, state=SubscriptionState.PAUSED, reason=f"paused by {who}")


def _told_once(subscription: Subscription, options: Mapping[str, str]) -> str:
    """The secret of a webhook, unless its owner brought it along in these *options*."""
    if subscription.channel != SIGNED or options.get("secret") or not subscription.secrets:
        return ""
    return Secret(subscription.secrets[0]).text
