"""Nobody submits mail in somebody else's name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import attrs
from zope.interface import implementer

from mailsuite.config.kinds_relaying import SenderMode
from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, HeaderFacts, Note, Refuse, Stage, StageFacts, Verdict
from mailsuite.model.reply import AUTHENTICATION_REQUIRED, FROM_NOT_YOURS, INTERNAL_ERROR, SENDER_NOT_YOURS
from mailsuite.policy.relaying import NOBODY, RelayRules

OPEN_SERVICES = frozenset({"smtp", "lmtp"})
"""Where strangers may hand in mail for our accounts; everywhere else one logs in first."""

Owns = Callable[[Address, Address], Awaitable[bool]]
"""Whether an account, which comes first, may send from an address."""


async def itself(account: Address, address: Address) -> bool:
    """An account owns its own address, and no other. Letter case does not matter, as it does not in finding
    an account."""
    return address.canonical == account.canonical


@implementer(IPolicyRule)
@attrs.frozen
class Sender:
    """Wants a login, but from listed hosts; and as reverse-path, From and Sender addresses that the account
    may send from (RFC 6409 section 6.1).

    The protocol asks for the login too; a second lock on that door costs nothing. ``<>`` is nobody's name:
    with it go the receipts of RFC 8098, whose From counts all the same.

    With *mode* "log" the log hears of it and nothing else happens; with "fix" the account's address takes the
    place of the reverse-path, and stands as Sender beside a From that is not the account's (RFC 6409 section
    8.1). A From that cannot be read is only let pass where names do not count, or are just logged.
    """

    owns: Owns = itself
    mode: SenderMode = "reject"
    relay: RelayRules = NOBODY
    name: str = "sender"
    asked_at: ClassVar = frozenset({Stage.MAIL, Stage.RECIPIENT, Stage.HEADER})

    async def check(self, facts: StageFacts) -> Verdict:
        if facts.connection.service in OPEN_SERVICES or facts.stage is Stage.HELLO:
            return Accept()
        account = facts.connection.account
        if account is None:
            listed = facts.connection.service == "submission" and self.relay.lists(facts.connection.peer)
            return Accept() if listed else Refuse(AUTHENTICATION_REQUIRED)
        if facts.stage is Stage.MAIL and self.mode != "off":
            return await self._path(account, facts.sender)
        if facts.stage is Stage.HEADER and self.mode != "off":
            return (
                Refuse(INTERNAL_ERROR) if facts.header is None else await self._header(account, facts.header)
            )
        return Accept()

    async def _path(self, account: Address, sender: Address | None) -> Verdict:
        if sender is None or await self.owns(account, sender):
            return Accept()
        if self.mode == "reject":
            return Refuse(SENDER_NOT_YOURS)
        return self._passed(account, "MAIL", (sender,))

    async def _header(self, account: Address, header: HeaderFacts) -> Verdict:
        named = dict.fromkeys((*header.from_addresses, *header.sender_addresses))
        foreign = tuple([each for each in named if not await self.owns(account, each)])
        if not foreign and not header.from_broken:
            return Accept()
        if self.mode == "reject" or (self.mode == "fix" and header.from_broken):
            return Refuse(FROM_NOT_YOURS)
        return self._passed(account, "header", foreign)

    def _passed(self, account: Address, where: str, foreign: tuple[Address, ...]) -> Accept:
        """What is not the account's, and is let pass; ``<>`` where it cannot be read."""
        fields = (
            ("account", account),
            ("where", where),
            ("sender", " ".join(map(str, foreign)) or "<>"),
            ("mode", self.mode),
        )
        return Accept(account if self.mode == "fix" else None, Note("submission.foreign_sender", fields))
