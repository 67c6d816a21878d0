"""Bodies: lines of any length, dots, line ends, characters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.corpus.letter import CRLF, filled, letter, lines, mime, noise

EDGE = 65_536
"""What reads and writes of the server come in."""
SPOOLED_ABOVE = 256 * 1024
"""Octets up to which the store keeps a message in memory."""


def dot_at(offset: int) -> bytes:
    """A line that is only a dot, and one that begins with two, the first of them at *offset*."""
    head = filled(offset, b"a dot at an edge")
    return head + lines(b".", b"..", b"", b"behind the dots")


def long_line(octets: int) -> bytes:
    return letter(b"a long line", lines(b"before", b"." + b"l" * (octets - 1), b"behind"))


def noise_without(forbidden: bytes) -> bytes:
    """Octets of every kind but these, in lines of every length."""
    octets = noise(50_000).translate(None, forbidden)
    cuts = range(0, len(octets), 331)
    return letter(b"noise", lines(*(octets[cut : cut + cut % 331 + 1] for cut in cuts)))


DOTS: dict[str, Callable[[], bytes]] = {
    "dot-first-line": lambda: letter(b"dots", lines(b".first", b"second")),
    "dot-only-line": lambda: letter(b"dots", lines(b"before", b".", b"behind")),
    "dot-only-body": lambda: letter(b"dots", lines(b".")),
    "dot-last-line": lambda: letter(b"dots", lines(b"before", b".")),
    "dot-two": lambda: letter(b"dots", lines(b"..", b"x", b"..")),
    "dot-two-and-text": lambda: letter(b"dots", lines(b"..text", b". .", b".. ..", b"x..")),
    "dot-growing": lambda: letter(b"dots", lines(*(b"." * count for count in range(1, 200)))),
    "dot-in-header": lambda: lines(b".Strange: a field", b"Subject: dots") + CRLF + lines(b"."),
    "dot-message-begins": lambda: lines(b".", b".", b"", b"."),
    "dot-every-line": lambda: letter(b"dots", lines(b".x") * 10_000),
    "dot-nothing-else": lambda: letter(b"dots", lines(b".") * 100_000),
    "dot-and-empty": lambda: letter(b"dots", lines(b".", b"") * 60_000),
    "dot-looks-like-commands": lambda: letter(
        b"dots", lines(b".", b"QUIT", b"MAIL FROM:<x@elsewhere.example>", b".QUIT", b"+OK", b"-ERR", b".")
    ),
    **{f"dot-at-{EDGE + shift}": partial(dot_at, EDGE + shift) for shift in range(-5, 6)},
    **{f"dot-at-{2 * EDGE + shift}": partial(dot_at, 2 * EDGE + shift) for shift in (-1, 0, 1)},
}

LINES: dict[str, Callable[[], bytes]] = {
    **{f"line-{octets}": partial(long_line, octets) for octets in (76, 998, 999, 1000, 2048, 5000, 60_000)},
    "line-65535": lambda: letter(b"the longest line", lines(b"x" * 65_535)),
    "line-many-long": lambda: letter(b"long lines", lines(b"y" * 60_000) * 30),
    "line-short": lambda: letter(b"short lines", lines(b"x") * 50_000),
    "line-empty": lambda: letter(b"empty lines", CRLF * 50_000),
    "line-spaces": lambda: letter(
        b"white space", lines(b" ", b"\t", b" \t ", b"text   ", b"text\t", b"  ", b"")
    ),
}

ENDS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "empty-line": lambda: CRLF,
    "empty-lines": lambda: CRLF * 3,
    "empty-body": lambda: letter(b"no body", b""),
    "empty-header": lambda: CRLF + lines(b"a body without a header"),
    "header-only": lambda: lines(b"Subject: no empty line behind the header"),
    "header-only-no-newline": lambda: b"Subject: nothing at all behind the header",
    "no-final-newline": lambda: letter(b"no final newline", b"the last line ends with the message"),
    "no-final-newline-dot": lambda: letter(b"no final newline", lines(b"x") + b"."),
    "no-header": lambda: lines(b"This is no header at all", b"", b"and this is no body"),
    "one-octet": lambda: b"x",
    "one-dot": lambda: b".",
    "from-lines": lambda: letter(
        b"mbox", lines(b"From joe@example.test Sat Nov 21 10:00:00 2026", b">From x", b">>From y", b"from z")
    ),
    "begins-with-from": lambda: (
        lines(b"From joe@example.test Sat Nov 21 10:00:00 2026")
        + letter(b"a mailbox's line in front", lines(b"x"))
    ),
    "begins-with-space": lambda: (
        lines(b" folded into what stands above", b"\ttwice") + letter(b"x", lines(b"y"))
    ),
}

CHARACTERS: dict[str, Callable[[], bytes]] = {
    "8bit-latin-1": lambda: mime(
        b"latin", b"text/plain; charset=iso-8859-1", lines("Grüße, ça va, ¿qué?".encode("latin-1")), b"8bit"
    ),
    "8bit-windows-1252": lambda: mime(
        b"windows", b"text/plain; charset=windows-1252", lines(b"\x80 100 \x96 \x93quoted\x94 \x85"), b"8bit"
    ),
    "8bit-utf-8": lambda: mime(
        b"utf-8", b"text/plain; charset=utf-8", lines("Ünïcödé ✉ 🎉 日本語 עברית".encode()), b"8bit"
    ),
    "8bit-undeclared": lambda: letter(b"undeclared", lines(bytes(range(128, 256)))),
    "8bit-noise": lambda: noise_without(b"\r\n\0"),
    "8bit-koi8-r": lambda: mime(
        b"koi8", b"text/plain; charset=koi8-r", lines("Здравствуйте".encode("koi8-r")), b"8bit"
    ),
    "iso-2022-jp": lambda: mime(
        b"=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=",
        b"text/plain; charset=iso-2022-jp",
        lines("日本語のメール".encode("iso2022_jp"), b"", b"\x1b$B.O.|\x1b(B", b".\x1b$B!#\x1b(B"),
    ),
    "big5": lambda: mime(b"big5", b"text/plain; charset=big5", lines("許功蓋 中文".encode("big5")), b"8bit"),
    "gb18030": lambda: mime(
        b"gb", b"text/plain; charset=gb18030", lines("中文邮件".encode("gb18030")), b"8bit"
    ),
    "controls": lambda: letter(
        b"control characters", lines(bytes(octet for octet in range(1, 32) if octet not in b"\r\n") + b"\x7f")
    ),
    "escape": lambda: letter(
        b"terminals", lines(b"\x1b[2J\x1b[31mred\x1b[0m", b"\x07\x08\x08", b"\x1b]0;title\x07")
    ),
    "form-feed": lambda: letter(b"pages", lines(b"page one", b"\x0cpage two", b"\x0c", b"\x0b\x0b", b"\x85")),
    "byte-order-mark": lambda: b"\xef\xbb\xbf" + letter(b"a mark in front", lines(b"\xef\xbb\xbfx")),
    "end-of-file": lambda: letter(b"control Z", lines(b"before", b"\x1a", b"\x04", b"behind")),
    "iac": lambda: letter(b"telnet", lines(b"\xff\xf4\xff\xfd\x06", b"\xff\xff")),
}

SIZES: dict[str, Callable[[], bytes]] = {
    **{
        f"size-{octets}": partial(filled, octets)
        for octets in (
            EDGE - 1,
            EDGE,
            EDGE + 1,
            SPOOLED_ABOVE - 1,
            SPOOLED_ABOVE,
            SPOOLED_ABOVE + 1,
            1024 * 1024,
            5 * 1024 * 1024,
        )
    },
}
