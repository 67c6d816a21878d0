"""Names without a domain in the header fields of mail that programs of this machine hand in, as cron's
``From: root (Cron Daemon)``: they mean the domain of the server (RFC 5321 section 2.3.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import attrs

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n]++)"
    r"|(?P<atom>[^ \t\r\n()<>\[\]:;@\\,\"]++)"
    r"|(?P<quoted>\"(?:[^\"\\]|\\.)*+\")"
    r"|(?P<literal>\[[^\[\]\\]*+\])"
    r"|(?P<special>.)",
    re.DOTALL,
)
_OF_COMMENT = re.compile(r"[()]|\\.", re.DOTALL)


@attrs.define
class _Mailbox:
    """What was read of one, as far as it has to do with its address."""

    words: int = 0
    last_end: int = 0
    """Where the last word ended."""
    has_domain: bool = False
    has_brackets: bool = False

    def word(self, end: int) -> None:
        self.words, self.last_end = self.words + 1, end

    @property
    def is_bare(self) -> bool:
        return self.words == 1 and not self.has_domain


def complete(value: str, domain: str) -> str:
    """*value*, a list of addresses, with *domain* behind each name that has none. Whatever else is there,
    wrong or right, stays as it is."""
    places = [0, *_bare_ends(value), len(value)]
    return f"@{domain}".join(value[start:end] for start, end in pairwise(places))


def _bare_ends(value: str) -> Iterator[int]:
    """Where each name ends that has no domain."""
    mailbox, position = _Mailbox(), 0
    closed = False
    while position < len(value):
        if value[position] == "(":
            position = _behind_comment(value, position)
            continue
        found = _TOKEN.match(value, position)
        assert found is not None  # noqa: S101 - any character is a token
        position = found.end()
        match found.lastgroup, found[0]:
            case "special", ("," | ";"):
                if mailbox.is_bare:
                    yield mailbox.last_end
                mailbox, closed = _Mailbox(), False
            case "special", ":":
                mailbox = _Mailbox()
            case "special", "<":
                mailbox = _Mailbox(has_brackets=True)
            case "special", ">":
                closed = True
            case "special", "@":
                mailbox.has_domain = True
            case (("atom" | "quoted"), _) if not closed:
                mailbox.word(position)
    if mailbox.is_bare:
        yield mailbox.last_end


def _behind_comment(value: str, start: int) -> int:
    """Comments may hold comments; one without an end goes to the end."""
    depth = 0
    for found in _OF_COMMENT.finditer(value, start):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if not depth:
                return found.end()
    return len(value)
