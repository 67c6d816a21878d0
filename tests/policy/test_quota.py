"""The rule that refuses mail for full maildrops."""

from __future__ import annotations

import attrs
import pytest
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.concurrent.now import run_now
from mailsuite.interfaces.store import IQuotas
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters
from mailsuite.model.facts import Accept, Copy, Refuse, Route, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import OVER_QUOTA, OVER_QUOTA_FOR_GOOD, Reply
from mailsuite.model.turns import STEPS_IN_A_ROW
from mailsuite.policy.quota import Quotas
from tests.contracts.policy_rule import ANN, JOE, PolicyRuleContract, connection


@implementer(IQuotas)
@attrs.define
class Full:
    """Objects where the maildrop has less room than was promised; what it was asked is noted."""

    room: dict[Address, int]
    reply: Reply = OVER_QUOTA
    asked: list[tuple[Address, int]] = attrs.field(factory=list)

    async def objection(self, account: Address, octets: int) -> Reply | None:
        self.asked.append((account, octets))
        return self.reply if octets >= self.room.get(account, 1000) else None


class QuotasContractTests(PolicyRuleContract, SynchronousTestCase):
    def rule(self) -> Quotas:
        return Quotas(Full({ANN: 0}))


def judge(quotas: Full, facts: StageFacts) -> Verdict:
    with pytest.raises(StopIteration) as ended:
        Quotas(quotas).check(facts).send(None)
    verdict: Verdict = ended.value.value
    return verdict


BOTH = Route(RouteKind.LOCAL, (Copy(ANN, ANN), Copy(JOE, JOE)))


def facts(route: Route | None, size: int | None = None, stage: Stage = Stage.RECIPIENT) -> StageFacts:
    return StageFacts(stage, connection(), JOE, ANN, route, mail=MailParameters(size=size))


@pytest.mark.parametrize(
    ("room", "size", "asked", "verdict"),
    [
        ({}, None, [(ANN, 0), (JOE, 0)], Accept()),
        ({}, 999, [(ANN, 999), (JOE, 999)], Accept()),
        ({}, 1000, [(ANN, 1000), (JOE, 1000)], Refuse(OVER_QUOTA)),
        ({ANN: 0}, None, [(ANN, 0), (JOE, 0)], Refuse(OVER_QUOTA)),
        ({JOE: 5}, 5, [(ANN, 5), (JOE, 5)], Refuse(OVER_QUOTA)),
    ],
)
def test_each_account_is_asked_with_what_is_promised(
    room: dict[Address, int], size: int | None, asked: list[tuple[Address, int]], verdict: Verdict
) -> None:
    quotas = Full(room)
    assert judge(quotas, facts(BOTH, size)) == verdict
    assert quotas.asked == asked


ALONE = Route(RouteKind.LOCAL, (Copy(ANN, ANN),))


@pytest.mark.parametrize(
    ("room", "route", "reply"),
    [
        ({ANN: 0}, ALONE, OVER_QUOTA_FOR_GOOD),
        ({ANN: 0, JOE: 0}, BOTH, OVER_QUOTA_FOR_GOOD),
        ({ANN: 0}, BOTH, OVER_QUOTA),
        ({JOE: 0}, BOTH, OVER_QUOTA),
        ({ANN: 0}, attrs.evolve(ALONE, remotes=(Address("ann", "example.org"),)), OVER_QUOTA),
    ],
)
def test_for_good_only_where_nobody_has_a_place(room: dict[Address, int], route: Route, reply: Reply) -> None:
    """A list with one full maildrop is told to come again: the others have done nothing."""
    assert judge(Full(room, OVER_QUOTA_FOR_GOOD), facts(route)) == Refuse(reply)


@pytest.mark.parametrize(
    "case",
    [facts(BOTH, 5000, stage) for stage in Stage if stage is not Stage.RECIPIENT] + [facts(None, 5000)],
)
def test_elsewhere_nobody_is_asked(case: StageFacts) -> None:
    quotas = Full({})
    assert judge(quotas, case) == Accept()
    assert quotas.asked == []


def test_what_is_held_is_judged_when_it_is_released() -> None:
    quotas = Full({ANN: 0})
    held = attrs.evolve(facts(ALONE), mail=MailParameters(hold_for=60))
    assert judge(quotas, held) == Accept()
    assert quotas.asked == []


def test_mail_for_other_servers_has_no_quota_here() -> None:
    assert judge(Full({}), facts(Route(RouteKind.REMOTE, remotes=(ANN,)), 5000)) == Accept()


def test_a_long_list_lets_others_have_their_turn() -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1

    many = tuple(
        Copy(each, each) for each in (Address(f"a{number}", "example.net") for number in range(1000))
    )
    rule = Quotas(Full({}), turn)
    assert run_now(rule.check(facts(Route(RouteKind.LOCAL, many)))) == Accept()
    assert turns == 1000 // STEPS_IN_A_ROW
