"""What people are told when a maildrop, or a whole domain, gets full. Pure: values in, octets out."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import attrs

from mailsuite.delivery import trace
from mailsuite.delivery.quota_ledger import Standing
from mailsuite.delivery.quota_totals import TotalStanding
from mailsuite.model.address import Address
from mailsuite.model.quota import Quota
from mailsuite.model.retention import Usage

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


def letter(standing: Standing, level: int, head: Letterhead) -> bytes:
    """The whole message with its trace fields, CRLF line ends, ASCII alone but for the address.

    An answer to it is no use: nobody asks for one (RFC 3834 section 5), and the reverse-path is empty.
    """
    body = [
        f"The mailbox {standing.account} is more than {level} percent full.",
        "",
        *_figures(standing.usage, standing.quota),
        "",
        *_otherwise(head),
        "",
        "To make room, delete mail that you do not need any more; large attachments first. A program that",
        "fetches your mail by POP3 may be set to leave a copy of all mail on the server: let it delete",
        "there what it has fetched.",
    ]
    return _message(standing.account, f"Your mailbox is {level} percent full", body, head)


def total_letter(standing: TotalStanding, reader: Address, head: Letterhead) -> bytes:
    """The same about all mailboxes of a domain, for *reader*, who looks after it."""
    domain, level = standing.domain, standing.level
    body = [
        f"All mailboxes of {domain} together are more than {level} percent full.",
        "",
        *_figures(standing.usage, standing.quota),
        "",
        *_otherwise(head),
        "",
        "To make room, have mail deleted that nobody needs any more, or allow the domain more:",
        f"mailsuite domain change {domain} --total-quota. What each mailbox has is told by",
        "mailsuite account list --usage.",
    ]
    return _message(reader, f"The mailboxes of {domain} are {level} percent full", body, head)


def _message(reader: Address, subject: str, body: list[str], head: Letterhead) -> bytes:
    header = (
        f"Date: {format_datetime(datetime.fromtimestamp(head.seconds, UTC))}",
        f"From: Mail server <postmaster@{head.hostname}>",
        f"To: <{reader}>",
        f"Subject: {subject}",
        f"Message-ID: <{head.id}@{head.hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    end = ("", "The mail server wrote this by itself, once; an answer is read by nobody.")
    text = "\r\n".join((*header, "", *body, *end, "")).encode("utf-8", "replace")
    return trace.return_path(None) + trace.delivered_to(reader) + text


def _figures(usage: Usage, quota: Quota) -> tuple[str, str]:
    return (
        f"  messages: {_of(f'{usage.messages:,}', f'{quota.messages:,}' if quota.messages else '')}",
        f"  size:     {_of(_size(usage.octets), _size(quota.octets) if quota.octets else '')}",
    )


def _otherwise(head: Letterhead) -> tuple[str, ...]:
    if head.rejects:
        return ("When it is full, new mail is sent back to those who wrote it.",)
    return (
        "When it is full, new mail has to wait until there is room, and after some days it is sent",
        "back to those who wrote it.",
    )


def _of(used: str, limit: str) -> str:
    return f"{used} of {limit}" if limit else f"{used}, without a limit"


def _size(octets: int) -> str:
    """``1.6 GiB``, ``300 MiB``, ``12 KiB``."""
    for unit, factor in (("GiB", _MEBI << 10), ("MiB", _MEBI)):
        if octets >= factor:
            number = octets / factor
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{-(-octets // 1024)} KiB"
