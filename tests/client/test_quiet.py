"""Quiet hours, across changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.client.quiet import QuietHours, read_span

BERLIN = ZoneInfo("Europe/Berlin")


def hours(*spans: tuple[str, str, str], zone: ZoneInfo = BERLIN) -> QuietHours:
    return QuietHours(zone, tuple(read_span(*span) for span in spans))


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


NIGHT = hours(("daily", "22:00", "07:00"))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21T21:59:59", None),
        ("2026-11-21T22:00:00", "2026-11-22T07:00:00"),
        ("2026-11-22T03:00:00", "2026-11-22T07:00:00"),
        ("2026-11-22T07:00:00", None),
    ],
)
def test_the_night(now: str, until: str | None) -> None:
    assert NIGHT.until(at(now)) == (None if until is None else at(until))


def test_the_days_are_those_on_which_it_begins() -> None:
    friday = hours(("fri", "22:00", "07:00"))
    assert friday.until(at("2026-11-21T03:00:00")) is not None  # a Saturday
    assert friday.until(at("2026-11-20T03:00:00")) is None
    assert friday.until(at("2026-11-21T23:00:00")) is None


def test_spans_that_touch_are_one() -> None:
    both = hours(("daily", "22:00", "07:00"), ("sat,sun", "07:00", "10:00"))
    assert both.until(at("2026-11-20T23:00:00")) == at("2026-11-21T10:00:00")


def test_always_quiet_ends_some_day() -> None:
    assert hours(("daily", "00:00", "00:00")).until(at("2026-11-21T12:00:00")) is not None


def test_when_the_clock_is_put_forward() -> None:
    """29 March 2026: 02:00 to 03:00 is not there."""
    assert NIGHT.until(at("2026-03-28T23:00:00")) == at("2026-03-29T07:00:00")
    gap = hours(("daily", "01:00", "02:30"))
    assert gap.until(at("2026-03-29T01:30:00")) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_when_the_clock_is_put_back() -> None:
    """25 October 2026: 02:00 to 03:00 is there twice, and quiet both times."""
    early = hours(("daily", "01:00", "02:30"))
    end = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert early.until(at("2026-10-25T02:29:00", fold=0)) == end
    assert early.until(at("2026-10-25T02:29:00", fold=1)) == end
    assert early.until(at("2026-10-25T02:31:00", fold=1)) is None


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_the_end_is_later_and_not_quiet(now: datetime) -> None:
    end = NIGHT.until(now)
    if end is not None:
        assert now < end <= now + timedelta(hours=11)
        assert NIGHT.until(end) is None


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("", set(range(7))),
        ("Daily", set(range(7))),
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat-mon", {5, 6, 0}),
        ("tue, thu", {1, 3}),
        ("sun-sun", {6}),
    ],
)
def test_days(days: str, found: set[int]) -> None:
    assert read_span(days, "22:00", "7:05").days == found


@pytest.mark.parametrize(
    "span",
    [
        ("monday", "22:00", "07:00"),
        ("mon-xyz", "22:00", "07:00"),
        ("daily", "24:00", "07:00"),
        ("daily", "22:00", "07:60"),
        ("daily", "22", "07:00"),
        ("daily", "22:0", "07:00"),
        ("daily", "", ""),
    ],
)
def test_no_span(span: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"write"):
        read_span(*span)
