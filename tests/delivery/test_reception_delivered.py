"""What senders hear of mail that went into our maildrops (RFC 3461 sections 5.2.3 and 5.2.7)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailsuite.delivery.dsn_original import MAX_RETURNED
from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.envelope import MailParameters, NotifyOn, RecipientParameters, Returned
from mailsuite.model.outbound import Fate, QueuedMessage, QueuedRecipient
from mailsuite.policy.chain import Chain
from mailsuite.queue.memory import MemoryQueue
from mailsuite.wire.smtp.events import BodyEnd, Mail, Recipient
from tests.delivery.case import ANN, BODY, EVE, FULL, JOE, Case

ALL, AWAY, GONE, BOTH = (Address(name, "example.net") for name in ("all", "away", "gone", "both"))
FAR = Address("far", "example.edu")
SUCCESS, FAILURE, NEVER = NotifyOn.SUCCESS, NotifyOn.FAILURE, NotifyOn.NEVER
Told = tuple[QueuedMessage, Sequence[QueuedRecipient], bytes, frozenset[int]]


def asks(*words: NotifyOn, original: str = "") -> RecipientParameters:
    return RecipientParameters(frozenset(words), original)


class DeliveredTests(Case):
    service = "submission"

    def setUp(self) -> None:
        super().setUp()
        self.queue = MemoryQueue()
        self.told: list[Told] = []
        for alias in (Alias(ALL, (JOE, ANN)), Alias(AWAY, (FAR,)), Alias(GONE, ()), Alias(BOTH, (JOE, FAR))):
            self.now(self.directory.add_alias(alias))
        self.replaced(
            queue=self.queue,
            router=Router(self.directory, "mail.example.net", JOE, RoutingRules(sends=True)),
            policy=Chain((), self.services.log),
            delivered=lambda *what: self.told.append(what),
        )
        self.reception.hello("client.example.org", True)
        self.reception.facts = attrs.evolve(self.reception.facts, account=JOE)

    def begin(self, *recipients: Recipient, mail: MailParameters = MailParameters()) -> None:  # noqa: B008
        self.now(self.reception.mail(Mail(EVE, mail)))
        for each in recipients:
            self.assertEqual(self.now(self.reception.recipient(each)), replies.RECIPIENT_OK)
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)

    def sent(self, *recipients: Recipient, mail: MailParameters = MailParameters()) -> None:  # noqa: B008
        self.begin(*recipients, mail=mail)
        self.feed(BODY)
        self.assertEqual(self.end().code, 250)

    def test_all_that_a_notice_needs(self) -> None:
        self.clock.advance(7)
        said = asks(SUCCESS, original="rfc822;j@old.example")
        mail = MailParameters(envelope_id="env", returned=Returned.HEADER)
        self.sent(Recipient(ANN, asks(FAILURE)), Recipient(JOE, said), mail=mail)
        ((message, recipients, header, expanded),) = self.told
        self.assertEqual((message.id, message.sender, message.account), ("id1", EVE, JOE))
        self.assertEqual(
            (message.parameters, message.arrived, message.size), (mail, 1_700_000_007, len(BODY))
        )
        self.assertTrue(message.vouched)
        ((recipient),) = recipients
        self.assertEqual((recipient.number, recipient.recipient.address), (1, JOE))
        self.assertEqual(recipient.recipient.parameters, said)
        assert recipient.last is not None
        self.assertEqual((recipient.last.fate, recipient.last.at), (Fate.DELIVERED, 1_700_000_007))
        self.assertTrue(header.startswith(b"Subject: hello\r\n"))
        self.assertNotIn(b"Delivered-To", header)
        self.assertEqual(expanded, frozenset())

    def test_who_has_not_asked(self) -> None:
        self.sent(Recipient(JOE), Recipient(ANN, asks(NEVER)), Recipient(EVE, asks(SUCCESS)))
        self.now(self.reception.mail(Mail(None)))
        self.now(self.reception.recipient(Recipient(JOE, asks(SUCCESS))))
        self.now(self.reception.start_data())
        self.feed(BODY)
        self.end()
        self.assertEqual(self.told, [])

    def test_what_is_not_delivered(self) -> None:
        self.begin(Recipient(JOE, asks(SUCCESS)))
        self.store.fail = {"deliver": FULL}
        self.assertEqual(self.end(), replies.DISK_FULL)
        self.assertEqual(self.told, [])

    def test_what_waits_is_told_when_it_is_released(self) -> None:
        self.sent(Recipient(JOE, asks(SUCCESS)), mail=MailParameters(hold_for=60))
        self.assertEqual(self.told, [])
        (recipient,) = self.queue.messages[0].envelope.recipients
        self.assertEqual(recipient.parameters, asks(SUCCESS))

    def test_no_more_of_the_header_than_a_notice_has(self) -> None:
        self.begin(Recipient(JOE, asks(SUCCESS)))
        for _ in range(3):
            self.feed(b"X-Filler: " + b"x" * 900 + b"\r\n")
        self.feed(b"\r\n" + b"word\r\n" * 20_000)
        self.end()
        ((_, _, header, _),) = self.told
        self.assertEqual(len(header), MAX_RETURNED)
        self.assertTrue(header.startswith(b"X-Filler: xxx"))

    # Aliases and forwards

    def test_a_name_for_several(self) -> None:
        self.sent(
            Recipient(JOE, asks(SUCCESS)), Recipient(ALL, asks(SUCCESS)), Recipient(GONE, asks(SUCCESS))
        )
        ((_, recipients, _, expanded),) = self.told
        self.assertEqual([each.recipient.address for each in recipients], [JOE, ALL, GONE])
        self.assertEqual(expanded, {1})

    def outbound(self, address: Address) -> RecipientParameters:
        recipients = self.queue.messages[-1].envelope.recipients
        return {each.address: each.parameters for each in recipients}[address]

    def test_an_alias_for_one_elsewhere_passes_it_on(self) -> None:
        self.sent(Recipient(AWAY, asks(SUCCESS)))
        self.assertEqual(self.told, [])
        self.assertEqual(self.outbound(FAR), asks(SUCCESS, original="rfc822;away@example.net"))

    def test_one_for_several_is_told_of_here_and_nowhere_else(self) -> None:
        for said, left in (((SUCCESS,), NEVER), ((SUCCESS, FAILURE), FAILURE)):
            self.sent(Recipient(BOTH, asks(*said)))
            _, recipients, _, expanded = self.told.pop()
            self.assertEqual([each.recipient.address for each in recipients], [BOTH])
            self.assertEqual(expanded, {0})
            self.assertEqual(self.outbound(FAR), asks(left, original="rfc822;both@example.net"))
        self.sent(Recipient(BOTH))
        self.assertIsNone(self.outbound(FAR).notify)

    def test_a_forward_that_keeps_a_copy_is_for_several(self) -> None:
        away = Account(ANN, state=AccountState.FORWARD, forward=FAR, keep_copy=True)
        self.now(self.directory.change_account(away))
        self.sent(Recipient(ANN, asks(SUCCESS)))
        ((_, _, _, expanded),) = self.told
        self.assertEqual(expanded, {0})
        self.assertEqual(self.outbound(FAR).notify, {NEVER})

    def test_what_is_said_of_somebody_by_name_holds(self) -> None:
        orders = (Recipient(BOTH, asks(SUCCESS)), Recipient(FAR, asks(SUCCESS, FAILURE)), Recipient(FAR))
        for order in (orders, (orders[1], orders[0])):
            self.sent(*order)
            self.assertEqual(self.outbound(FAR), asks(SUCCESS, FAILURE))


class LmtpTests(DeliveredTests):
    service = "lmtp"

    def end(self, defect: replies.Reply | None = None) -> replies.Reply:
        return self.now(self.reception.end_each(BodyEnd(len(BODY), defect, False)))[0]

    def test_each_by_itself(self) -> None:
        self.begin(Recipient(JOE, asks(SUCCESS)), Recipient(ANN, asks(SUCCESS)))
        self.feed(BODY)
        self.store.fail, self.store.fail_for = {"deliver": FULL}, JOE
        self.end()
        ((_, recipients, _, _),) = self.told
        self.assertEqual([(each.number, each.recipient.address) for each in recipients], [(1, ANN)])
