"""The logins in memory, where the contract does not look."""

import pytest

from mailsuite.directory.logins import MemoryLogins, newest_first
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.contracts.logins import ANN, JOE, NOON, POLL, TRAIN, at


@pytest.mark.parametrize(
    "ask",
    [
        lambda logins: logins.record(POLL),
        lambda logins: logins.since(NOON),
        lambda logins: logins.last_uses(JOE),
        lambda logins: logins.forget(JOE),
    ],
)
def test_it_can_be_made_to_fail(ask):
    logins = MemoryLogins(TemporaryFailure(DIRECTORY_UNAVAILABLE))
    with pytest.raises(TemporaryFailure):
        ask(logins).send(None)


def test_logins_of_one_moment_have_an_order():
    logins = (at(NOON, account=ANN), at(NOON, device="laptop"), POLL, at(NOON, peer=TRAIN))
    assert newest_first(logins) == newest_first(reversed(logins)) == logins
