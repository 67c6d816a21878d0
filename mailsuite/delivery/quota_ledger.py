"""How much mail an account may have, has, and is about to have (features row L-07).

A quota is what the account says, else its domain, else the server; beside that the domain may have one for
all of its accounts together. A message is written down here, with its true size, from the end of its data
until it is in the maildrop or nowhere: so that of many that come at once no more get in than have a place.
"""

from __future__ import annotations

from typing import Protocol

import attrs
from zope.interface import implementer

from mailsuite.delivery.quota_totals import Pool, Totals
from mailsuite.interfaces import IAccountDirectory, IMailStore
from mailsuite.interfaces.store import IQuotas
from mailsuite.model.account import quota_in_force
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure, PermanentFailure, TemporaryFailure
from mailsuite.model.quota import UNLIMITED, Quota
from mailsuite.model.reply import OVER_QUOTA, OVER_QUOTA_FOR_GOOD, Reply
from mailsuite.model.retention import Usage

HEAD_OCTETS = 1024
"""What SIZE does not promise: the trace fields in front of each copy, some 600 octets."""


@attrs.frozen
class QuotaRules:
    """What holds where neither account nor domain says anything."""

    general: Quota = UNLIMITED
    rejects: bool = False
    """Whether mail for a full maildrop is refused for good."""
    language: str = "en"
    """Of letters; one of quota_texts.QUOTA_TEXTS."""

    @property
    def reply(self) -> Reply:
        return OVER_QUOTA_FOR_GOOD if self.rejects else OVER_QUOTA

    def failure(self, detail: str) -> MailFailure:
        kind = PermanentFailure if self.rejects else TemporaryFailure
        return kind(self.reply, detail)


@attrs.frozen
class Standing:
    """An account at one moment."""

    account: Address
    quota: Quota
    usage: Usage
    """With what is on its way."""
    warned: int
    """The level at which its owner was warned last."""

    @property
    def level(self) -> int:
        """Which of the warning levels it has reached."""
        return self.quota.level(self.usage.octets, self.usage.messages)

    def has_place(self, octets: int) -> bool:
        """For one more message."""
        return self.quota.holds(self.usage.octets + octets, self.usage.messages + 1)

    def after(self, octets: int) -> Standing:
        """With one more message."""
        return Standing(self.account, self.quota, self.usage.plus(1, octets), self.warned)


@attrs.define(eq=False)
class _Coming:
    """What is on its way to one account."""

    octets: int = 0
    messages: int = 0


@attrs.frozen(eq=False)
class Entry:
    """One message that is written down."""

    account: Address
    standing: Standing | None
    """With this message; None where nothing limits the account."""
    octets: int
    pool: Pool | None = None
    """Where it is written down, too; None where nothing limits the whole domain."""


class Watch(Protocol):
    """Whoever warns the owners. Both return at once."""

    def fallen(self, standing: Standing) -> None:
        """It is below the level of the last warning: the next crossing counts again."""

    def reached(self, standing: Standing) -> None:
        """It stands so, and perhaps its owner was not warned yet."""


@implementer(IQuotas)
@attrs.define(eq=False)
class Ledger:
    """One for each process; for the reactor's thread."""

    store: IMailStore
    directory: IAccountDirectory
    watch: Watch
    rules: QuotaRules = attrs.field(factory=QuotaRules)
    """May be replaced while it runs."""
    totals: Totals | None = None
    """Those of whole domains; None: there are none."""
    _coming: dict[Address, _Coming] = attrs.field(factory=dict, init=False)

    async def quota(self, account: Address) -> Quota:
        """What holds for an account, also for one that is no more. Fails as the directory does."""
        found = await self.directory.account(account)
        domain = await self.directory.domain(account.domain)
        return quota_in_force(found, domain, self.rules.general)

    async def standing(self, account: Address) -> Standing | None:
        """How an account stands now; None where nothing limits it. Fails as store and directory do."""
        quota = await self.quota(account)
        if quota.is_unlimited:
            return None
        warned = await self.store.warned(account)
        # Last, and nothing waits behind it: what arrives meanwhile would be counted nowhere.
        usage = await self.store.usage(account)
        coming = self._coming.get(account)
        if coming is not None:
            usage = usage.plus(coming.messages, coming.octets)
        standing = Standing(account, quota, usage, warned)
        if standing.level < warned:
            self.watch.fallen(standing)
            return attrs.evolve(standing, warned=standing.level)
        return standing

    async def objection(self, account: Address, octets: int) -> Reply | None:
        pool = await self._pool(account)
        standing = await self.standing(account)
        return (
            None
            if self._has_place(standing, pool, octets + HEAD_OCTETS if octets else 1)
            else self.rules.reply
        )

    async def enter(self, account: Address, octets: int) -> Entry | None:
        """Write a message down; None, and nothing is, where there is no place for it. Ends by end(). Fails as
        standing()."""
        pool = await self._pool(account)
        standing = await self.standing(account)
        # From the standing to the entry nothing waits: nobody else comes in between.
        if not self._has_place(standing, pool, octets):
            return None
        if pool is not None:
            pool.enter(octets)
        if standing is None:
            return Entry(account, None, octets, pool)
        coming = self._coming.setdefault(account, _Coming())
        coming.octets += octets
        coming.messages += 1
        return Entry(account, standing.after(octets), octets, pool)

    async def _pool(self, account: Address) -> Pool | None:
        return None if self.totals is None else await self.totals.of(account)

    def _has_place(self, standing: Standing | None, pool: Pool | None, octets: int) -> bool:
        """For one more message, in the maildrop and in the domain; whoever is full is told of it."""
        if standing is not None and not standing.has_place(octets):
            self.watch.reached(standing)
            return False
        if self.totals is not None and pool is not None and not pool.has_place(octets):
            self.totals.watch.reached(pool.standing)
            return False
        return True

    def doubt(self, account: Address) -> None:
        """There may be less, or more, in its maildrop than what came in by here."""
        if self.totals is not None:
            self.totals.doubt(account)

    def end(self, entry: Entry, *, stored: bool) -> None:
        """The message is in the maildrop, or nowhere. Once for each entry."""
        if self.totals is not None and entry.pool is not None:
            entry.pool.end(entry.account, entry.octets, stored=stored)
            if stored and entry.pool.standing.level:
                self.totals.watch.reached(entry.pool.standing)
        standing = entry.standing
        if standing is None:
            return
        coming = self._coming[standing.account]
        coming.octets -= entry.octets
        coming.messages -= 1
        if not coming.messages:
            del self._coming[standing.account]
        if stored and standing.level:
            self.watch.reached(standing)
