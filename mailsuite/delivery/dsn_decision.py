"""Which notice the sender of a message is owed for what became of it (RFC 3461 section 5.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs

from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate, Outcome, QueuedMessage, QueuedRecipient

USUAL = frozenset({NotifyOn.FAILURE, NotifyOn.DELAY})
"""What a sender hears of who has said nothing (RFC 3461 section 4.1)."""

_KINDS: Mapping[Fate, NotifyOn] = MappingProxyType(
    {
        Fate.DELIVERED: NotifyOn.SUCCESS,
        Fate.RELAYED: NotifyOn.SUCCESS,
        Fate.DEFERRED: NotifyOn.DELAY,
        Fate.FAILED: NotifyOn.FAILURE,
    }
)


def notices_owed(
    message: QueuedMessage,
    recipients: Mapping[int, QueuedRecipient],
    outcomes: Mapping[int, Outcome],
    now: float,
    warn: Sequence[float],
) -> dict[int, NotifyOn]:
    """The notices that follow from the *outcomes* of an attempt, by the recipients' numbers: what
    IOutboundQueue.record() takes as ``owed``."""
    found = {
        number: notice_owed(message, recipients[number], outcome, now, warn)
        for number, outcome in outcomes.items()
    }
    return {number: kind for number, kind in found.items() if kind is not None}


def notice_owed(
    message: QueuedMessage,
    recipient: QueuedRecipient,
    outcome: Outcome,
    now: float,
    warn: Sequence[float],
) -> NotifyOn | None:
    """The notice that is owed for a recipient, as it was before this *outcome*; None where there is none.

    A delay is told once for each of the ages *warn*, in seconds, rising, that the message has reached since
    the last attempt; several at once are told as one. The null sender is told of nothing (RFC 3461 section
    5.2); that such a message has failed is owed all the same, and the postmaster hears of it. NEVER keeps the
    postmaster from hearing of it, too.
    """
    kind = _KINDS[outcome.fate]
    if kind not in wanted(recipient):
        return None
    if kind is NotifyOn.SUCCESS and outcome.notices_passed_on:
        return None  # the next server tells (RFC 3461 section 5.2.1)
    if kind is NotifyOn.DELAY and not _is_time_to_warn(message, recipient, now, warn):
        return None
    if message.sender is None and kind is not NotifyOn.FAILURE:
        return None
    return kind


def wanted(recipient: QueuedRecipient) -> frozenset[NotifyOn]:
    """What the sender wants to hear of."""
    said = recipient.recipient.parameters.notify
    return USUAL if said is None else said


def was_asked_for(recipient: QueuedRecipient) -> bool:
    """Whether the sender has said, in so many words, what they want to hear of."""
    return recipient.recipient.parameters.notify is not None


def is_moot(kind: NotifyOn, recipient: QueuedRecipient) -> bool:
    """Whether the notice says what is not so any more: that of a delay, when the delay is over."""
    last = recipient.last
    return kind is NotifyOn.DELAY and last is not None and last.fate is not Fate.DEFERRED


@attrs.frozen
class NoticeRules:
    """What the administrator says about notices."""

    for_bulk: bool = True
    """Whether who sends to lists, or in bulk, is told what they have not asked for by NOTIFY."""
    copies: frozenset[NotifyOn] = frozenset()
    """Of which notices the postmaster gets a copy, without the text of the message."""
    language: str = "en"
    """In which notices are written to who says nothing of it; one of dsn_languages.LANGUAGES."""


def _is_time_to_warn(
    message: QueuedMessage, recipient: QueuedRecipient, now: float, warn: Sequence[float]
) -> bool:
    since = max(message.arrived, message.release)  # what its sender holds back is not late
    before = recipient.last.at - since if recipient.last is not None else 0.0
    # Whoever was warned has heard of the first age at least, whatever has become of the clock.
    return any(before < age <= now - since for age in warn[recipient.warned :])
