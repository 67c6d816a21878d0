"""Where each account was seen last: the value, the rule that orders it, and the memory of it."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces import ISightings
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.failure import MailFailure

KEPT = 3
"""How many addresses of an account are remembered."""


@attrs.frozen
class Sighting:
    """An account was logged in from here, the last time at this moment (seconds since the epoch)."""

    peer: IPAddress
    at: float


def with_newest(sightings: tuple[Sighting, ...], newest: Sighting) -> tuple[Sighting, ...]:
    """*sightings* with *newest* in front and its address nowhere else, cut to the newest few.

    The order is that of recording, so a clock that was set back does not leave an old address in front.
    """
    others = (sighting for sighting in sightings if sighting.peer != newest.peer)
    return (newest, *others)[:KEPT]


def newest_since(sightings: tuple[Sighting, ...], since: float) -> IPAddress | None:
    """The first address that was seen at or after *since*."""
    return next((sighting.peer for sighting in sightings if sighting.at >= since), None)


@implementer(ISightings)
@attrs.define(eq=False)
class MemorySightings:
    """Forgets everything with the process. Tests make it fail by ``refuse_with``."""

    refuse_with: MailFailure | None = None
    _seen: dict[Address, tuple[Sighting, ...]] = attrs.field(factory=dict, init=False)

    async def record(self, account: Address, peer: IPAddress, at: float) -> None:
        self._refuse()
        self._seen[account] = with_newest(self._seen.get(account, ()), Sighting(peer, at))

    async def last(self, account: Address, since: float) -> IPAddress | None:
        self._refuse()
        return newest_since(self._seen.get(account, ()), since)

    async def forget(self, account: Address) -> None:
        self._refuse()
        self._seen.pop(account, None)

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
