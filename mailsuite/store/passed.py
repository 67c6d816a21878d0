"""What a device was never shown, as it stands in a file: one UIDL in each line. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import attrs

MAX_LOOKUPS = 8
"""How often we search all lines before we make a set of them, which takes about ten times as long."""


@attrs.define(eq=False)
class PassedLines(Collection[str]):
    """The UIDLs of 100,000 lines, ready to be asked for one of them without a set of all being made."""

    lines: bytes
    """Each with its line end."""
    _searched: int = attrs.field(default=0, init=False)
    _all: frozenset[str] | None = attrs.field(default=None, init=False)

    @classmethod
    def of(cls, uidls: Iterable[str]) -> PassedLines:
        """UIDLs are ASCII without controls (RFC 1939 section 7)."""
        return cls(b"".join([uidl.encode("ascii") + b"\n" for uidl in sorted(uidls)]))

    def __contains__(self, uidl: object) -> bool:
        if self._all is None and self._searched < MAX_LOOKUPS:
            self._searched += 1
            line = f"{uidl}\n".encode()
            return self.lines.startswith(line) or b"\n" + line in self.lines
        if self._all is None:
            self._all = frozenset(self)
        return uidl in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines.decode("latin-1").split("\n")[:-1])

    def __len__(self) -> int:
        return self.lines.count(b"\n")
