"""What strangers have written, made safe to show: one line, nothing that steers a terminal or turns the
direction of writing, and an end.

What is dropped: control and format characters (Cc, Cf: bidirectional overrides, ESC, BEL, zero-width spaces,
the tags of some flags), surrogates, noncharacters, and marks beyond MAX_MARKS on one letter. What looks empty
and is none becomes a space. Two invisible characters stay where writing needs them: the joiner within emoji
and Indic conjuncts, the non-joiner there and between Arabic letters.

A cut falls between what a reader takes for characters: marks, joined emoji, skin tones, flags, Hangul
syllables and conjuncts stay whole. These are the rules of Unicode Standard Annex 29 as far as
``unicodedata`` knows what they ask for; where they are coarser, an unusual letter may be cut in two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

SHORT: Final = 80
LONG: Final = 200
"""Characters of a name, and of a subject or the beginning of a text."""
MAX_MARKS: Final = 8
"""On one letter: more than any writing has, fewer than cover the lines above and below."""

_READ: Final = 16
"""Of a text so many times the limit is read at all: the rest could only follow what is dropped."""
_ELLIPSIS: Final = "…"
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_EMOJI_STYLE: Final = "\ufe0f"
_HALF_FLAGS: Final = "".join(map(chr, range(0x1F1E6, 0x1F200)))
"""The regional indicators: two make a flag."""
_VIRAMA: Final = 9
"""The combining class of what joins the letters of Indic scripts."""
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs"})
_EMPTY_LOOKING: Final = dict.fromkeys(map(ord, "\u115f\u1160\u2800\u3164\uffa0"), " ")
"""Fillers of Hangul, and Braille without a dot."""
_LAST_OF_PLANES: Final = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_NO_CHARACTER: Final = re.compile(f"[\ufdd0-\ufdef{_LAST_OF_PLANES}]")
_AT_SIGNS: Final = re.compile("[@\uff20\ufe6b]")
_ROOM_FOR_A_NAME: Final = 8


def one_line(text: str, limit: int) -> str:
    """*text* in NFC, with single spaces, of at most *limit* characters (code points), 2 or more; where it had
    more it ends with ``…``."""
    line = _readable(text[: _READ * limit])
    return line if len(line) <= limit else _cut(line, limit - 1).rstrip() + _ELLIPSIS


def with_address(name: str, address: str, limit: int = SHORT) -> str:
    """How a sender is shown: by name, or by address where there is none; by both where the name has an @ and
    so could be taken for the address of somebody else.

    Then the name is cut, never the address; one that is too long itself loses its beginning, for its end says
    whose it is.
    """
    shown, own = one_line(name, limit), _end(_readable(address[-_READ * limit :]), limit)
    if not own or (shown and not _AT_SIGNS.search(name)):
        return shown
    room = limit - len(own) - len(" <>")
    if not shown or room < _ROOM_FOR_A_NAME or shown.casefold() == own.casefold():
        return own
    return f"{one_line(name, room)} <{own}>"


def _readable(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        text = _NO_CHARACTER.sub("", text.translate(_EMPTY_LOOKING))
        spaced = "".join(" " if each.isspace() else each for each in text)
        text = unicodedata.normalize("NFC", "".join(_kept(spaced)))
    return " ".join(text.split())


def _kept(text: str) -> Iterator[str]:
    before, marks = "", 0
    for at, each in enumerate(text):
        if each in (_ZWJ, _ZWNJ):
            if not _joins(before, each, text[at + 1 : at + 2]):
                continue
        else:
            category = unicodedata.category(each)
            if category in _UNSHOWN:
                continue
            marks = marks + 1 if category[0] == "M" else 0
            if marks > MAX_MARKS or (marks and before in ("", " ")):
                continue
        yield each
        before = each


def _joins(before: str, joiner: str, behind: str) -> bool:
    """Whether a joiner, or a non-joiner, has a meaning between these two."""
    if not before or not behind:
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return unicodedata.category(behind)[0] in "LM"
    if joiner == _ZWNJ:
        return unicodedata.bidirectional(before) == unicodedata.bidirectional(behind) == "AL"
    return _is_emoji(before) and unicodedata.category(behind) in ("So", "Sm")


def _is_emoji(character: str) -> bool:
    return character == _EMOJI_STYLE or unicodedata.category(character) == "So" or _is_skin_tone(character)


def _is_skin_tone(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def _cut(line: str, limit: int) -> str:
    """At most the first *limit* characters. What is one letter and longer is cut in the middle."""
    end = limit
    while end and _within(line, end):
        end -= 1
    return line[: end or limit].rstrip(_ZWJ + _ZWNJ)


def _end(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    start = len(line) - limit + len(_ELLIPSIS)
    while start < len(line) and _within(line, start):
        start += 1
    return _ELLIPSIS + line[start:]


def _within(line: str, at: int) -> bool:
    """Whether the characters on both sides of this place make one letter."""
    before, behind = line[at - 1], line[at]
    if before == _ZWJ or _extends(behind):
        return True
    if behind in _HALF_FLAGS:
        return (at - len(line[:at].rstrip(_HALF_FLAGS))) % 2 == 1
    return unicodedata.combining(before) == _VIRAMA and unicodedata.category(behind) == "Lo"


def _extends(character: str) -> bool:
    """Marks, joiners, skin tones, the vowels and final consonants of Hangul, the voice marks of katakana."""
    return (
        character in (_ZWJ, _ZWNJ, "\uff9e", "\uff9f")
        or unicodedata.category(character)[0] == "M"
        or _is_skin_tone(character)
        or "\u1160" <= character <= "\u11ff"
        or "\ud7b0" <= character <= "\ud7ff"
    )
