"""What a reception does when the header of a message has come: it asks, and the message goes on or not."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError, Deferred

from mailsuite.delivery.header import HeaderLimits
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.facts import Accept, Refuse, Stage
from tests.delivery.case import ANN, BODY, CLAIM, DEFECT, EVE, FULL, JOE, LONG_BODY, Case, Ruling


class HeaderTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.rules = Ruling()
        self.replaced(policy=self.rules)
        self.reception.hello("client.example.org", True)

    def begin(self, *recipients: Address) -> None:
        self.envelope(*recipients)
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)

    def test_the_rules_hear_what_the_message_says_of_itself(self) -> None:
        self.begin()
        self.feed(b"From: Ann <ann@example.net>\r\nSender: joe@example.net\r\n\r\nHello.\r\n")
        header = self.rules.seen[-1]
        self.assertEqual((header.stage, header.sender), (Stage.HEADER, EVE))
        assert header.header is not None
        self.assertEqual((header.header.from_addresses, header.header.sender_addresses), ((ANN,), (JOE,)))
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual(self.rules.stages().count(Stage.HEADER), 1)

    def test_a_refusal_is_the_answer_to_the_end_and_nothing_is_kept(self) -> None:
        self.rules.verdicts = {Stage.HEADER: Refuse(DEFECT)}
        self.begin(JOE, ANN)
        self.feed(LONG_BODY)
        self.assertFalse(self.reception.congested)
        self.feed(LONG_BODY)
        self.assert_nothing_happened()
        self.assertEqual(self.end(), DEFECT)
        self.assert_nothing_happened()
        (line,) = self.logged("smtp.message_refused")
        self.assertIn(" id=id1 sender=eve@example.org code=550 enhanced=5.6.0", line)

    def test_a_message_that_is_all_header_is_asked_about_at_its_end(self) -> None:
        for verdict, reply in ((Accept(), replies.message_accepted("id1")), (Refuse(DEFECT), DEFECT)):
            self.setUp()
            self.rules.verdicts = {Stage.HEADER: verdict}
            self.begin()
            self.feed(b"Subject: no more\r\n")
            self.assertNotIn(Stage.HEADER, self.rules.stages())
            self.assertEqual(self.end(), reply)
            self.assertEqual(len(self.contents()), int(reply is not DEFECT))
            self.assert_nothing_open()

    def test_the_rules_name_another_sender(self) -> None:
        self.rules.verdicts = {Stage.HEADER: Accept(sender=JOE)}
        self.begin()
        self.feed(BODY)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertIn(b"Subject: hello\r\nSender: joe@example.net\r\n\r\nWorld.\r\n", self.contents()[0])

    def test_the_rules_name_another_reverse_path(self) -> None:
        self.rules.verdicts = {Stage.MAIL: Accept(sender=ANN)}
        self.begin()
        self.feed(BODY)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertTrue(self.contents()[0].startswith(b"Return-Path: <ann@example.net>\r\n"))
        self.assertEqual(self.rules.seen[-1].sender, ANN)

    def test_what_comes_while_the_rules_think_is_kept(self) -> None:
        self.rules.waiting = Deferred()
        self.begin()
        self.reception.take(BODY + b"More")
        self.assertTrue(self.reception.congested)
        waiting = Deferred.fromCoroutine(self.reception.drained())
        self.assertNoResult(waiting)
        self.reception.take(b" of it.\r\n")
        self.rules.waiting.callback(None)
        self.successResultOf(waiting)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertTrue(self.contents()[0].endswith(BODY + b"More of it.\r\n"))

    def test_a_client_that_leaves_while_the_rules_think(self) -> None:
        self.rules.waiting = Deferred()
        self.begin()
        self.reception.take(BODY)
        waiting = Deferred.fromCoroutine(self.reception.drained())
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.now(self.reception.closed())
        self.assert_nothing_happened()

    def test_a_refusal_that_comes_too_late_is_nobody_s(self) -> None:
        self.rules.waiting, self.rules.verdicts = Deferred(), {Stage.HEADER: Refuse(DEFECT)}
        self.begin()
        self.reception.take(BODY)
        waiting = Deferred.fromCoroutine(self.reception.drained())
        self.reception.reset()
        self.rules.waiting.callback(None)
        self.successResultOf(waiting)
        self.rules.waiting, self.rules.verdicts = None, {}
        self.begin()
        self.feed(BODY)
        self.assertEqual(self.end(), replies.message_accepted("id2"))

    def test_a_failure_at_the_end(self) -> None:
        self.begin()
        self.feed(b"Subject: no more\r\n")
        self.store.fail = {"write": FULL}
        self.rules.waiting = Deferred()
        ending = self.ending()
        self.rules.waiting.errback(ValueError("broken"))
        self.assertEqual(self.successResultOf(ending), replies.INTERNAL_ERROR)
        self.assert_nothing_happened()

    def test_a_defect_of_the_body_wins(self) -> None:
        self.begin()
        self.feed(b"Subject: no more\r\n")
        self.assertEqual(self.end(DEFECT), DEFECT)
        self.assertNotIn(Stage.HEADER, self.rules.stages())
        self.assert_nothing_happened()

    def test_a_header_that_cannot_be_taken(self) -> None:
        loop = b"Received: from a by b; date\r\n" * 101
        for header in (loop + b"\r\n", loop):  # with a body, and without: seen at once, and at the end
            self.setUp()
            self.begin()
            self.feed(header)
            self.assertEqual(self.end(), replies.MAIL_LOOP)
            self.assert_nothing_happened()
            self.assertEqual(len(self.logged("smtp.message_refused")), 1)

    def test_the_limits_are_those_of_the_listener(self) -> None:
        letters = attrs.evolve(self.services.letters, limits=HeaderLimits(hops=1))
        self.replaced(letters=letters)
        self.begin()
        self.feed(b"Received: from a by b; date\r\n" * 2 + b"\r\n")
        self.assertEqual(self.end(), replies.MAIL_LOOP)

    def test_what_was_in_this_maildrop_before_goes_in_a_circle(self) -> None:
        self.begin(JOE, ANN)
        self.feed(b"Delivered-To: Joe@Example.net\r\n" + BODY)
        self.assertEqual(self.end(), replies.MAIL_LOOP)
        self.assert_nothing_happened()
        self.begin(ANN)
        self.feed(b"Delivered-To: joe@example.net\r\n" + BODY)
        self.assertEqual(self.end(), replies.message_accepted("id2"))

    def test_return_path_and_our_own_results_of_others_are_gone(self) -> None:
        self.begin()
        self.feed(b"Return-Path: <x@y>\r\nAuthentication-Results: mail.example.net; spf=pass\r\n" + BODY)
        self.end()
        (content,) = self.contents()
        self.assertEqual(content.count(b"Return-Path:"), 1)
        self.assertNotIn(b"spf=pass", content)


class SubmissionTests(Case):
    service = "submission"

    def test_a_submission_is_completed(self) -> None:
        self.now(self.reception.authenticate(CLAIM))
        self.envelope(ANN, sender=JOE)
        self.now(self.reception.start_data())
        self.feed(b"Bcc: ann@example.net\r\nSubject: hello\r\n\r\nWorld.\r\n")
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (content,) = self.contents(ANN)
        for part in (
            b"From: joe@example.net\r\n",
            b"\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            b"\r\nMessage-ID: <",
        ):
            self.assertIn(part, content)
        self.assertNotIn(b"Bcc", content)

    def test_a_notice_of_a_host_that_need_not_log_in_is_completed_too(self) -> None:
        """Nobody is known to be its author, so From stays as it is; blind copies are nobody's business."""
        self.replaced(policy=Ruling())
        self.envelope(ANN, sender=None)
        self.now(self.reception.start_data())
        self.feed(b"Bcc: joe@example.net\r\nResent-Bcc: joe@example.net\r\nSubject: hello\r\n\r\nWorld.\r\n")
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (content,) = self.contents(ANN)
        self.assertNotIn(b"cc:", content)
        self.assertNotIn(b"\r\nFrom:", content)
        self.assertIn(b"\r\nMessage-ID: <", content)


class HelloTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.rules = Ruling()
        self.asked: list[object] = []

        async def host_of(peer: object) -> str:
            self.asked.append(peer)
            return "client.example.org"

        self.replaced(policy=self.rules, host_of=host_of)
        self.reception.hello("client.example.org", True)

    def test_once_for_each_hello_and_one_look_for_each_client(self) -> None:
        self.mail()
        self.mail()
        self.assertEqual(self.rules.stages(), [Stage.HELLO, Stage.MAIL, Stage.MAIL])
        self.assertEqual(self.rules.seen[0].connection.host, "client.example.org")
        self.reception.hello("another.example.org", True)
        self.mail()
        self.assertEqual(self.rules.stages().count(Stage.HELLO), 2)
        self.assertEqual(len(self.asked), 1)

    def test_a_refusal_is_that_of_each_mail_until_there_is_a_better_name(self) -> None:
        self.rules.verdicts = {Stage.HELLO: Refuse(DEFECT)}
        self.assertEqual([self.mail(), self.mail()], [DEFECT, DEFECT])
        self.assertEqual(self.rules.stages(), [Stage.HELLO])
        self.assertEqual(len(self.logged("smtp.sender_refused")), 2)
        self.rules.verdicts = {}
        self.reception.hello("right.example.org", True)
        self.assertEqual(self.mail(), replies.SENDER_OK)

    def test_a_login_and_tls_are_reasons_to_ask_again(self) -> None:
        self.mail()
        self.now(self.reception.authenticate(CLAIM))
        self.mail()
        self.reception.tls_started("TLSv1.3")
        self.mail()
        self.assertEqual(self.rules.stages().count(Stage.HELLO), 3)

    def test_the_name_is_in_what_we_write(self) -> None:
        self.data()
        self.end()
        self.assertIn(b"from client.example.org (client.example.org [192.0.2.1])", self.contents()[0])
