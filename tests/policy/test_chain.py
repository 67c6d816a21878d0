"""A chain asks in order, stops at the first refusal, and fails closed."""

from __future__ import annotations

from typing import Any, cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model.facts import (
    Accept,
    Copy,
    Note,
    Refuse,
    Route,
    RouteKind,
    Stage,
    StageFacts,
    Verdict,
)
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, INTERNAL_ERROR, RELAYING_DENIED, UNKNOWN_RECIPIENT
from mailsuite.observe.log import Log
from mailsuite.policy.chain import Chain
from tests.contracts.policy_rule import ANN, JOE, STRANGER, connection

FACTS = StageFacts(Stage.MAIL, connection())


@implementer(IPolicyRule)
@attrs.define
class Scripted:
    """Answers, or raises, what a test wants; a Deferred is waited for."""

    outcome: Any
    name: str = "scripted"
    asked_at: frozenset[Stage] = frozenset(Stage)
    asked: int = 0
    facts: StageFacts | None = None

    async def check(self, facts: StageFacts) -> Verdict:
        self.asked += 1
        self.facts = facts
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if isinstance(self.outcome, Deferred):
            await self.outcome
        return cast(Verdict, self.outcome)


class ChainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        self.log = Log(lambda line, urgent: self.lines.append(line))

    def check(self, *outcomes: Any, facts: StageFacts = FACTS) -> Verdict:
        self.rules = [Scripted(outcome) for outcome in outcomes]
        chain = Chain(self.rules, self.log)
        return self.successResultOf(Deferred.fromCoroutine(chain.check(facts)))

    def senders(self) -> list[object]:
        return [rule.facts.sender if rule.facts is not None else "not asked" for rule in self.rules]

    def asked(self) -> list[int]:
        return [rule.asked for rule in self.rules]

    def test_accepts_what_all_accept(self) -> None:
        self.assertEqual(self.check(Accept(), Accept()), Accept())
        self.assertEqual(self.asked(), [1, 1])
        self.assertEqual(self.lines, [])

    def test_the_first_refusal_is_the_verdict(self) -> None:
        refusals = Refuse(RELAYING_DENIED), Refuse(UNKNOWN_RECIPIENT)
        self.assertEqual(self.check(Accept(), *refusals), refusals[0])
        self.assertEqual(self.asked(), [1, 1, 0])

    def test_rules_are_asked_where_they_have_something_to_say(self) -> None:
        silent = Scripted(Refuse(RELAYING_DENIED), asked_at=frozenset({Stage.RECIPIENT}))
        chain = Chain([silent, Scripted(Accept(JOE), asked_at=frozenset({Stage.MAIL}))], self.log)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(chain.check(FACTS))), Accept(JOE))
        self.assertEqual(silent.asked, 0)
        self.assertEqual(chain.asked_at, {Stage.MAIL, Stage.RECIPIENT})

    def test_of_limits_the_lowest_holds(self) -> None:
        verdict = self.check(Accept(max_message=7), Accept(), Accept(max_message=5), Accept(max_message=9))
        self.assertEqual(verdict, Accept(max_message=5))

    def test_who_is_left_out_is_gone_for_the_next_rules(self) -> None:
        route = Route(RouteKind.LOCAL, (Copy(ANN, ANN), Copy(JOE, JOE), Copy(STRANGER, STRANGER)))
        facts = attrs.evolve(FACTS, stage=Stage.RECIPIENT, route=route)
        some = Accept(left_out=(JOE,)), Accept(), Accept(left_out=(STRANGER,)), Accept()
        self.assertEqual(self.check(*some, facts=facts), Accept(left_out=(JOE, STRANGER)))
        told = [rule.facts.route.accounts for rule in self.rules if rule.facts and rule.facts.route]
        self.assertEqual(told, [(ANN, JOE, STRANGER), (ANN, STRANGER), (ANN, STRANGER), (ANN,)])
        self.assertEqual(self.check(Accept(left_out=(JOE,))), Accept(left_out=(JOE,)))

    def test_a_failure_that_carries_a_reply_refuses_with_it(self) -> None:
        verdict = self.check(TemporaryFailure(DIRECTORY_UNAVAILABLE), Accept())
        self.assertEqual(verdict, Refuse(DIRECTORY_UNAVAILABLE))
        self.assertEqual(self.asked(), [1, 0])

    def test_a_broken_rule_refuses_temporarily_and_is_logged_once(self) -> None:
        verdict = self.check(Accept(), ValueError("private words"), Accept())
        self.assertEqual(verdict, Refuse(INTERNAL_ERROR))
        self.assertEqual(self.asked(), [1, 1, 0])
        (line,) = self.lines
        for part in (
            "policy.rule_failed",
            "session=s1",
            "rule=scripted",
            "stage=mail",
            "ValueError",
            "check",
        ):
            self.assertIn(part, line)

    def test_an_answer_that_is_no_verdict_accepts_nothing(self) -> None:
        self.assertNotEqual(self.check(None), Accept())

    def test_a_cancelled_session_is_not_a_broken_rule(self) -> None:
        waiting: Deferred[None] = Deferred()
        asked = Deferred.fromCoroutine(Chain([Scripted(waiting)], self.log).check(FACTS))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.lines, [])

    def test_another_sender_is_the_sender_from_there_on(self) -> None:
        facts = attrs.evolve(FACTS, sender=STRANGER)
        self.assertEqual(self.check(Accept(), Accept(JOE), Accept(), facts=facts), Accept(JOE))
        self.assertEqual(self.senders(), [STRANGER, STRANGER, JOE])
        self.assertEqual(self.check(Accept(JOE), Accept(ANN), facts=facts), Accept(ANN))

    def test_a_refusal_has_no_other_sender(self) -> None:
        self.assertEqual(self.check(Accept(JOE), Refuse(RELAYING_DENIED)), Refuse(RELAYING_DENIED))

    def test_another_sender_of_the_header_is_not_that_of_the_envelope(self) -> None:
        facts = StageFacts(Stage.HEADER, connection(), STRANGER)
        self.assertEqual(self.check(Accept(JOE), Accept(), facts=facts), Accept(JOE))
        self.assertEqual(self.senders(), [STRANGER, STRANGER])

    def test_notes_go_into_the_log_and_no_further(self) -> None:
        first, second = Note("submission.first", (("account", JOE),)), Note("smtp.second")
        verdict = self.check(Accept(note=first), Accept(ANN), Refuse(RELAYING_DENIED, second), Accept())
        self.assertEqual(verdict, Refuse(RELAYING_DENIED))
        one, two = self.lines
        for part in (
            "submission.first",
            "warning",
            "session=s1",
            "peer=192.0.2.1",
            "account=joe@example.net",
        ):
            self.assertIn(part, one)
        self.assertIn("smtp.second", two)

    def test_a_note_may_be_of_no_importance(self) -> None:
        self.check(Accept(note=Note("smtp.second", level="info")))
        self.assertEqual(self.lines[0].split()[1:3], ["info", "smtp.second"])

    def test_the_note_of_an_acceptance_ends_here_too(self) -> None:
        self.assertEqual(self.check(Accept(JOE, Note("smtp.second"))), Accept(JOE))
        self.assertEqual(len(self.lines), 1)
