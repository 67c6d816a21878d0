"""How much an account may be told."""

from __future__ import annotations

import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Domain
from mailsuite.model.address import Address
from mailsuite.model.notice import Level
from mailsuite.notify.caps import Caps

JOE = Address("joe", "example.test")


@pytest.mark.parametrize(
    ("server", "domain", "most"),
    [
        (Level.SUBJECT, None, Level.SUBJECT),
        (Level.SUBJECT, Domain("example.test"), Level.SUBJECT),
        (Level.SUBJECT, Domain("example.test", notify_max_level=Level.COUNT), Level.COUNT),
        (Level.COUNT, Domain("example.test", notify_max_level=Level.PREVIEW), Level.COUNT),
        (Level.COUNT, Domain("example.test", notify_max_level=Level.KNOCK), Level.KNOCK),
        (Level.SUBJECT, Domain("example.test", notify=False), None),
        (Level.SUBJECT, Domain("example.test", notify=False, notify_max_level=Level.COUNT), None),
        (None, Domain("example.test", notify_max_level=Level.COUNT), None),
    ],
)
def test_the_lower_one_holds(server: Level | None, domain: Domain | None, most: Level | None) -> None:
    directory = MemoryDirectory()
    if domain is not None:
        run_now(directory.add_domain(domain.name))
        run_now(directory.change_domain(domain))
    assert run_now(Caps(directory, server).of(JOE)) == most
