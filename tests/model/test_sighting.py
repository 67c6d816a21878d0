"""The order of sightings, and what is remembered of them."""

from ipaddress import ip_address

import attrs
import pytest

from mailsuite.model.sighting import Sighting, newest_since, recent, seen_from, with_newest

A, B, C, D = (Sighting(ip_address(f"192.0.2.{number}"), float(number), first=0.5) for number in range(1, 5))


def by(device, sighting):
    return attrs.evolve(sighting, device=device)


@pytest.mark.parametrize(
    ("before", "newest", "after"),
    [
        ((), A, (A,)),
        ((A,), B, (B, A)),
        ((B, A), attrs.evolve(A, at=9.0), (attrs.evolve(A, at=9.0), B)),
        ((A,), attrs.evolve(A, at=0.0), (attrs.evolve(A, at=0.0),)),
        ((C, B, A), D, (D, C, B)),
        ((C, B, A), B, (B, C, A)),
        ((C, B, A), by("x", A), (by("x", A), C, B, A)),
        ((by("x", A), by("y", A), C, B, A), by("z", B), (by("z", B), by("x", A), by("y", A))),
        ((by("x", A), C, by("y", A), B, A), D, (D, by("x", A), C, by("y", A), B)),
    ],
)
def test_the_newest_goes_in_front_and_the_oldest_leaves(before, newest, after):
    assert with_newest(before, newest) == after


def test_since_when_it_is_there_goes_on():
    first = with_newest((), Sighting(A.peer, 5.0))
    assert first == (Sighting(A.peer, 5.0, first=5.0),)
    assert with_newest((B, *first), Sighting(A.peer, 9.0)) == (Sighting(A.peer, 9.0, first=5.0), B)
    assert with_newest((Sighting(A.peer, 3.0),), Sighting(A.peer, 9.0))[0].first == 3.0


@pytest.mark.parametrize(
    ("since", "peer"), [(0.0, B.peer), (2.0, B.peer), (2.5, C.peer), (3.0, C.peer), (3.5, None)]
)
def test_the_first_that_is_young_enough_counts(since, peer):
    assert newest_since((B, C, A), since) == peer


def test_one_device_s_first_counts():
    sightings = (by("x", B), C, by("x", D))
    assert newest_since(sightings, 0.0, "") == C.peer
    assert newest_since(sightings, 3.0, "x") == D.peer
    assert newest_since(sightings, 0.0, "y") is None


def test_of_each_device_there_is_one_that_is_recent():
    sightings = (by("x", B), C, by("x", D), A)
    assert recent(sightings, 0.0) == (by("x", B), C)
    assert recent(sightings, 2.5) == (C, by("x", D))
    assert recent(sightings, 9.0) == ()


def test_any_device_can_have_been_there():
    assert seen_from((A, by("x", B)), B.peer, 2.0)
    assert not seen_from((A, by("x", B)), B.peer, 2.5)
    assert not seen_from((A,), B.peer, 0.0)
