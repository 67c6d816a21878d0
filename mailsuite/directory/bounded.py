"""A dictionary that keeps what was used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

import attrs

K = TypeVar("K")
V = TypeVar("V")


@attrs.define(eq=False)
class Bounded(Generic[K, V]):
    """At most *limit* entries; the one that was not asked for the longest leaves. For one thread."""

    limit: int
    _entries: OrderedDict[K, V] = attrs.field(factory=OrderedDict, init=False, repr=False)

    def get(self, key: K) -> V | None:
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self.limit:
            self._entries.popitem(last=False)

    def discard(self, key: K) -> None:
        self._entries.pop(key, None)

    def items(self) -> tuple[tuple[K, V], ...]:
        """All entries as they are now; that counts as no use."""
        return tuple(self._entries.items())

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
