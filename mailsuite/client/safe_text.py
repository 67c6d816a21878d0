"""Strangers' words on the user's screen: one line, nothing in it that steers a terminal or turns the
direction of writing."""

from __future__ import annotations

import unicodedata
from typing import Final

SHORT: Final = 80
LONG: Final = 200
"""Characters of a title, and of a line below it."""
_JOINER: Final = "\u200d"
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def one_line(text: str, limit: int) -> str:
    """*text* in NFC without control and format characters, on one line, at most *limit* characters."""
    text = text[: 16 * limit]
    spaced = " ".join("".join(map(_shown, text)).split())
    line = unicodedata.normalize("NFC", spaced)
    if len(line) <= limit:
        return line
    end = limit - 1
    while end and (unicodedata.combining(line[end]) or line[end - 1] == _JOINER):
        end -= 1  # a letter keeps its marks
    return line[:end].rstrip() + "…"


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _UNSHOWN else character
