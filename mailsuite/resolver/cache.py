"""What is known for a while (RFC 1034 section 5.3.3, RFC 2308, RFC 9520)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime

V = TypeVar("V")

ENTRY_OCTETS: Final = 1024
"""What an entry takes beside its response, about: the objects of question, answer and addresses."""


@attrs.frozen
class _Entry(Generic[V]):
    value: V
    until: float
    octets: int


@attrs.define(eq=False)
class Cache(Generic[V]):
    """Values that hold for some seconds, within *limit* octets; what was not asked for longest goes first."""

    clock: IReactorTime
    limit: int
    _entries: OrderedDict[Hashable, _Entry[V]] = attrs.field(factory=OrderedDict, init=False)
    _octets: int = attrs.field(default=0, init=False)

    def get(self, key: Hashable) -> V | None:
        """The value, None where none is kept or its time is over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= self.clock.seconds():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def keep(self, key: Hashable, value: V, seconds: float, octets: int) -> None:
        """Keep *value*, whose response has *octets*, in the place of what was kept before."""
        if key in self._entries:
            self._drop(key)
        if seconds <= 0:
            return
        entry = _Entry(value, self.clock.seconds() + seconds, octets + ENTRY_OCTETS)
        self._entries[key] = entry
        self._octets += entry.octets
        self.shrink()

    def shrink(self) -> None:
        """Keep to the limit, which may have become smaller."""
        while self._octets > self.limit:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._octets = 0

    def _drop(self, key: Hashable) -> None:
        self._octets -= self._entries.pop(key).octets

    def __len__(self) -> int:
        return len(self._entries)
