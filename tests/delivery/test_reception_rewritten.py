"""What is forwarded to other servers goes by a sender of ours, and notices about it come back through us
(features rows L-09, Q-11, S-A12)."""

from __future__ import annotations

from typing import Any

import attrs

from mailsuite.delivery.notices_post import Post
from mailsuite.delivery.route_archive import Archives
from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.delivery.ways import Ways
from mailsuite.interfaces import IOutboundQueue
from mailsuite.model import reply as replies
from mailsuite.model.account import Account, AccountState
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.alias import Alias
from mailsuite.model.envelope import OutboundEnvelope
from mailsuite.model.facts import RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.policy.chain import Chain
from mailsuite.policy.recipients import Recipients
from mailsuite.policy.relaying import Relaying, RelayRules
from mailsuite.policy.sender import Sender
from mailsuite.queue.memory import MemoryQueue
from tests.delivery.case import ANN, BODY, EVE, JOE, Case
from tests.delivery.test_transaction_queue import FailingQueue

STRANGER = Address("stranger", "example.com")
AWAY = Address("ann", "example.edu")
ANYONE = RelayRules("anyone")
DAY = 86_400


class SecondFails(FailingQueue):
    """The first entry is committed."""

    def step(self, name: str) -> None:
        commits = [each for each in self.begun if "commit" in each.steps]
        if name == "commit" and len(commits) == 2:
            raise TemporaryFailure(replies.DISK_FULL)


class Rewritten(Case):
    def setUp(self) -> None:
        super().setUp()
        self.queue = MemoryQueue()
        forward = Account(ANN, state=AccountState.FORWARD, forward=AWAY)
        self.now(self.directory.change_account(forward))
        self.rewriting = SenderRewriting(b"k" * 32, self.clock.seconds)
        self.door()

    def door(
        self,
        relay: RelayRules = ANYONE,
        queue: IOutboundQueue | None = None,
        sends: bool = True,
        **rules: Any,
    ) -> None:
        log = self.services.log
        routing = RoutingRules(sends=sends, **rules)
        self.router = Router(self.directory, "mail.example.net", JOE, routing, rewriting=self.rewriting)
        self.replaced(
            queue=queue or self.queue,
            router=Ways(self.router, Archives()),
            policy=Chain((Sender(relay=relay), Relaying(relay, sends), Recipients()), log),
        )
        self.reception.hello("client.example.org", True)

    def sent(self, *recipients: Address, sender: Address | None = STRANGER) -> tuple[OutboundEnvelope, ...]:
        """What the queue has of it."""
        before = len(self.queue.messages)
        self.envelope(*recipients, sender=sender)
        self.assertEqual(self.now(self.reception.start_data()), replies.START_MAIL_INPUT)
        self.feed(BODY)
        self.assertEqual(self.end().code, 250)
        for message in self.queue.messages[before:]:
            self.assertTrue(message.content.endswith(BODY))
        return tuple(message.envelope for message in self.queue.messages[before:])

    def rewritten(self) -> Address:
        """A sender of what was forwarded."""
        (envelope,) = self.sent(ANN)
        assert envelope.sender is not None
        return envelope.sender

    def asked(self, recipient: Address, sender: Address | None = None) -> replies.Reply:
        self.mail(sender=sender)
        return self.recipient(recipient)

    def test_a_forward_has_a_sender_of_ours(self) -> None:
        rewritten = self.rewritten()
        self.assertEqual(rewritten.domain, ANN.domain)
        self.assertEqual(self.rewriting.original(rewritten), STRANGER)

    def test_an_alias_has_one_in_its_domain(self) -> None:
        self.now(self.directory.add_domain("example.info"))
        self.now(self.directory.add_alias(Alias(Address("all", "example.info"), (EVE, AWAY, JOE))))
        (envelope,) = self.sent(Address("all", "example.info"))
        assert envelope.sender is not None
        self.assertEqual(envelope.sender.domain, "example.info")
        self.assertEqual([each.address for each in envelope.recipients], [EVE, AWAY])
        (copy,) = self.contents(JOE)
        self.assertIn(b"Return-Path: <stranger@example.com>\r\n", copy)

    def test_whom_the_client_has_named_gets_it_from_the_sender(self) -> None:
        named, led = self.sent(ANN, EVE, JOE)
        self.assertEqual((named.id, named.sender), ("id1", STRANGER))
        self.assertEqual([each.address for each in named.recipients], [EVE])
        self.assertEqual(led.id, "id1-f")
        self.assertEqual([each.address for each in led.recipients], [AWAY])
        assert led.sender is not None
        self.assertEqual(self.rewriting.original(led.sender), STRANGER)
        self.assertEqual(
            attrs.evolve(named, id="", sender=None, recipients=()),
            attrs.evolve(led, id="", sender=None, recipients=()),
        )
        self.assertEqual(len(self.contents(JOE)), 1)

    def test_who_is_named_and_led_to_gets_it_once_and_from_the_sender(self) -> None:
        (envelope,) = self.sent(ANN, AWAY)
        self.assertEqual((envelope.sender, len(envelope.recipients)), (STRANGER, 1))

    def test_both_entries_or_none(self) -> None:
        full = TemporaryFailure(replies.DISK_FULL)
        for failing in (FailingQueue("prepare", full), FailingQueue("commit", full), SecondFails()):
            self.door(queue=failing)
            self.envelope(ANN, EVE, sender=STRANGER)
            self.now(self.reception.start_data())
            self.feed(BODY)
            self.assertEqual(self.end(), replies.DISK_FULL)
            self.assertEqual(len(failing.begun), 2)
            self.assertEqual(failing.memory.messages, ())
            self.assertEqual(failing.begun[1].steps[-1], "abort")

    def test_what_stays(self) -> None:
        for sender in (JOE, None, Address("x", "[192.0.2.7]")):
            (envelope,) = self.sent(ANN, EVE, sender=sender)
            self.assertEqual(envelope.sender, sender)

    def test_where_nobody_wants_it(self) -> None:
        rewritten = self.rewritten()
        self.door(rewrites=False)
        (envelope,) = self.sent(ANN)
        self.assertEqual(envelope.sender, STRANGER)
        (back,) = self.sent(rewritten, sender=None)  # what is on its way still comes back
        self.assertEqual(back.recipients[0].address, STRANGER)

    def test_the_bare_postmaster_is_in_no_domain(self) -> None:
        self.now(self.directory.change_account(Account(JOE, state=AccountState.FORWARD, forward=AWAY)))
        (envelope,) = self.sent(POSTMASTER)
        self.assertEqual(envelope.sender, STRANGER)

    def test_a_notice_goes_to_the_original_sender(self) -> None:
        rewritten = self.rewritten()
        for local in (rewritten.local, rewritten.local.lower()):
            (envelope,) = self.sent(Address(local, rewritten.domain), sender=None)
            self.assertEqual([each.address for each in envelope.recipients], [STRANGER])
            self.assertIsNone(envelope.sender)
            self.assertFalse(envelope.vouched)

    def test_nobody_relays_by_it(self) -> None:
        rewritten = self.rewritten()
        self.door(RelayRules())
        self.assertEqual(self.asked(rewritten, STRANGER), replies.NOTICES_ALONE)
        self.assertEqual(self.asked(rewritten, JOE), replies.NOTICES_ALONE)
        self.assertEqual(self.asked(rewritten), replies.RECIPIENT_OK)
        self.assertEqual(self.asked(STRANGER), replies.RELAYING_DENIED)

    def test_nobody_relays_by_an_alias_for_it(self) -> None:
        rewritten = self.rewritten()
        self.now(self.directory.add_alias(Alias(Address("trick", "example.net"), (rewritten,))))
        self.assertEqual(self.asked(Address("trick", "example.net"), EVE), replies.NOTICES_ALONE)

    def test_what_is_forged_or_too_old_is_nobody(self) -> None:
        rewritten = self.rewritten()
        self.door(catch_all=(JOE,))
        forged = Address(rewritten.local.replace("stranger", "strangers"), rewritten.domain)
        self.assertEqual(self.asked(forged), replies.UNKNOWN_RECIPIENT)
        self.assertEqual(self.asked(Address("SRS0=x", "example.net")), replies.UNKNOWN_RECIPIENT)
        self.clock.advance(21 * DAY)
        self.assertEqual(self.asked(rewritten), replies.RECIPIENT_OK)
        self.clock.advance(DAY)
        self.assertEqual(self.asked(rewritten), replies.UNKNOWN_RECIPIENT)

    def test_an_alias_for_one_that_is_too_old_is_a_dead_end(self) -> None:
        dead = Alias(Address("trick", "example.net"), (Address("SRS0=x", "example.net"),))
        self.now(self.directory.add_alias(dead))
        self.assertEqual(self.asked(Address("trick", "example.net")), replies.FORWARDING_STRANDED)

    def test_where_nothing_is_sent_nothing_comes_back(self) -> None:
        rewritten = self.rewritten()
        self.door(sends=False)
        self.assertEqual(self.asked(rewritten), replies.FORWARDING_STRANDED)

    def test_an_account_of_that_name_has_its_mail(self) -> None:
        odd = Address("srs0=odd", "example.net")
        self.now(self.directory.add_account(Account(odd)))
        self.assertEqual(self.asked(odd, STRANGER), replies.RECIPIENT_OK)

    def test_it_is_no_address_of_ours_for_whoever_asks_the_router(self) -> None:
        log = self.services.log
        post = Post(
            self.queue,
            self.store,
            self.services.router,
            "mail.example.net",
            self.clock.seconds,
            self.services.commits,
            log,
            self.services.arrivals,
        )
        self.assertFalse(self.now(post.is_ours(self.rewritten())))
        self.assertTrue(self.now(post.is_ours(ANN)))

    def test_in_words(self) -> None:
        rewritten = self.rewritten()
        route = self.now(self.router.explain(rewritten))
        self.assertEqual(route.kind, RouteKind.LOCAL)
        self.assertIn("the rewritten sender of a forward, for notices: stranger@example.com", route.steps[0])
        route = self.now(self.router.explain(Address("SRS0=x", "example.net")))
        self.assertIn("it looks like a rewritten sender, and is not by us, or too old", route.steps[0])
