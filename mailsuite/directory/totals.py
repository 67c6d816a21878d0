"""At which level somebody was warned of the quota of a whole domain, in memory: the fake that tests use."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces.directory import ITotalsWarned
from mailsuite.model.failure import MailFailure


@implementer(ITotalsWarned)
@attrs.define(eq=False)
class MemoryTotalsWarned:
    """Tests make everything fail by ``refuse_with``."""

    refuse_with: MailFailure | None = None
    _levels: dict[str, int] = attrs.field(factory=dict, init=False)

    async def warned(self, domain: str) -> int:
        self._refuse()
        return self._levels.get(domain, 0)

    async def note_warned(self, domain: str, level: int) -> None:
        self._refuse()
        self._levels[domain] = level

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
