"""The answer to an order by mail (delivery/commands.py). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from mailsuite.delivery import trace
from mailsuite.model.address import Address


def answer(
    to: Address, sender: Address, lines: Sequence[str], *, hostname: str, id: str, seconds: float, about: str
) -> bytes:
    """The whole message with its trace fields, CRLF line ends. *id* is an RFC 5322 atom, *about* the order
    in a word of ours.

    The reverse-path is empty and Auto-Submitted says why, so that no program answers (RFC 3834 section 3).
    """
    header = (
        f"Date: {format_datetime(datetime.fromtimestamp(seconds, UTC))}",
        f"From: Notices <{sender}>",
        f"To: <{to}>",
        f"Subject: Notices: {about}",
        f"Message-ID: <{id}@{hostname}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    text = "\r\n".join((*header, "", *lines, "")).encode("utf-8", "replace")
    return trace.return_path(None) + trace.delivered_to(to) + text
