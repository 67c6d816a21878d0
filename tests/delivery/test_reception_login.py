"""Logging in, and what policy asks of who submits mail."""

from __future__ import annotations

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from zope.interface import implementer

from mailsuite.interfaces import IPolicyRule
from mailsuite.model import reply as replies
from mailsuite.model.device import Device
from mailsuite.model.facts import Accept, ConnectionFacts, Stage, StageFacts, Verdict
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import Reply
from mailsuite.wire.sasl.steps import ScramParameters, ScramQuestion
from tests.delivery.case import ANN, CLAIM, EVE, JOE, Case, Granted
from tests.wire.proofs import PARAMETERS

OWN = Granted(JOE)
PHONE = Device("d1", "Joe's phone", b"sealed")
QUESTION = ScramQuestion("joe@example.net", "sha256")


class LoginTests(Case):
    service = "submission"

    def login(self, outcome: Any = OWN) -> Reply:
        self.logins.outcome = outcome
        return self.now(self.reception.authenticate(CLAIM))[0]

    def test_a_device_is_remembered_by_its_id_and_logged_by_its_name(self) -> None:
        self.reception.tls_started("TLSv1.3 AES")
        self.logins.outcome = Granted(JOE, PHONE, b"signature")
        answer = self.now(self.reception.authenticate(CLAIM))
        self.assertEqual(answer, (replies.AUTHENTICATION_SUCCEEDED, b"signature"))
        self.assertEqual((self.reception.facts.account, self.reception.facts.device), (JOE, "d1"))
        [line] = self.logged("submission.login")
        self.assertIn("session=s77", line)
        self.assertIn('account=joe@example.net mechanism=PLAIN tls="TLSv1.3 AES" device="Joe\'s phone"', line)

    def test_the_account_s_own_password_is_no_device(self) -> None:
        self.login()
        self.assertEqual(self.reception.facts.device, "")
        self.assertIn("mechanism=PLAIN", self.logged("submission.login")[0])

    def test_what_scram_asks(self) -> None:
        self.assertEqual(self.now(self.reception.scram(QUESTION)), PARAMETERS)
        self.assertEqual(self.logins.questions, [(QUESTION, self.reception.facts)])

    def test_what_scram_asks_and_nobody_knows_now(self) -> None:
        for error in (TemporaryFailure(replies.DIRECTORY_UNAVAILABLE), ValueError("x")):
            self.logins.parameters = error
            self.assertEqual(self.now(self.reception.scram(QUESTION)), replies.AUTHENTICATION_UNAVAILABLE)
        self.assert_one_traceback("ValueError")

    def test_an_abandoned_question(self) -> None:
        asking: Deferred[ScramParameters] = Deferred()

        async def scram(question: ScramQuestion, facts: ConnectionFacts) -> ScramParameters:
            return await asking

        self.replaced(scram=scram)
        waiting = Deferred.fromCoroutine(self.reception.scram(QUESTION))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.lines, [])

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
        self.assertEqual(self.logged("submission.login"), [])
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
        self.login(Granted(JOE, PHONE))
        self.envelope(JOE, sender=JOE)
        self.reception.tls_started("TLSv1.3 AES")
        facts = self.reception.facts
        self.assertEqual(
            (facts.tls, facts.helo, facts.esmtp, facts.account, facts.device),
            ("TLSv1.3 AES", "", False, None, ""),
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

    def test_a_remote_recipient_is_told_where_nothing_is_sent(self) -> None:
        self.login()
        self.mail(JOE)
        self.assertEqual(self.recipient(EVE), replies.NO_REMOTE_DELIVERY)

    def test_policy_sees_all_that_is_known(self) -> None:
        seen: list[StageFacts] = []

        @implementer(IPolicyRule)
        class Watching:
            name = "watching"
            asked_at = frozenset(Stage)

            async def check(self, facts: StageFacts) -> Verdict:
                seen.append(facts)
                return Accept()

        self.replaced(policy=Watching())
        self.login()
        self.mail(JOE)
        self.recipient(ANN)
        hello, mail, recipient = seen
        self.assertEqual((hello.stage, hello.sender), (Stage.HELLO, None))
        self.assertEqual((mail.sender, mail.recipient, mail.route), (JOE, None, None))
        self.assertEqual((recipient.sender, recipient.recipient), (JOE, ANN))
        self.assertEqual(recipient.connection, self.reception.facts)
        assert recipient.route is not None
        self.assertEqual(recipient.route.accounts, (ANN,))
