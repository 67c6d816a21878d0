"""No mail is begun that the disk might have no room for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import DISK_FULL


@implementer(IPolicyRule)
@attrs.frozen
class Space:
    """Puts mail off at MAIL while the disk is too full, what was announced with SIZE and has not come yet
    counted in (features rows S-B06, M-06). Whoever fetches or deletes mail is not asked.

    It makes the promise of the session; whoever ends the transaction releases it.
    """

    has_room: Callable[[str, int], Awaitable[bool]]
    """As DiskSpace has it: for a message of a session, of so many octets."""
    name: str = "space"
    asked_at: ClassVar = frozenset({Stage.MAIL})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.MAIL:
            return Accept()
        has_room = await self.has_room(facts.connection.session, facts.mail.size or 0)
        return Accept() if has_room else Refuse(DISK_FULL)
