"""Letters that the clients send and fetch, and what a letter looks like at the other end."""

from __future__ import annotations

import re

_TRACE = re.compile(
    rb"Return-Path: <[^\r\n]*>\r\n"
    rb"Delivered-To: [^\r\n]+\r\n"
    rb"(?:Authentication-Results: [^\r\n]+\r\n(?:\t[^\r\n]+\r\n)*)?"
    rb"Received: from [^\r\n]+(?:\r\n\t[^\r\n]+)*?;\r\n"
    rb"\t[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} \+0000\r\n"
)
"""The fields that the server puts in front, in this order (RFC 5321 section 4.4, RFC 8601 section 5)."""

PLAIN = (
    b"From: Ann <ann@example.test>\r\n"
    b"To: Joe <joe@example.test>\r\n"
    b"Subject: A letter\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <letter-1@example.test>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
    b".\r\n"
    b".. two dots, and one line that is only a dot above\r\n"
    b"Gr\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln\r\n"
    b"From the beginning of a line\r\n"
    b"\r\n"
    b".the end\r\n"
)


def numbered(number: int) -> bytes:
    """A letter unlike all others."""
    return PLAIN.replace(b"A letter", b"Letter %d" % number).replace(b"letter-1@", b"letter-%d-1@" % number)


def split_trace(message: bytes) -> tuple[bytes, bytes]:
    """The trace fields that the server has added, and the message as it was sent."""
    trace = _TRACE.match(message)
    assert trace, message[:1000]
    return trace[0], message[trace.end() :]


def crlf(message: bytes) -> bytes:
    """A message that a program has stored with LF, as it was on the wire."""
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
