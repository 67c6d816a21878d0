"""What the messages of the corpus are made of."""

from __future__ import annotations

import base64
import random

CRLF = b"\r\n"

HEAD = (
    b"From: Ann <ann@example.test>",
    b"To: Joe <joe@example.test>",
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000",
    b"Message-ID: <corpus@example.test>",
)


def lines(*text: bytes) -> bytes:
    """Each ended by CRLF."""
    return b"".join(line + CRLF for line in text)


def letter(subject: bytes, body: bytes, *fields: bytes) -> bytes:
    """A message with a usual header and these further fields."""
    return lines(*HEAD, b"Subject: " + subject, *fields) + CRLF + body


def mime(subject: bytes, content_type: bytes, body: bytes, encoding: bytes = b"7bit") -> bytes:
    return letter(
        subject,
        body,
        b"MIME-Version: 1.0",
        b"Content-Type: " + content_type,
        b"Content-Transfer-Encoding: " + encoding,
    )


def multipart(boundary: bytes, *parts: bytes, preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    """Parts, each with its own header, between the lines of a boundary (RFC 2046 section 5.1.1)."""
    return (
        preamble
        + b"".join(b"--" + boundary + CRLF + part + CRLF for part in parts)
        + b"--"
        + boundary
        + b"--"
        + CRLF
        + epilogue
    )


def part(content_type: bytes, body: bytes, *fields: bytes) -> bytes:
    return lines(b"Content-Type: " + content_type, *fields) + CRLF + body


def noise(octets: int, seed: int = 1) -> bytes:
    """The same every time."""
    return random.Random(seed).randbytes(octets)


def base64_lines(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", CRLF)


def filled(octets: int, subject: bytes = b"of a certain size") -> bytes:
    """A message of exactly so many octets."""
    head = letter(subject, b"")
    line = b"All work and no play makes Jack a dull boy. 0123456789 .,;:" + CRLF
    left = octets - len(head)
    whole, rest = divmod(left, len(line))
    if rest == 1:  # no line has one octet
        whole, rest = whole - 1, rest + len(line)
    return head + line * whole + (b"x" * (rest - 2) + CRLF if rest else b"")
