"""What strangers have said, so that it can stand in a letter: no line end, nothing invisible, an end."""

from __future__ import annotations

import re
import unicodedata

_NOT_ASCII = re.compile(r"[^ -~]")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ENCODED_WORD = "=?"
"""How an encoded word begins (RFC 2047 section 2): readers decode it, and see what we have not."""


def plain(text: str, limit: int) -> str:
    """*text* in printable ASCII, on one line, with single blanks, of at most *limit* characters."""
    return _NOT_ASCII.sub("?", _one_line(text, limit)).replace(_ENCODED_WORD, "= ?")[:limit].rstrip()


def readable(text: str, limit: int) -> str:
    """The same in any script; what cannot be seen, or turns the direction of writing, becomes ``?``."""
    line = _one_line(text, limit)
    if line.isascii():
        return line
    return "".join("?" if unicodedata.category(each)[0] == "C" else each for each in line)


def _one_line(text: str, limit: int) -> str:
    return _BLANKS.sub(" ", text[: 4 * limit]).strip()[:limit].rstrip()
