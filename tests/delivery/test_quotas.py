"""Quotas at delivery: who has a place, what is counted meanwhile, and who is warned."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.concurrent.tasks import Tasks
from mailsuite.delivery.charged import ChargedDeliveries
from mailsuite.delivery.dsn_languages import Languages
from mailsuite.delivery.quota_ledger import HEAD_OCTETS, Ledger, QuotaRules
from mailsuite.delivery.quota_letter import Letterhead, letter
from mailsuite.delivery.quota_texts import ENGLISH, GERMAN, QuotaLanguages, QuotaTexts
from mailsuite.delivery.quota_warnings import QuotaWarnings
from mailsuite.delivery.transaction import Transaction
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.interfaces import IDelivery
from mailsuite.interfaces.store import IDeliveries, IQuotas
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope
from mailsuite.model.facts import Copy
from mailsuite.model.failure import MailFailure, PermanentFailure, TemporaryFailure
from mailsuite.model.message import Stored
from mailsuite.model.quota import Quota, QuotaReached
from mailsuite.model.reply import DISK_FULL, OVER_QUOTA, OVER_QUOTA_FOR_GOOD
from mailsuite.model.retention import MaildropRules, Usage
from mailsuite.observe.log import Log
from mailsuite.queue.memory import MemoryQueue
from mailsuite.store.memory import MemoryStore
from tests.delivery.watched import WatchedStore

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
BOB = Address("bob", "example.org")
KIB = 1024


class LooseStore(MemoryStore):
    """Has methods that a test can replace."""


class LooseTasks(Tasks):
    """The same."""


class LooseDirectory(MemoryDirectory):
    """The same."""


class Letterbox(WatchedStore):
    """Where letters are delivered to, and what was warned of is noted."""

    async def warned(self, account: Address) -> int:
        return await self.memory.warned(account)

    async def note_warned(self, account: Address, level: int) -> None:
        await self.memory.note_warned(account, level)


class QuotaCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        self.log = Log(lambda line, level: self.lines.append(line))
        self.store = LooseStore(rules=MaildropRules(keep_deleted=0.0))
        self.told: list[QuotaReached] = []
        self.directory = LooseDirectory()
        self.answer(self.directory.add_account(Account(JOE, quota=Quota(100 * KIB))))
        self.answer(self.directory.add_account(Account(ANN)))
        self.answer(self.directory.add_account(Account(BOB)))
        self.tasks = LooseTasks(self.fail)
        self.warnings = QuotaWarnings(
            self.store,
            "mail.example.net",
            lambda: 1_795_000_000.0,
            self.tasks,
            self.log,
            self.tell,
            rejects=lambda: self.ledger.rules.rejects,
        )
        self.ledger = Ledger(self.store, self.directory, self.warnings)
        self.charged = ChargedDeliveries(self.store, self.ledger)

    async def tell(self, stored: Stored, octets: bytes, reached: QuotaReached) -> None:
        self.assertEqual(stored.account, reached.account)
        self.assertEqual(self.store.contents(stored.account)[-1], octets)
        self.told.append(reached)

    def answer(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine: Any) -> MailFailure:
        failure: MailFailure = self.failureResultOf(Deferred.fromCoroutine(coroutine), MailFailure).value
        return failure

    def written(self, octets: int, account: Address = JOE) -> IDelivery:
        delivery = self.charged.begin(account)
        delivery.write(b"x" * (octets - 1))
        delivery.write(b"\n")
        return delivery

    def deliver(self, octets: int, account: Address = JOE) -> None:
        self.answer(self.charged.deliver([self.written(octets, account)]))

    def started(self, octets: int) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.charged.deliver([self.written(octets)]))

    def sizes(self, account: Address = JOE) -> list[int]:
        return [len(content) for content in self.store.contents(account)]

    def letters(self, account: Address = JOE) -> list[str]:
        return [
            content.decode()
            for content in self.store.contents(account)
            if b"\r\nAuto-Submitted: auto-generated\r\n" in content
        ]

    def objection(self, octets: int = 0, account: Address = JOE) -> Any:
        return self.answer(self.ledger.objection(account, octets))

    def empty(self, account: Address = JOE) -> None:
        maildrop = self.answer(self.store.open_maildrop(account))
        self.answer(maildrop.update(maildrop.messages, []))
        self.answer(maildrop.release())


class LedgerTests(QuotaCase):
    def test_provides_the_interfaces(self) -> None:
        verifyObject(IQuotas, self.ledger)
        verifyObject(IDeliveries, self.charged)
        verifyObject(IDelivery, self.charged.begin(JOE))

    def test_whose_quota_it_is(self) -> None:
        self.ledger.rules = QuotaRules(Quota(7, 8))
        nobody, elsewhere = Address("nobody", "example.net"), Address("nobody", "example.com")
        for account, quota in (
            (JOE, Quota(100 * KIB, 8)),
            (ANN, Quota(7, 8)),
            (nobody, Quota(7, 8)),
            (elsewhere, Quota(7, 8)),
        ):
            self.assertEqual(self.answer(self.ledger.quota(account)), quota)
        domains = (Domain("example.net", quota=Quota(None, 3)),)

        async def domain(name: str) -> Domain | None:
            return {one.name: one for one in domains}.get(name)

        self.directory.domain = domain  # type: ignore[method-assign]
        self.assertEqual(self.answer(self.ledger.quota(JOE)), Quota(100 * KIB, 3))
        self.assertEqual(self.answer(self.ledger.quota(ANN)), Quota(7, 3))
        self.assertEqual(self.answer(self.ledger.quota(BOB)), Quota(7, 8))

    def test_without_a_limit_nothing_is_counted(self) -> None:
        self.assertIsNone(self.objection(1 << 40, ANN))

        async def usage(account: Address) -> Usage:
            raise AssertionError("counted")

        self.store.usage = usage  # type: ignore[method-assign]
        self.assertIsNone(self.objection(1 << 40, ANN))
        self.deliver(5000, ANN)
        self.assertEqual(self.sizes(ANN), [5000])

    def test_the_promise_counts_and_what_we_put_in_front(self) -> None:
        self.assertIsNone(self.objection(100 * KIB - HEAD_OCTETS))
        self.assertIs(self.objection(100 * KIB - HEAD_OCTETS + 1), OVER_QUOTA)
        self.deliver(100 * KIB - 1)
        self.empty()

    def test_without_a_promise_one_octet_must_have_a_place(self) -> None:
        self.warnings.tasks.start = lambda work: work.close()  # type: ignore[method-assign]
        self.deliver(100 * KIB - 1)
        self.assertIsNone(self.objection())
        self.deliver(1)
        self.assertIs(self.objection(), OVER_QUOTA)
        self.ledger.rules = QuotaRules(rejects=True)
        self.assertIs(self.objection(), OVER_QUOTA_FOR_GOOD)
        self.empty()
        self.assertIsNone(self.objection())

    def test_messages_count(self) -> None:
        self.ledger.rules = QuotaRules(Quota(0, 2))
        self.deliver(10, ANN)
        self.assertIsNone(self.objection(10, ANN))
        self.deliver(10, ANN)
        self.assertIs(self.objection(10, ANN), OVER_QUOTA)

    def test_the_true_size_decides(self) -> None:
        failure = self.refused(self.charged.deliver([self.written(100 * KIB + 1)]))
        self.assertIsInstance(failure, TemporaryFailure)
        self.assertIs(failure.reply, OVER_QUOTA)
        self.assertIn("joe@example.net", failure.detail)
        self.ledger.rules = QuotaRules(rejects=True)
        failure = self.refused(self.charged.deliver([self.written(100 * KIB + 1)]))
        self.assertIsInstance(failure, PermanentFailure)
        self.assertIs(failure.reply, OVER_QUOTA_FOR_GOOD)
        self.assertEqual(self.sizes(), [])
        self.deliver(100 * KIB)

    def test_of_two_one_is_full(self) -> None:
        """Neither gets it, and the sender is not told to give up for both."""
        self.ledger.rules = QuotaRules(rejects=True)
        both = [self.written(101 * KIB, ANN), self.written(101 * KIB)]
        self.assertIs(self.refused(self.charged.deliver(both)).reply, OVER_QUOTA)
        self.assertEqual((self.sizes(), self.sizes(ANN)), ([], []))
        for delivery in both:
            self.answer(delivery.abort())
        self.assertIsNone(self.objection(90 * KIB), "nothing stays written down")

    def test_lmtp_tells_each(self) -> None:
        self.ledger.rules = QuotaRules(rejects=True)
        transaction = Transaction(self.charged, self.log)
        transaction.begin([Copy(ANN, ANN), Copy(JOE, JOE)], lambda copy: b"")
        transaction.write(b"x" * 101 * KIB)
        stored, failed = self.answer(transaction.commit_each())
        self.assertEqual((stored.account, stored.size), (ANN, 101 * KIB))
        self.assertIs(failed.reply, OVER_QUOTA_FOR_GOOD)
        self.assertEqual((len(self.sizes(ANN)), self.sizes()), (1, []))

    def test_with_mail_for_another_server_it_is_temporary(self) -> None:
        self.ledger.rules = QuotaRules(rejects=True)
        for octets in (10, 101 * KIB):
            transaction = Transaction(self.charged, self.log)
            transaction.begin([Copy(JOE, JOE)], lambda copy: b"")
            transaction.begin_outbound(MemoryQueue(), OutboundEnvelope("i", None, ()), b"")
            transaction.write(b"x" * octets)
            if octets == 10:
                self.answer(transaction.commit())
            else:
                self.assertIs(self.refused(transaction.commit()).reply, OVER_QUOTA)
        self.assertEqual(self.sizes(), [10])
        self.assertIsNone(self.objection(98 * KIB))

    def test_of_many_at_once_no_more_get_in_than_have_a_place(self) -> None:
        watched = WatchedStore(self.store)
        self.charged.inner = watched
        watched.held = Deferred()
        deliveries = [self.started(30 * KIB) for _ in range(5)]
        self.assertIs(self.objection(), None)
        self.assertIs(self.objection(10 * KIB), OVER_QUOTA, "what is on its way counts")
        for late in deliveries[3:]:
            self.failureResultOf(late, TemporaryFailure)
        watched.held.callback(None)
        for early in deliveries[:3]:
            self.successResultOf(early)
        self.assertEqual([size for size in self.sizes() if size > 20 * KIB], [30 * KIB] * 3)

    def test_what_arrives_while_we_ask_counts(self) -> None:
        """Of what is on its way, and of what is there: it must not be between the two."""
        watched = WatchedStore(self.store)
        self.charged.inner = watched
        watched.held, asking = Deferred(), Deferred[None]()
        early = self.started(60 * KIB)

        async def warned(account: Address) -> int:
            await asking
            return 0

        self.store.warned = warned  # type: ignore[method-assign]
        late = self.started(60 * KIB)
        watched.held.callback(None)
        self.successResultOf(early)
        asking.callback(None)
        self.failureResultOf(late, TemporaryFailure)
        self.assertEqual(self.sizes(), [60 * KIB])

    def test_prepared_ones_count_until_they_end(self) -> None:
        prepared = self.written(60 * KIB)
        self.answer(prepared.prepare())
        self.assertIs(self.objection(50 * KIB), OVER_QUOTA)
        self.answer(prepared.abort())
        self.answer(prepared.abort())
        self.assertIsNone(self.objection(50 * KIB))
        one, two = self.written(30 * KIB), self.written(30 * KIB)
        self.answer(one.prepare())
        self.answer(self.charged.deliver([one, two]))
        self.assertIsNone(self.objection(38 * KIB))
        three = self.written(30 * KIB)
        self.answer(three.prepare())
        self.answer(three.commit())
        self.assertEqual(self.sizes()[:3], [30 * KIB] * 3)

    def test_what_fails_is_struck_out(self) -> None:
        for step in ("deliver", "prepare", "commit"):
            delivery = self.written(60 * KIB)
            if step == "commit":
                self.answer(delivery.prepare())
            self.store.refuse_with = TemporaryFailure(DISK_FULL)
            self.ledger.store = MemoryStore()
            work = self.charged.deliver([delivery]) if step == "deliver" else getattr(delivery, step)()
            self.assertIs(self.refused(work).reply, DISK_FULL)
            self.ledger.store, self.store.refuse_with = self.store, None
            self.assertIsNone(self.objection(98 * KIB), step)

    def test_where_the_store_cannot_tell_nothing_is_taken(self) -> None:
        self.store.refuse_with = TemporaryFailure(DISK_FULL)
        self.assertIs(self.refused(self.ledger.objection(JOE, 1)).reply, DISK_FULL)
        self.assertIs(self.refused(self.charged.deliver([self.written(1)])).reply, DISK_FULL)

    def test_congestion_and_a_stranger(self) -> None:
        delivery = self.charged.begin(JOE)
        self.store.congested = True
        self.assertTrue(delivery.congested)
        waiting = Deferred.fromCoroutine(delivery.drained())
        self.assertNoResult(waiting)
        self.store.relieve()
        self.successResultOf(waiting)
        self.assertFalse(delivery.congested)
        strange = Deferred.fromCoroutine(self.charged.deliver([self.store.begin(JOE)]))
        self.failureResultOf(strange, TypeError)


class WarningTests(QuotaCase):
    def levels(self) -> list[int]:
        return [reached.level for reached in self.told]

    def test_once_at_each_level(self) -> None:
        for _ in range(7):
            self.deliver(11 * KIB)
        self.assertEqual(self.levels(), [])
        for _ in range(4):
            self.deliver(4 * KIB)
        self.assertEqual(self.levels(), [80])
        self.deliver(3 * KIB)
        self.assertEqual(self.levels(), [80, 95])
        self.assertEqual(len(self.letters()), 2)
        self.assertEqual(self.answer(self.store.warned(JOE)), 95)
        self.assertIn("quota.warned account=joe@example.net level=95", self.lines[-1])

    def test_from_nothing_to_full_is_one_letter(self) -> None:
        self.deliver(100 * KIB)
        self.assertEqual(self.levels(), [95])
        self.assertGreater(sum(self.sizes()), 100 * KIB, "though it has no place")
        self.assertEqual(self.told[0].usage, Usage(1, 100 * KIB))
        self.assertEqual(self.told[0].quota, Quota(100 * KIB))

    def test_below_it_counts_again(self) -> None:
        for _ in range(3):
            self.deliver(96 * KIB)
            self.empty()
        self.assertEqual(self.levels(), [95, 95, 95])
        self.deliver(82 * KIB)
        self.assertEqual(self.levels(), [95, 95, 95, 80])
        self.empty()
        self.deliver(10)
        self.assertEqual(self.answer(self.store.warned(JOE)), 0)

    def test_between_the_levels_the_higher_one_counts_again(self) -> None:
        self.deliver(82 * KIB)
        self.deliver(14 * KIB)
        maildrop = self.answer(self.store.open_maildrop(JOE))
        self.answer(maildrop.update(maildrop.messages[1:], []))
        self.deliver(1 * KIB)
        self.assertEqual(self.answer(self.store.warned(JOE)), 80)
        self.deliver(13 * KIB)
        self.assertEqual(self.levels(), [80, 95, 95])

    def test_who_is_refused_is_warned_too(self) -> None:
        """By another program, or a quota that was made smaller, a maildrop fills without a delivery."""
        delivery = self.store.begin(JOE)
        delivery.write(b"x" * 100 * KIB)
        self.answer(self.store.deliver([delivery]))
        self.assertIs(self.objection(), OVER_QUOTA)
        self.assertIs(self.objection(), OVER_QUOTA)
        self.assertEqual(self.levels(), [95])
        self.refused(self.charged.deliver([self.written(10)]))
        self.assertEqual(self.levels(), [95])

    def test_a_restart_warns_of_nothing_twice(self) -> None:
        self.deliver(96 * KIB)
        self.setUp_again()
        self.deliver(10)
        self.assertEqual(self.levels(), [95])

    def setUp_again(self) -> None:
        store, told, directory = self.store, self.told, self.directory
        self.setUp()
        self.store, self.told, self.directory = store, told, directory
        self.warnings.store = self.ledger.store = self.charged.inner = store
        self.ledger.directory = directory

    def test_many_at_once_are_one_letter(self) -> None:
        watched = WatchedStore(self.store)
        self.charged.inner = watched
        watched.held = Deferred()
        deliveries = [self.started(9 * KIB) for _ in range(10)]
        watched.held.callback(None)
        for delivery in deliveries:
            self.successResultOf(delivery)
        self.assertEqual(self.levels(), [80])

    def test_levels_that_are_due_at_one_time(self) -> None:
        """The letter of the first is still being written when the next level is reached, and again."""
        held: Deferred[None] = Deferred()
        self.warnings.store = Letterbox(self.store, held=held)
        self.deliver(82 * KIB)
        self.deliver(1 * KIB)
        self.deliver(13 * KIB)
        self.deliver(1 * KIB)
        self.assertEqual(self.levels(), [])
        held.callback(None)
        self.assertEqual(self.levels(), [80, 95])
        self.assertEqual(len(self.tasks), 0)

    def test_while_a_note_cannot_be_changed_one_waits_to_change_it(self) -> None:
        self.deliver(96 * KIB)
        self.empty()
        held = Deferred[None]()

        class Slow(Letterbox):
            async def note_warned(self, account: Address, level: int) -> None:
                await held
                await super().note_warned(account, level)

        self.warnings.store = Slow(self.store)
        for _ in range(10):
            self.assertIsNone(self.objection())
        self.assertEqual(len(self.tasks), 1)
        held.errback(TemporaryFailure(DISK_FULL))
        self.assertEqual((len(self.tasks), self.answer(self.store.warned(JOE))), (0, 95))
        self.warnings.store = self.store
        self.assertIsNone(self.objection())
        self.assertEqual(self.answer(self.store.warned(JOE)), 0)

    def test_who_was_warned_meanwhile_is_not_warned_again(self) -> None:
        standing = self.answer(self.ledger.standing(JOE)).after(85 * KIB)
        self.answer(self.store.note_warned(JOE, 80))
        self.warnings.reached(standing)
        self.warnings.fallen(standing)
        self.assertEqual((self.levels(), self.answer(self.store.warned(JOE))), ([], 80))

    def test_a_letter_that_cannot_be_delivered_comes_with_the_next_message(self) -> None:
        for error in (TemporaryFailure(DISK_FULL), ZeroDivisionError("a mistake")):
            self.warnings.store = Letterbox(self.store, fail={"deliver": error})
            self.deliver(82 * KIB)
            self.assertEqual((self.levels(), self.answer(self.store.warned(JOE))), ([], 0))
            self.warnings.store = self.store
            self.deliver(10)
            self.assertEqual(self.levels(), [80])
            self.told.clear()
            self.empty()
            self.deliver(10)
            self.empty()
        words = " ".join(self.lines)
        self.assertIn("quota.unable", words)
        self.assertIn("quota.failed", words)


class LetterTests(QuotaCase):
    def letter(self, quota: Quota, usage: Usage, rejects: bool = False, texts: QuotaTexts = ENGLISH) -> str:
        standing = self.answer(self.ledger.standing(JOE))
        head = Letterhead("mail.example.net", "quota-1", 1_795_000_000.0, rejects, texts)
        octets = letter(attrs.evolve(standing, quota=quota, usage=usage), 80, head)
        self.assertNotIn(b"\n", octets.replace(b"\r\n", b""))
        self.assertLess(max(map(len, octets.split(b"\r\n"))), 110)
        self.assertLess(len(octets), 3000)
        return octets.decode()

    def test_what_it_says(self) -> None:
        text = self.letter(Quota(2 << 30, 10_000), Usage(1234, 1_800_000_000))
        header, _, body = text.partition("\r\n\r\n")
        self.assertEqual(header.split("\r\n")[0], "Return-Path: <>")
        for field in (
            "From: Mail server <postmaster@mail.example.net>",
            "To: <joe@example.net>",
            "Subject: Your mailbox is 80 percent full",
            "Auto-Submitted: auto-generated",
            "Date: Wed, 18 Nov 2026 11:06:40 +0000",
            "Message-ID: <quota-1@mail.example.net>",
        ):
            self.assertIn(field, header.split("\r\n"))
        self.assertIn("messages: 1,234 of 10,000\r\n", body)
        self.assertIn("size:     1.7 GiB of 2.0 GiB\r\n", body)
        self.assertIn("has to wait", body)

    def test_in_german(self) -> None:
        text = self.letter(Quota(2 << 30, 10_000), Usage(1234, 1_800_000_000), texts=GERMAN)
        header, _, body = text.partition("\r\n\r\n")
        self.assertTrue(header.isascii())
        for field in (
            "From: Mailserver <postmaster@mail.example.net>",
            "Subject: Ihr Postfach ist zu 80 Prozent voll",
            "Content-Language: de",
        ):
            self.assertIn(field, header.split("\r\n"))
        self.assertIn("Nachrichten: 1.234 von 10.000\r\n", body)
        self.assertIn("Größe:       1,7 GiB von 2,0 GiB\r\n", body)
        self.assertIn("muss neue Post warten", body)
        self.assertIn("ohne Grenze", self.letter(Quota(0, 10), Usage(8, 0), True, GERMAN))

    def test_in_the_language_of_its_reader(self) -> None:
        self.warnings.texts_for = QuotaLanguages(Languages(self.directory), lambda: "en").texts_for
        self.answer(self.directory.change_account(Account(JOE, quota=Quota(100 * KIB), language="de")))
        self.deliver(90 * KIB)
        self.assertEqual([each.level for each in self.told], [80])
        self.assertIn(b"Content-Language: de", self.store.contents(JOE)[-1])

    def test_other_limits(self) -> None:
        text = self.letter(Quota(300 << 20), Usage(7, 200_000), rejects=True)
        self.assertIn("messages: 7, without a limit\r\n", text)
        self.assertIn("size:     196 KiB of 300 MiB\r\n", text)
        self.assertNotIn("has to wait", text)
        self.assertIn("without a limit", self.letter(Quota(0, 10), Usage(8, 0)).partition("size:")[2])
