"""Each rule's verdicts, case by case; the contract sees to the rest."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import Accept, Copy, Refuse, Route, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import (
    FORWARDING_LOOP,
    FORWARDING_STRANDED,
    INTERNAL_ERROR,
    MAILBOX_DISABLED,
    NOTICES_ALONE,
    UNKNOWN_RECIPIENT,
    Reply,
)
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying
from tests.contracts.policy_rule import ANN, JOE, connection

LOCAL = Route(RouteKind.LOCAL, (Copy(ANN, ANN),))
REMOTE = Route(RouteKind.REMOTE)
UNKNOWN = Route(RouteKind.UNKNOWN)
OFF = Route(RouteKind.OFF)
LOOP = Route(RouteKind.LOOP, dead_end=ANN)
STRANDED = Route(RouteKind.STRANDED, dead_end=ANN)


def judge(rule: IPolicyRule, facts: StageFacts) -> Verdict:
    """Ask a rule that never has to wait."""
    with pytest.raises(StopIteration) as ended:
        rule.check(facts).send(None)
    verdict: Verdict = ended.value.value
    return verdict


def expected(reply: Reply | None) -> Verdict:
    return Accept() if reply is None else Refuse(reply)


def to(route: Route | None) -> StageFacts:
    return StageFacts(Stage.RECIPIENT, connection(), JOE, ANN, route)


@pytest.mark.parametrize(
    ("route", "reply"),
    [
        (LOCAL, None),
        (Route(RouteKind.LOCAL, (Copy(ANN, ANN),), dead_end=JOE), None),
        (REMOTE, None),
        (UNKNOWN, UNKNOWN_RECIPIENT),
        (OFF, MAILBOX_DISABLED),
        (LOOP, FORWARDING_LOOP),
        (STRANDED, FORWARDING_STRANDED),
        (None, INTERNAL_ERROR),
    ],
)
def test_recipients(route: Route | None, reply: Reply | None) -> None:
    assert judge(Recipients(), to(route)) == expected(reply)


def test_every_kind_of_route_but_ours_and_others_is_refused() -> None:
    for kind in set(RouteKind) - {RouteKind.LOCAL, RouteKind.REMOTE}:
        assert isinstance(judge(Recipients(), to(Route(kind))), Refuse)


def test_mistakes_of_ours_leave_the_message_with_the_sender() -> None:
    """The codes: RFC 3463 sections 3.3, 3.5 and 3.4."""
    assert (MAILBOX_DISABLED.code, MAILBOX_DISABLED.enhanced) == (550, "5.2.1")
    assert (FORWARDING_LOOP.code, FORWARDING_LOOP.enhanced) == (451, "4.4.6")
    assert (FORWARDING_STRANDED.code, FORWARDING_STRANDED.enhanced) == (451, "4.3.5")


@pytest.mark.parametrize("rule", [Relaying(), Recipients()])
def test_rules_of_recipients_have_no_say_about_senders(rule: IPolicyRule) -> None:
    assert judge(rule, StageFacts(Stage.MAIL, connection())) == Accept()


def test_where_a_notice_comes_back_nothing_else_does() -> None:
    route = Route(RouteKind.LOCAL, remotes=(JOE,), returns=True)
    notice = StageFacts(Stage.RECIPIENT, connection(), None, ANN, route)
    assert judge(Recipients(), notice) == Accept()
    assert judge(Recipients(), attrs.evolve(notice, sender=JOE)) == Refuse(NOTICES_ALONE)
