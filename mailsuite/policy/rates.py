"""How much an account may send, and one address hand in, in how long (features rows U-07, S-I09)."""

from __future__ import annotations

from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.access import site_of
from mailsuite.model.facts import Accept, Note, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.rate import Rate
from mailsuite.model.reply import (
    ACCOUNT_RATE_EXCEEDED,
    MESSAGE_RATE_EXCEEDED,
    RECIPIENT_RATE_EXCEEDED,
    Reply,
)
from mailsuite.policy.tally import Tally


@implementer(IPolicyRule)
@attrs.frozen
class AccountRate:
    """Lets an account send to so many recipients; those beyond can come later (450).

    Stands behind the rules that may refuse a recipient: it counts those it lets pass, be a message sent to
    them in the end or not.
    """

    tally: Tally
    rate: Rate | None = None
    """None is no limit."""
    name: str = "account-rate"
    asked_at: ClassVar = frozenset({Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        account = facts.connection.account
        if facts.stage is not Stage.RECIPIENT or account is None or self.rate is None:
            return Accept()
        excess = self.tally.take(account, self.rate)
        if excess is None:
            return Accept()
        fields = (("account", account), ("recipients", self.rate.count), ("seconds", self.rate.seconds))
        note = Note("submission.rate_exceeded", fields) if excess.first else None
        return Refuse(ACCOUNT_RATE_EXCEEDED, note)


@implementer(IPolicyRule)
@attrs.frozen
class AddressRate:
    """Lets whoever comes from one address, in IPv6 from one /64, begin so many messages and name so many
    recipients. Stands behind the others, as AccountRate does."""

    messages: Tally
    recipients: Tally
    message_rate: Rate | None = None
    recipient_rate: Rate | None = None
    name: str = "address-rate"
    asked_at: ClassVar = frozenset({Stage.MAIL, Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.stage is Stage.MAIL:
            return self._take(facts, self.messages, self.message_rate, MESSAGE_RATE_EXCEEDED)
        if facts.stage is Stage.RECIPIENT:
            return self._take(facts, self.recipients, self.recipient_rate, RECIPIENT_RATE_EXCEEDED)
        return Accept()

    def _take(self, facts: StageFacts, tally: Tally, rate: Rate | None, reply: Reply) -> Verdict:
        if rate is None:
            return Accept()
        site = site_of(facts.connection.peer)
        excess = tally.take(site, rate)
        if excess is None:
            return Accept()
        fields = (
            ("network", site),
            ("stage", facts.stage.value),
            ("count", rate.count),
            ("seconds", rate.seconds),
        )
        return Refuse(reply, Note("smtp.rate_exceeded", fields) if excess.first else None)
