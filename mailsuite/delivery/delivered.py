"""What senders want to hear of mail that went into our maildrops (RFC 3461 sections 5.2.3 and 5.2.7.3)."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from mailsuite.delivery.envelope import Accepted, Envelope
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundRecipient
from mailsuite.model.outbound import Fate, Outcome, QueuedMessage, QueuedRecipient
from mailsuite.model.reply import DELIVERED

Delivered = Callable[[QueuedMessage, Sequence[QueuedRecipient], bytes, frozenset[int]], None]
"""Is told, after the commit, of a message, of those who have it and whose sender wants to hear so, of the
beginning of its header, and of those, by number, whose address stands for several people. Raises nothing, and
does not wait."""


def nobody_hears(
    message: QueuedMessage, recipients: Sequence[QueuedRecipient], header: bytes, expanded: frozenset[int]
) -> None:
    """Where nobody tells senders anything."""


def wants_to_hear(envelope: Envelope) -> bool:
    """Whether there may be something to tell; RCPT says so where the door offers DSN, and nowhere else."""
    return envelope.sender is not None and any(_is_wanted(each) for each in envelope.accepted)


def tell_delivered(
    delivered: Delivered,
    envelope: Envelope,
    had: Container[int],
    *,
    id: str,
    account: Address | None,
    size: int,
    header: bytes,
    now: float,
) -> None:
    """Tell it of those that have the message, by their place among the accepted; *account* has sent it. *now*
    is in seconds since the epoch."""
    wanted = [(number, each) for number, each in enumerate(envelope.accepted) if _is_wanted(each)]
    there = [(number, each) for number, each in wanted if number in had]
    if not there or envelope.sender is None:
        return
    message = QueuedMessage(
        id, envelope.sender, envelope.mail, account, envelope.began, size=size, vouched=account is not None
    )
    outcome = Outcome(Fate.DELIVERED, DELIVERED, at=now)
    recipients = tuple(
        QueuedRecipient(number, OutboundRecipient(each.recipient, each.parameters), last=outcome)
        for number, each in there
    )
    expanded = frozenset(number for number, each in there if each.is_for_several)
    delivered(message, recipients, header, expanded)


def _is_wanted(accepted: Accepted) -> bool:
    return accepted.ends_here and NotifyOn.SUCCESS in (accepted.parameters.notify or ())
