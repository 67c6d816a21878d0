"""How much an account may be told: what the server says, and its domain, which may only say less."""

from __future__ import annotations

import attrs

from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.address import Address
from mailsuite.model.notice import Level


@attrs.define(eq=False)
class Caps:
    """Asks the directory, whose memory answers; ``most`` may be replaced at any time."""

    directory: IAccountDirectory
    most: Level | None = Level.SUBJECT
    """What the server says; None: nobody is told of anything."""

    async def of(self, account: Address) -> Level | None:
        """None: nothing, in any way. Raises what the directory raises."""
        if self.most is None:
            return None
        domain = await self.directory.domain(account.domain)
        if domain is None or domain.notify_max_level is None:
            return self.most if domain is None or domain.notify else None
        return min(self.most, domain.notify_max_level) if domain.notify else None
