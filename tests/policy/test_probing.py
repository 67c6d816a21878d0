"""Whoever tries names: slower answers, the end of the session, a ban; nothing of it unless it is set."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.account import IPAddress
from mailsuite.model.ban import Ban
from mailsuite.model.facts import Accept, Note, Refuse, Route, RouteKind, Stage, StageFacts, Verdict
from mailsuite.model.reply import TOO_MANY_UNKNOWN, Reply
from mailsuite.policy.probing import DELAY, REASON, Probing, ProbingRules
from mailsuite.policy.tally import Tally
from tests.policy.asking import ANN, JOE, LOCAL, UNKNOWN, at_mail, at_recipient, connection

NETWORK = ip_network("192.0.2.1/32")


class ProbingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions = Tally(self.clock.seconds)
        self.addresses = Tally(self.clock.seconds)
        self.banned: list[tuple[str, str, str]] = []
        self.exempt = False

    def ban(self, address: IPAddress, reason: str, detail: str) -> Ban | None:
        self.banned.append((str(address), reason, detail))
        return None if self.exempt else Ban(NETWORK, reason, 0.0, 900.0, 1, detail)

    def rule(self, delay: int = 0, close: int = 0, ban: int = 0) -> Probing:
        rules = ProbingRules(delay, close, ban)
        return Probing(self.clock, self.sessions, self.addresses, self.ban, rules)

    def asking(self, rule: Probing, facts: StageFacts | None = None, **who: str) -> Deferred[Verdict]:
        facts = facts or at_recipient(ANN, UNKNOWN, connection("smtp", None, **who))
        return Deferred.fromCoroutine(rule.check(facts))

    def ask(self, rule: Probing, facts: StageFacts | None = None, **who: str) -> Verdict:
        return self.successResultOf(self.asking(rule, facts, **who))

    def replies(self, rule: Probing, times: int, **who: str) -> list[Reply | None]:
        verdicts = [self.ask(rule, **who) for _ in range(times)]
        return [verdict.reply if isinstance(verdict, Refuse) else None for verdict in verdicts]

    def test_nothing_happens_unless_it_is_set(self) -> None:
        rule = self.rule()
        self.assertEqual(self.replies(rule, 500), [None] * 500)
        self.assertEqual((len(self.sessions), len(self.addresses), self.banned), (0, 0, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_further_answers_are_slow(self) -> None:
        rule = self.rule(delay=2)
        self.assertEqual(self.replies(rule, 2), [None, None])
        waiting = self.asking(rule)
        self.clock.advance(DELAY - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(waiting), Accept())
        self.assertEqual(self.replies(rule, 1, session="s2"), [None])

    def test_who_leaves_is_not_waited_for(self) -> None:
        rule = self.rule(delay=1)
        self.ask(rule)
        waiting = self.asking(rule)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_session_ends(self) -> None:
        rule = self.rule(close=3)
        self.assertEqual(self.replies(rule, 3), [None] * 3)
        fields = (("network", NETWORK), ("recipients", 4))
        self.assertEqual(self.ask(rule), Refuse(TOO_MANY_UNKNOWN, Note("smtp.probing", fields)))
        self.assertEqual((TOO_MANY_UNKNOWN.code, TOO_MANY_UNKNOWN.enhanced), (421, "4.7.1"))
        self.assertTrue(TOO_MANY_UNKNOWN.closes)
        self.assertEqual(self.replies(rule, 3, session="s2"), [None] * 3, "each session has its own count")
        self.assertEqual(self.banned, [])

    def test_an_address_is_banned_whatever_its_sessions_are(self) -> None:
        rule = self.rule(ban=4)
        for session in ("s1", "s2"):
            self.assertEqual(self.replies(rule, 2, session=session), [None, None])
        verdict = self.ask(rule, session="s3")
        fields = (
            ("network", NETWORK),
            ("service", "smtp"),
            ("listener", "door"),
            ("reason", REASON),
            ("times", 1),
        )
        self.assertEqual(verdict, Refuse(TOO_MANY_UNKNOWN, Note("guard.banned", fields)))
        detail = "smtp (listener door): more than 4 in an hour"
        self.assertEqual(self.banned, [("192.0.2.1", REASON, detail)])
        self.assertEqual(self.replies(rule, 4, peer="192.0.2.2", session="s4"), [None] * 4)

    def test_who_is_never_banned_is_put_out_all_the_same(self) -> None:
        self.exempt = True
        rule = self.rule(ban=1)
        self.assertEqual(self.replies(rule, 1), [None])
        self.assertEqual(self.ask(rule), Refuse(TOO_MANY_UNKNOWN))

    def test_after_an_hour_it_begins_anew(self) -> None:
        rule = self.rule(ban=2)
        self.assertEqual(self.replies(rule, 2), [None, None])
        self.clock.advance(2 * 3600.0)
        self.assertEqual(self.replies(rule, 2), [None, None])

    def test_a_net_of_one_customer_is_one_address(self) -> None:
        rule = self.rule(ban=3)
        told = [self.replies(rule, 1, peer=f"2001:db8::{n}", session=f"s{n}")[0] for n in range(1, 5)]
        self.assertEqual(told, [None, None, None, TOO_MANY_UNKNOWN])

    def test_others_are_not_counted(self) -> None:
        rule = self.rule(1, 1, 1)
        stranger, joe = connection("smtp", None), connection("submission", JOE)
        others = [
            at_recipient(ANN, LOCAL, stranger),
            at_recipient(ANN, Route(RouteKind.REMOTE), stranger),
            at_recipient(ANN, Route(RouteKind.OFF), stranger),
            at_recipient(ANN, None, stranger),
            at_recipient(ANN, UNKNOWN, joe),
            at_mail(JOE, stranger),
            StageFacts(Stage.HEADER, stranger),
        ]
        for facts in others * 5:
            self.assertEqual(self.ask(rule, facts), Accept())
        self.assertEqual(len(self.sessions), 0)


@pytest.mark.parametrize("number", [10_000])
def test_many_sessions_cost_no_memory(number: int) -> None:
    clock = Clock()
    tally = Tally(clock.seconds, max_keys=100)
    for session in range(number):
        tally.add(f"s{session}", 86400.0)
    assert len(tally) == 100
