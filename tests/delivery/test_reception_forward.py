"""What a reception makes of accounts that are off, and of those whose mail is forwarded."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from tests.delivery.case import ANN, BODY, JOE, Case


class ForwardTests(Case):
    def change(
        self, account: Address, to: Address | None, keep_copy: bool = False, state: str = "forward"
    ) -> None:
        changed = Account(account, state=AccountState(state), forward=to, keep_copy=keep_copy)
        self.successResultOf(Deferred.fromCoroutine(self.directory.change_account(changed)))

    def refused(self, reply: replies.Reply) -> None:
        self.mail()
        self.assertEqual(self.recipient(JOE), reply)
        self.assertEqual(self.now(self.reception.start_data()), replies.NO_VALID_RECIPIENTS)
        self.assert_nothing_happened()

    def test_who_is_off_is_refused_for_good(self) -> None:
        self.change(JOE, None, state="off")
        self.refused(replies.MAILBOX_DISABLED)
        self.assertEqual(self.logged("smtp.forward_stranded"), [])

    def test_who_is_off_keeps_nobody_else_from_their_mail(self) -> None:
        self.change(JOE, None, state="off")
        self.mail()
        self.assertEqual(self.recipient(JOE), replies.MAILBOX_DISABLED)
        self.assertEqual(self.recipient(ANN), replies.RECIPIENT_OK)

    def test_mail_is_in_the_other_s_maildrop_before_the_250(self) -> None:
        self.change(JOE, ANN)
        self.data(JOE)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual(self.contents(JOE), ())
        (content,) = self.contents(ANN)
        self.assertIn(b"Delivered-To: ann@example.net\r\n", content)
        self.assertIn(b"\tfor <joe@example.net>;\r\n", content)
        self.assertTrue(content.endswith(BODY))
        self.assertEqual([event.account for event in self.intake.happenings], [ANN])

    def test_a_copy_that_is_kept_is_one_more_delivery_of_the_same_transaction(self) -> None:
        self.change(JOE, ANN, keep_copy=True)
        self.data(JOE)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        for account in (JOE, ANN):
            (content,) = self.contents(account)
            self.assertIn(f"Delivered-To: {account}\r\n".encode(), content)
            self.assertIn(b"\tfor <joe@example.net>;\r\n", content)
        self.assertEqual([event.account for event in self.intake.happenings], [JOE, ANN])
        self.assert_nothing_open()

    def test_each_account_gets_one_copy_whatever_ways_lead_to_it(self) -> None:
        self.change(JOE, ANN, keep_copy=True)
        for recipients in ((JOE, ANN), (ANN, JOE), (Address("postmaster", ""), ANN, JOE)):
            self.data(*recipients)
            before = len(self.intake.happenings)
            self.end()
            self.assertEqual({event.account for event in self.intake.happenings[before:]}, {JOE, ANN})
            self.assertEqual(len(self.intake.happenings) - before, 2)

    def test_who_forwards_to_themselves_has_the_sender_wait(self) -> None:
        self.change(JOE, JOE)
        self.refused(replies.FORWARDING_LOOP)
        (line,) = self.logged("smtp.forward_stranded")
        self.assertIn(" recipient=joe@example.net account=joe@example.net", line)

    def test_who_forwards_to_nobody_of_ours_has_the_sender_wait(self) -> None:
        for target in (None, Address("joe", "example.edu"), Address("nobody", "example.net")):
            self.change(JOE, target)
            self.refused(replies.FORWARDING_STRANDED)
        self.assertEqual(len(self.logged("smtp.forward_stranded")), 3)

    def test_a_copy_that_is_kept_is_taken_and_the_operator_hears_of_the_rest(self) -> None:
        self.change(JOE, Address("joe", "example.edu"), keep_copy=True)
        self.data(JOE)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual(len(self.contents(JOE)), 1)
        (line,) = self.logged("smtp.forward_stranded")
        self.assertIn(" warning smtp.forward_stranded ", line)
