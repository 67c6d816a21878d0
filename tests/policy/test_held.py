"""How much may wait for its time."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters
from mailsuite.model.facts import Accept, Refuse, Stage, StageFacts
from mailsuite.model.quota import Quota
from mailsuite.model.reply import TOO_MUCH_HELD
from mailsuite.model.retention import Usage
from mailsuite.policy.held import Held
from tests.policy.asking import at_mail, connection, judge

JOE = Address("joe", "example.net")
HELD = MailParameters(size=100, hold_for=3600)
WAITING = Usage(messages=5, octets=900)


def said(mail: MailParameters, quota: Quota, account: Address | None = JOE) -> object:
    asked: list[Address] = []

    async def waiting(account: Address) -> Usage:
        asked.append(account)
        return WAITING

    facts = attrs.evolve(at_mail(JOE, connection(account=account)), mail=mail)
    verdict = judge(Held(waiting, quota), facts)
    assert asked in ([], [JOE])
    return verdict


@pytest.mark.parametrize(
    ("mail", "quota", "passes"),
    [
        (HELD, Quota(1000, 6), True),
        (HELD, Quota(999, 6), False),
        (HELD, Quota(1000, 5), False),
        (HELD, Quota(0, 6), True),
        (HELD, Quota(1000, 0), True),
        (HELD, Quota(0, 0), True),
        (attrs.evolve(HELD, hold_for=0), Quota(1, 1), True),
        (attrs.evolve(HELD, hold_for=0, hold_until="2030-01-01T00:00:00Z"), Quota(1, 1), False),
        (attrs.evolve(HELD, size=None), Quota(900, 0), False),
        (attrs.evolve(HELD, size=None), Quota(901, 0), True),
    ],
)
def test_what_is_too_much(mail: MailParameters, quota: Quota, passes: bool) -> None:
    verdict = said(mail, quota)
    assert isinstance(verdict, Accept if passes else Refuse)
    if isinstance(verdict, Refuse):
        assert verdict.reply is TOO_MUCH_HELD
        assert (verdict.reply.code, verdict.reply.enhanced) == (452, "4.2.2")
        assert verdict.note is not None
        fields = (("account", JOE), ("messages", 5), ("octets", 900))
        assert (verdict.note.event, verdict.note.fields) == ("submission.held_exceeded", fields)


def test_nobody_else_is_asked_about() -> None:
    assert said(HELD, Quota(1, 1), account=None) == Accept()
    rule = Held(None, Quota(1, 1))  # type: ignore[arg-type]
    facts: StageFacts = attrs.evolve(at_mail(JOE), mail=HELD, stage=Stage.RECIPIENT)
    assert judge(rule, facts) == Accept()
