"""The sightings in memory keep the contract."""

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.sightings import MemorySightings
from tests.contracts.sightings import SightingsContract


class MemorySightingsContractTests(SightingsContract, SynchronousTestCase):
    def make_sightings(self):
        return MemorySightings()
