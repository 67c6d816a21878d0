"""Patterns of what people want to hear of: whole strings without letter case, ``*`` for anything and ``?``
for one character.

Whoever wrote the text that is looked at may be a stranger, so that no pattern takes more than its length
times that of the text: what stands behind a ``*`` is found where it stands first, and that is final.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

KEPT: Final = 4096
"""Patterns that stay translated, about 2 KiB each."""


def matches(patterns: Iterable[str], text: str) -> bool:
    """Whether *text* is what one of them says."""
    folded = text.casefold()
    return any(_translated(pattern).fullmatch(folded) for pattern in patterns)


@lru_cache(maxsize=KEPT)
def _translated(pattern: str) -> re.Pattern[str]:
    first, *others = (_literal(part) for part in re.split(r"\*+", pattern.casefold()))
    if not others:
        return re.compile(first, re.DOTALL)
    *between, last = others
    found = "".join(f"(?>.*?{part})" for part in between)
    return re.compile(f"{first}{found}.*{last}", re.DOTALL)


def _literal(part: str) -> str:
    return "".join("." if each == "?" else re.escape(each) for each in part)
