"""When a message is tried again, and when it is given up; and that warnings come in time by that."""

from __future__ import annotations

from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.config.next_hops import retry_times
from mailsuite.config.queue import Queue, RetryTimes
from mailsuite.config.resolve import built
from mailsuite.delivery.dsn_decision import notice_owed
from mailsuite.model.address import Address
from mailsuite.model.envelope import NotifyOn, OutboundRecipient
from mailsuite.model.outbound import Fate, Outcome, QueuedMessage, QueuedRecipient
from mailsuite.model.reply import NO_ANSWER
from mailsuite.relay.schedule import expiry, is_over, longest_rest, next_try, wait

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
BEGAN = 1_000_000.0
USUAL = retry_times(built(Queue, {"tls": {}}))
APPLE = attrs.evolve(USUAL, fixed=20 * MINUTE, give_up=72 * HOUR, warn=(12 * HOUR,))
LETTER = QueuedMessage("id", Address("joe", "example.net"), arrived=BEGAN)
NOTICE = attrs.evolve(LETTER, sender=None)


def half() -> float:
    return 0.5


def life(times: RetryTimes, message: QueuedMessage, chance: float = 0.5) -> tuple[list[float], list[float]]:
    """When a message that nobody ever takes is tried, and when its sender is warned: seconds from BEGAN."""
    tries, warnings = [0.0], []
    now, last = BEGAN, None
    while not is_over(times, message, now):
        recipient = QueuedRecipient(0, OutboundRecipient(Address("ann", "example.org")), len(tries), last)
        last = Outcome(Fate.DEFERRED, NO_ANSWER, at=now)
        if notice_owed(message, recipient, last, now, times.warn) is NotifyOn.DELAY:
            warnings.append(now - BEGAN)
        now = next_try(times, message, len(tries), now, random=lambda: chance)
        tries.append(now - BEGAN)
    return tries, warnings


def test_five_minutes_then_twice_as_long_up_to_four_hours_for_five_days() -> None:
    tries, warnings = life(attrs.evolve(USUAL, warn=()), LETTER)
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert waits[:6] == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 80 * MINUTE, 160 * MINUTE]
    assert set(waits[6:-1]) == {4 * HOUR * 0.9}
    assert tries[-1] == 5 * DAY
    assert warnings == []


def test_one_warning_after_four_hours_to_the_second() -> None:
    tries, warnings = life(USUAL, LETTER)
    assert warnings == [4 * HOUR]
    assert 4 * HOUR in tries


def test_several_warnings_each_once() -> None:
    times = attrs.evolve(USUAL, warn=(HOUR, 4 * HOUR, 2 * DAY))
    assert life(times, LETTER)[1] == [HOUR, 4 * HOUR, 2 * DAY]


def test_what_has_no_sender_warns_nobody_and_lives_two_days() -> None:
    tries, warnings = life(USUAL, NOTICE)
    assert (tries[-1], warnings) == (2 * DAY, [])


def test_as_the_old_server_did_it() -> None:
    """Every 20 minutes, to the second, for 72 hours, with a warning after twelve (S-A16)."""
    tries, warnings = life(APPLE, LETTER)
    assert tries == [20 * MINUTE * number for number in range(72 * 3 + 1)]
    assert warnings == [12 * HOUR]
    assert next_try(APPLE, LETTER, 1, BEGAN, random=half, no_later=BEGAN + 1) == BEGAN + 20 * MINUTE


def test_the_last_attempt_is_at_the_very_end() -> None:
    now = BEGAN + 5 * DAY - 1
    for times in (USUAL, attrs.evolve(APPLE, give_up=5 * DAY)):
        assert not is_over(times, LETTER, now)
        assert next_try(times, LETTER, 50, now, random=half) == BEGAN + 5 * DAY
        assert is_over(times, LETTER, BEGAN + 5 * DAY)


def test_the_age_counts_from_the_release() -> None:
    held = attrs.evolve(LETTER, release=BEGAN + 10 * DAY)
    assert expiry(USUAL, held) == BEGAN + 15 * DAY
    assert expiry(USUAL, attrs.evolve(LETTER, release=BEGAN - DAY)) == BEGAN + 5 * DAY


def test_what_was_not_tried_comes_when_the_rest_ends() -> None:
    later = BEGAN + 100 * MINUTE
    assert next_try(USUAL, LETTER, 6, BEGAN, random=half, no_later=later) == later
    assert next_try(USUAL, LETTER, 1, BEGAN, random=half, no_later=later) == BEGAN + 5 * MINUTE


@pytest.mark.parametrize(("chance", "first", "tenth"), [(0.0, 0.8, 0.8), (0.5, 1.0, 0.9), (1.0, 1.2, 1.0)])
def test_a_fifth_more_or_less(chance: float, first: float, tenth: float) -> None:
    """And never longer than the longest."""
    assert wait(300.0, 4 * HOUR, 1, chance) == pytest.approx(300.0 * first)
    assert wait(300.0, 4 * HOUR, 10, chance) == pytest.approx(4 * HOUR * tenth)


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.floats(1, DAY), st.floats(1, 7 * DAY))
def test_no_wait_is_endless_or_none(count: int, chance: float, first: float, longest: float) -> None:
    seconds = wait(first, longest, count, chance)
    assert min(first, longest) * 0.8 <= seconds <= longest
    assert seconds <= wait(first, longest, count + 1, chance)


@given(st.floats(0, 6 * DAY), st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_the_next_attempt_is_later_and_in_time(age: float, tries: int, chance: float) -> None:
    now = BEGAN + age
    for times in (USUAL, APPLE):
        if not is_over(times, LETTER, now):
            assert now < next_try(times, LETTER, tries, now, random=lambda: chance) <= expiry(times, LETTER)


def test_how_long_a_destination_may_rest() -> None:
    assert longest_rest(USUAL) == 4 * HOUR
    assert longest_rest(APPLE) == MINUTE
    assert longest_rest(attrs.evolve(APPLE, fixed=MINUTE)) == 30.0
