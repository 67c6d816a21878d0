"""What is kept: for how long, and how much of it."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from mailsuite.resolver.cache import ENTRY_OCTETS, Cache


@pytest.fixture
def clock():
    return Clock()


def test_kept_till_its_time_is_over(clock):
    cache = Cache(clock, 1 << 20)
    cache.keep("a", 1, 10, 100)
    clock.advance(9.9)
    assert cache.get("a") == 1
    clock.advance(0.1)
    assert cache.get("a") is None
    assert len(cache) == 0
    assert cache.get("b") is None


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_holds_for_no_time_is_not_kept(clock, seconds):
    cache = Cache(clock, 1 << 20)
    cache.keep("a", 1, 10, 100)
    cache.keep("a", 2, seconds, 100)
    assert cache.get("a") is None


def test_what_was_not_asked_for_longest_goes_first(clock):
    cache = Cache(clock, 3 * (ENTRY_OCTETS + 100))
    for key in "abc":
        cache.keep(key, key, 10, 100)
    cache.get("a")
    cache.keep("d", "d", 10, 100)
    assert [cache.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_octets_count_not_entries(clock):
    cache = Cache(clock, 10 * ENTRY_OCTETS)
    for key in "abcd":
        cache.keep(key, key, 10, 0)
    cache.keep("big", 0, 10, 8 * ENTRY_OCTETS)
    assert [cache.get(key) for key in "abcd"] == [None, None, None, "d"]
    cache.keep("bigger", 0, 10, 10 * ENTRY_OCTETS)
    assert len(cache) == 0


def test_a_new_value_replaces_the_old(clock):
    cache = Cache(clock, 2 * ENTRY_OCTETS)
    for value in range(20):
        cache.keep("a", value, 10, 0)
    assert (len(cache), cache.get("a")) == (1, 19)


def test_a_smaller_limit_and_none(clock):
    cache = Cache(clock, 1 << 20)
    for key in "abc":
        cache.keep(key, key, 10, 0)
    cache.limit = 2 * ENTRY_OCTETS
    cache.shrink()
    assert len(cache) == 2
    cache.clear()
    cache.keep("d", "d", 10, 0)
    assert (len(cache), cache.get("b")) == (1, None)
