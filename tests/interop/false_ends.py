"""What some server somewhere has taken for the end of a message, and a second message behind it (row M-08).

Nothing but CRLF . CRLF ends one (RFC 5321 section 4.1.1.4). All that the public checkers try is among these:
smtpsmug, and the scanner of SMTP-Smuggling-Tools with its lists for both directions.
"""

from __future__ import annotations

import re

from tests.interop.wire import CRLF

FALSE_ENDS = {
    "LF . LF": b"\n.\n",
    "LF . CR": b"\n.\r",
    "LF . CRLF": b"\n.\r\n",
    "LF LF . CRLF": b"\n\n.\r\n",
    "CR . LF": b"\r.\n",
    "CR . CR": b"\r.\r",
    "CR . CRLF": b"\r.\r\n",
    "CRLF . LF": b"\r\n.\n",
    "CRLF . CR": b"\r\n.\r",
    "CRLF . CR CRLF": b"\r\n.\r\r\n",
    "CR CRLF . CR CRLF": b"\r\r\n.\r\r\n",
    "CRLF NUL . CRLF": b"\r\n\x00.\r\n",
    "CRLF NUL . CR": b"\r\n\x00.\r",
    "CRLF NUL . LF": b"\r\n\x00.\n",
    "CRLF . NUL CRLF": b"\r\n.\x00\r\n",
    "CRLF . space CRLF": b"\r\n. \r\n",
}
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
"""A CR or LF that is not part of a CRLF."""

SMUGGLED = (
    b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsmuggled\r\n"
)


def carrying(end: bytes) -> bytes:
    """A message for joe with *end* in it and, behind that, one for ann, whom nobody writes to else."""
    return b"From: x@elsewhere.example\r\nSubject: outer\r\n\r\nbefore" + end + SMUGGLED


def as_lines(octets: bytes) -> bytes:
    """With CRLF wherever somebody may see the end of a line."""
    return re.sub(rb"\r\n|\r|\n", CRLF, octets)
