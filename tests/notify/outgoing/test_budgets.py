"""Token buckets: never more than burst and rate, and memory for those alone that count."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.rate import Rate
from mailsuite.notify.outgoing.budgets import Budgets


@attrs.define
class Hand:
    """A clock that is set by hand."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_burst_and_then_the_rate(hand: Hand) -> None:
    budgets: Budgets[str] = Budgets(Rate(1, 10.0), 2, hand)
    assert [budgets.take("a") for _ in range(3)] == [True, True, False]
    assert budgets.ready_at("a") == 1010.0
    hand.time = 1009.9
    assert not budgets.take("a")
    hand.time = 1010.0
    assert [budgets.take("a") for _ in range(2)] == [True, False]
    hand.time = 1030.0  # as full as ever
    assert [budgets.take("a") for _ in range(3)] == [True, True, False]


def test_each_key_has_its_own(hand: Hand) -> None:
    budgets: Budgets[str] = Budgets(Rate(1, 10.0), 1, hand)
    assert budgets.take("a")
    assert budgets.ready_at("b") == hand.time
    assert budgets.take("b")
    assert not budgets.take("a")


def test_what_is_full_again_is_not_kept(hand: Hand) -> None:
    budgets: Budgets[int] = Budgets(Rate(1, 1.0), 5, hand)
    for key in range(100):
        assert budgets.take(key)
    assert len(budgets) == 100
    hand.time += 1.0
    for key in range(100, 160):
        assert budgets.take(key)
    assert len(budgets) == 60


def test_there_are_never_too_many(hand: Hand) -> None:
    budgets: Budgets[int] = Budgets(Rate(1, 1000.0), 1, hand, max_keys=10)
    for key in range(50):
        assert budgets.take(key)
        assert len(budgets) <= 10
    assert not budgets.take(49)
    assert budgets.take(0)  # forgotten: it was left in peace longest


def test_a_clock_that_is_set_back_holds_nobody_up_for_long(hand: Hand) -> None:
    budgets: Budgets[str] = Budgets(Rate(1, 10.0), 3, hand)
    for _ in range(3):
        assert budgets.take("a")
    hand.time -= 1e6
    assert not budgets.take("a")
    assert budgets.ready_at("a") == pytest.approx(hand.time + 10.0)
    hand.time += 10.1
    assert budgets.take("a")


@given(
    st.integers(1, 5),
    st.sampled_from([Rate(1, 10.0), Rate(7, 3.0), Rate(60, 60.0), Rate(500, 1.0)]),
    st.lists(st.floats(0.0, 20.0), max_size=60),
)
def test_never_more_than_burst_and_rate_in_any_time(burst: int, rate: Rate, pauses: list[float]) -> None:
    hand = Hand(0.0)
    budgets: Budgets[str] = Budgets(rate, burst, hand)
    taken: list[float] = []
    for pause in pauses:
        hand.time += pause
        ready = budgets.ready_at("a") <= hand.time
        if budgets.take("a"):
            taken.append(hand.time)
        else:
            assert not ready
    for number, since in enumerate(taken):
        for count, until in enumerate(taken[number:], 1):
            assert count <= burst + (until - since) * rate.count / rate.seconds + 1e-6


@given(st.integers(1, 5), st.sampled_from([Rate(1, 10.0), Rate(7, 3.0), Rate(3, 0.7)]))
def test_whoever_waits_as_long_as_is_said_gets_one(burst: int, rate: Rate) -> None:
    hand = Hand(1_700_000_000.123)
    budgets: Budgets[str] = Budgets(rate, burst, hand)
    for _ in range(40):
        hand.time = budgets.ready_at("a")
        assert budgets.take("a")
