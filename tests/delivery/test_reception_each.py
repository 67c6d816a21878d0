"""LMTP: each accepted recipient has a reply, and a fate, of their own (RFC 2033 section 4.2)."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from mailsuite.delivery.envelope import Envelope
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundRecipient, RecipientParameters
from mailsuite.model.facts import Route, RouteKind
from mailsuite.model.reply import Reply
from mailsuite.queue.memory import MemoryQueue
from mailsuite.wire.smtp.events import BodyEnd, Recipient
from tests.delivery.case import ANN, BODY, DEFECT, EVE, FULL, JOE, Case, Ruling

GOOD = replies.message_accepted("id1")


class EachTests(Case):
    service = "lmtp"

    def end_each(self, defect: Reply | None = None) -> tuple[Reply, ...]:
        event = BodyEnd(len(BODY), defect, False)
        return self.successResultOf(Deferred.fromCoroutine(self.reception.end_each(event)))

    def test_all_are_well(self) -> None:
        self.data(JOE, ANN, JOE)
        self.assertEqual(self.end_each(), (GOOD, GOOD, GOOD))
        self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (1, 1))
        (line,) = self.logged("smtp.accepted")
        self.assertIn(" recipients=2 ", line)
        self.assertIn(b" with LMTP id ", self.contents(JOE)[0])

    def test_one_fails_and_the_others_have_their_mail(self) -> None:
        for named in ((JOE, ANN), (ANN, JOE)):
            self.setUp()
            self.data(*named)
            self.store.fail, self.store.fail_for = {"deliver": FULL}, JOE
            self.assertEqual(self.end_each(), tuple(replies.DISK_FULL if n == JOE else GOOD for n in named))
            self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (0, 1))
            self.assertEqual([event.account for event in self.intake.happenings], [ANN])
            self.assertEqual(len(self.logged("smtp.accepted")), 1)
            self.assert_nothing_open()

    def test_all_fail(self) -> None:
        self.data(JOE, ANN)
        self.store.fail = {"deliver": ValueError("x")}
        self.assertEqual(self.end_each(), (replies.INTERNAL_ERROR,) * 2)
        self.assert_nothing_happened()

    def test_a_defect_is_everybody_s(self) -> None:
        self.data(JOE, ANN)
        self.assertEqual(self.end_each(DEFECT), (DEFECT, DEFECT))
        self.assert_nothing_happened()

    def test_trouble_in_the_body_is_everybody_s(self) -> None:
        self.data(JOE, ANN)
        self.store.fail = {"write": FULL}
        self.feed(b"x" * 100_000)
        self.assertEqual(self.end_each(), (replies.DISK_FULL,) * 2)
        self.assert_nothing_happened()

    def test_a_circle_is_that_of_one_recipient(self) -> None:
        self.envelope(JOE, ANN)
        self.now(self.reception.start_data())
        self.feed(b"Delivered-To: joe@example.net\r\n" + BODY)
        self.assertEqual(self.end_each(), (replies.MAIL_LOOP, GOOD))
        self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (0, 1))
        self.assert_nothing_open()

    def test_a_circle_of_all(self) -> None:
        self.envelope(JOE)
        self.now(self.reception.start_data())
        self.feed(b"Delivered-To: joe@example.net\r\n" + BODY)
        self.assertEqual(self.end_each(), (replies.MAIL_LOOP,))
        self.assert_nothing_happened()

    def test_a_name_fails_if_one_of_its_maildrops_does(self) -> None:
        both = Account(JOE, state=AccountState.FORWARD, forward=ANN, keep_copy=True)
        self.now(self.directory.change_account(both))
        self.data(JOE)
        self.store.fail, self.store.fail_for = {"deliver": FULL}, ANN
        self.assertEqual(self.end_each(), (replies.DISK_FULL,))
        self.assertEqual((len(self.contents(JOE)), len(self.contents(ANN))), (1, 0))


class MixedTests(Case):
    """Some recipients are here, some elsewhere, where there is a queue."""

    def setUp(self) -> None:
        super().setUp()
        self.queue = MemoryQueue()
        self.replaced(policy=Ruling(), queue=self.queue)
        self.reception.hello("client.example.org", True)

    def test_both_get_it(self) -> None:
        self.data(JOE, EVE)
        self.assertEqual(self.end(), GOOD)
        ((queued),) = self.queue.messages
        self.assertEqual(queued.envelope.recipients, (OutboundRecipient(EVE),))
        self.assertEqual((queued.envelope.id, queued.envelope.sender), ("id1", EVE))
        self.assertTrue(queued.content.startswith(b"Received: from client.example.org"))
        self.assertTrue(queued.content.endswith(BODY))
        self.assertEqual(len(self.contents()), 1)
        (line,) = self.logged("smtp.accepted")
        self.assertIn(" recipients=1 queued=true ", line)

    def test_nobody_gets_it_where_the_queue_fails(self) -> None:
        for recipients in ((JOE, EVE), (EVE, JOE), (EVE,)):
            self.setUp()
            self.data(*recipients)
            self.queue.refuse_with = FULL
            self.assertEqual(self.end(), replies.DISK_FULL)
            self.assert_nothing_happened()
            self.assertEqual(self.queue.messages, ())

    def test_nobody_gets_it_where_the_store_fails(self) -> None:
        for step in ("prepare", "commit"):
            self.setUp()
            self.data(JOE, ANN, EVE)
            self.store.fail, self.store.fail_for = {step: FULL}, ANN
            self.assertEqual(self.end(), replies.DISK_FULL)
            self.assert_nothing_happened()
            self.assertEqual(self.queue.messages, ())

    def test_who_is_reached_by_a_forward_keeps_what_the_sender_said(self) -> None:
        away = Account(JOE, state=AccountState.FORWARD, forward=EVE)
        self.directory = MemoryDirectory([away])
        router = self.services.router
        rules = attrs.evolve(router.rules, sends=True)
        self.replaced(router=attrs.evolve(router, directory=self.directory, rules=rules))
        self.mail(ANN)
        said = RecipientParameters(original="rfc822;joe@old.example")
        self.assertEqual(self.now(self.reception.recipient(Recipient(JOE, said))), replies.RECIPIENT_OK)
        self.now(self.reception.start_data())
        self.feed(BODY)
        self.assertEqual(self.end(), GOOD)
        self.assertEqual(self.queue.messages[0].envelope.recipients, (OutboundRecipient(EVE, said),))

    def test_without_a_queue_whatever_the_rules_say(self) -> None:
        self.replaced(queue=None)
        self.mail()
        self.assertEqual(self.recipient(EVE), replies.INTERNAL_ERROR)
        self.assertEqual(len(self.logged("smtp.undeliverable")), 1)

    def test_lmtp_has_one_fate_for_all_then(self) -> None:
        facts = self.reception.facts
        self.reception.facts = attrs.evolve(facts, service="lmtp")
        self.data(JOE, EVE)
        self.queue.refuse_with = FULL
        event = BodyEnd(len(BODY), None, False)
        self.assertEqual(self.now(self.reception.end_each(event)), (replies.DISK_FULL,) * 2)
        self.assert_nothing_happened()


class OriginalTests(Case):
    def test_the_recipient_of_a_forward_is_named(self) -> None:
        for recipient, original in (
            (JOE, "rfc822;joe@example.net"),
            (Address("jö", "example.net"), "utf-8;jö@example.net"),
            (Address("postmaster", ""), ""),
        ):
            envelope = Envelope(ANN)
            envelope.add(recipient, RecipientParameters(), Route(RouteKind.LOCAL, remotes=(EVE,)))
            (outbound,) = envelope.outbound("id1", None, ANN)
            self.assertEqual(outbound.recipients[0].parameters.original, original)
