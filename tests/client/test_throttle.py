"""Leading and trailing edge."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from mailsuite.client.throttle import FLOOD_INTERVAL, MAX_A_MINUTE, MINUTE, Throttle

INTERVAL = 5.0


class Acts:
    def __init__(self) -> None:
        self.clock = Clock()
        self.made: list[tuple[float, str, int]] = []
        self.throttle: Throttle[str] = Throttle(self.clock, INTERVAL, self.act)

    def act(self, thing: str, count: int) -> None:
        self.made.append((self.clock.seconds(), thing, count))


def test_the_first_at_once_the_rest_together() -> None:
    acts = Acts()
    for name in "abcd":
        acts.throttle.offer(name)
        acts.clock.advance(1)
    assert acts.made == [(0.0, "a", 1)]
    acts.clock.advance(1)
    assert acts.made == [(0.0, "a", 1), (5.0, "d", 3)]


def test_the_trailing_act_begins_an_interval_too() -> None:
    acts = Acts()
    acts.throttle.offer("a")
    acts.throttle.offer("b")
    acts.clock.advance(INTERVAL)
    acts.throttle.offer("c")
    assert len(acts.made) == 2
    acts.clock.advance(INTERVAL)
    assert acts.made[-1] == (10.0, "c", 1)


def test_after_a_quiet_interval_it_acts_at_once_again() -> None:
    acts = Acts()
    acts.throttle.offer("a")
    acts.clock.advance(INTERVAL)
    assert acts.clock.getDelayedCalls() == []
    acts.throttle.offer("b")
    assert acts.made == [(0.0, "a", 1), (5.0, "b", 1)]


def test_stopping_forgets_what_waits() -> None:
    acts = Acts()
    acts.throttle.stop()
    acts.throttle.offer("a")
    acts.throttle.offer("b")
    acts.throttle.stop()
    assert acts.clock.getDelayedCalls() == []
    assert len(acts.made) == 1


@given(st.lists(st.floats(0, 12), max_size=60))
def test_never_twice_in_an_interval_and_nothing_uncounted(gaps: list[float]) -> None:
    acts = Acts()
    for number, gap in enumerate(gaps):
        acts.clock.advance(gap)
        acts.throttle.offer(str(number))
    acts.clock.pump([INTERVAL, INTERVAL])
    times = [time for time, _, _ in acts.made]
    assert all(later - earlier >= INTERVAL * 0.999 for earlier, later in itertools.pairwise(times))
    assert sum(count for _, _, count in acts.made) == len(gaps)
    assert not gaps or acts.made[-1][1] == str(len(gaps) - 1)


def test_a_flood_is_told_once_and_slows_the_acts() -> None:
    acts = Acts()
    told: list[str] = []
    acts.throttle.flooded = told.append
    for _ in range(MAX_A_MINUTE):
        acts.throttle.offer("calm")
    assert told == []
    for _ in range(1000):
        acts.throttle.offer("flood")
    assert told == ["flood"]
    acts.clock.advance(INTERVAL)
    acts.throttle.offer("more")
    acts.clock.advance(FLOOD_INTERVAL - 1)
    assert [made[0] for made in acts.made] == [0.0, INTERVAL]
    acts.clock.advance(1)
    assert [made[0] for made in acts.made] == [0.0, INTERVAL, INTERVAL + FLOOD_INTERVAL]


def test_after_a_calm_minute_a_flood_is_over() -> None:
    acts = Acts()
    told: list[str] = []
    acts.throttle.flooded = told.append
    for _ in range(MAX_A_MINUTE + 1):
        acts.throttle.offer("first")
    acts.clock.advance(MINUTE)
    acts.throttle.offer("the minute before was one, so this one counts as well")
    acts.clock.advance(MINUTE)
    acts.throttle.offer("calm again")
    for _ in range(MAX_A_MINUTE + 1):
        acts.throttle.offer("second")
    assert told == ["first", "second"]


def test_long_after_a_flood_nothing_is_left_of_it() -> None:
    acts = Acts()
    for _ in range(MAX_A_MINUTE + 1):
        acts.throttle.offer("flood")
    acts.clock.pump([FLOOD_INTERVAL] * 5)
    before = len(acts.made)
    acts.throttle.offer("a")
    acts.throttle.offer("b")
    acts.clock.advance(INTERVAL)
    assert [made[1] for made in acts.made[before:]] == ["a", "b"]
