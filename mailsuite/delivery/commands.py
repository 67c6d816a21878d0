"""Mail that a user sends to the server itself, to have something done: it goes into no maildrop.

Only who has logged in to submit gives orders, so that no letter from the net, whatever it says of its
sender, is one; notify/mail_commands.py obeys.
"""

from __future__ import annotations

from typing import Final, Protocol

import attrs

from mailsuite.model.address import Address
from mailsuite.model.facts import Route, RouteKind

ORDERED: Final = Route(RouteKind.LOCAL)
"""Where an order goes: to us, and into no maildrop."""


@attrs.frozen
class Order:
    """A message that is one."""

    account: Address
    """Who logged in, whatever the message says."""
    device: str
    """The id of the device whose password it was; empty: the account's own."""
    recipient: Address
    sender: Address | None
    """The reverse-path."""
    beginning: bytes
    """Its first octets, as many as delivery/message_facts.py looks at."""


class Commands(Protocol):
    """Who obeys."""

    async def takes(self, recipient: Address, account: Address, device: str) -> bool:
        """Whether what this account submits to *recipient* is an order. Raises MailFailure where that cannot
        be known, or there were too many."""

    async def obey(self, order: Order) -> None:
        """Do it, and have the answer in the account's maildrop, durable when this returns. Raises
        MailFailure where there can be no answer."""
