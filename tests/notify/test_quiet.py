"""Quiet times, by the clocks of a place; also where these jump."""

# A table reads best with one case on a line.

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.subscription import QuietSpan, QuietTimes
from mailsuite.notify.quiet import quiet_until

DAILY = frozenset(range(7))


def utc(text: str) -> float:
    return datetime.datetime.fromisoformat(text + "+00:00").timestamp()


def span(begin: str, end: str, days: frozenset[int] = DAILY) -> QuietSpan:
    def minutes(clock: str) -> int:
        hours, rest = clock.split(":")
        return int(hours) * 60 + int(rest)

    return QuietSpan(days, minutes(begin), minutes(end))


def berlin(*spans: QuietSpan) -> QuietTimes:
    return QuietTimes("Europe/Berlin", spans)


NIGHT, EARLY = berlin(span("22:00", "07:00")), berlin(span("02:15", "02:45"))


@pytest.mark.parametrize(
    ("times", "at", "until"),
    [
        (NIGHT, "2026-11-21 20:59:59", None),
        (NIGHT, "2026-11-21 21:00:00", "2026-11-22 06:00"),
        (NIGHT, "2026-11-22 05:59:59", "2026-11-22 06:00"),
        (NIGHT, "2026-11-22 06:00:00", None),
        # Spring: at 02:00 the clocks show 03:00. The night of 28 March 2026 has eight hours.
        (NIGHT, "2026-03-28 21:00", "2026-03-29 05:00"),
        (NIGHT, "2026-03-29 04:59", "2026-03-29 05:00"),
        (NIGHT, "2026-03-29 05:00", None),
        (NIGHT, "2026-03-29 20:00", "2026-03-30 05:00"),
        # Autumn: at 03:00 they show 02:00. The night of 24 October 2026 has ten.
        (NIGHT, "2026-10-24 19:59", None),
        (NIGHT, "2026-10-24 20:00", "2026-10-25 06:00"),
        (NIGHT, "2026-10-25 05:59", "2026-10-25 06:00"),
        (NIGHT, "2026-10-25 20:30", None),
        # What the clocks show never, or twice.
        (EARLY, "2026-03-29 00:59", None),
        (EARLY, "2026-03-29 01:00", None),
        (EARLY, "2026-03-29 01:20", None),
        (EARLY, "2026-10-25 00:14", None),
        (EARLY, "2026-10-25 00:15", "2026-10-25 01:45"),
        (EARLY, "2026-10-25 00:50", "2026-10-25 01:45"),
        (EARLY, "2026-10-25 01:44", "2026-10-25 01:45"),
        (EARLY, "2026-10-25 01:45", None),
        (berlin(span("01:00", "02:30")), "2026-03-29 00:30", "2026-03-29 01:00"),
        (berlin(span("02:30", "04:00")), "2026-03-29 00:59", None),
        (berlin(span("02:30", "04:00")), "2026-03-29 01:00", "2026-03-29 02:00"),
        # Days: 0 is Monday, and a night belongs to the day on which it begins.
        (berlin(span("22:00", "07:00", frozenset({5}))), "2026-11-21 21:30", "2026-11-22 06:00"),
        (berlin(span("22:00", "07:00", frozenset({5}))), "2026-11-22 05:30", "2026-11-22 06:00"),
        (berlin(span("22:00", "07:00", frozenset({5}))), "2026-11-22 21:30", None),
        (berlin(span("22:00", "07:00", frozenset({5}))), "2026-11-21 05:30", None),
        # Spans that touch or overlap are one.
        (berlin(span("22:00", "07:00"), span("06:00", "08:00")), "2026-11-21 22:00", "2026-11-22 07:00"),
        (berlin(span("00:00", "00:00", frozenset({5, 6}))), "2026-11-20 23:00", "2026-11-22 23:00"),
        (QuietTimes("Asia/Kolkata", (span("08:00", "09:00"),)), "2026-11-21 02:30", "2026-11-21 03:30"),
        (QuietTimes("Nowhere/Atall", (span("08:00", "09:00"),)), "2026-11-21 08:30", "2026-11-21 09:00"),
        (QuietTimes("UTC", ()), "2026-11-21 08:30", None),
    ],
)  # fmt: skip
def test_when_it_is_quiet(times: QuietTimes, at: str, until: str | None) -> None:
    assert quiet_until(times, utc(at)) == (None if until is None else utc(until))


def test_who_has_none_is_always_told() -> None:
    assert quiet_until(None, utc("2026-11-21 22:00")) is None


def test_a_quiet_time_without_an_end_is_asked_about_again() -> None:
    times = berlin(span("00:00", "00:00"))
    until = quiet_until(times, utc("2026-11-21 12:00"))
    assert until is not None
    assert 6 * 86400 < until - utc("2026-11-21 12:00") < 10 * 86400


def test_a_day_that_a_place_has_left_out() -> None:
    """Samoa went from 29 to 31 December 2011."""
    times = QuietTimes("Pacific/Apia", (span("08:00", "20:00", frozenset({4})),))  # 30 December was a Friday
    assert quiet_until(times, utc("2011-12-30 10:00")) is None


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.integers(0, 366 * 1440),
)
def test_it_is_quiet_while_the_clock_is_in_the_span(zone: str, begin: int, end: int, minute: int) -> None:
    """But for the hours around a jump, where there are rules of their own."""
    at = utc("2026-01-01 00:00") + minute * 60.0
    shown = [
        datetime.datetime.fromtimestamp(at + hours * 3600.0, datetime.UTC).astimezone(_zone(zone))
        for hours in (-26, 0, 26)
    ]
    if len({each.utcoffset() for each in shown}) > 1:
        return
    clock = shown[1].hour * 60 + shown[1].minute
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    until = quiet_until(QuietTimes(zone, (QuietSpan(DAILY, begin, end),)), at)
    assert (until is not None) == inside
    if until is not None and begin != end:
        ended = datetime.datetime.fromtimestamp(until, datetime.UTC).astimezone(_zone(zone))
        assert ended.hour * 60 + ended.minute == end
        assert at < until <= at + 86400.0


def _zone(name: str) -> datetime.tzinfo:
    import zoneinfo

    return zoneinfo.ZoneInfo(name)
