"""Where a tag may begin in a local part (RFC 5233)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MAX_SPLITS: Final = 8
"""Places where a name is taken for the end of what stands before a tag: the last ones, and the first. Each
costs a question to the directory, and strangers choose how many there are."""


def splits(local: str, delimiters: str) -> Iterator[tuple[str, str]]:
    """Name and tag, which begins with its delimiter; the longest name first."""
    places = [place for place in range(len(local) - 1, 0, -1) if local[place] in delimiters]
    for place in places if len(places) <= MAX_SPLITS else (*places[: MAX_SPLITS - 1], places[-1]):
        yield local[:place], local[place:]
