"""Values as they stand in the rows of queue.db, and back."""

from __future__ import annotations

import json
from typing import Any

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    NOTHING_SAID,
    NOTHING_SAID_OF_RECIPIENT,
    BodyType,
    MailParameters,
    NotifyOn,
    OutboundRecipient,
    RecipientParameters,
    Returned,
)
from mailsuite.model.outbound import Fate, Outcome, QueuedMessage, QueuedRecipient
from mailsuite.model.reply import Reply
from mailsuite.queue.matching import error_matches

MESSAGE = "id, sender, parameters, account, arrived, release, size, vouched"
"""The columns that message_of() takes."""
RECIPIENT = "recipient.number, address, notify, original, tries, last, warned"
"""The columns that recipient_of() takes."""


def address_of(text: str) -> Address | None:
    """What parts.text_of() wrote."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain) if text else None


def parameters_text(parameters: MailParameters) -> str:
    """Empty where nothing was said, which is what most say."""
    if parameters == NOTHING_SAID:
        return ""
    said = attrs.asdict(parameters)
    said["body"] = parameters.body.value
    said["returned"] = parameters.returned and parameters.returned.value
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def parameters_of(text: str) -> MailParameters:
    if not text:
        return NOTHING_SAID
    said = json.loads(text)
    said["body"] = BodyType(said["body"])
    said["returned"] = said["returned"] and Returned(said["returned"])
    return MailParameters(**said)


def message_of(row: tuple[Any, ...]) -> QueuedMessage:
    id, sender, parameters, account, arrived, release, size, vouched = row
    return QueuedMessage(
        id,
        address_of(sender),
        parameters_of(parameters),
        address_of(account),
        arrived,
        release,
        size,
        bool(vouched),
    )


def notify_text(notify: frozenset[NotifyOn] | None) -> str | None:
    return None if notify is None else ",".join(sorted(word.value for word in notify))


def outbound_of(address: str, notify: str | None, original: str) -> OutboundRecipient:
    local, _, domain = address.rpartition("@")
    if notify is None and not original:
        return OutboundRecipient(Address(local, domain), NOTHING_SAID_OF_RECIPIENT)
    words = None if notify is None else frozenset(map(NotifyOn, filter(None, notify.split(","))))
    return OutboundRecipient(Address(local, domain), RecipientParameters(words, original))


def recipient_of(row: tuple[Any, ...]) -> QueuedRecipient:
    number, address, notify, original, tries, last, warned = row
    outcome = None if last is None else outcome_of(last)
    return QueuedRecipient(number, outbound_of(address, notify, original), tries, outcome, bool(warned))


def outcome_text(outcome: Outcome) -> str:
    reply = outcome.reply
    return json.dumps(
        [
            outcome.fate.value,
            reply.code,
            reply.enhanced,
            reply.text,
            outcome.host,
            outcome.at,
            outcome.notices_passed_on,
            reply.closes,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def outcome_of(text: str) -> Outcome:
    fate, code, enhanced, lines, host, at, passed_on, closes = json.loads(text)
    return Outcome(Fate(fate), Reply(code, enhanced, tuple(lines), closes), host, at, passed_on)


def said(last: str) -> str:
    """For SQL: what an attempt came to, in one line."""
    return outcome_of(last).said


def has_met(last: str | None, wanted: str) -> bool:
    """For SQL: whether *wanted* is part of what the last attempt came to."""
    return last is not None and error_matches(outcome_of(last).said, wanted)
