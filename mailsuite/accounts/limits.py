"""Limits and lists of accounts and domains, their languages, and how a domain may be told of mail, in the
words of those who look after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from mailsuite.accounts.quotas import DEFAULT, asked_quota, quota_document
from mailsuite.accounts.refusal import bad, parsed
from mailsuite.config.kinds import Kind, OneOf
from mailsuite.config.kinds_notify import NoticeLevel
from mailsuite.config.kinds_relaying import Sender
from mailsuite.config.queue import NoticeLanguage
from mailsuite.config.quotas import OWN_MAXIMUM
from mailsuite.model.account import Account, Domain
from mailsuite.model.notice import Level
from mailsuite.model.sender_list import MAX_OWN_SENDERS, OwnSenders, SenderEntry

ACCOUNT_LIMITS: Final = ("quota", "max_message", "senders", "language")
DOMAIN_LIMITS: Final = (*ACCOUNT_LIMITS, "total_quota", "notify", "notify_max_level")
"""The fields that changed_limits() takes."""
QUOTAS: Final = ("quota", "total_quota")
_MAXIMUM: Final[dict[str, Kind[Any]]] = {"max_message": OWN_MAXIMUM}
_NOTIFY: Final[dict[str, Kind[Any]]] = {"notify": OneOf(("allow", "deny"))}
_LEVEL: Final[dict[str, Kind[Any]]] = {"notify_max_level": NoticeLevel()}
_LANGUAGE: Final[dict[str, Kind[Any]]] = {"language": OneOf(get_args(NoticeLanguage))}
_WORDS: Final = ("block", "accept", "forget")


def limits_document(owner: Account | Domain) -> dict[str, object]:
    """``max_message`` in octets, null: nothing is said, as of ``notify_max_level`` and ``language``; the
    lists as they were written."""
    document: dict[str, object] = {"quota": quota_document(owner.quota)}
    if isinstance(owner, Domain):
        most = owner.notify_max_level
        document["total_quota"] = quota_document(owner.total_quota)
        document["notify"] = "allow" if owner.notify else "deny"
        document["notify_max_level"] = None if most is None else most.word
    return {
        **document,
        "max_message": owner.max_message,
        "block_senders": [entry.text for entry in owner.senders.block],
        "accept_senders": [entry.text for entry in owner.senders.accept],
        "language": owner.language or None,
    }


def changed_limits(owner: Account | Domain, fields: Mapping[str, object]) -> dict[str, Any]:
    """What of *owner* becomes another by those of its limits that *fields* has. Raises RegistryError."""
    changed: dict[str, Any] = {name: asked_quota(fields[name]) for name in QUOTAS if name in fields}
    if "max_message" in fields:
        changed["max_message"] = _asked_maximum(fields["max_message"])
    if "notify" in fields:
        changed["notify"] = parsed(_NOTIFY, {"notify": fields["notify"]})["notify"] == "allow"
    if "notify_max_level" in fields:
        changed["notify_max_level"] = _asked_level(fields["notify_max_level"])
    if "language" in fields:
        changed["language"] = _asked_language(fields["language"])
    if "senders" in fields:
        changed["senders"] = _asked_senders(fields["senders"], owner.senders)
    return changed


def _asked_maximum(value: object) -> int | None:
    if value in {DEFAULT, ""}:
        return None
    octets: int = parsed(_MAXIMUM, {"max_message": value})["max_message"]
    return octets


def _asked_level(value: object) -> Level | None:
    if value in {DEFAULT, ""}:
        return None
    level: Level = parsed(_LEVEL, {"notify_max_level": value})["notify_max_level"]
    return level


def _asked_language(value: object) -> str:
    if value in {DEFAULT, ""}:
        return ""
    tag: str = parsed(_LANGUAGE, {"language": value})["language"]
    return tag


def _asked_senders(value: object, before: OwnSenders) -> OwnSenders:
    """*before*, where each sender that is named stands in the list that it is to stand in, or in none."""
    if not isinstance(value, Mapping):
        raise bad('senders is no object, as {"eve@example.org": "block"}')
    block, accept = (_keyed(entries) for entries in (before.block, before.accept))
    for text, word in value.items():
        if word not in _WORDS:
            raise bad(f"senders: {text}: {word!r} is none of {', '.join(_WORDS)}")
        entry: SenderEntry = parsed({"sender": Sender()}, {"sender": text})["sender"]
        for kept in (block, accept):
            kept.pop(_key(entry), None)
        if word != "forget":
            (block if word == "block" else accept)[_key(entry)] = entry
    for kept in (block, accept):
        if len(kept) > MAX_OWN_SENDERS:
            raise bad(
                f"a list has {MAX_OWN_SENDERS} senders at most; a longer one is a file in "
                "smtp.block_sender_files"
            )
    return OwnSenders(tuple(block.values()), tuple(accept.values()))


def _keyed(entries: tuple[SenderEntry, ...]) -> dict[object, SenderEntry]:
    return {_key(entry): entry for entry in entries}


def _key(entry: SenderEntry) -> object:
    """Whom it means, however it is written."""
    return entry.local, entry.domain, entry.below
