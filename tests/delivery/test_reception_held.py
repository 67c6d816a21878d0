"""A message that is to wait goes into the outbound queue as a whole, and nobody gets it before (RFC 4865)."""

from __future__ import annotations

import attrs

from mailsuite.delivery.route_archive import ArchiveRule, Archives
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.envelope import MailParameters, OutboundRecipient, RecipientParameters
from mailsuite.model.facts import Refuse, Stage
from mailsuite.model.reply import Reply
from mailsuite.queue.memory import MemoryQueue, Queued
from mailsuite.wire.smtp.events import Mail, Recipient
from tests.delivery.case import ANN, BODY, EVE, FULL, JOE, Case, Ruling

NOW = 1_700_000_000
HOUR = MailParameters(hold_for=3600)
SAID = RecipientParameters(original="rfc822;joe@old.example")


class HeldTests(Case):
    service = "submission"

    def setUp(self) -> None:
        super().setUp()
        self.queue = MemoryQueue()
        self.rule = Ruling()
        self.replaced(policy=self.rule, queue=self.queue)
        self.reception.hello("client.example.org", True)
        self.reception.facts = attrs.evolve(self.reception.facts, account=JOE)

    def submit(self, *recipients: Address | Recipient, held: MailParameters = HOUR) -> Reply:
        """As far as the message, which is fed but for its end."""
        self.now(self.reception.mail(Mail(JOE, held)))
        for each in recipients:
            recipient = each if isinstance(each, Recipient) else Recipient(each)
            self.assertEqual(self.now(self.reception.recipient(recipient)), replies.RECIPIENT_OK)
        begun = self.now(self.reception.start_data())
        self.feed(BODY)
        return begun

    def held(self) -> Queued:
        (queued,) = self.queue.messages
        return queued

    def test_nobody_has_it_and_the_queue_has_all_of_it(self) -> None:
        self.submit(ANN, EVE)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual(self.contents(JOE) + self.contents(ANN), ())
        self.assertEqual(self.intake.happenings, [])
        envelope = self.held().envelope
        self.assertEqual(envelope.recipients, (OutboundRecipient(ANN), OutboundRecipient(EVE)))
        self.assertEqual((envelope.id, envelope.sender, envelope.account), ("id1", JOE, JOE))
        self.assertEqual((envelope.arrived, envelope.release), (NOW, NOW + 3600))
        self.assertEqual(envelope.parameters, HOUR)
        self.assertIn(b"\r\nReceived: from ", self.held().content)
        self.assertTrue(self.held().content.endswith(b"\r\n\r\nWorld.\r\n"))
        self.assertNotIn(b"Delivered-To:", self.held().content)
        self.assertNotIn(b"Return-Path:", self.held().content)
        self.assert_nothing_open()

    def test_what_the_log_says(self) -> None:
        self.submit(ANN)
        self.end()
        (line,) = self.logged("smtp.accepted")
        self.assertIn(" recipients=0 queued=true held_until=2023-11-14T23:13:20Z ", line)

    def test_up_to_a_time(self) -> None:
        self.submit(ANN, held=MailParameters(hold_until="2023-11-15T00:00:00+01:00"))
        self.end()
        self.assertEqual(self.held().envelope.release, NOW + 2800)

    def test_the_time_is_that_of_mail_however_long_the_message_takes(self) -> None:
        self.submit(ANN)
        self.clock.advance(500)
        self.end()
        self.assertEqual(self.held().envelope.release, NOW + 3600)

    def test_without_a_wish_nothing_waits(self) -> None:
        self.submit(ANN, EVE, held=MailParameters())
        self.end()
        self.assertEqual(len(self.contents(ANN)), 1)
        self.assertEqual(self.held().envelope.recipients, (OutboundRecipient(EVE),))
        self.assertEqual(self.held().envelope.release, 0)
        self.assertNotIn("held_until", self.logged("smtp.accepted")[0])

    def test_recipients_are_those_that_were_named(self) -> None:
        away = Account(JOE, state=AccountState.FORWARD, forward=ANN, keep_copy=True)
        self.directory = MemoryDirectory([away, Account(ANN)])
        self.replaced(router=attrs.evolve(self.services.router, directory=self.directory))
        tagged = Address("ann+news", "example.net")
        self.submit(Recipient(JOE, SAID), tagged, POSTMASTER, Recipient(JOE))
        self.end()
        self.assertEqual(
            self.held().envelope.recipients,
            (OutboundRecipient(JOE, SAID), OutboundRecipient(tagged), OutboundRecipient(POSTMASTER)),
        )

    def test_the_rules_are_asked_as_always(self) -> None:
        self.submit(ANN)
        self.end()
        self.assertEqual(self.rule.stages(), [Stage.HELLO, Stage.MAIL, Stage.RECIPIENT, Stage.HEADER])
        self.assertEqual({facts.mail for facts in self.rule.seen[1:]}, {HOUR})
        self.rule.verdicts = {Stage.RECIPIENT: Refuse(replies.UNKNOWN_RECIPIENT)}
        self.now(self.reception.mail(Mail(JOE, HOUR)))
        self.assertEqual(self.recipient(ANN), replies.UNKNOWN_RECIPIENT)
        self.rule.verdicts = {Stage.HEADER: Refuse(replies.FROM_NOT_YOURS)}
        self.submit(ANN)
        self.assertEqual(self.end(), replies.FROM_NOT_YOURS)
        self.assertEqual(len(self.queue.messages), 1)

    def test_the_next_message_is_another(self) -> None:
        self.submit(ANN)
        self.end()
        self.envelope(ANN, sender=JOE)
        self.now(self.reception.start_data())
        self.feed(BODY)
        self.end()
        self.assertEqual((len(self.queue.messages), len(self.contents(ANN))), (1, 1))

    def test_where_the_queue_fails_nothing_is_accepted(self) -> None:
        self.submit(ANN)
        self.queue.refuse_with = FULL
        self.assertEqual(self.end(), replies.DISK_FULL)
        self.assertEqual(self.queue.messages, ())
        self.assert_nothing_happened()

    def test_what_is_given_up_is_nowhere(self) -> None:
        self.submit(ANN)
        self.reception.reset()
        self.assertEqual(self.queue.messages, ())
        self.submit(ANN)
        self.now(self.reception.closed())
        self.assertEqual(self.queue.messages, ())
        self.assert_nothing_open()

    def test_without_a_queue_nothing_is_held(self) -> None:
        """The protocol does not offer it then; if it did, the recipient would be refused."""
        self.replaced(queue=None)
        self.now(self.reception.mail(Mail(JOE, HOUR)))
        self.assertEqual(self.recipient(ANN), replies.INTERNAL_ERROR)
        self.assertEqual(len(self.logged("smtp.undeliverable")), 1)

    def test_an_archive_has_it_when_it_is_accepted(self) -> None:
        """So nothing goes by it, whatever becomes of the message until it is released."""
        self.replaced(archives=Archives(ArchiveRule((JOE,))))
        self.reception.facts = attrs.evolve(self.reception.facts, account=JOE)
        self.submit(ANN, EVE)
        self.end()
        (archived,) = self.contents(JOE)
        self.assertIn(b"X-Envelope-To: <ann@example.net>,\r\n\t<eve@example.org>\r\n", archived)
        self.assertEqual(self.contents(ANN), ())
        self.assertEqual(len(self.held().envelope.recipients), 2)
