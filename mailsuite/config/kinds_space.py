"""How much of a file system stays free."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.kinds import BadValue, Kind, printable
from mailsuite.config.measures import Size, size_text

AUTO: Final = "auto"
LEAST_OCTETS: Final = 1 << 30
"""What ``auto`` keeps free at least, where the file system has twice that (features row S-B06)."""
AUTO_PERCENT: Final = 5
MAX_INODES: Final = 10_000
"""Of inodes, no share that is larger: what comes in before anybody can act takes no more."""
MAX_PERCENT: Final = 50
_MAX_OCTETS: Final = 1 << 50
_PERCENT: Final = re.compile(r"([0-9]{1,2})[ \t]*%")


@attrs.frozen
class KeepFree:
    """So many octets, or so many percent; with neither, by the size of the file system."""

    octets: int | None = None
    percent: int | None = None

    def octets_of(self, total: int) -> int:
        """What is to stay free of so many octets. By itself 5 percent, at least 1 GiB, but never more than
        half: a small file system is there to be used."""
        if self.octets is not None:
            return self.octets
        if self.percent is not None:
            return total * self.percent // 100
        return min(max(LEAST_OCTETS, total * AUTO_PERCENT // 100), total // 2)

    def inodes_of(self, total: int) -> int:
        """The same of inodes, of which each message takes one or two. A file system that makes them as it
        needs them has a total of 0."""
        if self.octets == 0:
            return 0
        percent = AUTO_PERCENT if self.percent is None else self.percent
        return min(total * percent // 100, MAX_INODES)


@attrs.frozen
class FreeSpace(Kind[KeepFree]):
    """``"auto"``, a size, or percent of the file system."""

    @property
    def _size(self) -> Size:
        return Size(0, _MAX_OCTETS)

    @property
    def word(self) -> str:
        return "size or percent"

    @property
    def range(self) -> str:
        return f'{self._size.range}, "0%" to "{MAX_PERCENT}%", or "{AUTO}"'

    @property
    def expects(self) -> str:
        return f'a size like "2GiB", a share of the file system like "5%", or "{AUTO}"'

    def parse(self, raw: object, base: Path) -> KeepFree:
        if isinstance(raw, int):
            raise self.refuse(raw, "has no unit")
        text = printable(raw, self).strip()
        if text == AUTO:
            return KeepFree()
        if found := _PERCENT.fullmatch(text):
            percent = int(found[1])
            if percent > MAX_PERCENT:
                raise self.refuse(raw, f"is more than {MAX_PERCENT} percent")
            return KeepFree(percent=percent, octets=None if percent else 0)
        try:
            return KeepFree(octets=self._size.parse(raw, base))
        except BadValue:
            raise self.refuse(raw) from None

    def write(self, value: KeepFree) -> object:
        if value.percent is not None:
            return f"{value.percent}%"
        return AUTO if value.octets is None else size_text(value.octets)
