"""A notice as JSON: one form for the stream, webhooks, Web Push and programs (docs/reference/notice.md), and
the names in it that tell nobody who is meant.

The form is checked against ``docs/reference/notice.schema.json``; a field may be added to it, none is ever
given another meaning without a higher ``v``.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from mailsuite.model.address import Address
from mailsuite.model.notice import Level, Notice, Shown
from mailsuite.wire.p256 import base64url
from mailsuite.wire.webpush import MAX_PLAINTEXT

VERSION: Final = 1
MAX_NOTICE: Final = MAX_PLAINTEXT
"""Octets: what fits into one message of Web Push fits everywhere."""
EVENT_ID_OCTETS: Final = 12
PSEUDONYM_OCTETS: Final = 12
TOPIC_OCTETS: Final = 24
"""In base64url as long as a topic may be (RFC 8030 section 5.4)."""

TEMPLATE_NAMES: Final = (
    *("id", "type", "account", "seq", "at", "first", "count"),
    *("label", "name", "addr", "subject", "list", "preview", "detail"),
)
"""The fields of templates (wire/templates.py): as in JSON, but for ``name`` and ``addr`` of the sender.
``name`` is the address where there is no name."""

Json = dict[str, Any]
_MISSED_LEAST: Final = ("preview", "list", "detail", "subject", "from", "label")
_FRAME: Final = b',"digest":[]'


def event_id(key: bytes, account: Address, seq: int) -> str:
    """The id of the notice that ends with this entry of the account's log: the same for every retry, after
    every restart and on every machine that has *key*, and nobody else can tell whose it is."""
    return "ev_" + base64url(_digest(key, "event", str(account.canonical), str(seq))[:EVENT_ID_OCTETS])


def subscription_key(key: bytes, subscription: str) -> bytes:
    """The key of one subscription, by its id: what account_pseudonym() and push_topic() go by.

    Made from a key of the server, not from what a receiver is given to verify signatures with: whoever knew
    it could try addresses until one fits. It stays when that secret changes.
    """
    return _digest(key, "subscription", subscription)


def account_pseudonym(key: bytes, account: Address) -> str:
    """How one subscription knows the account; *key* is the subscription's own, so that the receivers of two
    cannot find out by it that they are told of the same person."""
    return "a_" + base64url(_digest(key, "account", str(account.canonical))[:PSEUDONYM_OCTETS])


def push_topic(key: bytes) -> str:
    """The topic of all that a subscription of Web Push is told: a device that was off gets the newest alone.

    *key* is the subscription's own.
    """
    return base64url(_digest(key, "topic")[:TOPIC_OCTETS])


def notice_object(notice: Notice) -> Json:
    """The notice as JSON has it, with nothing that its level does not allow, whatever else it holds."""
    told: Json = {
        "v": VERSION,
        "id": notice.id,
        "type": notice.kind.value,
        "account": notice.account,
        "seq": notice.seq,
        "at": _moment(notice.at),
    }
    if notice.level >= Level.COUNT:
        told |= {"first": notice.first, "count": notice.count}
        if notice.at_least:
            told["at_least"] = True
    if notice.level >= Level.SENDER and notice.detail:
        told["detail"] = notice.detail
    told |= _shown(notice.shown, notice.level)
    digest = [_shown(each, notice.level) for each in notice.digest]
    if any(digest):
        told["digest"] = digest
    return told


def encode(notice: Notice, limit: int = MAX_NOTICE) -> bytes:
    """The notice as it is sent, in UTF-8, of at most *limit* octets.

    Where it would have more, the oldest messages of its digest go first, then what is missed least: the
    preview, the list, the subject and so on, down to what every notice has, which stays.
    """
    told = notice_object(notice)
    digest = told.pop("digest", [])
    octets = _octets(told)
    for name in _MISSED_LEAST:
        if len(octets) <= limit:
            break
        told.pop(name, None)
        octets = _octets(told)
    newest = _newest(digest, limit - len(octets) - len(_FRAME))
    return _octets({**told, "digest": newest}) if newest else octets


def template_values(notice: Notice) -> dict[str, str]:
    """The notice as values for the fields TEMPLATE_NAMES; what is not told is empty."""
    told = notice_object(notice)
    sender = told.get("from", {})
    told |= {"name": sender.get("name") or sender.get("addr", ""), "addr": sender.get("addr", "")}
    return {name: str(told.get(name, "")) for name in TEMPLATE_NAMES}


def verification(code: str) -> bytes:
    """What a target is sent before anything else: to show that it wants notices, it gives the code back."""
    return _octets({"v": VERSION, "type": "verify", "code": code})


def _shown(shown: Shown, level: Level) -> Json:
    told: Json = {}
    if level >= Level.COUNT and shown.label:
        told["label"] = shown.label
    if level >= Level.SENDER and (shown.sender or shown.sender_name):
        told["from"] = {"name": shown.sender_name, "addr": shown.sender}
    if level >= Level.SUBJECT:
        told |= {name: text for name, text in (("subject", shown.subject), ("list", shown.list_id)) if text}
    if level >= Level.PREVIEW and shown.preview:
        told["preview"] = shown.preview
    return told


def _newest(digest: list[Json], room: int) -> list[Json]:
    """As many of the last ones as have room, with a comma before each but the first."""
    start, room = len(digest), room + 1
    while start and (room := room - len(_octets(digest[start - 1])) - 1) >= 0:
        start -= 1
    return digest[start:]


def _moment(at: float) -> str:
    """RFC 3339 section 5.6, in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _octets(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _digest(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 over the parts, which no NUL is in: the first says what for."""
    return hmac.digest(key, "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")
