"""Counting within a span: never more than the rate says, and never more keys than there is room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from mailsuite.model.rate import Rate
from mailsuite.policy.tally import SLICES, Excess, Tally


def tally(max_keys: int = 100) -> tuple[Tally, Clock]:
    clock = Clock()
    return Tally(clock.seconds, max_keys), clock


def test_so_many_and_no_more() -> None:
    counted, _ = tally()
    rate = Rate(3, 60.0)
    assert [counted.take("joe", rate) for _ in range(3)] == [None] * 3
    assert counted.take("joe", rate) == Excess(first=True)
    assert counted.take("joe", rate) == Excess(first=False)
    assert counted.take("ann", rate) is None


def test_more_at_once_than_is_left_counts_for_nothing() -> None:
    counted, _ = tally()
    rate = Rate(3, 60.0)
    assert counted.take("joe", rate, 2) is None
    assert counted.take("joe", rate, 2) is not None
    assert counted.take("joe", rate, 1) is None


def test_what_is_refused_does_not_put_off_what_follows() -> None:
    counted, clock = tally()
    rate = Rate(1, 60.0)
    assert counted.take("joe", rate) is None
    for _ in range(12):
        clock.advance(5.0)
        counted.take("joe", rate)
    clock.advance(60.0 / SLICES)
    assert counted.take("joe", rate) is None


def test_it_is_told_once_in_each_span() -> None:
    counted, clock = tally()
    rate = Rate(1, 60.0)
    told = []
    for _ in range(130):
        excess = counted.take("joe", rate)
        told.append(excess is not None and excess.first)
        clock.advance(1.0)
    assert [at for at, first in enumerate(told) if first] == [1, 61, 121]


def test_all_that_was_counted_lately() -> None:
    counted, clock = tally()
    assert [counted.add("s1", 3600.0) for _ in range(3)] == [1, 2, 3]
    clock.advance(1800.0)
    assert counted.add("s1", 3600.0, 2) == 5
    clock.advance(2400.0)
    assert counted.add("s1", 3600.0) == 3


def test_rates_of_other_spans_are_counted_apart() -> None:
    counted, _ = tally()
    assert counted.take("joe", Rate(1, 60.0)) is None
    assert counted.take("joe", Rate(1, 3600.0)) is None
    assert counted.take("joe", Rate(2, 60.0)) is None
    assert counted.take("joe", Rate(2, 60.0)) is not None


def test_who_comes_under_many_names_costs_no_memory() -> None:
    counted, _ = tally(max_keys=50)
    rate = Rate(1, 60.0)
    assert counted.take("quiet", rate) is None
    assert counted.take("busy", rate) is None
    for number in range(1000):
        counted.take(number, rate)
        assert counted.take("busy", rate) is not None
        assert len(counted) <= 50
    assert counted.take("quiet", rate) is None


def test_one_key_keeps_a_bounded_number_of_slices() -> None:
    counted, clock = tally()
    for _ in range(5000):
        counted.add("joe", 60.0)
        clock.advance(0.7)
    (one,) = counted._counted.values()
    assert len(one.slices) <= SLICES + 1
    assert one.total == sum(amount for _, amount in one.slices)


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 3)), max_size=80),
)
def test_in_no_span_is_more_let_pass_than_the_rate_says(most: int, steps: list[tuple[float, int]]) -> None:
    counted, clock = tally()
    passed: list[tuple[float, int]] = []
    for pause, amount in steps:
        clock.advance(pause)
        if counted.take("joe", Rate(most, 60.0), amount) is None:
            passed.append((clock.seconds(), amount))
    for at, _ in passed:
        assert sum(amount for when, amount in passed if at <= when < at + 60.0) <= most


@given(st.floats(0.0, 1e9), st.integers(1, 5))
def test_after_a_span_and_a_slice_all_is_forgotten(start: float, most: int) -> None:
    counted, clock = tally()
    clock.advance(start)
    assert counted.take("joe", Rate(most, 60.0), most) is None
    clock.advance(60.0 + 60.0 / SLICES + 0.001)
    assert counted.take("joe", Rate(most, 60.0), most) is None
