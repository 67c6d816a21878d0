"""How large a message may be: for who sends it, and for who gets it (features rows M-06, S-M14)."""

from __future__ import annotations

from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IAccountDirectory, IPolicyRule
from mailsuite.model.account import largest_message
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Refuse, Route, Stage, StageFacts, Verdict
from mailsuite.model.reply import MESSAGE_TOO_BIG, SIZE_APART
from mailsuite.model.turns import STEPS_IN_A_ROW, Turn, go_on


@attrs.frozen
class Sizes:
    """What accounts may send and get at a door that takes *ceiling* octets. Fails as the directory does."""

    directory: IAccountDirectory
    ceiling: int

    async def of(self, account: Address) -> int:
        """Octets of the largest message, as account and domain say at this moment."""
        plain = account.canonical
        own = await self.directory.account(plain)
        return largest_message(own, await self.directory.domain(plain.domain), self.ceiling)


@implementer(IPolicyRule)
@attrs.frozen
class MessageSize:
    """Refuses what SIZE promises to be too large (RFC 1870 section 6.1): at MAIL for who has logged in, at
    RCPT for the smallest limit among the accounts that the recipient is, or that forward it, the sender's,
    and that of what leaves for other servers (row S-M15).

    Where nothing is promised the recipients of one message have one limit: one with another is asked to come
    in a transaction of its own, lest the message be refused for all of them, or come to one that takes none
    so large. LMTP answers for each at the end, so there they may differ (RFC 2033 section 4.2). The last word
    is spoken when the message has come, by its true size.
    """

    sizes: Sizes
    turn: Turn = go_on
    """Between many accounts: all others are served meanwhile."""
    outbound: int | None = None
    """Octets of the largest message for other servers; None: as large as any."""
    name: str = "message-size"
    asked_at: ClassVar = frozenset({Stage.MAIL, Stage.RECIPIENT})

    async def check(self, facts: StageFacts) -> Verdict:
        promised = facts.mail.size or None  # 0 is no size that a message can have
        if facts.stage is Stage.MAIL:
            largest = await self._sent(facts)
            return Accept() if promised is None or promised <= largest else Refuse(MESSAGE_TOO_BIG)
        if facts.stage is not Stage.RECIPIENT or facts.route is None:
            return Accept()
        largest = await self._got(facts.route, await self._sent(facts))
        if promised is not None:
            return Accept(max_message=largest) if promised <= largest else Refuse(MESSAGE_TOO_BIG)
        if facts.connection.service != "lmtp" and facts.max_message not in {None, largest}:
            return Refuse(SIZE_APART)
        return Accept(max_message=largest)

    async def _sent(self, facts: StageFacts) -> int:
        account = facts.connection.account
        return self.sizes.ceiling if account is None else await self.sizes.of(account)

    async def _got(self, route: Route, largest: int) -> int:
        """By all accounts that *route* leads to, or through, where the sender may send *largest*."""
        through = (account for accounts in route.forwarders.values() for account in accounts)
        for number, account in enumerate(dict.fromkeys((*route.accounts, *through)), 1):
            if number % STEPS_IN_A_ROW == 0:
                await self.turn()
            largest = min(largest, await self.sizes.of(account))
        return min(largest, self.outbound) if route.remotes and self.outbound is not None else largest
