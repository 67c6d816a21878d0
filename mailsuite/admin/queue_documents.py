"""Messages of the outbound queue as JSON, and which of them a request means."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from mailsuite.accounts.refusal import asked_address
from mailsuite.admin.resources import Document, bad_request
from mailsuite.model.address import Address, AddressSyntaxError, normalise_domain
from mailsuite.model.outbound import (
    DestinationShape,
    Outcome,
    QueuedRecipient,
    QueueEntry,
    QueueFilter,
    QueueState,
)

MAX_IDS: Final = 500
"""In one request."""
MAX_LISTED: Final = 10
"""Recipients that a list shows of one message."""
MAX_SHOWN: Final = 1000
"""Recipients that are shown of one message."""
NULL_SENDER: Final = "<>"


def filter_of(fields: Mapping[str, Any]) -> QueueFilter:
    """Which messages are meant by ``ids``, ``sender``, ``recipient``, ``domain`` (of a recipient),
    ``account``, ``older_than`` (seconds), ``error`` and ``state``.

    Raises ApiError for any other name and for a value that says nothing: nobody shall lose mail by a slip of
    the pen.
    """
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise bad_request(f"a filter has no field {unknown[0]!r}; it has {', '.join(_FIELDS)}")
    if "domain" in fields and "recipient" in fields:
        raise bad_request("domain and recipient exclude each other")
    which = QueueFilter()
    for name, value in fields.items():
        which = attrs.evolve(which, **_FIELDS[name](name, value))
    return which


def _ids(name: str, value: Any) -> Document:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_IDS:
        raise bad_request(f"ids is no list of 1 to {MAX_IDS} texts")
    return {"ids": frozenset(_text("ids", each) for each in value)}


def _sender(name: str, value: Any) -> Document:
    return {"sender": NULL_SENDER if value == NULL_SENDER else _address(name, value)}


def _recipient(name: str, value: Any) -> Document:
    return {"recipient": _address(name, value)}


def _domain(name: str, value: Any) -> Document:
    return {"recipient": f"@{_normal_domain(_text(name, value))}"}


def _account(name: str, value: Any) -> Document:
    return {"account": asked_address(_text(name, value))}


def _older_than(name: str, value: Any) -> Document:
    try:
        seconds = float(value if isinstance(value, (int, float, str)) else math.nan)
    except ValueError:
        seconds = math.nan
    if isinstance(value, bool) or not math.isfinite(seconds):
        raise bad_request(f"{name} is no number of seconds")
    return {"older_than": seconds}


def _error(name: str, value: Any) -> Document:
    return {"error": _text(name, value)}


def _state(name: str, value: Any) -> Document:
    try:
        return {"state": QueueState(value)}
    except ValueError as error:
        raise bad_request(f"state is none of {', '.join(each.value for each in QueueState)}") from error


_FIELDS: Final[Mapping[str, Callable[[str, Any], Document]]] = {
    "ids": _ids,
    "sender": _sender,
    "recipient": _recipient,
    "domain": _domain,
    "account": _account,
    "older_than": _older_than,
    "error": _error,
    "state": _state,
}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise bad_request(f"{name} is no text, or an empty one")
    return value


def _address(name: str, value: Any) -> str:
    """An address, or ``@domain``, as the queue has it: the domain in its one spelling."""
    local, at, domain = _text(name, value).rpartition("@")
    if not at:
        raise bad_request(f"{name}: {value!r} is neither an address nor @domain")
    return f"{local}@{_normal_domain(domain)}"


def _normal_domain(text: str) -> str:
    try:
        return normalise_domain(text)
    except AddressSyntaxError as error:
        raise bad_request(f"{text!r} is no domain: {error}") from error


def words_of(which: QueueFilter) -> str:
    """A filter in one line, for the log."""
    said: dict[str, object] = {
        "ids": " ".join(sorted(which.ids)),
        "sender": which.sender,
        "recipient": which.recipient,
        "account": which.account or "",
        "older_than": "" if which.older_than is None else f"{which.older_than:g}",
        "error": which.error,
        "state": "" if which.state is None else which.state.value,
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value) or "all"


def entry_document(entry: QueueEntry, most: int = MAX_LISTED) -> Document:
    """A message with at most so many of its recipients, those that are not over first. Times are seconds
    since the epoch; the shape is part of the control API."""
    message = entry.message
    states = Counter(state.value for state in entry.states)
    order = sorted(range(len(entry.states)), key=lambda place: entry.states[place] is QueueState.OVER)
    return {
        "id": message.id,
        "sender": _spelled(message.sender),
        "account": _spelled(message.account),
        "arrived": message.arrived,
        "release": message.release or None,
        "size": message.size,
        "states": {state.value: states[state.value] for state in QueueState if states[state.value]},
        "recipients": [
            _recipient_document(entry.recipients[place], entry.states[place], entry.due[place])
            for place in order[:most]
        ],
        "more": max(0, len(order) - most),
    }


def envelope_document(entry: QueueEntry) -> Document:
    """As entry_document(), with more recipients, and what the sender asked for."""
    asked = entry.message.parameters
    return {
        **entry_document(entry, MAX_SHOWN),
        "body": asked.body.value,
        "smtputf8": asked.smtputf8,
        "require_tls": asked.require_tls,
        "ret": None if asked.returned is None else asked.returned.value,
        "envid": asked.envelope_id or None,
    }


def _recipient_document(recipient: QueuedRecipient, state: QueueState, due: float) -> Document:
    notify = recipient.recipient.parameters.notify
    return {
        "address": str(recipient.recipient.address),
        "state": state.value,
        "due": due if state in {QueueState.READY, QueueState.WAITING} else None,
        "tries": recipient.tries,
        "last": None if recipient.last is None else _outcome_document(recipient.last),
        "notify": None if notify is None else sorted(each.value for each in notify),
    }


def _outcome_document(outcome: Outcome) -> Document:
    return {
        "fate": outcome.fate.value,
        "said": outcome.said,
        "host": outcome.host or None,
        "at": outcome.at,
    }


def shape_document(shape: DestinationShape, until: float) -> Document:
    """One line of the table; ``counts`` belong to the ages asked for. *until*: nothing is sent there before,
    in seconds since the epoch; 0: nothing keeps it back."""
    return {
        "destination": shape.destination,
        "total": sum(shape.counts),
        "counts": list(shape.counts),
        "last": shape.last or None,
        "blocked_until": until or None,
    }


def oldest_document(entry: QueueEntry) -> Document:
    """What ``mailsuite status`` says of the message that has waited longest: whom for, and why."""
    waiting = [
        recipient
        for recipient, state in zip(entry.recipients, entry.states, strict=True)
        if state is not QueueState.OVER
    ]
    said = next((each.last.said for each in waiting if each.last is not None), None)
    return {
        "id": entry.message.id,
        "arrived": entry.message.arrived,
        "domain": waiting[0].recipient.address.domain if waiting else None,
        "last": said,
    }


def _spelled(address: Address | None) -> str | None:
    return None if address is None else str(address)
