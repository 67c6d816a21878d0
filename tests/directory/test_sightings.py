"""The sightings that tests use."""

from ipaddress import ip_address

import pytest

from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

HOME = ip_address("192.0.2.1")


def test_it_can_be_made_to_fail():
    sightings = MemorySightings(TemporaryFailure(DIRECTORY_UNAVAILABLE))
    joe = Address("joe", "example.net")
    for ask in (sightings.record(joe, HOME, 1.0), sightings.last(joe, 0.0)):
        with pytest.raises(TemporaryFailure):
            ask.send(None)
