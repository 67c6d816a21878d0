"""No mail for other servers."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import INTERNAL_ERROR, NO_REMOTE_DELIVERY, RELAYING_DENIED


@implementer(IPolicyRule)
@attrs.frozen
class Relaying:
    """Refuses every recipient whose mailbox is elsewhere, whoever asks (DESIGN section 2, promise 4).

    Somebody who logged in at a submission service may ask for it, and is told that there is no outbound
    queue; everybody else is told that this is no relay.
    """

    name: str = "relaying"

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.RECIPIENT:
            return Accept()
        if facts.route is None:
            return Refuse(INTERNAL_ERROR)
        if facts.route.kind is not RouteKind.REMOTE:
            return Accept()
        submits = facts.connection.service == "submission" and facts.connection.account is not None
        return Refuse(NO_REMOTE_DELIVERY if submits else RELAYING_DENIED)
