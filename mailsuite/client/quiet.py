"""Quiet hours by the clock of a place: what comes in them is shown when they end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from mailsuite.model.subscription import QuietSpan

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST: Final = 16
"""Spans that may follow on each other without a gap before we look no further: two weeks of them."""


@attrs.frozen
class QuietHours:
    """Spans of days, by the clock of *zone*; where the clock is put back, the whole of the hour is quiet."""

    zone: ZoneInfo
    spans: tuple[QuietSpan, ...]

    def until(self, now: datetime) -> datetime | None:
        """When the quiet time ends in which *now* is; None where it is in none."""
        end = None
        for _ in range(_LONGEST):
            later = self._end_of(now if end is None else end)
            if later is None:
                return end
            end = later
        return end

    def _end_of(self, now: datetime) -> datetime | None:
        today = now.astimezone(self.zone).date()
        ends = [
            end
            for span in self.spans
            for day in (today - timedelta(days=1), today)
            if day.weekday() in span.days
            for begin, end in (self._moments(span, day),)
            if begin <= now.astimezone(UTC) < end
        ]
        return max(ends, default=None)

    def _moments(self, span: QuietSpan, day: date) -> tuple[datetime, datetime]:
        last = day + timedelta(days=span.end <= span.begin)
        return min(self._moments_of(day, span.begin)), max(self._moments_of(last, span.end))

    def _moments_of(self, day: date, minutes: int) -> list[datetime]:
        """Two where the clock shows this time twice, or not at all."""
        clock = time(minutes // 60, minutes % 60)
        return [datetime.combine(day, clock.replace(fold=fold), self.zone).astimezone(UTC) for fold in (0, 1)]


def read_span(days: str, begin: str, end: str) -> QuietSpan:
    """Of ``mon-fri``, ``sat,sun`` or ``daily``, and two times such as ``22:00``. Raises ValueError."""
    return QuietSpan(frozenset(_days(days)), _minutes(begin), _minutes(end))


def _days(text: str) -> Sequence[int]:
    if text.lower() in {"", "daily"}:
        return range(7)
    found = list[int]()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{text!r} are no days: write mon-fri, or sat,sun, or daily")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)]
    return found


def _minutes(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    is_time = colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2
    if is_time and int(hours) < 24 and int(minutes) < 60:
        return int(hours) * 60 + int(minutes)
    raise ValueError(f"{text!r} is no time: write it as 22:00")
