"""Tells the postmaster of a domain that it gets full: once, at 80 and at 95 percent (features row L-07)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import attrs

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.quota_crossings import Crossings
from mailsuite.delivery.quota_letter import Letterhead, total_letter
from mailsuite.delivery.quota_texts import QuotaTexts, in_english
from mailsuite.delivery.quota_totals import TotalStanding
from mailsuite.delivery.quota_warnings import new_id
from mailsuite.interfaces import IMailStore
from mailsuite.interfaces.directory import ITotalsWarned
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.facts import Route
from mailsuite.model.message import Stored
from mailsuite.observe.log import Log


@attrs.define(eq=False)
class TotalWarnings:
    """Delivers a letter to all accounts of ours that the domain's postmaster leads to; where there is none,
    that is server.admin (docs/adr/0010-role-addresses.md). The log hears of it in any case."""

    store: IMailStore
    notes: ITotalsWarned
    route: Callable[[Address], Awaitable[Route]]
    """Where mail for an address goes. Fails as the router does."""
    hostname: str
    seconds: Callable[[], float]
    """Since the epoch."""
    tasks: Tasks
    log: Log
    tell: Callable[[Stored, bytes], Awaitable[None]]
    """Is told of each letter and its octets. Raises nothing."""
    rejects: Callable[[], bool] = lambda: False
    """Whether mail for a full domain is refused for good."""
    texts_for: Callable[[Address], Awaitable[QuotaTexts]] = in_english
    """In whose language. Raises nothing."""
    new_id: Callable[[], str] = new_id
    _crossings: Crossings[TotalStanding] = attrs.field(init=False)

    @_crossings.default
    def _of_domains(self) -> Crossings[TotalStanding]:
        return Crossings(
            self.tasks,
            self.log,
            "domain",
            name_of=lambda standing: standing.domain,
            noted=lambda standing: self.notes.warned(standing.domain),
            note=lambda standing, level: self.notes.note_warned(standing.domain, level),
            warn=self._warn,
        )

    def fallen(self, standing: TotalStanding) -> None:
        self._crossings.fallen(standing)

    def reached(self, standing: TotalStanding) -> None:
        self._crossings.reached(standing)

    async def _warn(self, standing: TotalStanding) -> None:
        route = await self.route(Address(POSTMASTER.local, standing.domain))
        head = Letterhead(self.hostname, self.new_id(), self.seconds(), self.rejects())
        letters = {}
        for account in route.accounts:
            apart = attrs.evolve(head, texts=await self.texts_for(account))
            letters[account] = total_letter(standing, account, apart)
        stored = await self._deliver(letters)
        self.log.info(
            "quota.domain_warned",
            domain=standing.domain,
            level=standing.level,
            messages=standing.usage.messages,
            octets=standing.usage.octets,
            letters=len(stored),
        )
        for each in stored:
            await self.tell(each, letters[each.account])

    async def _deliver(self, letters: Mapping[Address, bytes]) -> tuple[Stored, ...]:
        deliveries = []
        for account, octets in letters.items():
            delivery = self.store.begin(account)
            delivery.write(octets)
            deliveries.append(delivery)
        stored: tuple[Stored, ...] = await self.store.deliver(deliveries)
        return stored
