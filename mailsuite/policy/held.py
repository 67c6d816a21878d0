"""How much mail of one account may wait here for the time that its sender has chosen (RFC 4865; features row
U-05)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Note, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.quota import Quota
from mailsuite.model.reply import TOO_MUCH_HELD
from mailsuite.model.retention import Usage


@implementer(IPolicyRule)
@attrs.frozen
class Held:
    """Refuses at MAIL what is to be sent later, where the account has as much that waits as it may, or would
    have with what SIZE promises. Sessions at the same time may each bring one message more."""

    waiting: Callable[[Address], Awaitable[Usage]]
    """What of an account's mail waits for its time. Fails as the outbound queue does."""
    quota: Quota
    name: str = "held"
    asked_at: ClassVar = frozenset({Stage.MAIL})

    async def check(self, facts: StageFacts) -> Verdict:
        account = facts.connection.account
        if facts.stage is not Stage.MAIL or account is None or not facts.mail.held or self.quota.is_unlimited:
            return Accept()
        waiting = await self.waiting(account)
        if self.quota.holds(waiting.octets + (facts.mail.size or 1), waiting.messages + 1):
            return Accept()
        fields = (("account", account), ("messages", waiting.messages), ("octets", waiting.octets))
        return Refuse(TOO_MUCH_HELD, Note("submission.held_exceeded", fields))
