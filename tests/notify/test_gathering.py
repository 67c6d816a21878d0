"""A subscription's part of the log, read and judged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.concurrent.now import run_now
from mailsuite.model.notice import Happening, Kind, MessageFacts
from mailsuite.model.subscription import NoticeFilter, QuietSpan, QuietTimes, Subscription, WhileQuiet
from mailsuite.notices.memory import MemoryEventLog
from mailsuite.notify import gathering as module
from mailsuite.notify.gathering import Batch, gather
from mailsuite.notify.judging import Rules
from tests.notify.stage import EPOCH, JOE

ALL = NoticeFilter(kinds=frozenset(Kind))


def subscription(**fields: Any) -> Subscription:
    values = {"device": "", "channel": "latest", "target": "", "target_key": "", **fields}
    return Subscription(id="s1", account=JOE, **values)


def log(*kinds: str) -> MemoryEventLog:
    """``n`` new mail, ``j`` junk, ``c`` the fetching of the last new one, ``q`` quota, ``w`` new mail that
    is an hour old."""
    events = MemoryEventLog()
    for number, each in enumerate("".join(kinds), 1):
        at = EPOCH - 3600.0 if each == "w" else EPOCH
        kind = {"c": Kind.MAIL_CLEARED, "q": Kind.QUOTA_REACHED}.get(each, Kind.MAIL_NEW)
        uidl = f"u{number - 1}" if each == "c" else f"u{number}"
        happening = Happening(JOE, kind, at, uidl, facts=MessageFacts(junk=each == "j"))
        run_now(events.append([happening]))
    return events


def gathered(events: MemoryEventLog, acked: int = 0, one: Subscription | None = None, **more: Any) -> Batch:
    return run_now(gather(events, one or subscription(filter=ALL), acked, Rules(EPOCH), **more))


def seqs(batch: Batch) -> list[list[int]]:
    return [[entry.seq for entry in group.entries] for group in batch.groups]


def test_one_group_for_each_kind_the_oldest_first() -> None:
    batch = gathered(log("nqnjncq"))
    assert seqs(batch) == [[1, 3], [6], [2, 7]]
    assert (batch.acked, batch.read_to, batch.more, batch.missed) == (0, 7, False, False)
    for group, acked in zip(list(batch.groups), (1, 1, 7), strict=True):
        batch.over(group)
        assert batch.acked == acked


def test_each_by_itself() -> None:
    batch = gathered(log("nqnjncq"), one_by_one=True)
    assert seqs(batch) == [[1], [2], [3], [6], [7]]
    for group, acked in zip(list(batch.groups), (1, 2, 5, 6, 7), strict=True):
        batch.over(group)
        assert batch.acked == acked


def test_nothing_to_tell_is_over_at_once() -> None:
    assert gathered(log("jjj")).acked == 3
    assert gathered(log()).acked == 0
    assert gathered(log("nn"), acked=2).acked == 2
    assert gathered(log("nn"), told=frozenset({1})).acked == 1


def test_what_waits_holds_the_cursor() -> None:
    one = subscription(filter=NoticeFilter(if_unfetched_after=60.0))
    batch = gathered(log("wjnw"), one=one)
    assert (seqs(batch), batch.until) == ([[1, 4]], EPOCH + 60.0)
    batch.over(batch.groups[0])
    assert batch.acked == 2


def test_what_was_judged_need_not_be_read() -> None:
    events = log("nnnnn")
    batch = gathered(events, judged_to=3)
    assert (seqs(batch), batch.acked) == ([[4, 5]], 0)
    batch.over(batch.groups[0])
    assert (batch.acked, batch.read_to) == (0, 5)
    assert gathered(events, acked=4, judged_to=3).acked == 4


def test_what_has_gone_by_age() -> None:
    events = log("nnnnn")
    run_now(events.trim(0.0, 2))
    batch = gathered(events)
    assert (seqs(batch), batch.missed, batch.acked) == ([[4, 5]], True, 3)
    run_now(events.trim(EPOCH + 1.0, 0))
    batch = gathered(events)
    assert (seqs(batch), batch.missed, batch.acked) == ([], True, 5)


def test_so_much_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    monkeypatch.setattr(module, "MAX_GATHERED", 5)
    batch = gathered(log("n" * 10))
    assert (seqs(batch), batch.more, batch.read_to) == ([[1, 2, 3, 4, 5, 6]], True, 6)
    batch.over(batch.groups[0])
    assert batch.acked == 6
    assert not gathered(log("n" * 10), acked=6).more


@pytest.mark.parametrize("manner", [WhileQuiet.HOLD, WhileQuiet.DIGEST])
def test_what_was_held_is_told_together(manner: WhileQuiet) -> None:
    quiet = QuietTimes("UTC", (QuietSpan(frozenset(range(7)), 11 * 60, 11 * 60 + 30),), manner)
    batch = gathered(log("wwqwn"), one=subscription(filter=ALL, quiet=quiet), one_by_one=True)
    assert seqs(batch) == [[1, 2], [3], [4], [5]]
    assert [group.digest for group in batch.groups] == [
        each and manner is WhileQuiet.DIGEST for each in (True, False, True, False)
    ]
    batch = gathered(log("wwn"), one=subscription(quiet=quiet))
    assert (seqs(batch), batch.groups[0].digest) == ([[1, 2, 3]], manner is WhileQuiet.DIGEST)
    last = gathered(log("nww"), one=subscription(quiet=quiet), one_by_one=True)
    assert seqs(last) == [[1], [2, 3]]


@given(st.text("njcqw", max_size=30), st.booleans(), st.integers(0, 30))
def test_nothing_is_lost_or_told_twice(kinds: str, one_by_one: bool, acked: int) -> None:
    acked = min(acked, len(kinds))
    batch = gathered(log(kinds), acked, one_by_one=one_by_one)
    telling = [seq for group in seqs(batch) for seq in group]
    cleared = {number for number, each in enumerate(kinds) if each == "c" and number >= acked}
    expected = [
        number
        for number, each in enumerate(kinds, 1)
        if number > acked and (each in "cq" or (each in "nw" and number not in cleared))
    ]
    assert sorted(telling) == expected
    assert batch.acked == min(expected, default=max(acked, len(kinds)) + 1) - 1
    for group in list(batch.groups):
        before = batch.acked
        batch.over(group)
        assert batch.acked >= before
    assert batch.acked == max(acked, len(kinds))
