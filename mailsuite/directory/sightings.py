"""Where each account was seen last, in memory."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces import ISightings
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure
from mailsuite.model.sighting import Sighting, newest_since, recent, seen_from, with_newest


@implementer(ISightings)
@attrs.define(eq=False)
class MemorySightings:
    """Forgets everything with the process. Tests make it fail by ``refuse_with``."""

    refuse_with: MailFailure | None = None
    _seen: dict[Address, tuple[Sighting, ...]] = attrs.field(factory=dict, init=False)

    async def record(
        self, account: Address, peer: IPAddress, at: float, device: str = "", via: str = ""
    ) -> None:
        self._refuse()
        self._seen[account] = with_newest(self._of(account), Sighting(peer, at, device, via))

    async def last(self, account: Address, since: float, device: str | None = None) -> IPAddress | None:
        self._refuse()
        return newest_since(self._of(account), since, device)

    async def recent(self, account: Address, since: float) -> tuple[Sighting, ...]:
        self._refuse()
        return recent(self._of(account), since)

    async def seen_from(self, account: Address, peer: IPAddress, since: float) -> bool:
        self._refuse()
        return seen_from(self._of(account), peer, since)

    async def forget(self, account: Address, device: str | None = None) -> None:
        self._refuse()
        self._seen[account] = tuple(each for each in self._of(account) if device not in {None, each.device})

    def _of(self, account: Address) -> tuple[Sighting, ...]:
        return self._seen.get(account, ())

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
