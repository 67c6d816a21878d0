"""Whose Authentication-Results a field claims to be (RFC 8601 sections 2.2 and 5).

Programs behind us believe the fields that bear our name, so none that came from outside may. Where a field
can be read in more than one way, each of them counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

import attrs
import idna

from mailsuite.model.address import MAX_DOMAIN_OCTETS, MAX_LABEL_OCTETS

MAX_NAME_CHARACTERS = 4 * MAX_DOMAIN_OCTETS
"""Of what stands before the first semicolon: a name with its comments, quotes and version; our own limit."""

_PART = re.compile(
    r"(?P<space>[ \t\r\n]++)"
    r"|(?P<comment>\()"
    r"|\"(?P<quoted>(?:[^\"\\]|\\.)*+)\""
    r"|(?P<end>;)"
    r"|(?P<text>[^ \t\r\n(;\"]++)",
    re.DOTALL,
)
_OF_COMMENT = re.compile(r"[()]|\\.", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class _UnreadableError(ValueError):
    """A quote or comment has no end, or there is too much before the first result."""


@attrs.frozen
class OwnResults:
    """The names under which we write results ourselves."""

    _names: frozenset[tuple[str, ...]]
    """By their labels, each as a person would read it."""
    _dots: int = attrs.field(init=False)
    """In the longest of them, with one at its end. A name with more is not read, however often it comes."""

    @_dots.default
    def _most_dots(self) -> int:
        return max(map(len, self._names), default=0)

    @classmethod
    def of(cls, *hostnames: str) -> OwnResults:
        """*hostnames* are A-labels, as the configuration has them."""
        return cls(frozenset(_labels(_mapped(name)) for name in hostnames))

    def claimed_by(self, value: bytes) -> bool:
        """Whether the value of an Authentication-Results field has one of our names, in any letter case,
        quoting or script, with or without a version; or whether nobody can say whose it is."""
        try:
            parts = list(_parts(value.decode("utf-8", "surrogateescape")))
        except _UnreadableError:
            return True
        # Some readers end the name at a blank or comment, others take those out of it.
        return any(map(self._has, accumulate(map(_mapped, parts))))

    def _has(self, mapped: str) -> bool:
        return mapped.count(".") <= self._dots and _labels(mapped) in self._names


def _parts(text: str) -> Iterator[str]:
    """What stands between blanks, comments and quotes, up to the first semicolon."""
    position = 0
    while position < len(text):
        found = _PART.match(text, position)
        if found is None or position > MAX_NAME_CHARACTERS:
            raise _UnreadableError
        position = found.end()
        match found.lastgroup:
            case "end":
                break
            case "comment":
                position = _behind_comment(text, found.start())
            case "quoted":
                yield _ESCAPED.sub(r"\1", found["quoted"]).replace("\r\n", "")
            case "text":
                yield found["text"]


def _behind_comment(text: str, start: int) -> int:
    depth = 0
    for found in _OF_COMMENT.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    raise _UnreadableError


def _mapped(name: str) -> str:
    """As two spellings of one name are equal (UTS 46)."""
    if name.isascii():
        return name.lower()
    try:
        return idna.uts46_remap(name, std3_rules=False)
    except idna.IDNAError:
        return name


def _labels(mapped: str) -> tuple[str, ...]:
    """The labels of a name, as a person would read them."""
    return tuple(map(_readable, mapped.removesuffix(".").split(".")))


def _readable(label: str) -> str:
    if not label.startswith("xn--") or len(label) > MAX_LABEL_OCTETS:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
