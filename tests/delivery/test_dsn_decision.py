"""Which notice is owed: RFC 3461 section 5.2, rows Q-05, S-A16, S-A17, M-10."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.dsn_decision import is_moot, notice_owed, notices_owed, was_asked_for
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Fate, Outcome
from tests.delivery.dsn_cases import (
    ARRIVED,
    DEFERRED,
    DELIVERED,
    EXPIRED,
    HOST,
    REFUSED,
    RELAYED,
    message,
    outcome,
    recipient,
    reply,
)

HOUR = 3600.0
WARN = (4 * HOUR,)
FAILURE, DELAY, SUCCESS, NEVER = NotifyOn.FAILURE, NotifyOn.DELAY, NotifyOn.SUCCESS, NotifyOn.NEVER
PASSED_ON = Outcome(Fate.RELAYED, reply(250), HOST, notices_passed_on=True)


@pytest.mark.parametrize(
    ("last", "notify", "wanted"),
    [
        (REFUSED, None, FAILURE),
        (REFUSED, {FAILURE}, FAILURE),
        (REFUSED, {FAILURE, DELAY, SUCCESS}, FAILURE),
        (REFUSED, {DELAY, SUCCESS}, None),
        (REFUSED, {NEVER}, None),
        (EXPIRED, None, FAILURE),
        (EXPIRED, {SUCCESS}, None),
        (DELIVERED, None, None),
        (DELIVERED, {FAILURE, DELAY}, None),
        (DELIVERED, {SUCCESS}, SUCCESS),
        (DELIVERED, {NEVER}, None),
        (RELAYED, None, None),
        (RELAYED, {SUCCESS}, SUCCESS),
        (RELAYED, {FAILURE}, None),
        (PASSED_ON, {SUCCESS}, None),
        (DEFERRED, None, DELAY),
        (DEFERRED, {DELAY}, DELAY),
        (DEFERRED, {FAILURE, SUCCESS}, None),
        (DEFERRED, {NEVER}, None),
    ],
)
def test_by_outcome_and_notify(last: Outcome, notify: set[NotifyOn] | None, wanted: NotifyOn | None) -> None:
    late = ARRIVED + 4 * HOUR
    assert notice_owed(message(), recipient(last=None, notify=notify), last, late, WARN) is wanted


@pytest.mark.parametrize(
    ("last", "wanted"), [(REFUSED, FAILURE), (DEFERRED, None), (RELAYED, None), (DELIVERED, None)]
)
def test_the_null_sender_hears_of_nothing_and_a_failure_is_owed_to_the_postmaster(
    last: Outcome, wanted: NotifyOn | None
) -> None:
    notify = {FAILURE, DELAY, SUCCESS}
    late = ARRIVED + 4 * HOUR
    assert notice_owed(message(sender=None), recipient(notify=notify), last, late, WARN) is wanted


def test_never_holds_for_the_postmaster_too() -> None:
    assert notice_owed(message(sender=None), recipient(notify={NEVER}), REFUSED, ARRIVED, WARN) is None


@pytest.mark.parametrize(
    ("age", "before", "warned", "warn", "wanted"),
    [
        (4 * HOUR - 1, 2 * HOUR, False, WARN, None),
        (4 * HOUR, 2 * HOUR, False, WARN, DELAY),
        (9 * HOUR, 2 * HOUR, False, WARN, DELAY),
        (9 * HOUR, None, False, WARN, DELAY),
        (9 * HOUR, 5 * HOUR, True, WARN, None),
        (9 * HOUR, 2 * HOUR, True, WARN, None),  # the clock went back
        (25 * HOUR, 20 * HOUR, True, (4 * HOUR, 24 * HOUR), DELAY),
        (29 * HOUR, 25 * HOUR, True, (4 * HOUR, 24 * HOUR), None),
        (25 * HOUR, 2 * HOUR, False, (4 * HOUR, 24 * HOUR), DELAY),
        (9 * HOUR, 2 * HOUR, False, (), None),
    ],
)
def test_a_delay_is_told_once_for_each_age(
    age: float, before: float | None, warned: bool, warn: tuple[float, ...], wanted: NotifyOn | None
) -> None:
    last = None if before is None else outcome(Fate.DEFERRED, reply(450), at=ARRIVED + before)
    who = recipient(last=last, warned=warned)
    assert notice_owed(message(), who, DEFERRED, ARRIVED + age, warn) is wanted


def test_what_its_sender_holds_back_is_not_late() -> None:
    held = message(release=ARRIVED + 10 * HOUR)
    who = recipient(last=None)
    assert notice_owed(held, who, DEFERRED, ARRIVED + 11 * HOUR, WARN) is None
    assert notice_owed(held, who, DEFERRED, ARRIVED + 14 * HOUR, WARN) is DELAY


@given(
    attempts=st.lists(st.floats(1.0, 6 * HOUR), min_size=1, max_size=30),
    warn=st.lists(st.floats(60.0, 48 * HOUR), max_size=3, unique=True).map(sorted),
)
def test_over_a_whole_life_no_age_is_told_twice(attempts: list[float], warn: list[float]) -> None:
    who, now, told = recipient(last=None), ARRIVED, 0
    for wait in attempts:
        now += wait
        kind = notice_owed(message(), who, DEFERRED, now, warn)
        told += kind is DELAY
        last = outcome(Fate.DEFERRED, reply(450), at=now)
        who = recipient(last=last, warned=who.warned or kind is DELAY)
    reached = sum(age <= now - ARRIVED for age in warn)
    assert told <= reached
    assert bool(told) == bool(reached)


def test_all_outcomes_of_an_attempt() -> None:
    people = {number: recipient(number, last=None) for number in range(4)}
    people[3] = recipient(3, last=None, notify={SUCCESS})
    outcomes = {0: REFUSED, 1: DEFERRED, 3: RELAYED}
    found = notices_owed(message(), people, outcomes, ARRIVED + 60, WARN)
    assert found == {0: FAILURE, 3: SUCCESS}


def test_a_delay_that_is_over_is_told_no_more() -> None:
    assert is_moot(DELAY, recipient(last=RELAYED))
    assert is_moot(DELAY, recipient(last=REFUSED))
    assert not is_moot(DELAY, recipient(last=DEFERRED))
    assert not is_moot(DELAY, recipient(last=None))
    assert not is_moot(FAILURE, recipient(last=REFUSED))


def test_who_has_said_something_has_asked() -> None:
    assert was_asked_for(recipient(notify={FAILURE}))
    assert not was_asked_for(recipient())
