"""All streams: who is connected, and what makes the server keep a log for them.

Somebody who stays connected follows his account by a subscription of the channel "stream", one for each
credential. It outlives the connection by a week, so that what happens meanwhile is in the log when he comes
again. Who goes, goes at once: with the subscription, the credential and the account.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mailsuite.accounts.refusal import RegistryError, in_words
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IEventBus, IEventLog
from mailsuite.model.address import Address
from mailsuite.model.events import Event, LogGrown
from mailsuite.model.failure import MailFailure
from mailsuite.model.notice import Kind, Level
from mailsuite.model.subscription import NoticeFilter, Subscription, SubscriptionState
from mailsuite.notify.book import Book
from mailsuite.notify.gathering import Group
from mailsuite.notify.handing import Meter
from mailsuite.notify.judging import Rules
from mailsuite.notify.office import ID_OCTETS, STREAM
from mailsuite.notify.rendering import NoticeKeys
from mailsuite.notify.stream import Outlet, Stream, Ways
from mailsuite.observe.log import Log
from mailsuite.wire import sse

LIFETIME: Final = 7 * 86_400.0
"""Seconds that an account is followed after its stream's last connection."""
RENEWED_EACH: Final = 3600.0
"""Seconds by which that is late at most, so that who comes and goes costs no write each time."""
MIN_PING: Final = 10.0
MAX_PING: Final = 300.0
"""Seconds (RFC 8620 section 7.3: the least no more than 30, the most no less than 300)."""
RETRY: Final = (5.0, 30.0)
"""Seconds after which a client comes again, drawn for each, so that they do not come all at once."""
LOOK_EVERY: Final = 30.0
"""Seconds after which the log is asked for what no hint has told."""
LOOKS_PER_LOGIN: Final = 10
"""At each so many of these looks, what let a client in is looked at again: after five minutes."""
LOOK_AT: Final = 500
"""Accounts asked after at a time."""


@attrs.frozen
class Wish:
    """What a client wants of a stream."""

    kinds: frozenset[Kind] = frozenset(Kind)
    level: Level = Level.SUBJECT
    wanted: frozenset[str] = frozenset()
    """As NoticeFilter.wanted."""
    ping: float = 0.0
    """Seconds; 0: none."""
    once: bool = False
    """Whether it ends with the first event."""
    after: str = ""
    """Last-Event-ID; empty: from now on."""


@attrs.define(eq=False)
class Streams:
    """One for a server. ``start()`` before the first, ``stop()`` after the last."""

    book: Book
    events: IEventLog
    bus: IEventBus
    keys: NoticeKeys
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since the epoch."""
    cap: Callable[[Address], Awaitable[Level | None]]
    """The most that notices of an account may tell; None: it gets none. Raises MailFailure."""
    suppress: Callable[[], frozenset[str]]
    """``notify.suppress``."""
    log: Log
    meter: Meter | None = None
    """Counts what went out."""
    _live: dict[Address, list[Stream]] = attrs.field(factory=dict, init=False)
    _opening: dict[Address, int] = attrs.field(factory=dict, init=False)
    """Those that are about to be, of each account."""
    _tasks: Tasks = attrs.field(init=False)
    _ways: Ways = attrs.field(init=False)
    _unsubscribe: tuple[Callable[[], None], ...] = attrs.field(default=(), init=False)
    _looking: IDelayedCall | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._tasks = Tasks(self._failed)
        self._ways = Ways(self.events, self.keys, self._rules, self.clock, self._tasks, self.log, self._count)

    def _rules(self) -> Rules:
        return Rules(self.now(), self.suppress())

    def _count(self, groups: Sequence[Group]) -> None:
        if self.meter is not None:
            now = self.now()
            for group in groups:
                self.meter.ended(STREAM, "ok")
                self.meter.told(STREAM, max(0.0, now - group.entries[-1].happening.at))

    def _failed(self, failure: Failure) -> None:
        self.log.failure("notify.stream_failed", failure)

    def start(self) -> None:
        """Begin to hear."""
        self._unsubscribe = (self.bus.subscribe(self._heard), self.book.watch(self._changed))
        self._look_later()

    async def stop(self) -> None:
        """Hear no more. The connections have ended by now."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = ()
        if self._looking is not None and self._looking.active():
            self._looking.cancel()
        self._tasks.cancel()
        await self._tasks.finished()

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(map(len, self._live.values()))

    # Coming and going

    async def open(self, account: Address, device: str, wish: Wish, outlet: Outlet, most: int) -> Stream:
        """A stream of this credential; *most*: of the account, at the same time. The caller closes it.

        Raises RegistryError.
        """
        present = len(self._live.get(account, ())) + self._opening.get(account, 0)
        if present >= most:
            raise RegistryError("too-many", f"{account} has {most} streams already; end one")
        self._opening[account] = self._opening.get(account, 0) + 1
        try:
            return await self._open(account, device, wish, outlet)
        finally:
            self._opening[account] -= 1
            if not self._opening[account]:
                del self._opening[account]

    async def _open(self, account: Address, device: str, wish: Wish, outlet: Outlet) -> Stream:
        with in_words("the stream"):
            most = await self.cap(account)
            if most is None:
                raise RegistryError("read-only", f"there are no notices for {account}")
            followed = await self._followed(account, device, min(wish.level, most))
            # The last that is waited for: what comes behind this head is heard of from here on.
            head = await self._head(account)
        after = _seq(wish.after, head)
        cursor = head if after is None else after
        subscription = attrs.evolve(
            followed, level=wish.level, filter=NoticeFilter(kinds=wish.kinds, wanted=wish.wanted)
        )
        stream = Stream(
            self._ways,
            subscription,
            most,
            outlet,
            cursor,
            _ping(wish.ping),
            wish.once,
        )
        self._live.setdefault(account, []).append(stream)
        # Also whoever is told nothing before a break goes on from here.
        outlet.send(sse.reconnect_after(_retry(), cursor))
        stream.begin(missed=after is None)
        stream.grown(head)
        return stream

    def close(self, stream: Stream) -> None:
        """The connection is over. Any number of times."""
        stream.end()
        account = stream.subscription.account
        live = self._live.get(account, [])
        if stream in live:
            live.remove(stream)
            if not live:
                del self._live[account]
            self._tasks.start(self._left(stream))

    def dismiss(self, stream: Stream) -> None:
        """The service stops: have the client come again in a while."""
        stream.leave(sse.reconnect_after(_retry()))

    async def _head(self, account: Address) -> int:
        return (await self.events.heads([account]))[account]

    async def _followed(self, account: Address, device: str, level: Level) -> Subscription:
        """The subscription by which this credential follows the account. Two that come at the same moment may
        make one each; the second is used no more and expires."""
        expires = self.now() + LIFETIME
        for standing in self.book.of(account):
            kept = standing.subscription
            if (kept.channel, kept.device) != (STREAM, device):
                continue
            if level > kept.level or _is_late(kept, expires) or kept.state is not SubscriptionState.ACTIVE:
                kept = attrs.evolve(
                    kept, level=max(level, kept.level), expires=expires, state=SubscriptionState.ACTIVE
                )
                await self.book.change(kept)
            return kept
        made = Subscription(
            id="sub_" + secrets.token_urlsafe(ID_OCTETS),
            account=account,
            device=device,
            channel=STREAM,
            target=STREAM,
            target_key=STREAM,
            level=level,
            filter=NoticeFilter(kinds=frozenset(Kind)),
            created=self.now(),
            expires=expires,
        )
        await self.book.add(made, await self._head(account))
        return made

    async def _left(self, stream: Stream) -> None:
        """Remember where it stood, and that it was there just now."""
        standing = self.book.find(stream.subscription.id)
        if standing is None:
            return
        cursor = attrs.evolve(standing.cursor, acked=max(standing.cursor.acked, stream.cursor))
        if stream.count:
            now, sent = self.now(), cursor.sent + stream.count
            cursor = attrs.evolve(cursor, sent=sent, last_ok=now, last_try=now, last_result="ok")
        self.book.keep(cursor)
        await self._renew(standing.subscription)

    async def _renew(self, subscription: Subscription) -> None:
        expires = self.now() + LIFETIME
        if _is_late(subscription, expires):
            try:
                await self.book.change(attrs.evolve(subscription, expires=expires))
            except MailFailure as failure:
                self.log.warning("notify.unrenewed", account=subscription.account, reason=failure.reason)

    # Hearing

    def _heard(self, event: Event) -> None:
        if isinstance(event, LogGrown):
            for stream in list(self._live.get(event.account, ())):
                stream.grown(event.head)

    def _changed(self, id: str) -> None:
        """A subscription that is gone takes its streams along."""
        if self.book.find(id) is None:
            gone = [each for live in self._live.values() for each in live if each.subscription.id == id]
            for stream in gone:
                stream.leave()

    def _look_later(self) -> None:
        self._looking = self.clock.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._look_later()
        self._tasks.start(self._look_around())

    async def _look_around(self) -> None:
        """A hint may have been lost; and who stays for long is followed for as long."""
        accounts = list(self._live)
        for start in range(0, len(accounts), LOOK_AT):
            try:
                heads = await self.events.heads(accounts[start : start + LOOK_AT])
            except MailFailure as failure:
                self.log.warning("notify.stream_delayed", reason=failure.reason)
                return
            for account, head in heads.items():
                for stream in list(self._live.get(account, ())):
                    stream.grown(head)
                    await self._look_at(stream)

    async def _look_at(self, stream: Stream) -> None:
        stream.looks += 1
        if stream.looks % LOOKS_PER_LOGIN == 0 and not await stream.outlet.holds():
            stream.end()
            stream.outlet.cut("what let it in does not hold any more")
            return
        try:
            most = await self.cap(stream.subscription.account)
        except MailFailure as failure:
            self.log.warning("notify.stream_delayed", reason=failure.reason)
            return
        if most is None:  # switched off for the server or the domain since
            stream.leave(sse.reconnect_after(_retry()))
            return
        stream.level = most
        standing = self.book.find(stream.subscription.id)
        if standing is not None:
            await self._renew(standing.subscription)


def _is_late(subscription: Subscription, expires: float) -> bool:
    """Whether it would end so much earlier that it is worth a write."""
    return subscription.expires is None or subscription.expires < expires - RENEWED_EACH


def _seq(after: str, head: int) -> int | None:
    """Where a client wants to go on; None: that is nowhere in this log."""
    if not after:
        return head
    if not (after.isascii() and after.isdecimal() and len(after) < 16) or int(after) > head:
        return None
    return int(after)


def _ping(seconds: float) -> float:
    return min(max(seconds, MIN_PING), MAX_PING) if seconds else 0.0


def _retry() -> int:
    """Milliseconds."""
    return round(1000 * random.uniform(*RETRY))  # noqa: S311 - nobody gains by foretelling it
