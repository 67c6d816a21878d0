"""How long a failure to log in takes to be answered."""

from ipaddress import ip_address

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from mailsuite.accounts.throttle import FORGOTTEN_AFTER, FailureThrottle

HERE = ip_address("192.0.2.1")
THERE = ip_address("192.0.2.2")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return FailureThrottle(clock, jitter=lambda: 0.0)


def fails(throttle, name="joe", peer=HERE, since=None):
    since = throttle.clock.seconds() if since is None else since
    return Deferred.fromCoroutine(throttle.penalty(peer, name, since))


def seconds(throttle, name="joe", peer=HERE):
    """How long one more failure waits."""
    waiting = fails(throttle, name, peer)
    waited = 0.0
    while not waiting.called:
        throttle.clock.advance(0.5)
        waited += 0.5
    return waited


def test_each_failure_waits_twice_as_long_up_to_the_longest(throttle):
    assert [seconds(throttle) for _ in range(7)] == [1, 2, 4, 8, 16, 16, 16]


def test_the_time_of_the_check_is_part_of_it(throttle, clock):
    clock.advance(100)
    waiting = fails(throttle, since=99.5)
    clock.advance(0.5)
    assert waiting.called
    assert fails(throttle, since=0.0).called  # it took longer than any delay


def test_jitter_makes_it_longer(clock):
    throttle = FailureThrottle(clock, jitter=lambda: 1.0)
    waiting = fails(throttle)
    clock.advance(1.2)
    assert not waiting.called
    clock.advance(0.05)
    assert waiting.called


def test_nothing_waits_where_it_is_turned_off(clock):
    assert fails(FailureThrottle(clock, first=0.0)).called


def test_a_network_counts_over_all_names(throttle):
    assert [seconds(throttle, name) for name in ("joe", "ann", "bob")] == [1, 2, 4]


def test_another_network_begins_anew(throttle):
    seconds(throttle)
    assert seconds(throttle, peer=THERE) == 1


def test_neighbours_of_an_ipv6_network_are_one(throttle):
    first, second = ip_address("2001:db8::1"), ip_address("2001:db8::ffff:2")
    assert [seconds(throttle, peer=first), seconds(throttle, peer=second)] == [1, 2]
    assert seconds(throttle, peer=ip_address("2001:db8:0:1::1")) == 1


def test_a_success_forgives_what_that_name_failed(throttle):
    for _ in range(3):
        seconds(throttle)
    throttle.succeeded(HERE, "joe")
    assert seconds(throttle) == 1


def test_a_success_forgives_no_other_name(throttle):
    for name in ("ann", "bob", "joe"):
        seconds(throttle, name)
    throttle.succeeded(HERE, "joe")
    assert seconds(throttle, "eve") == 4  # two of others, and this one


def test_a_success_without_failures_is_nothing(throttle):
    throttle.succeeded(HERE, "joe")
    assert len(throttle) == 0


def test_failures_are_forgotten_after_a_quiet_time(throttle, clock):
    seconds(throttle)
    clock.advance(FORGOTTEN_AFTER)
    assert seconds(throttle) == 1
    assert len(throttle) == 2


def test_a_failure_after_a_quiet_time_of_its_own_name_begins_anew(throttle, clock):
    seconds(throttle, "joe")
    clock.advance(FORGOTTEN_AFTER - 2)
    seconds(throttle, "ann")  # the network stays known
    clock.advance(3)
    throttle.succeeded(HERE, "ann")
    assert seconds(throttle, "joe") == 2


def test_only_so_much_is_remembered(clock):
    throttle = FailureThrottle(clock, max_entries=10)
    for number in range(100):
        fails(throttle, f"name{number}", ip_address(f"192.0.2.{number}"))
    assert len(throttle) == 10


def admitted(throttle, name="joe", peer=HERE):
    return Deferred.fromCoroutine(throttle.admit(peer, name))


def test_who_does_not_wait_for_the_answer_is_judged_no_earlier(throttle, clock):
    """The next attempt waits, a right password as well, until the answer that nobody heard was due."""
    impatient = fails(throttle)
    impatient.addErrback(lambda failure: failure.trap(CancelledError))
    impatient.cancel()
    again = admitted(throttle)
    clock.advance(0.9)
    assert not again.called
    clock.advance(0.1)
    assert again.called


def test_a_network_that_fails_is_judged_no_earlier_by_other_names(throttle, clock):
    fails(throttle)
    assert not admitted(throttle, "ann").called
    assert admitted(throttle, "ann", THERE).called


def test_who_never_failed_is_judged_at_once(throttle, clock):
    assert admitted(throttle).called
    assert len(throttle) == 0


def test_after_the_answer_the_next_is_judged_at_once(throttle):
    seconds(throttle)
    assert admitted(throttle).called


def test_whoever_goes_away_waits_no_longer(throttle, clock):
    waiting = fails(throttle)
    gone = []
    waiting.addErrback(gone.append)
    waiting.cancel()
    assert gone[0].check(CancelledError)
    assert not clock.getDelayedCalls()


def test_any_name_can_fail(throttle):
    seconds(throttle, "\udc80\ud800" * 10_000)
