"""The tokens of structured header fields (RFC 5322 section 3.2, RFC 6532). Nothing is no token."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator

import attrs

_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PARENTHESIS = re.compile(r"\\.?|[()]", re.DOTALL)


class Kind(enum.Enum):
    SPACE = enum.auto()
    QUOTED = enum.auto()
    """A quoted string."""
    COMMENT = enum.auto()
    """With all comments inside it."""
    SPECIAL = enum.auto()
    """One of ``, : ; < >``."""
    ATOM = enum.auto()
    """A domain literal, too, and anything that should not be there."""


_KINDS = {kind.name: kind for kind in Kind}
_TOKEN = re.compile(
    r"""(?P<SPACE>[ \t]+)
      | (?P<QUOTED>"(?:[^"\\]|\\.?)*+"?)
      | (?P<COMMENT>\()
      | (?P<SPECIAL>[,:;<>])
      | (?P<ATOM>\[[^\[\]]*\]?|[^ \t"(,:;<>\[\\]+|\\.?)""",
    re.DOTALL | re.VERBOSE,
)


@attrs.frozen
class Token:
    kind: Kind
    text: str
    """As it stands there."""

    @property
    def content(self) -> str:
        """What it means: a quoted string or a comment without its frame and its backslashes."""
        if self.kind not in (Kind.QUOTED, Kind.COMMENT):
            return self.text
        closing = '"' if self.kind is Kind.QUOTED else ")"
        return _QUOTED_PAIR.sub(r"\1", self.text[1:].removesuffix(closing))


def tokens(text: str) -> Iterator[Token]:
    """All of *text*, in linear time. What was opened and not closed ends where the text ends."""
    position = 0
    while match := _TOKEN.match(text, position):
        kind = _KINDS[str(match.lastgroup)]
        end = _end_of_comment(text, position) if kind is Kind.COMMENT else match.end()
        yield Token(kind, text[position:end])
        position = end


def _end_of_comment(text: str, opening: int) -> int:
    depth = 0
    for match in _PARENTHESIS.finditer(text, opening):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if not depth:
                return match.end()
    return len(text)
