"""How a message is divided into parts, what each costs, and on whose account.

A *part* is what one lease holds: recipients of one message for one destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundRecipient, RecipientParameters
from mailsuite.model.outbound import MAX_RECIPIENTS_AT_ONCE

T = TypeVar("T")
DestinationOf = Callable[[Address | None, Address], str]
"""By sender and recipient."""

OCTETS_OF_A_TURN = 1024 * 1024
"""A part this large costs its origin two turns in the place of one, so that large mail does not hold up
small."""


def domain_of(sender: Address | None, recipient: Address) -> str:
    """The destination where nobody says anything else."""
    return recipient.domain


def text_of(address: Address | None) -> str:
    """The address in one text, nothing quoted: the domain is what stands behind the last @."""
    return "" if address is None else f"{address.local}@{address.domain}"


def origin_of(account: Address | None, sender: Address | None) -> str:
    """On whose account a message is sent: who logged in, else the sender; all that has neither is one's."""
    return text_of(account or sender)


def cost_of(size: int, recipients: int) -> float:
    """What a part costs its origin; about 1 for a letter."""
    return 1 + size / OCTETS_OF_A_TURN + recipients / MAX_RECIPIENTS_AT_ONCE


def divide(recipients: Iterable[T], destination: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """Recipients by destination, MAX_RECIPIENTS_AT_ONCE at most together, in their order."""
    parts: list[tuple[str, list[T]]] = []
    open_parts: dict[str, list[T]] = {}
    for recipient in recipients:
        name = destination(recipient)
        part = open_parts.get(name)
        if part is None or len(part) == MAX_RECIPIENTS_AT_ONCE:
            part = open_parts[name] = []
            parts.append((name, part))
        part.append(recipient)
    return parts


def in_place_of(recipients: Iterable[OutboundRecipient], to: Address) -> OutboundRecipient:
    """Somebody who gets a message in the place of others, with the notices that they agreed upon (RFC 3461);
    ORCPT stays where there was one recipient alone."""
    said = {recipient.parameters for recipient in recipients}
    if len(said) == 1:
        return OutboundRecipient(to, said.pop())
    notify = {parameters.notify for parameters in said}
    return OutboundRecipient(to, RecipientParameters(notify.pop() if len(notify) == 1 else None))


def wants_failures(recipient: OutboundRecipient) -> bool:
    """Whether the sender is to hear that this one fails (RFC 3461 section 4.1)."""
    notify = recipient.parameters.notify
    return notify is None or NotifyOn.FAILURE in notify
