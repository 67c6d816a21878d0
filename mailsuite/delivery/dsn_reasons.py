"""Why a message was not taken, from what the other server said (RFC 3463, RFC 5248). Pure.

The enhanced code decides, where there is one that says something; else the reply code (RFC 5321 section
4.2.3).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from types import MappingProxyType

from mailsuite.model.outbound import Outcome


class Reason(enum.Enum):
    """What a person is told. The texts are in dsn_texts.py."""

    UNKNOWN_MAILBOX = "unknown mailbox"
    BAD_ADDRESS = "bad address"
    MOVED = "moved"
    MAILBOX_OFF = "mailbox off"
    MAILBOX_FULL = "mailbox full"
    UNKNOWN_DOMAIN = "unknown domain"
    NO_MAIL_DOMAIN = "domain without mail"
    TOO_LARGE = "too large"
    BLOCKED = "blocked"
    RELAYING = "relaying denied"
    NOT_ALLOWED = "not allowed"
    SENDER_REFUSED = "sender refused"
    LOGIN = "login"
    TLS = "TLS"
    LOOP = "loop"
    DNS = "DNS"
    UNREACHABLE = "unreachable"
    UNICODE = "beyond ASCII"
    CONTENT = "content"
    BUSY = "busy"
    REFUSED = "refused"
    OURS = "ours"
    """Nobody else said anything: it is this server that gave up."""


MAX_READ = 1000
"""Characters of a line of a reply that are looked at; more than a line has (RFC 5321 section 4.5.3.1.5)."""
_STORAGE = 552
_LOGIN = frozenset({530, 535})
"""Whatever stands behind them (RFC 4954 section 6)."""
_NULL_MX = "1.10"
"""RFC 7505 section 4.2: a domain takes no mail. We find that out; servers that say it mean a mailbox."""

_BY_DETAIL: Mapping[str, Reason] = MappingProxyType(
    {
        "1.1": Reason.UNKNOWN_MAILBOX,
        "1.2": Reason.UNKNOWN_DOMAIN,
        "1.3": Reason.BAD_ADDRESS,
        "1.4": Reason.BAD_ADDRESS,
        "1.6": Reason.MOVED,
        "1.7": Reason.SENDER_REFUSED,
        "1.8": Reason.SENDER_REFUSED,
        "2.1": Reason.MAILBOX_OFF,
        "2.2": Reason.MAILBOX_FULL,
        "2.3": Reason.TOO_LARGE,
        "3.4": Reason.TOO_LARGE,
        "4.1": Reason.UNREACHABLE,
        "4.2": Reason.UNREACHABLE,
        "4.3": Reason.DNS,
        "4.4": Reason.UNKNOWN_DOMAIN,
        "4.6": Reason.LOOP,
        "6.7": Reason.UNICODE,
        "6.8": Reason.UNICODE,
        "6.9": Reason.UNICODE,
        "6.10": Reason.UNICODE,
        "7.2": Reason.NOT_ALLOWED,
        "7.4": Reason.TLS,
        "7.5": Reason.TLS,
        "7.8": Reason.LOGIN,
        "7.9": Reason.LOGIN,
        "7.10": Reason.TLS,
        "7.11": Reason.TLS,
        "7.14": Reason.LOGIN,
        "7.27": Reason.SENDER_REFUSED,
        "7.30": Reason.TLS,
        **{f"7.{detail}": Reason.SENDER_REFUSED for detail in range(20, 27)},
    }
)
"""By subject and detail of the enhanced code."""
_BY_SUBJECT: Mapping[str, Reason] = MappingProxyType({"6": Reason.CONTENT, "7": Reason.BLOCKED})
"""By the subject alone, where the detail says no more; of permanent replies."""
_BY_CODE: Mapping[int, Reason] = MappingProxyType(
    {
        521: Reason.NO_MAIL_DOMAIN,
        551: Reason.MOVED,
        552: Reason.MAILBOX_FULL,
        553: Reason.BAD_ADDRESS,
        556: Reason.NO_MAIL_DOMAIN,
    }
)
_PASSING = frozenset(
    {
        Reason.MAILBOX_OFF,
        Reason.MAILBOX_FULL,
        Reason.SENDER_REFUSED,
        Reason.LOGIN,
        Reason.TLS,
        Reason.LOOP,
        Reason.DNS,
        Reason.UNREACHABLE,
    }
)
"""What may be so for a while. Servers that put mail off for other reasons give many a code (450 4.1.1 says
that a server could not ask), and a person must not read that there is no such mailbox."""
_THEIRS = frozenset(
    {Reason.BLOCKED, Reason.RELAYING, Reason.NOT_ALLOWED, Reason.SENDER_REFUSED, Reason.BUSY, Reason.REFUSED}
)
"""What another server does. Where none has spoken it is a rule of ours, or a mistake."""
_ON_THE_WAY = ("4.", "5.")
"""The subjects of networks and of protocols (RFC 3463)."""
_RELAY = re.compile(r"\brelay", re.IGNORECASE)
"""5.7.1 is also what says that a server is the wrong one for a domain; then it says so in words."""
_SIZE = re.compile(r"\b(?:size|large|big|long)\b", re.IGNORECASE)
"""552 is said of a full mailbox, and of a message that is too large (RFC 1870 section 6.1)."""


def reason_of(outcome: Outcome | None) -> Reason:
    """Why, as well as what was said lets us know."""
    if outcome is None:
        return Reason.OURS
    _, _, detail = outcome.reply.enhanced.partition(".")
    found = _for_now(outcome, detail) if outcome.reply.is_temporary else _for_good(outcome, detail)
    return Reason.OURS if found in _THEIRS and not outcome.host else found


def _for_now(outcome: Outcome, detail: str) -> Reason:
    known = _BY_DETAIL.get(detail)
    if known in _PASSING:
        return known
    nobody_spoke = not outcome.host and detail.startswith(_ON_THE_WAY)
    return Reason.UNREACHABLE if nobody_spoke else Reason.BUSY


def _for_good(outcome: Outcome, detail: str) -> Reason:
    code = outcome.reply.code
    if detail == "7.1" and _says(outcome, _RELAY):
        return Reason.RELAYING
    if not detail and code == _STORAGE and _says(outcome, _SIZE):
        return Reason.TOO_LARGE
    if code in _LOGIN:
        return Reason.LOGIN
    if detail == _NULL_MX:
        return Reason.UNKNOWN_MAILBOX if outcome.host else Reason.NO_MAIL_DOMAIN
    known = _BY_DETAIL.get(detail) or _BY_SUBJECT.get(detail.partition(".")[0]) or _BY_CODE.get(code)
    return known or Reason.REFUSED


def _says(outcome: Outcome, what: re.Pattern[str]) -> bool:
    return any(what.search(line[:MAX_READ]) for line in outcome.reply.text)
