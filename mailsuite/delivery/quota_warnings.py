"""Tells the owner of a maildrop that it gets full: once, at 80 and at 95 percent (features row L-07)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.quota_crossings import Crossings
from mailsuite.delivery.quota_ledger import Standing
from mailsuite.delivery.quota_letter import Letterhead, letter
from mailsuite.delivery.quota_texts import QuotaTexts, in_english
from mailsuite.interfaces import IMailStore
from mailsuite.model.address import Address
from mailsuite.model.message import Stored
from mailsuite.model.quota import QuotaReached
from mailsuite.observe.log import Log


def new_id() -> str:
    """An id that no other letter has, an RFC 5322 atom."""
    return f"quota-{secrets.token_hex(8)}"


@attrs.define(eq=False)
class QuotaWarnings:
    """Delivers a letter, whatever the quota says, and tells of it."""

    store: IMailStore
    hostname: str
    seconds: Callable[[], float]
    """Since the epoch."""
    tasks: Tasks
    """Owns what is under way; it outlives the sessions."""
    log: Log
    tell: Callable[[Stored, bytes, QuotaReached], Awaitable[None]]
    """Is told of the letter and its octets, and of what it is about. Raises nothing."""
    rejects: Callable[[], bool] = lambda: False
    """Whether mail for a full maildrop is refused for good."""
    texts_for: Callable[[Address], Awaitable[QuotaTexts]] = in_english
    """In whose language. Raises nothing."""
    new_id: Callable[[], str] = new_id
    _crossings: Crossings[Standing] = attrs.field(init=False)

    @_crossings.default
    def _of_accounts(self) -> Crossings[Standing]:
        return Crossings(
            self.tasks,
            self.log,
            "account",
            name_of=lambda standing: standing.account,
            noted=lambda standing: self.store.warned(standing.account),
            note=lambda standing, level: self.store.note_warned(standing.account, level),
            warn=self._warn,
        )

    def fallen(self, standing: Standing) -> None:
        self._crossings.fallen(standing)

    def reached(self, standing: Standing) -> None:
        self._crossings.reached(standing)

    async def _warn(self, standing: Standing) -> None:
        account, level = standing.account, standing.level
        texts = await self.texts_for(account)
        head = Letterhead(self.hostname, self.new_id(), self.seconds(), self.rejects(), texts)
        octets = letter(standing, level, head)
        stored = await self._deliver(account, octets)
        self.log.info(
            "quota.warned",
            account=account,
            level=level,
            messages=standing.usage.messages,
            octets=standing.usage.octets,
        )
        await self.tell(stored, octets, QuotaReached(account, level, standing.usage, standing.quota))

    async def _deliver(self, account: Address, octets: bytes) -> Stored:
        delivery = self.store.begin(account)
        delivery.write(octets)
        stored: Stored
        (stored,) = await self.store.deliver([delivery])
        return stored
