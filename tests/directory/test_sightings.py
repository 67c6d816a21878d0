"""The order of sightings."""

from ipaddress import ip_address

import pytest

from mailsuite.directory.sightings import KEPT, MemorySightings, Sighting, newest_since, with_newest
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

A, B, C, D = (Sighting(ip_address(f"192.0.2.{number}"), float(number)) for number in range(1, 5))


@pytest.mark.parametrize(
    ("before", "newest", "after"),
    [
        ((), A, (A,)),
        ((A,), B, (B, A)),
        ((B, A), Sighting(A.peer, 9.0), (Sighting(A.peer, 9.0), B)),
        ((A,), Sighting(A.peer, 0.0), (Sighting(A.peer, 0.0),)),
        ((C, B, A), D, (D, C, B)),
        ((C, B, A), B, (B, C, A)),
    ],
)
def test_the_newest_goes_in_front_and_the_oldest_leaves(before, newest, after):
    assert with_newest(before, newest) == after
    assert len(after) <= KEPT


@pytest.mark.parametrize(
    ("since", "peer"), [(0.0, B.peer), (2.0, B.peer), (2.5, C.peer), (3.0, C.peer), (3.5, None)]
)
def test_the_first_that_is_young_enough_counts(since, peer):
    assert newest_since((B, C, A), since) == peer


def test_it_can_be_made_to_fail():
    sightings = MemorySightings(TemporaryFailure(DIRECTORY_UNAVAILABLE))
    joe = Address("joe", "example.net")
    for ask in (sightings.record(joe, A.peer, 1.0), sightings.last(joe, 0.0)):
        with pytest.raises(TemporaryFailure):
            ask.send(None)
