"""Which messages of the queue an administrator means."""

from __future__ import annotations

from mailsuite.model.outbound import QueuedRecipient, QueueEntry, QueueFilter, QueueState
from mailsuite.queue.parts import text_of

NULL_SENDER = "<>"


def matches(entry: QueueEntry, which: QueueFilter, now: float) -> bool:
    """Whether all that *which* says is true of *entry*."""
    message = entry.message
    return (
        (not which.ids or message.id in which.ids)
        and (not which.sender or address_matches(text_of(message.sender), which.sender))
        and (which.account is None or which.account == message.account)
        and (which.older_than is None or now - message.arrived > which.older_than)
        and (which.state is None or which.state in entry.states)
        and (not which.recipient or any(_is_for(each, which.recipient) for each in _waiting(entry)))
        and (not which.error or any(_has_met(each, which.error) for each in _waiting(entry)))
    )


def address_matches(address: str, wanted: str) -> bool:
    """Whether *wanted*, an address, ``@domain`` or ``<>``, means *address*; letter case does not count."""
    if wanted == NULL_SENDER:
        return not address
    address, wanted = address.casefold(), wanted.casefold()
    return address.endswith(wanted) if wanted.startswith("@") else address == wanted


def error_matches(said: str, wanted: str) -> bool:
    """Whether *wanted* is part of what was *said*; letter case does not count."""
    return wanted.casefold() in said.casefold()


def _waiting(entry: QueueEntry) -> list[QueuedRecipient]:
    pairs = zip(entry.recipients, entry.states, strict=True)
    return [recipient for recipient, state in pairs if state is not QueueState.OVER]


def _is_for(recipient: QueuedRecipient, wanted: str) -> bool:
    return address_matches(text_of(recipient.recipient.address), wanted)


def _has_met(recipient: QueuedRecipient, wanted: str) -> bool:
    return recipient.last is not None and error_matches(recipient.last.said, wanted)
