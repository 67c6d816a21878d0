"""What no client of a sink may do: each fault in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

COMMAND = 512
"""Octets of a command line with its CRLF (RFC 5321 section 4.5.3.1.4)."""
LONGER = {"MAIL": 26 + 17 + 500 + 500 + 10, "RCPT": 500, "AUTH": 12_288 - COMMAND}
"""What the extensions add (RFC 1870, 6152, 3461, 4954, 6531)."""
LAST_OF_A_GROUP = frozenset({"EHLO", "HELO", "LHLO", "STARTTLS", "AUTH", "DATA", "QUIT", "NOOP"})
"""Nothing may be sent behind these before they are answered (RFC 2920 section 3.1, RFC 3207 section 4)."""
BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
UNSTUFFED = re.compile(rb"(?:\A|\r\n)\.(?!\.)")
NEEDS = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "NOTIFY": "DSN",
    "ORCPT": "DSN",
    "AUTH": "AUTH",
    "REQUIRETLS": "REQUIRETLS",
}
"""Parameters of MAIL and RCPT, and the extension that has to be offered for each."""


def of_line(line: bytes, verb: str) -> Iterator[str]:
    """*line* with its end."""
    if not line.endswith(b"\r\n") or BARE.search(line):
        yield f"bare CR or LF in {line[:80]!r}"
    if b"\0" in line:
        yield f"NUL in {line[:80]!r}"
    if len(line) > COMMAND + LONGER.get(verb, 0):
        yield f"{verb} with {len(line)} octets"


def of_order(verb: str, offered: Collection[str], more: bool) -> Iterator[str]:
    """*more*: the client has said something behind the command already."""
    if more and verb in LAST_OF_A_GROUP:
        yield f"does not wait for the answer to {verb}"
    elif more and verb != "BDAT" and "PIPELINING" not in offered:
        yield f"pipelining behind {verb}, which was not offered"


def of_parameters(words: Collection[str], offered: Collection[str]) -> Iterator[str]:
    for word in words:
        name, _, value = word.partition("=")
        if NEEDS.get(name.upper(), name) not in offered:
            yield f"{word}, which was not offered"
        if (name.upper(), value.upper()) == ("BODY", "BINARYMIME") and "BINARYMIME" not in offered:
            yield f"{word}, which was not offered"


def of_content(wire: bytes, parameters: Collection[str], *, dots: bool) -> Iterator[str]:
    """*wire*: the content as it came, without the final dot; *dots*: lines that begin with one have another
    in front."""
    said = {word.upper() for word in parameters}
    if "BODY=BINARYMIME" not in said:
        if BARE.search(wire):
            yield "bare CR or LF in the content"
        if not wire.isascii() and "BODY=8BITMIME" not in said:
            yield "8-bit content without BODY=8BITMIME"
    if dots and UNSTUFFED.search(wire):
        yield "a line with a single dot in front"
