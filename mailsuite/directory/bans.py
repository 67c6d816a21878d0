"""Bans that are forgotten with the process."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IBans
from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.model.failure import MailFailure


@implementer(IBans)
@attrs.define(eq=False)
class MemoryBans:
    """Keeps what another process would find, so no ban that lasts until a restart. Tests make it fail by
    ``refuse_with``."""

    refuse_with: MailFailure | None = None
    _bans: dict[IPNetwork, Ban] = attrs.field(factory=dict, init=False)

    async def bans(self) -> tuple[Ban, ...]:
        self._refuse()
        return tuple(self._bans.values())

    async def keep(self, ban: Ban) -> None:
        self._refuse()
        if ban.until is None:
            self._bans.pop(ban.network, None)
        else:
            self._bans[ban.network] = ban

    async def drop(self, network: IPNetwork) -> bool:
        self._refuse()
        return self._bans.pop(network, None) is not None

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
