"""The directory in memory, as the configuration file's and as the tests' fake."""

import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain, Origin
from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import ALREADY_EXISTS, DIRECTORY_UNAVAILABLE, NO_SUCH_ACCOUNT, READ_ONLY

JOE = Account(Address("joe", "example.net"), "Joe")
ANN = Account(Address("ann", "example.net"))


def run(coroutine):
    """The result of a coroutine that never waits."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


class FileDirectoryTests(SynchronousTestCase):
    def setUp(self):
        self.directory = MemoryDirectory((JOE,), (Domain("example.org"),), Origin.FILE)

    def refused(self, reply, coroutine):
        with pytest.raises(PermanentFailure) as refusal:
            coroutine.send(None)
        self.assertEqual(refusal.value.reply, reply)

    def test_everything_in_it_says_that_it_stands_in_the_file(self):
        self.assertEqual(run(self.directory.account(JOE.address)).origin, Origin.FILE)
        self.assertEqual(
            run(self.directory.domains()),
            (Domain("example.net", Origin.FILE), Domain("example.org", Origin.FILE)),
        )

    def test_nothing_can_be_changed(self):
        self.refused(READ_ONLY, self.directory.add_domain("new.example"))
        self.refused(READ_ONLY, self.directory.add_account(ANN))
        self.refused(READ_ONLY, self.directory.change_account(JOE))
        self.refused(READ_ONLY, self.directory.remove_account(JOE.address))
        self.assertEqual(len(run(self.directory.accounts())), 1)

    def test_the_more_precise_answer_comes_first(self):
        self.refused(ALREADY_EXISTS, self.directory.add_domain("example.org"))
        self.refused(ALREADY_EXISTS, self.directory.add_account(JOE))
        self.refused(NO_SUCH_ACCOUNT, self.directory.change_account(ANN))
        self.refused(NO_SUCH_ACCOUNT, self.directory.remove_account(ANN.address))


@pytest.mark.parametrize(
    "ask",
    [
        lambda directory: directory.account(JOE.address),
        lambda directory: directory.has_domain("example.net"),
        lambda directory: directory.accounts(),
        lambda directory: directory.domains(),
        lambda directory: directory.add_domain("new.example"),
        lambda directory: directory.add_account(ANN),
        lambda directory: directory.change_account(JOE),
        lambda directory: directory.remove_account(JOE.address),
    ],
)
def test_it_can_be_made_to_fail(ask):
    directory = MemoryDirectory((JOE,))
    directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    with pytest.raises(TemporaryFailure):
        ask(directory).send(None)
    directory.refuse_with = None
    run(ask(directory))
