"""Logging in, and what policy asks of who submits mail."""

from __future__ import annotations

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model import reply as replies
from mailsuite.model.facts import Accept, StageFacts, Verdict
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import Reply
from tests.delivery.case import ANN, CLAIM, EVE, JOE, Case


class LoginTests(Case):
    service = "submission"

    def login(self, outcome: Any = JOE) -> Reply:
        self.logins.outcome = outcome
        return self.now(self.reception.authenticate(CLAIM))

    def test_a_right_claim_makes_the_session_an_accounts(self) -> None:
        self.assertEqual(self.login(), replies.AUTHENTICATION_SUCCEEDED)
        self.assertEqual(self.reception.facts.account, JOE)
        ((claim, facts),) = self.logins.asked
        self.assertEqual((claim, facts.session, facts.helo), (CLAIM, "s77", "client.example.org"))

    def test_refusals(self) -> None:
        for outcome, reply in (
            (UnauthorizedLogin(), replies.AUTHENTICATION_FAILED),
            (TemporaryFailure(replies.DIRECTORY_UNAVAILABLE), replies.AUTHENTICATION_UNAVAILABLE),
            (PermanentFailure(replies.NO_SUCH_ACCOUNT), replies.AUTHENTICATION_UNAVAILABLE),
            (ValueError("x"), replies.AUTHENTICATION_UNAVAILABLE),
        ):
            self.assertEqual(self.login(outcome), reply)
            self.assertIsNone(self.reception.facts.account)
        self.assert_one_traceback("ValueError")
        self.assertNotIn("secret", "".join(self.lines))

    def test_an_abandoned_login_is_no_login(self) -> None:
        self.logins.outcome = Deferred()
        waiting = Deferred.fromCoroutine(self.reception.authenticate(CLAIM))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertIsNone(self.reception.facts.account)
        self.assertEqual(self.lines, [])

    def test_tls_forgets_what_was_said_in_clear(self) -> None:
        self.login()
        self.envelope(JOE, sender=JOE)
        self.reception.tls_started("TLSv1.3 AES")
        facts = self.reception.facts
        self.assertEqual(
            (facts.tls, facts.helo, facts.esmtp, facts.account), ("TLSv1.3 AES", "", False, None)
        )
        self.assertEqual(self.now(self.reception.start_data()), replies.NO_VALID_RECIPIENTS)

    def test_submission_wants_a_login_and_the_own_address(self) -> None:
        self.assertEqual(self.mail(JOE), replies.AUTHENTICATION_REQUIRED)
        self.login()
        self.assertEqual(self.mail(ANN), replies.SENDER_NOT_YOURS)
        self.assertEqual(self.mail(JOE), replies.SENDER_OK)
        lines = self.logged("smtp.sender_refused")
        self.assertEqual(len(lines), 2)
        self.assertIn("sender=ann@example.net code=550 enhanced=5.7.1", lines[1])

    def test_a_remote_recipient_is_told_that_there_is_no_queue_yet(self) -> None:
        self.login()
        self.mail(JOE)
        self.assertEqual(self.recipient(EVE), replies.NO_REMOTE_DELIVERY)

    def test_policy_sees_all_that_is_known(self) -> None:
        seen: list[StageFacts] = []

        @implementer(IPolicyRule)
        class Watching:
            name = "watching"

            async def check(self, facts: StageFacts) -> Verdict:
                seen.append(facts)
                return Accept()

        self.replaced(policy=Watching())
        self.login()
        self.mail(JOE)
        self.recipient(ANN)
        mail, recipient = seen
        self.assertEqual((mail.sender, mail.recipient, mail.route), (JOE, None, None))
        self.assertEqual((recipient.sender, recipient.recipient), (JOE, ANN))
        self.assertEqual(recipient.connection, self.reception.facts)
        assert recipient.route is not None
        self.assertEqual(recipient.route.account, ANN)
