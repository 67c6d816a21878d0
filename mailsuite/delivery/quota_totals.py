"""How much mail whole domains may have, have, and are about to have (features row L-07).

The sum over the accounts of a domain is learnt once. From then on it is kept: what is delivered here is added
as it is delivered, whoever removes something is asked again, and what other programs do is found by going
over all accounts every ROUND_SECONDS, which costs next to nothing for those where nothing has happened.

For the reactor's thread.
"""

from __future__ import annotations

from typing import Protocol

import attrs
from twisted.internet.defer import CancelledError, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.pools import members_of, pool_of
from mailsuite.interfaces import IAccountDirectory, IMailStore
from mailsuite.interfaces.directory import ITotalsWarned
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.retention import Usage
from mailsuite.model.turns import STEPS_IN_A_ROW, Turn, go_on
from mailsuite.observe.log import Log

ROUND_SECONDS = 10.0
"""From the end of one round to the next. The store believes a count for 45 seconds, and row L-07 gives 60."""


@attrs.frozen
class TotalStanding:
    """A domain at one moment."""

    domain: str
    quota: Quota
    usage: Usage
    """Of all its accounts together, with what is on its way."""
    warned: int
    """The level at which somebody was warned last."""

    @property
    def level(self) -> int:
        """Which of the warning levels it has reached."""
        return self.quota.level(self.usage.octets, self.usage.messages)


class TotalWatch(Protocol):
    """Whoever warns of domains. Both return at once."""

    def fallen(self, standing: TotalStanding) -> None:
        """It is below the level of the last warning: the next crossing counts again."""

    def reached(self, standing: TotalStanding) -> None:
        """It stands so, and perhaps nobody was warned yet."""


@attrs.define(eq=False)
class Pool:
    """The accounts that share the quota of a domain. Its sums are right at any time, but for what was removed
    since it was refreshed."""

    domain: str
    quota: Quota = UNLIMITED
    warned: int = 0
    is_learnt: bool = False
    turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)
    """Held by whoever learns it, or asks for what has changed."""
    doubted: set[Address] = attrs.field(factory=set, init=False)
    """Those in whose maildrops something was removed, or came back."""
    _known: dict[Address, tuple[int, int]] = attrs.field(factory=dict, init=False)
    """Messages and octets of each account."""
    _messages: int = attrs.field(default=0, init=False)
    _octets: int = attrs.field(default=0, init=False)
    """Of all of them, and of what is on its way to them."""

    def put(self, account: Address, messages: int, octets: int) -> None:
        """So much is in its maildrop."""
        before = self._known.get(account, (0, 0))
        self._known[account] = messages, octets
        self._messages += messages - before[0]
        self._octets += octets - before[1]

    def enter(self, octets: int) -> None:
        """One message is on its way."""
        self._messages += 1
        self._octets += octets

    def end(self, account: Address, octets: int, *, stored: bool) -> None:
        """It is in the account's maildrop, or nowhere."""
        self._messages -= 1
        self._octets -= octets
        if stored:
            before = self._known.get(account, (0, 0))
            self.put(account, before[0] + 1, before[1] + octets)

    def drop(self, account: Address) -> None:
        """It is none of the domain's any more."""
        self.put(account, 0, 0)
        del self._known[account]

    @property
    def accounts(self) -> frozenset[Address]:
        return frozenset(self._known)

    def has(self, account: Address) -> bool:
        return account in self._known

    @property
    def standing(self) -> TotalStanding:
        return TotalStanding(self.domain, self.quota, Usage(self._messages, self._octets), self.warned)

    def has_place(self, octets: int) -> bool:
        """For one more message."""
        return self.quota.holds(self._octets + octets, self._messages + 1)


@attrs.define(eq=False)
class Totals:
    """The pools of all domains that have a quota for all of their accounts together."""

    store: IMailStore
    directory: IAccountDirectory
    notes: ITotalsWarned
    watch: TotalWatch
    clock: IReactorTime
    log: Log
    turn: Turn = go_on
    """Between many accounts: all others are served meanwhile."""
    _pools: dict[str, Pool] = attrs.field(factory=dict, init=False)
    _homes: dict[str, Pool] = attrs.field(factory=dict, init=False)
    """By the domain of an account."""
    _tasks: Tasks = attrs.field(init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._tasks = Tasks(lambda failure: self.log.failure("quota.failed", failure))

    def start(self) -> None:
        """Learn what there is, and go over it again and again."""
        self._begin()

    async def stop(self) -> None:
        """Undo start(); returns when nobody is counting."""
        self._tasks.cancel()
        await self._tasks.finished()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    async def of(self, account: Address) -> Pool | None:
        """What an account shares with others, and is up to date; None where nothing limits that. Fails as the
        directory and the store do."""
        name = await pool_of(self.directory, account.domain)
        quota = await self._quota(name)
        if quota.is_unlimited:
            self._forget(name)
            return None
        pool = self._pool(name)
        pool.quota = quota
        self._homes[account.domain] = pool
        await self._refreshed(pool)
        pool.warned = await self.notes.warned(name)
        standing = pool.standing
        if standing.level < pool.warned:
            self.watch.fallen(standing)
            pool.warned = standing.level
        return pool

    def doubt(self, account: Address) -> None:
        """Something was removed from its maildrop, or has come back."""
        pool = self._homes.get(account.domain)
        if pool is not None and pool.has(account):
            pool.doubted.add(account)

    async def _quota(self, name: str) -> Quota:
        domain = await self.directory.domain(name)
        return UNLIMITED if domain is None else domain.total_quota

    def _pool(self, name: str) -> Pool:
        return self._pools.setdefault(name, Pool(name))

    def _forget(self, name: str) -> None:
        pool = self._pools.pop(name, None)
        if pool is not None:
            self._homes = {domain: each for domain, each in self._homes.items() if each is not pool}

    async def _refreshed(self, pool: Pool) -> None:
        if pool.is_learnt and not pool.doubted and not pool.turn.locked:
            return
        await pool.turn.acquire()
        try:
            if not pool.is_learnt:
                await self._go_over(pool)
                pool.is_learnt = True
            while pool.doubted:
                await self._ask(pool, next(iter(pool.doubted)))
        finally:
            pool.turn.release()

    async def _ask(self, pool: Pool, account: Address) -> None:
        pool.doubted.discard(account)
        try:
            usage = await self.store.usage(account)
        except BaseException:
            pool.doubted.add(account)
            raise
        # Nothing waits behind the answer: what arrives meanwhile would be counted twice, or nowhere.
        pool.put(account, usage.messages, usage.octets)

    async def _go_over(self, pool: Pool) -> None:
        """Ask for all accounts."""
        before = pool.accounts
        members = await members_of(self.directory, pool.domain)
        for number, account in enumerate(members, 1):
            if number % STEPS_IN_A_ROW == 0:
                await self.turn()
            self._homes[account.domain] = pool
            await self._ask(pool, account)
        for account in before.difference(members):
            pool.drop(account)

    # Rounds

    def _begin(self) -> None:
        self._tasks.start(self._round())

    async def _round(self) -> None:
        try:
            for domain in await self.directory.domains():
                if not domain.same_as and not domain.total_quota.is_unlimited:
                    await self._go_round(self._pool(domain.name), domain.total_quota)
        except CancelledError:
            raise
        except MailFailure as failure:
            self.log.warning("quota.uncounted", reason=failure.reason)
        except Exception:
            self.log.failure("quota.failed", Failure())
        self._timer = self.clock.callLater(ROUND_SECONDS, self._begin)

    async def _go_round(self, pool: Pool, quota: Quota) -> None:
        pool.quota = quota
        if pool.is_learnt:
            await self._go_over(pool)
        else:
            await self._refreshed(pool)
