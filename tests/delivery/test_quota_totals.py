"""Quotas of whole domains: what is counted, what is kept up, and who is warned."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from mailsuite.delivery.quota_ledger import QuotaRules
from mailsuite.delivery.quota_letter import Letterhead, total_letter
from mailsuite.delivery.quota_texts import ENGLISH, GERMAN, QuotaTexts
from mailsuite.delivery.quota_total_warnings import TotalWarnings
from mailsuite.delivery.quota_totals import ROUND_SECONDS, Totals, TotalStanding
from mailsuite.directory.totals import MemoryTotalsWarned
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.message import Stored
from mailsuite.model.quota import Quota
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, DISK_FULL, OVER_QUOTA, OVER_QUOTA_FOR_GOOD
from mailsuite.model.retention import Usage
from mailsuite.model.turns import STEPS_IN_A_ROW
from tests.delivery.test_quotas import ANN, BOB, JOE, KIB, QuotaCase
from tests.delivery.watched import WatchedStore

HOME = Domain("example.net", total_quota=Quota(100 * KIB))


class TotalCase(QuotaCase):
    """JOE and ANN of example.net have 100 KiB together, JOE alone 100 KiB as well; BOB is elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.answer(self.directory.change_domain(HOME))
        self.notes = MemoryTotalsWarned()
        self.clock = Clock()
        self.letters_told: list[Stored] = []
        self.reader: tuple[Address, ...] = (BOB,)
        self.total_warnings = TotalWarnings(
            self.store,
            self.notes,
            self.route,
            "mail.example.net",
            lambda: 1_795_000_000.0,
            self.tasks,
            self.log,
            self.letter_told,
            rejects=lambda: self.ledger.rules.rejects,
        )
        self.totals = Totals(
            self.store, self.directory, self.notes, self.total_warnings, self.clock, self.log
        )
        self.ledger.totals = self.totals
        self.store.changed = self.totals.doubt

    async def letter_told(self, stored: Stored, octets: bytes) -> None:
        self.assertEqual(self.store.contents(stored.account)[-1], octets)
        self.letters_told.append(stored)

    async def route(self, address: Address) -> Route:
        self.assertEqual(address, Address("postmaster", "example.net"))
        return Route(RouteKind.LOCAL, tuple(Copy(reader, reader) for reader in self.reader))

    def change(self, **changes: Any) -> None:
        self.answer(self.directory.change_domain(attrs.evolve(HOME, **changes)))

    def standing(self) -> Usage:
        pool = self.answer(self.totals.of(JOE))
        assert pool is not None
        usage: Usage = pool.standing.usage
        return usage


class CountingTests(TotalCase):
    def test_all_accounts_share_it(self) -> None:
        self.deliver(60 * KIB, ANN)
        self.assertIs(self.objection(50 * KIB), OVER_QUOTA)
        self.assertIs(self.objection(50 * KIB, ANN), OVER_QUOTA)
        self.assertIsNone(self.objection(30 * KIB))
        self.assertIsNone(self.objection(1 << 40, BOB))
        self.assertIs(self.refused(self.charged.deliver([self.written(41 * KIB)])).reply, OVER_QUOTA)
        self.deliver(40 * KIB)
        self.ledger.rules = QuotaRules(rejects=True)
        self.assertIs(self.objection(0, ANN), OVER_QUOTA_FOR_GOOD)

    def test_an_account_can_be_full_before_its_domain(self) -> None:
        self.change(total_quota=Quota(1 << 30))
        self.assertIs(self.objection(101 * KIB), OVER_QUOTA)
        self.assertIsNone(self.objection(101 * KIB, ANN))

    def test_without_a_limit_nothing_is_counted(self) -> None:
        async def usage(account: Address) -> Usage:
            raise AssertionError("counted")

        self.change(total_quota=Quota())
        self.store.usage = usage  # type: ignore[method-assign]
        self.assertIsNone(self.objection(1 << 40, ANN))
        self.deliver(200 * KIB, ANN)

    def test_a_limit_that_comes_and_goes(self) -> None:
        self.deliver(60 * KIB, ANN)
        self.assertIs(self.objection(50 * KIB, ANN), OVER_QUOTA)
        self.change(total_quota=Quota(0, 0))
        self.assertIsNone(self.objection(50 * KIB, ANN))
        self.deliver(60 * KIB, ANN)
        self.change(total_quota=Quota(0, 3))
        self.assertEqual(self.standing().messages, 2)
        self.assertIsNone(self.objection(50 * KIB, ANN))
        self.deliver(10, ANN)
        self.assertIs(self.objection(10, ANN), OVER_QUOTA)

    def test_what_is_removed_has_gone_at_once(self) -> None:
        self.deliver(60 * KIB, ANN)
        self.deliver(30 * KIB)
        self.assertIs(self.objection(50 * KIB, ANN), OVER_QUOTA)
        self.empty(ANN)
        self.assertIsNone(self.objection(50 * KIB, ANN))
        self.assertEqual(self.standing(), Usage(1, 30 * KIB))

    def test_what_is_on_its_way_counts(self) -> None:
        watched = WatchedStore(self.store)
        self.charged.inner = watched
        watched.held = Deferred()
        deliveries = [
            Deferred.fromCoroutine(self.charged.deliver([self.written(30 * KIB, account)]))
            for account in (JOE, ANN, JOE, ANN, ANN)
        ]
        self.assertEqual(self.standing(), Usage(3, 90 * KIB))
        for late in deliveries[3:]:
            self.failureResultOf(late, TemporaryFailure)
        watched.held.callback(None)
        for early in deliveries[:3]:
            self.successResultOf(early)
        self.assertEqual(self.standing(), Usage(3, 90 * KIB))

    def test_what_fails_is_struck_out(self) -> None:
        delivery = self.written(60 * KIB)
        self.answer(delivery.prepare())
        self.assertEqual(self.standing(), Usage(1, 60 * KIB))
        self.answer(delivery.abort())
        self.assertEqual(self.standing(), Usage())

    def test_what_is_withdrawn_is_asked_for_again(self) -> None:
        delivery = self.written(60 * KIB)
        self.answer(self.charged.deliver([delivery]))
        self.assertEqual(self.standing(), Usage(1, 60 * KIB))
        self.answer(delivery.abort())
        self.assertEqual(self.standing(), Usage())

    def test_a_domain_that_stands_for_another_shares_it(self) -> None:
        own = Address("own", "also.example")
        self.answer(self.directory.add_account(Account(own)))
        self.answer(self.directory.change_domain(Domain("also.example", same_as="example.net")))
        self.deliver(60 * KIB, own)
        self.assertIs(self.objection(50 * KIB, ANN), OVER_QUOTA)
        self.assertIs(self.objection(50 * KIB, own), OVER_QUOTA)
        self.empty(own)
        self.assertIsNone(self.objection(50 * KIB, ANN))

    def test_where_the_store_cannot_tell_nothing_is_taken(self) -> None:
        self.store.refuse_with = TemporaryFailure(DISK_FULL)
        self.assertIs(self.refused(self.ledger.objection(ANN, 1)).reply, DISK_FULL)
        self.store.refuse_with = None
        self.deliver(60 * KIB, ANN)
        self.totals.doubt(ANN)
        self.store.refuse_with = TemporaryFailure(DISK_FULL)
        self.assertIs(self.refused(self.ledger.objection(ANN, 1)).reply, DISK_FULL)
        self.store.refuse_with = None
        self.assertEqual(self.standing(), Usage(1, 60 * KIB))

    def test_who_asks_while_it_is_learnt_waits_for_that(self) -> None:
        usage, held = self.store.usage, Deferred[None]()
        asked: list[Address] = []

        async def slow(account: Address) -> Usage:
            asked.append(account)
            await held
            return await usage(account)

        self.store.usage = slow  # type: ignore[method-assign]
        first, second = (Deferred.fromCoroutine(self.totals.of(account)) for account in (ANN, JOE))
        self.assertNoResult(first)
        self.assertNoResult(second)
        held.callback(None)
        self.assertIs(self.successResultOf(first), self.successResultOf(second))
        self.assertEqual(asked, [ANN, JOE])

    def test_nobody_is_doubted_of_whom_nothing_is_known(self) -> None:
        self.totals.doubt(ANN)
        self.assertEqual(self.standing(), Usage())
        self.totals.doubt(Address("nobody", "example.net"))
        self.assertEqual(self.standing(), Usage())


class RoundTests(TotalCase):
    def start(self) -> None:
        self.totals.start()
        self.addCleanup(lambda: self.answer(self.totals.stop()))

    def test_what_others_do_is_found(self) -> None:
        self.deliver(60 * KIB, ANN)
        self.start()
        self.assertEqual(self.standing(), Usage(1, 60 * KIB))
        (uidl,) = self.store.lodging(ANN).inbox
        self.store.take_away(ANN, uidl)
        self.assertIs(self.objection(50 * KIB), OVER_QUOTA)
        self.clock.advance(ROUND_SECONDS)
        self.assertIsNone(self.objection(50 * KIB))

    def test_accounts_come_and_go(self) -> None:
        self.deliver(60 * KIB, ANN)
        self.start()
        self.answer(self.directory.remove_account(ANN))
        self.assertIs(self.objection(50 * KIB), OVER_QUOTA)
        self.clock.advance(ROUND_SECONDS)
        self.assertIsNone(self.objection(50 * KIB))
        self.answer(self.directory.add_account(Account(ANN)))
        self.clock.advance(ROUND_SECONDS)
        self.assertIs(self.objection(50 * KIB), OVER_QUOTA)

    def test_trouble_ends_no_round(self) -> None:
        self.start()
        self.deliver(60 * KIB, ANN)
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "away")
        self.clock.advance(ROUND_SECONDS)
        self.assertIn("quota.uncounted reason=away", self.lines[-1])

        async def broken() -> tuple[Domain, ...]:
            raise ValueError("a mistake")

        domains, self.directory.refuse_with = self.directory.domains, None
        self.directory.domains = broken  # type: ignore[method-assign]
        self.clock.advance(ROUND_SECONDS)
        self.assertIn("quota.failed", "".join(self.lines))
        self.flushLoggedErrors()
        self.directory.domains = domains  # type: ignore[method-assign]
        self.store.take_away(ANN, *self.store.lodging(ANN).inbox)
        self.clock.advance(ROUND_SECONDS)
        self.assertEqual(self.standing(), Usage())

    def test_it_ends_in_the_middle_of_a_round(self) -> None:
        waiting: Deferred[tuple[Domain, ...]] = Deferred()

        async def slow() -> tuple[Domain, ...]:
            return await waiting

        self.directory.domains = slow  # type: ignore[method-assign]
        self.totals.start()
        self.answer(self.totals.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn("quota.failed", "".join(self.lines))

    def test_it_ends_between_two_rounds(self) -> None:
        self.totals.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.answer(self.totals.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_round_that_cannot_be_stopped_has_no_successor(self) -> None:
        waiting: Deferred[tuple[Domain, ...]] = Deferred()

        async def stubborn() -> tuple[Domain, ...]:
            try:
                return await waiting
            except CancelledError:
                return ()

        self.directory.domains = stubborn  # type: ignore[method-assign]
        self.totals.start()
        self.answer(self.totals.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others_are_served_between_many_accounts(self) -> None:
        turns: list[None] = []

        async def turn() -> None:
            turns.append(None)

        self.totals.turn = turn
        for number in range(2 * STEPS_IN_A_ROW):
            self.answer(self.directory.add_account(Account(Address(f"a{number}", "example.net"))))
        self.start()
        self.assertEqual(len(turns), 2)


class WarningTests(TotalCase):
    def told_of(self) -> list[bytes]:
        return [
            line
            for content in self.store.contents(BOB)
            for line in content.split(b"\r\n")
            if line.startswith(b"Subject: ")
        ]

    def test_once_at_each_level(self) -> None:
        first = b"Subject: The mailboxes of example.net are 80 percent full"
        for _ in range(2):
            self.deliver(40 * KIB, ANN)
        self.assertEqual(self.told_of(), [first])
        self.deliver(1 * KIB, ANN)
        self.assertEqual(self.told_of(), [first])
        self.deliver(15 * KIB, ANN)
        self.assertEqual(len(self.told_of()), 2)
        self.assertEqual(self.answer(self.notes.warned("example.net")), 95)
        self.assertIs(self.objection(50 * KIB, ANN), OVER_QUOTA)
        self.assertEqual(len(self.told_of()), 2)
        self.assertEqual([stored.account for stored in self.letters_told], [BOB, BOB])
        self.assertIn("quota.domain_warned domain=example.net level=95 messages=4 ", self.lines[-1])
        self.empty(ANN)
        self.assertIsNone(self.objection(1, ANN))
        self.assertEqual(self.answer(self.notes.warned("example.net")), 0)
        self.deliver(85 * KIB, ANN)
        self.assertEqual(self.told_of()[2:], [first])

    def test_who_is_refused_may_be_the_first_to_see_it(self) -> None:
        self.ledger.totals = None
        self.deliver(90 * KIB, ANN)
        self.ledger.totals = self.totals
        self.assertIs(self.objection(50 * KIB, ANN), OVER_QUOTA)
        self.assertEqual(len(self.told_of()), 1)

    def test_without_a_postmaster_the_log_alone_hears_of_it(self) -> None:
        self.reader = ()
        self.deliver(90 * KIB, ANN)
        self.assertEqual(self.told_of(), [])
        self.assertIn(" letters=0", self.lines[-1])

    def test_where_it_cannot_be_noted_it_is_tried_again(self) -> None:
        self.assertIsNone(self.objection(1, ANN))
        pool = self.answer(self.totals.of(ANN))
        assert pool is not None
        entry = self.answer(self.ledger.enter(ANN, 90 * KIB))
        self.notes.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "away")
        self.ledger.end(entry, stored=True)
        self.assertIn("quota.unable domain=example.net reason=away", self.lines[-1])
        self.notes.refuse_with = None
        self.total_warnings.reached(pool.standing)
        self.assertEqual(len(self.told_of()), 1)

    def test_the_letter_in_the_language_of_each_reader(self) -> None:
        async def texts_for(reader: Address) -> QuotaTexts:
            return GERMAN if reader == BOB else ENGLISH

        self.total_warnings.texts_for = texts_for
        self.reader = (BOB, JOE)
        self.deliver(90 * KIB, ANN)
        letters = {who: self.store.contents(who)[-1] for who in (BOB, JOE)}
        self.assertIn(b"Content-Language: de", letters[BOB])
        self.assertIn(b"Content-Language: en", letters[JOE])
        standing = TotalStanding("example.net", Quota(100 * KIB, 1000), Usage(7, 96 * KIB), 80)
        head = Letterhead("mail.example.net", "id", 1_795_000_000.0, True, GERMAN)
        text = total_letter(standing, BOB, head).decode()
        header, _, body = text.partition("\r\n\r\n")
        self.assertTrue(header.isascii())
        self.assertEqual(
            str(email.message_from_string(text, policy=email.policy.default)["Subject"]),
            "Die Postfächer von example.net sind zu 95 Prozent voll",
        )
        self.assertIn("mailsuite domain change example.net --total-quota", body)
        self.assertIn("geht neue Post an ihre Absender zurück", body)

    def test_the_letter(self) -> None:
        standing = TotalStanding("example.net", Quota(100 * KIB, 1000), Usage(7, 96 * KIB), 80)
        for rejects, words in ((False, "new mail has to wait"), (True, "new mail is sent back")):
            head = Letterhead("mail.example.net", "id", 1_795_000_000.0, rejects)
            text = total_letter(standing, BOB, head).decode()
            self.assertTrue(text.startswith("Return-Path: <>\r\nDelivered-To: bob@example.org\r\n"))
            self.assertIn("\r\nSubject: The mailboxes of example.net are 95 percent full\r\n", text)
            self.assertIn("\r\n  messages: 7 of 1,000\r\n  size:     96 KiB of 100 KiB\r\n", text)
            self.assertIn(words, text)
            self.assertNotIn("\n", text.replace("\r\n", ""))
