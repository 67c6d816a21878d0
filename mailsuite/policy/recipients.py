"""No mail for mailboxes that do not exist."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import INTERNAL_ERROR, UNKNOWN_RECIPIENT


@implementer(IPolicyRule)
@attrs.frozen
class Recipients:
    """Refuses, while the sender is still there to hear it, a recipient that no maildrop stands for."""

    name: str = "recipients"

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.RECIPIENT:
            return Accept()
        if facts.route is None:
            return Refuse(INTERNAL_ERROR)
        return Refuse(UNKNOWN_RECIPIENT) if facts.route.kind is RouteKind.UNKNOWN else Accept()
