"""The failure policy as a table."""

from __future__ import annotations

import pytest

from mailsuite.notify.patience import MAX_PAUSE, REFUSED_PAUSE, TIMED_OUT_PAUSE, Patience

R, T = REFUSED_PAUSE, TIMED_OUT_PAUSE


@pytest.mark.parametrize(
    ("history", "pauses"),
    [
        ("r", [0.0]),
        ("rr", [0.0, 0.0]),
        ("rrr", [0.0, 0.0, R]),
        ("rrrr", [0.0, 0.0, R, R]),
        ("rrsrr", [0.0, 0.0, 0.0, 0.0]),
        ("rrsrrr", [0.0, 0.0, 0.0, 0.0, R]),
        ("rrtrr", [0.0, 0.0, 0.0, 0.0, 0.0]),
        ("t", [0.0]),
        ("tt", [0.0, T]),
        ("ttt", [0.0, T, 2 * T]),
        ("tttt", [0.0, T, 2 * T, 4 * T]),
        ("tst", [0.0, 0.0]),
        ("trt", [0.0, 0.0, 0.0]),
        ("ttst", [0.0, T, 0.0]),
        ("t" * 8, [0.0, T, 2 * T, 4 * T, 8 * T, 16 * T, MAX_PAUSE, MAX_PAUSE]),
    ],
)
def test_pauses(history: str, pauses: list[float]) -> None:
    patience = Patience()
    got = []
    for failure in history:
        if failure == "s":
            patience.sent()
        else:
            got.append(patience.refused() if failure == "r" else patience.timed_out())
    assert got == pauses


def test_a_target_silent_for_years_costs_no_more_than_any_other() -> None:
    patience = Patience()
    for _ in range(100_000):
        pause = patience.timed_out()
    assert pause == MAX_PAUSE
