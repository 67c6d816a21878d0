"""What a reception answers and delivers, and in which order: nothing is said to be safe before it is."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailsuite.delivery.reception import new_message_id
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, StageFacts, Verdict
from mailsuite.policy.chain import Chain
from mailsuite.wire.smtp.events import Recipient
from tests.delivery.case import ANN, BODY, CLAIM, EVE, JOE, Case


class AcceptedTests(Case):
    def test_a_message_arrives_whole_behind_its_trace_fields(self) -> None:
        self.data()
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (content,) = self.contents()
        self.assertEqual(
            content,
            b"Return-Path: <eve@example.org>\r\n"
            b"Delivered-To: joe@example.net\r\n"
            b"Received: from client.example.org ([192.0.2.1])\r\n"
            b"\tby mail.example.net (mailsuite) with ESMTP id id1\r\n"
            b"\tfor <joe@example.net>;\r\n"
            b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n" + BODY,
        )
        (event,) = self.intake.happenings
        self.assertEqual((event.account, event.size), (JOE, len(content)))
        self.assert_nothing_open()

    def test_the_reply_names_the_id(self) -> None:
        self.assertEqual(replies.message_accepted("id1").encode(), b"250 2.0.0 OK, queued as id1\r\n")

    def test_each_recipient_has_a_copy_of_their_own_and_sees_no_other(self) -> None:
        self.data(JOE, ANN)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        for account, other in ((JOE, b"ann@"), (ANN, b"joe@")):
            (content,) = self.contents(account)
            self.assertIn(f"Delivered-To: {account}\r\n".encode(), content)
            self.assertNotIn(other, content)
            self.assertNotIn(b"\tfor ", content)
            self.assertTrue(content.endswith(b"+0000\r\n" + BODY))
        self.assertEqual([event.account for event in self.intake.happenings], [JOE, ANN])

    def test_who_is_named_twice_gets_one_copy(self) -> None:
        self.data(Address("postmaster", ""), JOE, Address("JOE", "example.net"), JOE)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (content,) = self.contents()
        self.assertEqual(len(self.intake.happenings), 1)
        self.assertNotIn(b"\tfor ", content)  # the bare <postmaster> is no path

    def test_one_line_is_logged(self) -> None:
        self.reception.tls_started("TLSv1.3 AES")
        self.reception.hello("client.example.org", True)
        self.now(self.reception.authenticate(CLAIM))
        self.data(JOE, ANN)
        self.clock.advance(1.5)
        self.end()
        (line,) = self.logged("smtp.accepted")
        for part in (
            " info    smtp.accepted session=s77 peer=192.0.2.1 id=id1 sender=eve@example.org recipients=2 ",
            f" size={len(BODY)} ",
            ' tls="TLSv1.3 AES" ',
            " account=joe@example.net ",
            " seconds=1.5",
        ):
            self.assertIn(part, line)

    def test_the_null_sender(self) -> None:
        self.envelope(JOE, sender=None)
        self.now(self.reception.start_data())
        self.end()
        self.assertTrue(self.contents()[0].startswith(b"Return-Path: <>\r\n"))
        self.assertIn(" sender=<> ", self.lines[0])

    def test_two_messages_in_a_session_know_nothing_of_each_other(self) -> None:
        self.data(JOE)
        self.end()
        self.data(ANN)
        self.assertEqual(self.end(), replies.message_accepted("id2"))
        self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (1, 1))
        self.assertIn(b"for <ann@example.net>", self.contents(ANN)[0])

    def test_ids_are_atoms_that_differ(self) -> None:
        first, second = new_message_id(), new_message_id()
        self.assertNotEqual(first, second)
        self.assertTrue(first.isalnum())


class OrderTests(Case):
    def test_no_reply_no_event_no_line_before_the_commit_has_returned(self) -> None:
        self.store.held = Deferred()
        self.data(JOE, ANN)
        ending = self.ending()
        self.assertNoResult(ending)
        self.assertEqual(self.intake.happenings, [])
        self.assertEqual(self.lines, [])
        self.store.held.callback(None)
        self.assertEqual(self.successResultOf(ending), replies.message_accepted("id1"))
        self.assertEqual(len(self.intake.happenings), 2)

    def test_a_client_that_leaves_during_the_commit_changes_nothing(self) -> None:
        self.store.held = Deferred()
        self.data(JOE, ANN)
        ending = self.ending()
        ending.cancel()
        self.failureResultOf(ending, CancelledError)
        self.now(self.reception.closed())
        self.assertEqual(len(self.services.commits), 1)
        stopping = Deferred.fromCoroutine(self.services.commits.finished())
        self.assertNoResult(stopping)
        self.store.held.callback(None)
        self.successResultOf(stopping)
        self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (1, 1))
        self.assertEqual([event.account for event in self.intake.happenings], [JOE, ANN])
        self.assertEqual(len(self.logged("smtp.accepted")), 1)
        self.assert_nothing_open()

    def test_a_client_that_leaves_during_a_commit_that_fails(self) -> None:
        self.store.held = Deferred()
        self.data(JOE, ANN)
        ending = self.ending()
        ending.cancel()
        self.failureResultOf(ending, CancelledError)
        self.store.held.errback(ValueError("broken"))
        self.assert_nothing_happened()
        self.assert_one_traceback("id=id1", "ValueError")

    def test_a_store_that_is_cancelled_is_a_failure_like_another(self) -> None:
        self.store.fail = {"deliver": CancelledError()}
        self.data()
        self.assertEqual(self.end(), replies.INTERNAL_ERROR)
        self.assert_nothing_happened()


class EnvelopeTests(Case):
    def test_refused_recipients_are_logged_and_get_nothing(self) -> None:
        self.mail()
        self.assertEqual(self.recipient(Address("nobody", "example.net")), replies.UNKNOWN_RECIPIENT)
        self.assertEqual(self.recipient(EVE), replies.RELAYING_DENIED)
        lines = self.logged("smtp.recipient_refused")
        self.assertEqual(len(lines), 2)
        self.assertIn("session=s77 peer=192.0.2.1 sender=eve@example.org", lines[0])
        self.assertIn("recipient=nobody@example.net code=550 enhanced=5.1.1", lines[0])
        self.assertIn("recipient=eve@example.org code=550 enhanced=5.7.1", lines[1])
        self.assertEqual(self.now(self.reception.start_data()), replies.NO_VALID_RECIPIENTS)
        self.assertEqual(self.store.begun, [])

    def test_a_refused_recipient_leaves_the_others(self) -> None:
        self.envelope(JOE)
        self.recipient(EVE)
        self.now(self.reception.start_data())
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual(len(self.contents()), 1)

    def test_a_policy_that_lets_everything_pass_opens_no_relay(self) -> None:
        self.replaced(policy=Chain((), self.services.log))
        self.mail()
        for recipient in (EVE, Address("nobody", "example.net"), Address("joe", "[127.0.0.1]")):
            self.assertEqual(self.recipient(recipient), replies.INTERNAL_ERROR)
        self.assertEqual(len(self.logged("smtp.undeliverable")), 3)
        self.assertEqual(self.now(self.reception.start_data()), replies.NO_VALID_RECIPIENTS)

    def test_waiting_for_policy_or_the_router_can_be_cancelled(self) -> None:
        class Slow:
            name = "slow"

            async def check(self, facts: StageFacts) -> Verdict:
                await Deferred()
                return Accept()

            async def route(self, recipient: Address) -> Any:
                await Deferred()

        for changes in ({"policy": Slow()}, {"router": Slow()}):
            self.setUp()
            self.replaced(**changes)
            waiting = Deferred.fromCoroutine(self.reception.recipient(Recipient(JOE)))
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
            self.assertEqual(self.lines, [])
