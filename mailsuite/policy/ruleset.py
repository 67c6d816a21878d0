"""The rules of a door for mail, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IReactorTime

from mailsuite.config.schema import Lmtp, Smtp, Submission
from mailsuite.interfaces import IAccountDirectory, IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.turns import Turn, go_on
from mailsuite.policy.configured import probing_rules, relay_rules, relaying_rule, sender_rules
from mailsuite.policy.credential import Credential
from mailsuite.policy.message_size import MessageSize, Sizes
from mailsuite.policy.ownership import Ownership
from mailsuite.policy.probing import BanAddress, Probing
from mailsuite.policy.rates import AccountRate, AddressRate
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.sender import Sender
from mailsuite.policy.sender_lists import BlockedSenders, Lists, SenderRules
from mailsuite.policy.tally import Tally


@attrs.frozen(eq=False)
class Tallies:
    """What was counted lately, by all doors together; lives as long as the server does."""

    accounts: Tally
    messages: Tally
    recipients: Tally
    probing_sessions: Tally
    probing_addresses: Tally

    @classmethod
    def by(cls, seconds: Callable[[], float]) -> Tallies:
        """With *seconds* as the clock of all of them; it never goes back."""
        return cls(Tally(seconds), Tally(seconds), Tally(seconds), Tally(seconds), Tally(seconds))


@attrs.frozen(eq=False)
class Grounds:
    """What rules go by beside the settings of their door."""

    directory: IAccountDirectory
    tallies: Tallies
    senders: Lists
    ban: BanAddress
    clock: IReactorTime
    hostname: str
    delimiters: str = "+"
    """Of tags, where a domain says nothing."""
    admin: Address | None = None
    """Who reads the mail of the roles."""
    sends: bool = False
    """Whether there is somebody who takes mail to other servers."""
    turn: Turn = go_on
    """Between the steps of what takes long."""
    max_outbound: int | None = None
    """Octets of the largest message for other servers; None: as large as any."""


def rules_for(
    settings: Smtp | Submission | Lmtp, grounds: Grounds, further: Sequence[IPolicyRule] = ()
) -> tuple[IPolicyRule, ...]:
    """All rules of a door. *further* ones, which may refuse a recipient, stand before those that count what
    was let pass. LMTP hands over to our own accounts, from a server that has judged (RFC 2033 section 1)."""
    sizes = Sizes(grounds.directory, settings.max_message)
    size = MessageSize(sizes, grounds.turn, grounds.max_outbound)
    relaying = relaying_rule(settings, grounds.sends, grounds.hostname, grounds.senders)
    listed = sender_rules(settings) if isinstance(settings, Smtp) else SenderRules()
    blocked = BlockedSenders(grounds.directory, grounds.senders, listed, grounds.turn)
    if isinstance(settings, Lmtp):
        return (blocked, relaying, Recipients(), size, *further)
    relay = relay_rules(settings)
    rules: tuple[IPolicyRule, ...]
    counting: IPolicyRule
    tallies = grounds.tallies
    if isinstance(settings, Smtp):
        probing = Probing(
            grounds.clock,
            tallies.probing_sessions,
            tallies.probing_addresses,
            grounds.ban,
            probing_rules(settings),
        )
        rules = (blocked, Sender(), relaying, probing)
        counting = AddressRate(
            tallies.messages,
            tallies.recipients,
            settings.messages_per_address,
            settings.recipients_per_address,
        )
    else:
        owns = Ownership(grounds.directory, grounds.delimiters, grounds.admin).owns
        rules = (Sender(owns, settings.sender_must_match, relay), Credential(grounds.directory), relaying)
        counting = AccountRate(tallies.accounts, settings.rate_per_account)
    return (*rules, Recipients(), size, *further, counting)
