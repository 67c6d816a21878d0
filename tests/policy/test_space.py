"""Mail is put off while the disk is too full, and nothing else is."""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.envelope import MailParameters
from mailsuite.model.facts import Accept, Copy, Refuse, Route, RouteKind, Stage, StageFacts
from mailsuite.model.reply import DISK_FULL
from mailsuite.policy.space import Space
from tests.contracts.policy_rule import ANN, JOE, PolicyRuleContract, connection
from tests.policy.test_rules import judge


class Disk:
    def __init__(self, room: bool) -> None:
        self.room = room
        self.asked: list[tuple[str, int]] = []

    async def has_room(self, session: str, octets: int) -> bool:
        self.asked.append((session, octets))
        return self.room


def test_what_was_announced_is_asked_for() -> None:
    disk = Disk(True)
    for size in (None, 0, 5000):
        facts = StageFacts(Stage.MAIL, connection(), JOE, mail=MailParameters(size=size))
        assert judge(Space(disk.has_room), facts) == Accept()
    session = connection().session
    assert disk.asked == [(session, 0), (session, 0), (session, 5000)]


def test_mail_is_put_off() -> None:
    disk = Disk(False)
    assert judge(Space(disk.has_room), StageFacts(Stage.MAIL, connection(), None)) == Refuse(DISK_FULL)
    assert (DISK_FULL.code, DISK_FULL.enhanced) == (452, "4.3.1")


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.MAIL])
def test_who_has_begun_may_go_on(stage: Stage) -> None:
    disk = Disk(False)
    facts = StageFacts(stage, connection(), JOE, ANN, Route(RouteKind.LOCAL, (Copy(ANN, ANN),)))
    assert judge(Space(disk.has_room), facts) == Accept()
    assert disk.asked == []


class SpaceContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> Space:
        return Space(Disk(False).has_room)
