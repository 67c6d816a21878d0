"""What a subscription is to be told of now: its part of the log, read and judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from mailsuite.interfaces import IEventLog
from mailsuite.model.notice import Entry, Kind
from mailsuite.model.subscription import Subscription, WhileQuiet
from mailsuite.notify.judging import Rules, Ruling, Verdict, judge

PAGE: Final = 200
"""Entries read at a time."""
MAX_GATHERED: Final = 2000
"""Entries judged at a time, about 1 MB; what is behind them is judged after them."""


@attrs.frozen
class Group:
    """What one notice tells of: entries of one kind, in order."""

    entries: tuple[Entry, ...]
    digest: bool = False
    """It closes a quiet time, and lists what came."""


@attrs.define
class Batch:
    """What is to be told now, and how far the cursor may go."""

    groups: list[Group]
    """In the order in which they are to be told."""
    start: int
    """Where the cursor stood."""
    read_to: int
    """The seq of the last entry that was judged."""
    until: float = math.inf
    """When those that wait are to be judged again."""
    more: bool = False
    """There is more behind it."""
    missed: bool = False
    """Before it, some have gone by age."""
    _open: set[int] = attrs.field(factory=set)
    """The seqs of what is not over: waits, or is to be told."""

    @property
    def acked(self) -> int:
        """All up to here is over."""
        return min(self._open, default=self.read_to + 1) - 1

    def over(self, group: Group) -> None:
        """It was told, or given up."""
        self._open.difference_update(entry.seq for entry in group.entries)


async def gather(
    events: IEventLog,
    subscription: Subscription,
    acked: int,
    rules: Rules,
    *,
    told: frozenset[int] = frozenset(),
    judged_to: int = 0,
    one_by_one: bool = False,
) -> Batch:
    """Read and judge what is behind *acked*, without what was *told* already.

    *judged_to*: what is not over up to this seq still waits and need not be read. *one_by_one*: each entry is
    told by itself, but for those of a quiet time that is over. Raises TemporaryFailure.
    """
    begin = max(acked, judged_to)
    entries, head, missed = await _read(events, subscription, begin)
    fetched = {e.happening.uidl for e in entries if e.happening.kind is Kind.MAIL_CLEARED}
    rules = attrs.evolve(rules, fetched=fetched)
    batch = Batch([], acked, entries[-1].seq if entries else max(begin, head), missed=missed)
    batch.more = batch.read_to < head
    if begin > acked:
        batch._open.add(acked + 1)
    telling: list[tuple[Entry, Verdict]] = []
    for entry in entries:
        if entry.seq in told:
            continue
        verdict = judge(entry, subscription, rules)
        if verdict.ruling is Ruling.SKIP:
            continue
        batch._open.add(entry.seq)
        if verdict.ruling is Ruling.WAIT:
            batch.until = min(batch.until, verdict.until)
        else:
            telling.append((entry, verdict))
    lists = subscription.quiet is not None and subscription.quiet.manner is WhileQuiet.DIGEST
    batch.groups = list(_in_turn(telling, lists) if one_by_one else _by_kind(telling, lists))
    return batch


async def _read(events: IEventLog, subscription: Subscription, after: int) -> tuple[list[Entry], int, bool]:
    entries: list[Entry] = []
    missed = False
    while True:
        stretch = await events.read(subscription.account, entries[-1].seq if entries else after, PAGE)
        missed = missed or stretch.missed
        entries += stretch.entries
        if not stretch.entries or entries[-1].seq >= stretch.head or len(entries) >= MAX_GATHERED:
            return entries, stretch.head, missed


def _by_kind(telling: Sequence[tuple[Entry, Verdict]], lists: bool) -> list[Group]:
    """One of each kind; the one whose newest is the oldest first."""
    kinds: dict[Kind, list[tuple[Entry, Verdict]]] = {}
    for entry, verdict in telling:
        kinds.setdefault(entry.happening.kind, []).append((entry, verdict))
    groups = [_group(each, lists) for each in kinds.values()]
    return sorted(groups, key=lambda group: group.entries[-1].seq)


def _in_turn(telling: Sequence[tuple[Entry, Verdict]], lists: bool) -> Iterator[Group]:
    """Each by itself; those in a row of one kind that were held over a quiet time are one."""
    held: list[tuple[Entry, Verdict]] = []
    for entry, verdict in telling:
        same = bool(held) and held[0][0].happening.kind is entry.happening.kind
        if held and not (verdict.held and same):
            yield _group(held, lists)
            held = []
        if verdict.held:
            held.append((entry, verdict))
        else:
            yield Group((entry,))
    if held:
        yield _group(held, lists)


def _group(telling: Sequence[tuple[Entry, Verdict]], lists: bool) -> Group:
    entries = tuple(entry for entry, _ in telling)
    return Group(entries, lists and any(verdict.held for _, verdict in telling))
