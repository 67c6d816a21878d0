"""How slow an SMTP client may be, by the configuration; what comes of it stands in test_smtp.py."""

from __future__ import annotations

from math import inf

from mailsuite.frontends.pace import RATE_AFTER, Arrival, Pace, pace_of
from tests.config.conftest import LoadText, load_text

__all__ = ["load_text"]


def test_what_holds_where_nothing_is_said(load_text: LoadText) -> None:
    """Features row M-17."""
    assert pace_of(load_text("").accepted().smtp) == Pace(300.0, 180.0, 500.0, 1800.0, 0.0)


def test_what_is_said(load_text: LoadText) -> None:
    text = (
        '[smtp]\nopen_timeout = "6m"\ndata_timeout = "4m"\nminimum_rate = "0B"\nmax_session = "never"\n'
        'greet_delay = "2s"\n'
    )
    assert pace_of(load_text(text).accepted().smtp) == Pace(360.0, 240.0, 0.0, inf, 2.0)


def test_when_a_message_is_too_slow() -> None:
    arrival = Arrival(Pace(rate=500.0), began=1000.0, octets_before=200)
    assert arrival.slow_at(200) == 1000.0 + RATE_AFTER
    assert arrival.slow_at(200 + 30_000) == 1000.0 + RATE_AFTER
    assert arrival.slow_at(200 + 50_000) == 1100.0
    arrival.ours = 7.0
    assert arrival.slow_at(200 + 50_000) == 1107.0
    assert arrival.ends_by == 2800.0


def test_without_a_rate_nothing_is_too_slow() -> None:
    arrival = Arrival(Pace(rate=0.0, session=inf), began=1000.0, octets_before=0)
    assert (arrival.slow_at(0), arrival.ends_by) == (inf, inf)
