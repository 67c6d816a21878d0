"""No mail for maildrops that are full."""

from __future__ import annotations

from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.interfaces.store import IQuotas
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import OVER_QUOTA
from mailsuite.model.turns import STEPS_IN_A_ROW, Turn, go_on


@implementer(IPolicyRule)
@attrs.frozen
class Quotas:
    """Refuses, before the message is sent, a recipient whose maildrop has no place for what SIZE promises
    (RFC 1870 section 6.1, item 4), or for anything at all where nothing is promised.

    Where a recipient is several accounts, one that is full is enough: a message goes to all of them or to
    none. The refusal is temporary then, whatever the quotas say, for the others have a place. The last word
    is spoken when the message has come, by its true size; of one that is held (RFC 4865) when it is released.
    """

    quotas: IQuotas
    turn: Turn = go_on
    """Between many accounts: all others are served meanwhile."""
    name: str = "quota"
    asked_at: ClassVar = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is not Stage.RECIPIENT or facts.route is None or facts.mail.held:
            return Accept()
        refusal, has_place = None, bool(facts.route.remotes)
        for number, account in enumerate(facts.route.accounts, 1):
            if number % STEPS_IN_A_ROW == 0:
                await self.turn()
            reply = await self.quotas.objection(account, facts.mail.size or 0)
            refusal, has_place = refusal or reply, has_place or reply is None
            if refusal is not None and has_place:
                return Refuse(OVER_QUOTA)
        return Accept() if refusal is None else Refuse(refusal)
