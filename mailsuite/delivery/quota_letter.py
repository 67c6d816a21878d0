"""What people are told when a maildrop, or a whole domain, gets full. Pure: values in, octets out."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import attrs

from mailsuite.delivery import trace
from mailsuite.delivery.quota_ledger import Standing
from mailsuite.delivery.quota_texts import ENGLISH, Lines, QuotaTexts
from mailsuite.delivery.quota_totals import TotalStanding
from mailsuite.model.address import Address
from mailsuite.model.quota import Quota
from mailsuite.model.retention import Usage
from mailsuite.wire.pop3.encoded_words import encoded, folded, words_of

_MEBI = 1 << 20


@attrs.frozen
class Letterhead:
    """What a letter says of where and when it was written."""

    hostname: str
    id: str
    """Of the message: an RFC 5322 atom."""
    seconds: float
    """Since the epoch."""
    rejects: bool
    """Whether mail for a full maildrop is refused for good."""
    texts: QuotaTexts = ENGLISH


def letter(standing: Standing, level: int, head: Letterhead) -> bytes:
    """The whole message with its trace fields, CRLF line ends.

    An answer to it is no use: nobody asks for one (RFC 3834 section 5), and the reverse-path is empty.
    """
    texts, account = head.texts, standing.account
    body = (
        *_filled(texts.full, account=account, level=level),
        "",
        *_figures(standing.usage, standing.quota, texts),
        "",
        *(texts.refused if head.rejects else texts.waits),
        "",
        *texts.advice,
    )
    return _message(account, texts.subject.format(level=level), body, head)


def total_letter(standing: TotalStanding, reader: Address, head: Letterhead) -> bytes:
    """The same about all mailboxes of a domain, for *reader*, who looks after it."""
    texts, domain, level = head.texts, standing.domain, standing.level
    body = (
        *_filled(texts.total_full, domain=domain, level=level),
        "",
        *_figures(standing.usage, standing.quota, texts),
        "",
        *(texts.refused if head.rejects else texts.waits),
        "",
        *_filled(texts.total_advice, domain=domain),
    )
    return _message(reader, texts.total_subject.format(domain=domain, level=level), body, head)


def _filled(lines: Lines, **values: object) -> Lines:
    return tuple(line.format(**values) for line in lines)


def _message(reader: Address, subject: str, body: Lines, head: Letterhead) -> bytes:
    header = (
        f"Date: {format_datetime(datetime.fromtimestamp(head.seconds, UTC))}",
        f"From: {head.texts.writer} <postmaster@{head.hostname}>",
        f"To: <{reader}>",
        folded("Subject", encoded(words_of(subject))),
        f"Message-ID: <{head.id}@{head.hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Content-Language: {head.texts.tag}",
    )
    text = "\r\n".join((*header, "", *body, "", *head.texts.end, "")).encode("utf-8", "replace")
    return trace.return_path(None) + trace.delivered_to(reader) + text


def _figures(usage: Usage, quota: Quota, texts: QuotaTexts) -> Lines:
    def of(used: str, limit: str) -> str:
        return (texts.of if limit else texts.without_limit).format(used=used, limit=limit)

    def size(octets: int) -> str:
        return _size(octets).replace(".", texts.decimal)

    messages = texts.number(quota.messages) if quota.messages else ""
    octets = size(quota.octets) if quota.octets else ""
    return (
        f"  {texts.messages}{of(texts.number(usage.messages), messages)}",
        f"  {texts.size}{of(size(usage.octets), octets)}",
    )


def _size(octets: int) -> str:
    """``1.6 GiB``, ``300 MiB``, ``12 KiB``."""
    for unit, factor in (("GiB", _MEBI << 10), ("MiB", _MEBI)):
        if octets >= factor:
            number = octets / factor
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{-(-octets // 1024)} KiB"
