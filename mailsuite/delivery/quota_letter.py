"""What the owner of a maildrop is told when it gets full. Pure: values in, octets out."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import attrs

from mailsuite.delivery import trace
from mailsuite.delivery.quota_ledger import Standing

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
    account = standing.account
    header = (
        f"Date: {format_datetime(datetime.fromtimestamp(head.seconds, UTC))}",
        f"From: Mail server <postmaster@{head.hostname}>",
        f"To: <{account}>",
        f"Subject: Your mailbox is {level} percent full",
        f"Message-ID: <{head.id}@{head.hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    usage, quota = standing.usage, standing.quota
    body = [
        f"The mailbox {account} is more than {level} percent full.",
        "",
        f"  messages: {_of(f'{usage.messages:,}', f'{quota.messages:,}' if quota.messages else '')}",
        f"  size:     {_of(_size(usage.octets), _size(quota.octets) if quota.octets else '')}",
        "",
        "When it is full, new mail is sent back to those who wrote it."
        if head.rejects
        else "When it is full, new mail has to wait until there is room, and after some days it is sent\r\n"
        "back to those who wrote it.",
        "",
        "To make room, delete mail that you do not need any more; large attachments first. A program that",
        "fetches your mail by POP3 may be set to leave a copy of all mail on the server: let it delete",
        "there what it has fetched.",
        "",
        "The mail server wrote this by itself, once; an answer is read by nobody.",
    ]
    text = "\r\n".join((*header, "", *body, "")).encode("utf-8", "replace")
    return trace.return_path(None) + trace.delivered_to(account) + text


def _of(used: str, limit: str) -> str:
    return f"{used} of {limit}" if limit else f"{used}, without a limit"


def _size(octets: int) -> str:
    """``1.6 GiB``, ``300 MiB``, ``12 KiB``."""
    for unit, factor in (("GiB", _MEBI << 10), ("MiB", _MEBI)):
        if octets >= factor:
            number = octets / factor
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{-(-octets // 1024)} KiB"
