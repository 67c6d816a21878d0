"""What the password cache remembers, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from mailsuite.accounts.password_cache import PasswordCache, framed
from mailsuite.model.address import Address

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(clock):
    return PasswordCache(clock.seconds, life=600, max_entries=3)


def test_only_what_was_verified_is_known(cache):
    assert not cache.knows(JOE, "hash", "secret")
    cache.remember(JOE, "hash", "secret")
    assert cache.knows(JOE, "hash", "secret")
    assert not cache.knows(ANN, "hash", "secret")
    assert not cache.knows(JOE, "hash", "Secret")
    assert not cache.knows(JOE, "hash", "")


def test_another_hash_is_another_password(cache):
    cache.remember(JOE, "old hash", "secret")
    assert not cache.knows(JOE, "new hash", "secret")


def test_it_forgets_in_time_and_asking_prolongs_nothing(cache, clock):
    cache.remember(JOE, "hash", "secret")
    clock.advance(599)
    assert cache.knows(JOE, "hash", "secret")
    clock.advance(1)
    assert not cache.knows(JOE, "hash", "secret")


def test_verifying_again_prolongs(cache, clock):
    cache.remember(JOE, "hash", "secret")
    clock.advance(500)
    cache.remember(JOE, "hash", "secret")
    clock.advance(500)
    assert cache.knows(JOE, "hash", "secret")


def test_a_clock_that_was_set_back_makes_nothing_last_longer(cache, clock):
    cache.remember(JOE, "hash", "secret")
    clock.rightNow -= 3600
    assert not cache.knows(JOE, "hash", "secret")


def test_it_is_bounded_and_the_oldest_leaves(cache, clock):
    for number in range(3):
        cache.remember(JOE, "hash", str(number))
        clock.advance(1)
    cache.remember(JOE, "hash", "0")
    cache.remember(JOE, "hash", "3")
    assert len(cache) == 3
    assert [cache.knows(JOE, "hash", str(number)) for number in range(4)] == [True, False, True, True]


def test_what_is_old_is_swept_out(cache, clock):
    cache.remember(JOE, "hash", "1")
    cache.remember(JOE, "hash", "2")
    clock.advance(600)
    cache.remember(JOE, "hash", "3")
    assert len(cache) == 1


def test_two_processes_have_two_keys(clock):
    digests = set()
    for _ in range(2):
        cache = PasswordCache(clock.seconds)
        cache.remember(JOE, "hash", "secret")
        digests |= set(cache._verified)
    assert len(digests) == 2


def test_it_shows_nothing(cache):
    cache.remember(JOE, "hash", "canary")
    assert repr(cache).count("_") == repr(cache).count("max_entries")
    assert "canary" not in repr(cache)


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_parts_never_give_the_same_octets(one, other):
    assert (framed(*one) == framed(*other)) == (one == other)


@given(st.text(), st.text(), st.integers(0, 20))
def test_where_a_part_ends_matters(left, right, cut):
    joined = left + right
    moved = (joined[:cut], joined[cut:])
    assert (framed(*moved) == framed(left, right)) == (moved == (left, right))
