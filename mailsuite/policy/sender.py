"""Nobody submits mail in somebody else's name."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Refuse, StageFacts, Verdict
from mailsuite.model.reply import AUTHENTICATION_REQUIRED, SENDER_NOT_YOURS

OPEN_SERVICES = frozenset({"smtp"})
"""Where strangers may hand in mail for our accounts; everywhere else one logs in first."""


@implementer(IPolicyRule)
@attrs.frozen
class Sender:
    """Wants a login, and as reverse-path the account's own address or ``<>`` (RFC 6409 section 6.1).

    The protocol asks for the login too; a second lock on that door costs nothing. Letter case does not
    matter, as it does not in finding an account.
    """

    name: str = "sender"

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.connection.service in OPEN_SERVICES:
            return Accept()
        account = facts.connection.account
        if account is None:
            return Refuse(AUTHENTICATION_REQUIRED)
        if facts.sender is None or facts.sender.canonical == account.canonical:
            return Accept()
        return Refuse(SENDER_NOT_YOURS)
