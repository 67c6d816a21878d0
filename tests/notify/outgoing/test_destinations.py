"""Budgets and circuit breakers of destinations, over all who send there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.rate import Rate
from mailsuite.notify.outgoing import destinations as module
from mailsuite.notify.outgoing.destinations import MAX_FAILURES, OPEN_SECONDS, Destinations, End, Trouble
from tests.notify.outgoing.test_budgets import Hand

KEY = "hooks.example.net:443"


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def destinations(hand: Hand) -> Destinations:
    return Destinations(hand)


def send(destinations: Destinations, end: End = End.OK, key: str = KEY) -> bool:
    if not destinations.begin(key):
        return False
    destinations.ended(key, end)
    return True


def fail(destinations: Destinations, times: int = MAX_FAILURES, key: str = KEY) -> None:
    for _ in range(times):
        assert send(destinations, End.FAILED, key)


def test_what_nothing_is_known_of_may_be_sent_to(hand: Hand, destinations: Destinations) -> None:
    assert destinations.ready_at(KEY) == hand.time
    assert send(destinations)
    assert len(destinations) == 0


def test_a_few_at_a_time(destinations: Destinations) -> None:
    assert [destinations.begin(KEY) for _ in range(5)] == [True] * 4 + [False]
    assert destinations.ready_at(KEY) == math.inf
    assert destinations.begin("other.example.net:443")
    destinations.ended(KEY, End.OK)
    assert destinations.begin(KEY)
    destinations.per_host = 5
    assert destinations.begin(KEY)


def test_a_thousand_accounts_at_one_destination_stay_inside_its_budget(hand: Hand) -> None:
    destinations = Destinations(hand, rate=Rate(20, 1.0), burst=100)
    went = 0
    for _ in range(100):  # ten seconds
        for _ in range(1000):
            went += send(destinations)
        hand.time += 0.1
    assert 290 <= went <= 100 + 20 * 10


def test_ten_failures_in_a_row_open_the_breaker(hand: Hand, destinations: Destinations) -> None:
    fail(destinations, 9)
    assert send(destinations, End.OK)
    fail(destinations, 9)
    assert destinations.open_until(KEY) == 0.0
    fail(destinations, 1)
    assert destinations.open_until(KEY) == hand.time + OPEN_SECONDS
    assert destinations.ready_at(KEY) == hand.time + OPEN_SECONDS
    hand.time += OPEN_SECONDS - 1
    assert not destinations.begin(KEY)
    assert send(destinations, key="other.example.net:443")


def test_one_probe_after_ten_minutes(hand: Hand, destinations: Destinations) -> None:
    fail(destinations)
    hand.time += OPEN_SECONDS
    assert destinations.begin(KEY)
    assert not destinations.begin(KEY)
    assert destinations.ready_at(KEY) == math.inf
    destinations.ended(KEY, End.FAILED)
    assert destinations.ready_at(KEY) == hand.time + OPEN_SECONDS
    hand.time += OPEN_SECONDS
    assert send(destinations, End.OK)
    assert destinations.open_until(KEY) == 0.0
    assert len(destinations) == 0
    fail(destinations, 9)  # it has its ten again


def test_a_probe_that_came_to_nothing_is_made_again(hand: Hand, destinations: Destinations) -> None:
    fail(destinations)
    hand.time += OPEN_SECONDS
    assert send(destinations, End.UNKNOWN)
    assert destinations.ready_at(KEY) == hand.time


def test_what_was_broken_off_says_nothing(destinations: Destinations) -> None:
    fail(destinations, 9)
    for _ in range(5):
        assert send(destinations, End.UNKNOWN)
    assert destinations.open_until(KEY) == 0.0
    fail(destinations, 1)
    assert destinations.open_until(KEY) > 0.0


def test_those_under_way_when_it_opens(hand: Hand, destinations: Destinations) -> None:
    fail(destinations, 9)
    for _ in range(3):
        assert destinations.begin(KEY)
    destinations.ended(KEY, End.FAILED)
    assert destinations.ready_at(KEY) == math.inf
    destinations.ended(KEY, End.UNKNOWN)
    assert destinations.open_until(KEY) == hand.time + OPEN_SECONDS
    destinations.ended(KEY, End.OK)  # it is there after all
    assert destinations.ready_at(KEY) == hand.time


def test_somebody_says_that_it_is_mended(hand: Hand, destinations: Destinations) -> None:
    destinations.close(KEY)  # nothing is known of it
    fail(destinations)
    destinations.close(KEY)
    assert destinations.ready_at(KEY) == hand.time
    fail(destinations, 9)
    assert destinations.begin(KEY)
    destinations.close(KEY)
    destinations.ended(KEY, End.FAILED)
    assert destinations.open_until(KEY) == 0.0


def test_a_restart_changes_nothing(hand: Hand, destinations: Destinations) -> None:
    fail(destinations)
    fail(destinations, 9, "shaky.example.net:443")
    send(destinations, key="well.example.net:443")
    snapshot = destinations.snapshot()
    until = hand.time + OPEN_SECONDS
    assert set(snapshot) == {Trouble(KEY, 10, until), Trouble("shaky.example.net:443", 9)}
    again = Destinations(hand)
    again.restore(snapshot)
    assert again.ready_at(KEY) == until
    fail(again, 1, "shaky.example.net:443")
    assert again.open_until("shaky.example.net:443") == until
    hand.time = until + 5000.0
    again = Destinations(hand)
    again.restore(snapshot)
    assert [again.begin(KEY), again.begin(KEY)] == [True, False]
    again.ended(KEY, End.FAILED)
    assert again.ready_at(KEY) == hand.time + OPEN_SECONDS


def test_a_clock_that_is_set_back_holds_nobody_up_for_long(hand: Hand, destinations: Destinations) -> None:
    fail(destinations)
    hand.time -= 1e6
    assert destinations.ready_at(KEY) == hand.time + OPEN_SECONDS
    hand.time += OPEN_SECONDS
    assert destinations.begin(KEY)


def test_another_rate_holds_at_once(hand: Hand) -> None:
    destinations = Destinations(hand, 1000, Rate(1, 1.0), 2)

    def begun() -> int:
        count = 0
        while destinations.begin(KEY):
            count += 1
        return count

    assert begun() == 2
    destinations.limit(Rate(10, 1.0), 20)
    assert begun() == 0  # what was taken is taken
    hand.time += 0.45
    assert begun() == 4
    hand.time += 100.0
    assert begun() == 20
    destinations.limit(Rate(1, 1.0), 2)
    assert destinations.ready_at(KEY) == pytest.approx(hand.time + 1.0)


def test_memory_is_bounded_and_open_breakers_are_forgotten_last(
    hand: Hand, destinations: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 10)
    assert destinations.begin("busy:443")
    for number in range(5):
        fail(destinations, key=f"open{number}:443")
    for number in range(50):
        fail(destinations, 1, f"shaky{number}:443")
        assert len(destinations) <= 10
    assert all(destinations.open_until(f"open{number}:443") for number in range(5))
    for number in range(5, 30):
        fail(destinations, key=f"open{number}:443")
        assert len(destinations) <= 10
    assert not destinations.open_until("open0:443")
    assert destinations.open_until("open29:443")
    destinations.ended("busy:443", End.FAILED)
    assert len(destinations) <= 10


def test_what_is_in_use_is_never_forgotten(
    destinations: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 3)
    for number in range(40):
        assert destinations.begin(f"{number}:443")
    assert len(destinations) == 40
    for number in range(40):
        destinations.ended(f"{number}:443", End.FAILED)
    assert len(destinations) <= 20
    for _ in range(20):
        send(destinations, End.FAILED, "another:443")
    assert len(destinations) == 3


steps = st.tuples(
    st.sampled_from(["begin", "ok", "failed", "unknown", "wait", "restart"]),
    st.sampled_from(["a:443", "b:443"]),
    st.floats(0.0, 700.0),
)


@given(st.lists(steps, max_size=120))
def test_whatever_happens_the_limits_hold(sequence: list[tuple[str, str, float]]) -> None:
    hand = Hand()
    destinations = Destinations(hand)
    active = {"a:443": 0, "b:443": 0}
    failures = {"a:443": 0, "b:443": 0}
    for step, key, seconds in sequence:
        if step == "begin":
            ready = destinations.ready_at(key)
            was_open = failures[key] >= MAX_FAILURES
            assert destinations.begin(key) == (ready <= hand.time)
            active[key] += ready <= hand.time
            assert active[key] <= (1 if was_open and ready <= hand.time else 4)
        elif step == "wait":
            hand.time += seconds
        elif step == "restart":
            snapshot = destinations.snapshot()
            destinations = Destinations(hand)
            destinations.restore(snapshot)
            active = dict.fromkeys(active, 0)
        elif active[key]:
            active[key] -= 1
            destinations.ended(key, End[step.upper()])
            failures[key] = {"ok": 0, "failed": failures[key] + 1}.get(step, failures[key])
        assert (destinations.open_until(key) > 0.0) == (failures[key] >= MAX_FAILURES)
        if not any(active.values()):
            assert destinations.ready_at(key) <= hand.time + OPEN_SECONDS
