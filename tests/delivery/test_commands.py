"""Mail that is an order: who gives one, when it is obeyed, and what the client hears."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from mailsuite.delivery.commands import Order
from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters
from mailsuite.model.failure import TemporaryFailure
from mailsuite.wire.smtp.events import Mail
from tests.delivery.case import ANN, BODY, CLAIM, EVE, JOE, Case

NOTIFY = Address("notify", "example.net")


@attrs.define
class Obeying:
    """Keeps the orders; obeys all that goes to NOTIFY."""

    orders: list[Order] = attrs.field(factory=list)
    asked: list[tuple[Address, Address, str]] = attrs.field(factory=list)
    refuses: Exception | None = None
    fails: Exception | None = None
    waits: Deferred[None] | None = None

    async def takes(self, recipient: Address, account: Address, device: str) -> bool:
        self.asked.append((recipient, account, device))
        if self.refuses is not None:
            raise self.refuses
        return recipient == NOTIFY

    async def obey(self, order: Order) -> None:
        if self.waits is not None:
            await self.waits
        if self.fails is not None:
            raise self.fails
        self.orders.append(order)


class CommandTests(Case):
    service = "submission"

    def setUp(self) -> None:
        super().setUp()
        self.obeying = Obeying()
        self.replaced(commands=self.obeying)
        self.reception.hello("client.example.org", True)

    def log_in(self) -> None:
        self.now(self.reception.authenticate(CLAIM))

    def order(self, *others: Address) -> None:
        """All but the end of one."""
        self.envelope(NOTIFY, *others, sender=JOE)
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)
        self.feed(BODY)

    def test_it_is_obeyed_and_in_no_maildrop(self) -> None:
        self.log_in()
        self.order()
        self.assertEqual(self.obeying.orders, [])  # not before its end
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        (order,) = self.obeying.orders
        self.assertEqual((order.account, order.device, order.recipient, order.sender), (JOE, "", NOTIFY, JOE))
        self.assertTrue(order.beginning.endswith(BODY.partition(b"\r\n\r\n")[2]), order.beginning)
        self.assertIn(b"Subject: hello\r\n", order.beginning)
        self.assertEqual(self.contents(JOE) + self.contents(ANN), ())
        self.assert_nothing_open()

    def test_other_recipients_get_it_as_mail(self) -> None:
        self.log_in()
        self.order(ANN)
        self.assertEqual(self.end(), replies.message_accepted("id1"))
        self.assertEqual(len(self.obeying.orders), 1)
        self.assertEqual((len(self.contents(ANN)), len(self.contents(JOE))), (1, 0))

    def test_mail_is_no_order(self) -> None:
        self.log_in()
        self.envelope(ANN, sender=JOE)
        self.now(self.reception.start_data())
        self.feed(BODY)
        self.end()
        self.assertEqual(self.obeying.orders, [])
        self.assertEqual(len(self.contents(ANN)), 1)

    def test_an_envelope_that_is_given_up_is_none(self) -> None:
        self.log_in()
        self.envelope(NOTIFY, sender=JOE)
        self.reception.reset()
        self.envelope(ANN, sender=JOE)
        self.now(self.reception.start_data())
        self.feed(BODY)
        self.end()
        self.assertEqual(self.obeying.orders, [])

    def test_the_client_hears_of_it_when_it_is_done(self) -> None:
        self.log_in()
        self.order()
        self.obeying.waits = Deferred()
        ending = self.ending()
        self.assertNoResult(ending)
        self.obeying.waits.callback(None)
        self.assertEqual(self.successResultOf(ending), replies.message_accepted("id1"))

    def test_where_it_cannot_be_done_the_client_keeps_it(self) -> None:
        self.log_in()
        self.order(ANN)
        self.obeying.fails = TemporaryFailure(replies.STORE_UNAVAILABLE, "no space")
        self.assertEqual(self.end(), replies.STORE_UNAVAILABLE)
        self.assertEqual(self.contents(ANN), ())  # nobody has it twice when it comes again
        self.assert_nothing_open()

    def test_a_mistake_of_ours_is_no_refusal_for_good(self) -> None:
        self.log_in()
        self.order()
        self.obeying.fails = RuntimeError("a mistake")
        self.assertEqual(self.end(), replies.INTERNAL_ERROR)
        self.assert_one_traceback("a mistake")

    def test_what_is_broken_is_not_obeyed(self) -> None:
        self.log_in()
        self.order()
        self.assertEqual(self.end(replies.MESSAGE_TOO_BIG), replies.MESSAGE_TOO_BIG)
        self.assertEqual(self.obeying.orders, [])

    def test_too_many(self) -> None:
        self.log_in()
        self.obeying.refuses = TemporaryFailure(replies.TOO_MANY_ORDERS)
        self.assertEqual(self.mail(JOE), replies.SENDER_OK)
        self.assertEqual(self.recipient(NOTIFY), replies.TOO_MANY_ORDERS)

    def test_what_is_held_for_later_is_none(self) -> None:
        self.log_in()
        self.now(self.reception.mail(Mail(JOE, MailParameters(hold_for=60))))
        self.assertEqual(self.recipient(NOTIFY).code, 550)
        self.assertEqual(self.obeying.asked, [])

    def test_nobody_obeys(self) -> None:
        self.replaced(commands=None)
        self.reception.hello("client.example.org", True)
        self.log_in()
        self.mail(JOE)
        self.assertEqual(self.recipient(NOTIFY).code, 550)


class FromTheNetTests(Case):
    """A letter from another server is none, whatever it says of its sender."""

    def test_who_has_not_logged_in_gives_none(self) -> None:
        obeying = Obeying()
        self.replaced(commands=obeying)
        self.reception.hello("client.example.org", True)
        for sender in (EVE, JOE, None):
            self.assertEqual(self.mail(sender), replies.SENDER_OK)
            self.assertEqual(self.recipient(NOTIFY).code, 550)
            self.reception.reset()
        self.assertEqual((obeying.asked, obeying.orders), ([], []))
