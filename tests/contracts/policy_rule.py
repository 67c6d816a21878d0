"""What holds for every IPolicyRule: facts in, verdict out, no side effects, no failure."""

from __future__ import annotations

import itertools
from ipaddress import ip_address

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.address import Address
from mailsuite.model.facts import (
    Accept,
    ConnectionFacts,
    Copy,
    Refuse,
    Route,
    RouteKind,
    Stage,
    StageFacts,
    Verdict,
)

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
STRANGER = Address("eve", "example.org")


def connection(service: str = "smtp", account: Address | None = None) -> ConnectionFacts:
    return ConnectionFacts("s1", "door", service, ip_address("192.0.2.1"), 1234, account=account)


def every_case() -> list[StageFacts]:
    """All that the facts of a stage can look like, what should not happen included."""
    routes = [None, Route(RouteKind.LOCAL, (Copy(ANN, ANN),)), *map(Route, RouteKind)]
    connections = [
        connection(service, account)
        for service, account in itertools.product(["smtp", "submission", "lmtp", "", "SMTP"], [None, JOE])
    ]
    mail = itertools.product([Stage.MAIL], connections, [None, JOE, STRANGER], [None], [None])
    recipient = itertools.product([Stage.RECIPIENT], connections, [None, JOE, STRANGER], [ANN], routes)
    others = itertools.product([Stage.HELLO, Stage.HEADER], connections, [None, JOE], [None], [None])
    return [StageFacts(*case) for case in itertools.chain(mail, recipient, others)]


class PolicyRuleContract:
    """Mix into a SynchronousTestCase and say which rule."""

    def rule(self) -> IPolicyRule:
        raise NotImplementedError

    def judge(self, facts: StageFacts) -> Verdict:
        assert isinstance(self, SynchronousTestCase)
        return self.successResultOf(Deferred.fromCoroutine(self.rule().check(facts)))

    def test_is_a_rule_with_a_name(self) -> None:
        rule = self.rule()
        assert verifyObject(IPolicyRule, rule)
        assert rule.name
        assert rule.name == rule.name.lower()

    def test_answers_every_case_and_twice_the_same(self) -> None:
        for facts in every_case():
            verdict = self.judge(facts)
            assert isinstance(verdict, Accept | Refuse)
            assert verdict == self.judge(facts)

    def test_has_nothing_to_say_where_it_need_not_be_asked(self) -> None:
        elsewhere = [facts for facts in every_case() if facts.stage not in self.rule().asked_at]
        assert all(self.judge(facts) == Accept() for facts in elsewhere)

    def test_refuses_with_a_negative_reply(self) -> None:
        for facts in every_case():
            verdict = self.judge(facts)
            if isinstance(verdict, Refuse):
                assert 400 <= verdict.reply.code < 600
                assert verdict.reply.enhanced[0] == str(verdict.reply.code)[0]
                assert not verdict.reply.closes
