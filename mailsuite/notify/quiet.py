"""Quiet times: when somebody is not to be told, by the clocks of the place where they live.

A span begins when the clock shows its beginning and ends when it shows its end. Where clocks are set back and
show that twice, it begins at the first and ends at the second time; where they are set forward and never show
it, that is the moment in which they jump.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from mailsuite.model.subscription import QuietSpan, QuietTimes

_DAY: Final = 86400.0
_MINUTE: Final = 60.0
_DAYS_AHEAD: Final = 8
"""So far the end of a quiet time is looked for, for there may be none."""
_LONGEST_GAP: Final = 24 * 60
"""Minutes by which clocks were ever set forward at once (Samoa, December 2011)."""
_KEPT: Final = 8192
"""Answers that are remembered: mail of one minute asks for the same."""


def quiet_until(times: QuietTimes | None, at: float) -> float | None:
    """When the quiet time ends in which the moment *at* lies (both in seconds since the epoch); None: it lies
    in none. Spans that touch are one; of one that never ends, a moment a week ahead."""
    return None if times is None else _end_of_quiet(times, at // _MINUTE * _MINUTE)


@lru_cache(maxsize=_KEPT)
def _end_of_quiet(times: QuietTimes, at: float) -> float | None:
    zone = _zone(times.zone)
    end = at
    intervals = sorted(_intervals(times.spans, zone, at))
    for begins, ends in intervals:
        if begins <= end < ends:
            end = ends
    return end if end > at else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> datetime.tzinfo:
    """UTC where this machine does not know the zone any more."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # KeyError: no such zone
        return datetime.UTC


def _intervals(
    spans: tuple[QuietSpan, ...], zone: datetime.tzinfo, at: float
) -> Iterator[tuple[float, float]]:
    """The spans of the days around *at*, in seconds since the epoch."""
    today = datetime.datetime.fromtimestamp(at, zone).date()
    for offset in range(-2, _DAYS_AHEAD):
        day = today + datetime.timedelta(days=offset)
        for span in spans:
            if day.weekday() in span.days:
                last = day if span.end > span.begin else day + datetime.timedelta(days=1)
                yield _moment(day, span.begin, zone, fold=0), _moment(last, span.end, zone, fold=1)


def _moment(day: datetime.date, minutes: int, zone: datetime.tzinfo, fold: int) -> float:
    """When the clocks show so many minutes after midnight, for the first (0) or the second time (1)."""
    shown = datetime.datetime.combine(day, datetime.time(minutes // 60, minutes % 60))
    for _ in range(_LONGEST_GAP):
        moment = shown.replace(tzinfo=zone, fold=fold)
        if moment.astimezone(datetime.UTC).astimezone(zone).replace(tzinfo=None) == shown:
            break
        shown += datetime.timedelta(minutes=1)  # never shown: the next that is
    return moment.timestamp()
