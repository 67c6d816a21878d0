"""Who may connect, by address: an access list made ready for quick answers (features row S-M11)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import Final, Literal, Protocol

import attrs

from mailsuite.model.access import Entry, unmapped
from mailsuite.model.account import IPAddress

AccessPolicy = Literal["allow-all-except", "deny-all-except"]

_NOBODY: Final = -1
"""In the place of an entry, where none holds."""


@attrs.frozen
class AccessRules:
    """What a listener's configuration says: the entries of its list come first, then those of its files."""

    name: str
    """As places are named by it: ``pop3.access``."""
    policy: AccessPolicy = "allow-all-except"
    entries: tuple[Entry, ...] = ()
    files: tuple[Path, ...] = ()


@attrs.frozen
class Decision:
    """Whether an address may connect, and what says so."""

    allowed: bool
    entry: str
    """As it is written; empty where no entry fits, and the policy decides."""
    place: str
    """Where that stands: ``pop3.access.list, entry 3`` or ``/etc/x.list line 17``."""

    @property
    def reason(self) -> str:
        """``deny 192.0.2.0/24 (pop3.access.list, entry 3)``."""
        return f"{self.entry} ({self.place})" if self.entry else f"no entry; {self.place}"


class Source(Protocol):
    """Entries, and where each stands."""

    @property
    def entries(self) -> Sequence[Entry]: ...

    def place(self, index: int) -> str: ...


@attrs.frozen
class _Inline:
    """The entries that stand in the configuration itself."""

    name: str
    entries: Sequence[Entry]

    def place(self, index: int) -> str:
        return f"{self.name}.list, entry {index + 1}"


@attrs.frozen
class _Segments:
    """All addresses of a kind in spans that touch: where each begins, and the entry that holds there."""

    starts: Sequence[int]
    winners: Sequence[int]

    @classmethod
    def of(cls, entries: Sequence[Entry], version: int) -> _Segments:
        """One sweep over the bounds of all entries; of those that cover a span the first one holds."""
        spans = sorted(
            (entry.first, index, entry.last)
            for index, entry in enumerate(entries)
            if entry.version == version
        )
        bounds = {0, *(first for first, _, _ in spans), *(last + 1 for _, _, last in spans)}
        starts: list[int] = []
        winners: list[int] = []
        covering: list[tuple[int, int]] = []
        at = 0
        for bound in sorted(bounds):
            while at < len(spans) and spans[at][0] <= bound:
                _, index, last = spans[at]
                heappush(covering, (index, last))
                at += 1
            while covering and covering[0][1] < bound:
                heappop(covering)
            winner = covering[0][0] if covering else _NOBODY
            if not winners or winners[-1] != winner:
                starts.append(bound)
                winners.append(winner)
        return cls(starts, winners)

    def winner(self, address: int) -> int:
        return self.winners[bisect_right(self.starts, address) - 1]


@attrs.frozen(eq=False)
class AccessList:
    """Decides by the first entry that fits, else by the policy; in microseconds however long the list is."""

    rules: AccessRules
    _sources: tuple[Source, ...]
    _entries: Sequence[Entry]
    _segments: Mapping[int, _Segments]

    @classmethod
    def compiled(cls, rules: AccessRules, files: Mapping[Path, Source]) -> AccessList:
        """From *rules* and the contents of their files. A hundred thousand entries take a second."""
        sources = (_Inline(rules.name, rules.entries), *(files[path] for path in rules.files))
        entries = [entry for source in sources for entry in source.entries]
        return cls(rules, sources, entries, {version: _Segments.of(entries, version) for version in (4, 6)})

    def decide(self, address: IPAddress) -> Decision:
        """Whether *address* may connect, and why."""
        plain = unmapped(address)
        index = self._segments[plain.version].winner(int(plain))
        policy = self.rules.policy
        if index == _NOBODY:
            return Decision(policy == "allow-all-except", "", f'{self.rules.name}.policy = "{policy}"')
        entry = self._entries[index]
        allowed = policy == "deny-all-except" if entry.allow is None else entry.allow
        return Decision(allowed, entry.text, self._place(index))

    def _place(self, index: int) -> str:
        for source in self._sources:
            if index < len(source.entries):
                return source.place(index)
            index -= len(source.entries)
        raise IndexError(index)  # pragma: no cover - every entry came out of a source

    def __len__(self) -> int:
        return len(self._entries)


def locks_out(before: Mapping[str, AccessList], after: Mapping[str, AccessList], address: IPAddress) -> str:
    """What to tell an administrator at *address* whom a change of the lists, by listener, would keep out of
    where he gets in; empty where it would not. A listener that comes or goes locks nobody out."""
    shut = list(_shut(before, after, address))
    if not shut:
        return ""
    return f"you would lock yourself out: {address} gets in now, and would be denied by " + "; ".join(shut)


def _shut(
    before: Mapping[str, AccessList], after: Mapping[str, AccessList], address: IPAddress
) -> Iterable[str]:
    for name, list_ in after.items():
        decision = list_.decide(address)
        if not decision.allowed and name in before and before[name].decide(address).allowed:
            yield f"listener {name}: {decision.reason}"
