"""What the queue is told of a message that comes in (features rows Q-07, Q-08; RFC 3461 section 5.2)."""

from __future__ import annotations

from ipaddress import ip_network

import attrs

from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import Address
from mailsuite.model.envelope import MailParameters, OutboundEnvelope
from mailsuite.model.facts import Accept, Stage
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying, RelayRules
from mailsuite.policy.sender import Sender
from mailsuite.queue.memory import MemoryQueue
from mailsuite.wire.smtp.events import Mail
from tests.delivery.case import ANN, EVE, JOE, Case, Ruling

PEER = (ip_network("192.0.2.1"),)


class Vouched(Case):
    """Whether the sender may be told of what becomes of it."""

    def setUp(self) -> None:
        super().setUp()
        self.queue = MemoryQueue()
        self.now(
            self.directory.change_account(
                Account(ANN, state=AccountState.FORWARD, forward=Address("ann", "example.edu"))
            )
        )

    def door(self, relay: RelayRules, service: str = "smtp", account: Address | None = None) -> None:
        log = self.services.log
        self.replaced(
            queue=self.queue,
            router=Router(self.directory, "mail.example.net", JOE, RoutingRules(sends=True)),
            policy=Chain((Sender(relay=relay), Relaying(relay, True), Recipients()), log),
        )
        self.reception.hello("client.example.org", True)
        self.reception.facts = attrs.evolve(self.reception.facts, service=service, account=account)

    def sent(self, *recipients: Address) -> OutboundEnvelope:
        self.envelope(*recipients, sender=JOE)
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)
        self.feed(b"\r\n")
        self.assertEqual(self.end().code, 250)
        return self.queue.messages[-1].envelope

    def test_a_listed_host(self) -> None:
        self.door(RelayRules("addresses", PEER))
        self.assertTrue(self.sent(EVE).vouched)
        self.assertTrue(self.sent(ANN, EVE, JOE).vouched)
        self.assertFalse(self.sent(ANN).vouched)  # the next message is another one

    def test_where_a_forward_of_ours_leads_says_nothing_of_who_sends(self) -> None:
        self.door(RelayRules())
        envelope = self.sent(ANN)
        self.assertEqual([each.address for each in envelope.recipients], [Address("ann", "example.edu")])
        self.assertFalse(envelope.vouched)

    def test_an_open_relay_knows_nobody(self) -> None:
        self.door(RelayRules("anyone"))
        self.assertFalse(self.sent(EVE).vouched)

    def test_who_has_logged_in(self) -> None:
        self.door(RelayRules(), "submission", JOE)
        self.assertTrue(self.sent(EVE).vouched)
        self.assertTrue(self.sent(ANN).vouched)

    def test_who_has_a_message_held(self) -> None:
        self.door(RelayRules(), "submission", JOE)
        self.now(self.reception.mail(Mail(JOE, MailParameters(hold_for=60))))
        self.recipient(ANN)
        self.now(self.reception.start_data())
        self.end()
        self.assertTrue(self.queue.messages[-1].envelope.vouched)

    def test_where_no_rule_says_so(self) -> None:
        self.door(RelayRules())
        for vouched in (False, True):
            self.replaced(policy=Ruling({Stage.RECIPIENT: Accept(vouched=vouched)}))
            self.reception.hello("client.example.org", True)
            self.assertIs(self.sent(ANN).vouched, vouched)
