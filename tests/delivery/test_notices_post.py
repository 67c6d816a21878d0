"""How notices get to their readers."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from mailsuite.delivery.dsn import Notice
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.envelope import BodyType, MailParameters, NotifyOn
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from tests.delivery.dsn_cases import EVE, JOE, POSTMASTER
from tests.delivery.notices_case import ADMIN, NoticesCase

PARAMETERS = MailParameters(body=BodyType.EIGHT_BIT)
SALES = Address("sales", "example.net")
CONTENT = b"Subject: x\r\n\r\nHi.\r\n"


class PostCase(NoticesCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[bool] = []

    def write(self, all_ours: bool) -> Notice:
        self.asked.append(all_ours)
        return Notice("dsn-1", JOE, CONTENT, PARAMETERS)

    def send(self, to: Address, last: bool = False) -> Notice:
        return self.now(self.post.send(to, self.write, last))

    def test_into_a_maildrop(self) -> None:
        notice = self.send(JOE)
        self.assertEqual(notice.id, "dsn-1")
        self.assertEqual(
            self.only(),
            "Return-Path: <>\r\nDelivered-To: joe@example.net\r\n" + CONTENT.decode(),
        )
        self.assertEqual(self.asked, [True])
        self.assertEqual([each.account for each in self.intake.happenings], [JOE])
        self.assertEqual(self.queue.messages, ())

    def test_to_another_server(self) -> None:
        self.send(EVE)
        (queued,) = self.queue.messages
        envelope = queued.envelope
        self.assertEqual((envelope.id, envelope.sender, envelope.account), ("dsn-1", None, None))
        self.assertEqual(envelope.parameters, PARAMETERS)
        self.assertEqual(envelope.arrived, self.clock.seconds())
        (recipient,) = envelope.recipients
        self.assertEqual((recipient.address, recipient.parameters.notify), (EVE, None))
        self.assertEqual(queued.content, CONTENT)
        self.assertEqual(self.asked, [False])
        self.assertEqual(self.intake.happenings, [])

    def test_to_another_server_where_no_mail_leaves(self) -> None:
        self.post = attrs.evolve(self.post, sends=lambda: False)
        self.fails(EVE, PermanentFailure)
        self.assertEqual((self.asked, self.queue.messages), ([], ()))
        self.send(JOE)

    def test_the_last_of_it(self) -> None:
        self.send(EVE, last=True)
        (recipient,) = self.queue.messages[0].envelope.recipients
        self.assertEqual(recipient.parameters.notify, {NotifyOn.NEVER})

    def test_both(self) -> None:
        self.now(self.directory.add_alias(Alias(SALES, (JOE, EVE))))
        self.send(SALES)
        self.assertIn("Delivered-To: joe@example.net", self.only())
        self.assertEqual(len(self.queue.messages), 1)
        self.assertEqual(self.asked, [False])

    def test_the_postmaster(self) -> None:
        """Our host's name is no domain of ours, and its postmaster is read by the admin."""
        self.send(POSTMASTER)
        self.assertEqual(len(self.contents(ADMIN)), 1)
        self.assertEqual(self.queue.messages, ())

    def test_the_same_again_goes_out_once(self) -> None:
        self.send(EVE)
        self.send(EVE)
        self.assertEqual(len(self.queue.messages), 1)

    def fails(self, to: Address, kind: type[Exception]) -> None:
        self.failureResultOf(Deferred.fromCoroutine(self.post.send(to, self.write)), kind)

    def test_nobody_of_that_name(self) -> None:
        self.fails(Address("gone", "example.net"), PermanentFailure)
        self.now(self.directory.add_account(Account(SALES, state=AccountState.OFF)))
        self.fails(SALES, PermanentFailure)
        self.assertEqual(self.asked, [])

    def test_a_circle_may_be_mended(self) -> None:
        other = Address("other", "example.net")
        self.now(self.directory.add_alias(Alias(SALES, (other,))))
        self.now(self.directory.add_alias(Alias(other, (SALES,))))
        self.fails(SALES, TemporaryFailure)

    def test_what_fails_in_the_store(self) -> None:
        for step in ("write", "drained", "deliver"):
            self.store.fail = {step: TemporaryFailure(replies.DISK_FULL)}
            self.fails(JOE, TemporaryFailure)
            self.assertEqual(self.store.open, 0)
        self.store.fail = {}
        self.assertEqual(self.contents(), [])

    def test_what_fails_in_the_queue(self) -> None:
        self.queue.refuse_with = TemporaryFailure(replies.DISK_FULL)
        self.fails(EVE, TemporaryFailure)
        self.queue.refuse_with = None
        self.assertEqual(self.queue.messages, ())

    def test_whose_address_is_ours(self) -> None:
        self.assertTrue(self.now(self.post.is_ours(JOE)))
        self.assertTrue(self.now(self.post.is_ours(POSTMASTER)))
        self.assertFalse(self.now(self.post.is_ours(Address("gone", "example.net"))))
        self.assertFalse(self.now(self.post.is_ours(EVE)))
