"""What a knock would tell of: whether anything in the log of an account is worth one by now.

A knock tells that there is something, and whoever hears it fetches all there is. So one thing that is to be
told is enough, and with it all is told.
"""

from __future__ import annotations

from typing import Final

import attrs

from mailsuite.interfaces import IEventLog
from mailsuite.model.notice import Entry, Kind
from mailsuite.model.subscription import Subscription
from mailsuite.notify.judging import Rules, Ruling, judge

STALE_AFTER: Final = 600.0
"""Seconds after which nobody need hear of mail by a knock: whoever polls has found it."""
READ_AT_ONCE: Final = 500
"""Entries; more are read in several steps."""
MAX_READ: Final = 2000
"""The newest entries that are looked at, about 1 MB; retention leaves fewer."""


@attrs.frozen
class News:
    """What has happened behind a place of the log."""

    head: int
    """The seq up to which was looked."""
    at: float | None = None
    """When the newest of what is to be told happened, in seconds since the epoch; None: nothing is."""
    ask_at: float | None = None
    """Where nothing is to be told yet: when to look again."""


async def news_for(
    subscription: Subscription, acked: int, event_log: IEventLog, now: float, suppress: frozenset[str]
) -> News:
    """Where the log ends before *acked* it is another one, and all of it is behind that. Raises what the log
    raises."""
    entries: list[Entry] = []
    head = acked
    while True:
        stretch = await event_log.read(subscription.account, head, READ_AT_ONCE)
        if stretch.head < head:
            return await news_for(subscription, 0, event_log, now, suppress)
        if not entries and stretch.head - head > MAX_READ:
            return await news_for(subscription, stretch.head - MAX_READ, event_log, now, suppress)
        entries += stretch.entries
        if len(stretch.entries) < READ_AT_ONCE:
            head = max(head, stretch.head)
            break
        head = stretch.entries[-1].seq
    fetched = {each.happening.uidl for each in entries if each.happening.kind is Kind.MAIL_CLEARED}
    rules = Rules(now, suppress, fetched)
    told: list[float] = []
    waits: list[float] = []
    for entry in entries:
        verdict = judge(entry, subscription, rules)
        if verdict.ruling is Ruling.WAIT:
            waits.append(verdict.until)
        elif verdict.ruling is Ruling.TELL and _is_fresh(entry, subscription, verdict.held, now):
            told.append(entry.happening.at)
    if told:
        return News(head, at=max(told))
    return News(head, ask_at=min(waits)) if waits else News(head)


def _is_fresh(entry: Entry, subscription: Subscription, was_held: bool, now: float) -> bool:
    """Whether it is young enough, counted from when it could be told first."""
    if was_held:
        return True
    return now - entry.happening.at - subscription.filter.if_unfetched_after < STALE_AFTER
