"""What a message says of itself, as far as notices go by it. Pure.

Whoever wrote the message chose all of this. It is read for display and for filters, never for rights; what
says that a message is junk, bulk or automatic can be forged, and only ever makes a notice fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

from mailsuite.delivery.header_addresses import read_addresses
from mailsuite.delivery.header_fields import Header, read_header
from mailsuite.delivery.header_text import decoded
from mailsuite.delivery.message_preview import preview
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.notice import Importance, Level, MessageFacts

ROOM: Final = 64 * 1024
"""Octets of the beginning of a message that are looked at; our own limit. A header that came by lists and
filters has 20 KiB."""
MAX_FIELDS: Final = 2000
MAX_FIELD_OCTETS: Final = 10 * 1024
"""Of one field that are decoded; our own limit."""
MAX_CHARACTERS: Final = 500
"""Of each text that is kept; our own limit. Nothing shows more, and an account's log keeps a thousand."""

_LISTS: Final = (
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
)
"""RFC 2919 section 3, RFC 2369 section 3."""
_JUNK: Final = (b"x-spam-flag", b"x-spam", b"x-spam-status")
_IMPORTANCE: Final = (b"importance", b"x-priority", b"priority")
_NAMES: Final = frozenset(
    (
        *(b"from", b"subject", b"auto-submitted", b"precedence"),
        *(b"content-type", b"content-transfer-encoding"),
        *(*_LISTS, *_JUNK, *_IMPORTANCE),
    )
)
_CRLF: Final = b"\r\n"
_HEADER_END: Final = b"\r\n\r\n"
_NAME = re.compile(rb"[ \t\r\n]*+((?:\"(?:[^\"\\]|\\.)*+\"|[^\"<>(),:;\\]++)*+)<", re.S)
"""The phrase in front of the first address of From (RFC 5322 section 3.4)."""
_QUOTED = re.compile(rb"\"((?:[^\"\\]|\\.)*+)\"", re.S)
_ESCAPED = re.compile(rb"\\(.)", re.S)
_LIST_ID = re.compile(rb"<([^<>]*)>")
_WORD = re.compile(rb"[ \t\r\n]*+([A-Za-z0-9-]++)")
_IMPORTANCES: Final = {
    b"high": Importance.HIGH,
    b"urgent": Importance.HIGH,
    b"1": Importance.HIGH,
    b"2": Importance.HIGH,
    b"low": Importance.LOW,
    b"non-urgent": Importance.LOW,
    b"4": Importance.LOW,
    b"5": Importance.LOW,
}
"""RFC 2156 sections 5.3.4 and 5.3.6; X-Priority counts from 1, the highest, to 5."""


def message_facts(beginning: bytes, sender: Address | None, level: Level) -> MessageFacts:
    """Read the first ROOM octets of a message that came with this reverse-path, as far as somebody may be
    told at this *level*: texts from SENDER on, a preview at PREVIEW. Never fails.

    ``label`` and ``own`` are of each copy, and stay as they are without.
    """
    block, body = _split(beginning[:ROOM])
    header = read_header(block, MAX_FIELDS, _NAMES)
    facts = MessageFacts() if level < Level.SENDER else _texts(header)
    if level >= Level.PREVIEW:
        type, encoding = _first(header, b"content-type"), _first(header, b"content-transfer-encoding")
        facts = attrs.evolve(facts, preview=preview(type, encoding, body))
    return attrs.evolve(
        facts,
        importance=_importance(header),
        junk=any(_word(header, name) in {b"yes", b"true"} for name in _JUNK),
        bulk=any(map(header.has, _LISTS)) or _word(header, b"precedence") in {b"bulk", b"list", b"junk"},
        auto=sender is None or _word(header, b"auto-submitted") not in {b"", b"no"},
    )


def label_of(account: Address, recipient: Address) -> str:
    """The tag that *recipient* has, which is the account with or without one (model.facts.Copy)."""
    return recipient.local.removeprefix(account.local)[1:] if recipient != account else ""


def _split(beginning: bytes) -> tuple[bytes, bytes]:
    """The header, without the CRLF at its end, and what of the body is there."""
    if beginning.startswith(_CRLF):
        return b"", beginning[len(_CRLF) :]
    header, end, body = beginning.partition(_HEADER_END)
    if end or len(beginning) < ROOM:
        return header.removesuffix(_CRLF), body
    return header.rpartition(_CRLF)[0], b""  # the last line is cut


def _texts(header: Header) -> MessageFacts:
    address, name = _author(_first(header, b"from"))
    lists = _first(header, b"list-id")
    found = _LIST_ID.search(lists)
    return MessageFacts(
        sender=_short(address),
        sender_name=_short(name),
        subject=_short(decoded(_first(header, b"subject"))),
        list_id=_short((found[1] if found else lists).decode("utf-8", "replace")),
    )


def _author(value: bytes) -> tuple[str, str]:
    """Address and name of the first author. Where From is against the grammar nothing in it is an address,
    and all of it the name: whoever is told sees what stands there."""
    try:
        address = str(next(iter(read_addresses(value)), ""))
    except AddressSyntaxError:
        return "", decoded(value)
    found = _NAME.match(value)
    if not found:
        return address, ""
    # Encoded words are read last: what they hold is no grammar (RFC 2047 section 5).
    return address, decoded(_QUOTED.sub(lambda quoted: _ESCAPED.sub(rb"\1", quoted[1]), found[1]))


def _importance(header: Header) -> Importance:
    words: Iterable[bytes] = (_word(header, name) for name in _IMPORTANCE)
    return next((_IMPORTANCES[word] for word in words if word in _IMPORTANCES), Importance.NORMAL)


def _word(header: Header, name: bytes) -> bytes:
    """The first word of the first field of that name, in lower case; empty where there is none."""
    found = _WORD.match(_first(header, name))
    return found[1].lower() if found else b""


def _first(header: Header, name: bytes) -> bytes:
    return next(iter(header.values(name)), b"")[:MAX_FIELD_OCTETS]


def _short(text: str) -> str:
    """On one line, with single blanks."""
    return " ".join(text.split())[:MAX_CHARACTERS]
