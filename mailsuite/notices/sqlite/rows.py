"""Values as they stand in the rows of notify.db, and back. What may hold any text at all is JSON in ASCII:
what came from a header may have surrogates in it, which no SQLite text has."""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from typing import Any, cast

import attrs

from mailsuite.model.address import Address
from mailsuite.model.notice import Entry, Happening, Importance, Kind, Level, MessageFacts
from mailsuite.model.subscription import (
    Attempt,
    Cursor,
    DeadLetter,
    NoticeFilter,
    QuietSpan,
    QuietTimes,
    Subscription,
    SubscriptionState,
    WhileQuiet,
)

ENTRY = "seq, at, kind, uidl, size, summary"
"""The columns that entry_of() takes."""
SUBSCRIPTION = (
    "id, account, device, channel, target_key, sealed, name, level, filter, quiet, coalesce_seconds, urgency,"
    " created, expires, state, reason, guesses"
)
"""The columns that subscription_of() takes and subscription_values() gives."""
SUBSCRIPTION_LASTING = 4
"""So many of them, the first ones, never change."""
CURSOR = "subscription, acked, due, fails, failing_since, last_ok, last_try, last_result, sent, useful"
ATTEMPT = "subscription, seq, at, took, result, code"
DEAD_LETTER = "subscription, first, seq, at, result, code"

_NO_FACTS = MessageFacts()
_NO_FILTER = NoticeFilter()


class RowDamaged(Exception):
    """A row holds what no value of ours can be made of; nothing of what it holds is in the text."""


def text_of(address: Address) -> str:
    """Without the quoting that a local part may need elsewhere."""
    return f"{address.local}@{address.domain}"


def address_of(text: str) -> Address:
    """What text_of() gave."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def summary_text(happening: Happening) -> str | None:
    """What there is to say of a happening beside its columns."""
    said: dict[str, Any] = {}
    if happening.facts is not None:
        said["facts"] = _differing(happening.facts, _NO_FACTS)
    if happening.detail:
        said["detail"] = happening.detail
    return _dumped(said) if said else None


def entry_of(account: Address, row: tuple[Any, ...]) -> Entry:
    """Raises RowDamaged."""
    seq, at, kind, uidl, size, summary = row
    try:
        said = json.loads(summary) if summary is not None else {}
        facts = _facts_of(said["facts"]) if "facts" in said else None
        detail = said.get("detail", "")
        return Entry(seq, Happening(account, Kind(kind), at, uidl, size, facts, detail))
    except (ValueError, TypeError, AttributeError) as error:
        raise RowDamaged(f"entry {seq} cannot be read") from error


def _facts_of(said: dict[str, Any]) -> MessageFacts:
    if "importance" in said:
        said["importance"] = Importance(said["importance"])
    return MessageFacts(**said)


def secret_content(subscription: Subscription) -> bytes:
    """What is sealed of it."""
    return _dumped(
        {
            "target": subscription.target,
            "secrets": [b2a_base64(each, newline=False).decode("ascii") for each in subscription.secrets],
            "options": dict(subscription.options),
            "code": subscription.code,
        }
    ).encode("ascii")


def subscription_values(subscription: Subscription, sealed: bytes) -> tuple[object, ...]:
    """In the order of SUBSCRIPTION."""
    quiet = subscription.quiet
    return (
        subscription.id,
        text_of(subscription.account),
        subscription.device,
        subscription.channel,
        subscription.target_key,
        sealed,
        subscription.name,
        int(subscription.level),
        _filter_text(subscription.filter),
        None if quiet is None else _quiet_text(quiet),
        subscription.window,
        subscription.urgency,
        subscription.created,
        subscription.expires,
        subscription.state.value,
        subscription.reason,
        subscription.guesses,
    )


def subscription_of(row: tuple[Any, ...], secret: bytes) -> Subscription:
    """From a row of SUBSCRIPTION and what was sealed in it. Raises RowDamaged."""
    id, account, device, channel, target_key, _, name, level, filter, quiet, *rest = row
    window, urgency, created, expires, state, reason, guesses = rest
    try:
        hidden = json.loads(secret)
        return Subscription(
            id,
            address_of(account),
            device,
            channel,
            hidden["target"],
            target_key,
            tuple(a2b_base64(each) for each in hidden["secrets"]),
            hidden["options"],
            name,
            Level(level),
            _filter_of(filter),
            None if quiet is None else _quiet_of(quiet),
            window,
            urgency,
            created,
            expires,
            SubscriptionState(state),
            reason,
            hidden["code"],
            guesses,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RowDamaged(f"subscription {id} cannot be read") from error


def _filter_text(filter: NoticeFilter) -> str:
    said = _differing(filter, _NO_FILTER)
    if "kinds" in said:
        said["kinds"] = sorted(kind.value for kind in filter.kinds)
    if "wanted" in said:
        said["wanted"] = sorted(filter.wanted)
    return _dumped(said)


def _filter_of(text: str) -> NoticeFilter:
    said = json.loads(text)
    if "kinds" in said:
        said["kinds"] = frozenset(map(Kind, said["kinds"]))
    if "wanted" in said:
        said["wanted"] = frozenset(said["wanted"])
    if "importance" in said:
        said["importance"] = Importance(said["importance"])
    for name in ("senders", "lists", "subjects", "labels"):
        if name in said:
            said[name] = tuple(said[name])
    return NoticeFilter(**said)


def _quiet_text(quiet: QuietTimes) -> str:
    spans = [[sorted(span.days), span.begin, span.end] for span in quiet.spans]
    return _dumped([quiet.zone, spans, quiet.manner.value, quiet.breakthrough])


def _quiet_of(text: str) -> QuietTimes:
    zone, spans, manner, breakthrough = json.loads(text)
    return QuietTimes(
        zone,
        tuple(QuietSpan(frozenset(days), begin, end) for days, begin, end in spans),
        WhileQuiet(manner),
        tuple(breakthrough),
    )


def cursor_values(cursor: Cursor) -> tuple[object, ...]:
    """In the order of CURSOR."""
    return cast(tuple[object, ...], attrs.astuple(cursor, recurse=False))


def attempt_values(attempt: Attempt) -> tuple[object, ...]:
    """In the order of ATTEMPT."""
    return cast(tuple[object, ...], attrs.astuple(attempt, recurse=False))


def letter_values(letter: DeadLetter) -> tuple[object, ...]:
    """In the order of DEAD_LETTER."""
    return cast(tuple[object, ...], attrs.astuple(letter, recurse=False))


def _differing(value: Any, usual: Any) -> dict[str, Any]:
    """The fields in which *value* is not as usual."""
    fields = attrs.asdict(value, recurse=False)
    return {name: field for name, field in fields.items() if field != getattr(usual, name)}


def _dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
