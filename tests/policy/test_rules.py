"""Each rule's verdicts, case by case; the contract sees to the rest."""

from __future__ import annotations

import pytest

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Copy, Refuse, Route, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import (
    AUTHENTICATION_REQUIRED,
    FORWARDING_LOOP,
    FORWARDING_STRANDED,
    INTERNAL_ERROR,
    MAILBOX_DISABLED,
    NO_REMOTE_DELIVERY,
    RELAYING_DENIED,
    SENDER_NOT_YOURS,
    UNKNOWN_RECIPIENT,
    Reply,
)
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying
from mailsuite.policy.sender import Sender
from tests.contracts.policy_rule import ANN, JOE, STRANGER, connection

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


def to(service: str, account: Address | None, route: Route | None) -> StageFacts:
    return StageFacts(Stage.RECIPIENT, connection(service, account), JOE, ANN, route)


@pytest.mark.parametrize(
    ("service", "account", "route", "reply"),
    [
        ("smtp", None, LOCAL, None),
        ("smtp", None, UNKNOWN, None),
        ("smtp", None, REMOTE, RELAYING_DENIED),
        ("smtp", JOE, REMOTE, RELAYING_DENIED),
        ("submission", None, REMOTE, RELAYING_DENIED),
        ("submission", JOE, REMOTE, NO_REMOTE_DELIVERY),
        ("submission", JOE, LOCAL, None),
        ("smtp", None, OFF, None),
        ("smtp", None, LOOP, None),
        ("submission", JOE, STRANDED, None),
        ("something", JOE, REMOTE, RELAYING_DENIED),
        ("submission", JOE, None, INTERNAL_ERROR),
    ],
)
def test_relaying(service: str, account: Address | None, route: Route | None, reply: Reply | None) -> None:
    assert judge(Relaying(), to(service, account, route)) == expected(reply)


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
    assert judge(Recipients(), to("smtp", None, route)) == expected(reply)


def test_every_kind_of_route_but_ours_and_others_is_refused() -> None:
    for kind in set(RouteKind) - {RouteKind.LOCAL, RouteKind.REMOTE}:
        assert isinstance(judge(Recipients(), to("smtp", None, Route(kind))), Refuse)


def test_mistakes_of_ours_leave_the_message_with_the_sender() -> None:
    """The codes: RFC 3463 sections 3.3, 3.5 and 3.4."""
    assert (MAILBOX_DISABLED.code, MAILBOX_DISABLED.enhanced) == (550, "5.2.1")
    assert (FORWARDING_LOOP.code, FORWARDING_LOOP.enhanced) == (451, "4.4.6")
    assert (FORWARDING_STRANDED.code, FORWARDING_STRANDED.enhanced) == (451, "4.3.5")


@pytest.mark.parametrize("rule", [Relaying(), Recipients()])
def test_rules_of_recipients_have_no_say_about_senders(rule: IPolicyRule) -> None:
    assert judge(rule, StageFacts(Stage.MAIL, connection())) == Accept()


@pytest.mark.parametrize(
    ("service", "account", "sender", "reply"),
    [
        ("smtp", None, STRANGER, None),
        ("smtp", None, None, None),
        ("smtp", None, JOE, None),
        ("submission", JOE, JOE, None),
        ("submission", JOE, Address("JoE", "example.net"), None),
        ("submission", JOE, None, None),
        ("submission", JOE, ANN, SENDER_NOT_YOURS),
        ("submission", JOE, STRANGER, SENDER_NOT_YOURS),
        ("submission", JOE, Address("joe", "example.org"), SENDER_NOT_YOURS),
        ("submission", JOE, Address("joe", "[127.0.0.1]"), SENDER_NOT_YOURS),
        ("submission", JOE, Address("joe", ""), SENDER_NOT_YOURS),
        ("submission", JOE, Address("joe ", "example.net"), SENDER_NOT_YOURS),
        ("submission", JOE, Address("j\u043ee", "example.net"), SENDER_NOT_YOURS),
        ("submission", None, JOE, AUTHENTICATION_REQUIRED),
        ("submission", None, None, AUTHENTICATION_REQUIRED),
        ("submissions", None, JOE, AUTHENTICATION_REQUIRED),
        ("SMTP", None, JOE, AUTHENTICATION_REQUIRED),
        ("", None, JOE, AUTHENTICATION_REQUIRED),
    ],
)
@pytest.mark.parametrize("stage", list(Stage))
def test_sender(
    stage: Stage, service: str, account: Address | None, sender: Address | None, reply: Reply | None
) -> None:
    facts = StageFacts(stage, connection(service, account), sender, ANN, LOCAL)
    assert judge(Sender(), facts) == expected(reply)
