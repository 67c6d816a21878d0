"""The directories in memory keep the contract."""

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.origin import Origin
from tests.contracts.account_directory import AccountDirectoryContract
from tests.contracts.lower_directory import LowerDirectoryContract


class MemoryDirectoryContractTests(LowerDirectoryContract, SynchronousTestCase):
    def make_directory(self):
        return MemoryDirectory()


class LayeredDirectoryContractTests(AccountDirectoryContract, SynchronousTestCase):
    def make_directory(self):
        return LayeredDirectory(MemoryDirectory(origin=Origin.FILE), MemoryDirectory())
