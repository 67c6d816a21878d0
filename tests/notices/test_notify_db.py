"""What the file does beside the contracts: it erases, it bears damage, it seals, and takes its time."""

from __future__ import annotations

import sqlite3

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.keyring import Keyring
from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.notice import MessageFacts
from mailsuite.model.subscription import Attempt, Cursor, SubscriptionState
from mailsuite.notices.sqlite import event_log as event_log_module
from mailsuite.notices.sqlite import subscriptions as subscriptions_module
from mailsuite.notices.sqlite.subscriptions import count_sealed
from tests.concurrent.held import HeldThreads
from tests.contracts.event_log import ANN, JOE, NOON, mail
from tests.contracts.subscriptions import FULL, PLAIN
from tests.notices.files import NotifyDbCase

SUBJECT = "the quarterly figures of aardvark"


class ErasingTests(NotifyDbCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.opened()
        self.subscriptions, self.event_log = self.db.subscriptions, self.db.event_log

    def sealed_of(self, id):
        [(sealed,)] = self.sql("SELECT sealed FROM subscription WHERE id = ?", id)
        return sealed

    def test_secrets_never_stand_there_in_the_clear(self):
        self.answer(self.subscriptions.add(FULL, 0))
        self.answer(self.subscriptions.change(attrs.evolve(FULL, target="https://elsewhere.example/token")))
        octets = self.octets()
        self.assertIn(b"push.example:443", octets)
        for secret in (
            b"very/secret",
            b"elsewhere.example/token",
            b" newest",
            b"BNc",
            b"x" * 100,
            b"c0dec0de",
        ):
            self.assertNotIn(secret, octets)

    def test_of_a_subscription_that_is_removed_nothing_is_left_in_the_files(self):
        for number in range(40):  # so that rows share pages, and move when others go
            self.answer(self.subscriptions.add(attrs.evolve(PLAIN, id=f"sub_{number:02}"), 0))
        self.answer(self.subscriptions.add(FULL, 0))
        self.answer(self.subscriptions.record([], [Attempt(FULL.id, 1, NOON, 0.1, "the aardvark refused")]))
        sealed = self.sealed_of(FULL.id)
        self.assertIn(sealed, self.octets())
        for id in ("sub_07", FULL.id):
            self.answer(self.subscriptions.remove(id))
        octets = self.octets()
        self.assertIn(b"sub_08", octets)
        for gone in (sealed, sealed[-64:], b"push.example:443", b"aardvark", FULL.id.encode(), b"sub_07"):
            self.assertNotIn(gone, octets)

    def test_of_a_dead_one_the_old_secrets_are_gone(self):
        self.answer(self.subscriptions.add(FULL, 0))
        sealed = self.sealed_of(FULL.id)
        dead = attrs.evolve(FULL, target="", secrets=(), options={}, state=SubscriptionState.DEAD)
        self.answer(self.subscriptions.change(dead))
        self.assertNotIn(sealed[-64:], self.octets())

    def test_of_an_account_that_is_erased_nothing_is_left_in_the_files(self):
        facts = MessageFacts(subject=SUBJECT)
        self.answer(self.event_log.append([*(mail(ANN) for _ in range(50)), mail(facts=facts), mail(ANN)]))
        self.assertIn(SUBJECT.encode(), self.octets())
        self.answer(self.event_log.erase(JOE))
        octets = self.octets()
        self.assertNotIn(SUBJECT.encode(), octets)
        self.assertNotIn(b"joe@", octets)
        self.assertIn(b"ann@", octets)

    def test_who_reads_an_old_state_delays_it_until_later(self):
        self.answer(self.event_log.append([mail(facts=MessageFacts(subject=SUBJECT))]))
        backup = sqlite3.connect(self.path, isolation_level=None)
        backup.execute("BEGIN")
        backup.execute("SELECT * FROM account_log").fetchall()
        self.answer(self.event_log.erase(JOE))
        self.assertTrue(any("notify.erasing_delayed" in line for line in self.lines))
        self.assertIn(SUBJECT.encode(), self.octets())
        backup.close()
        self.answer(self.event_log.trim(0.0, 1000))
        self.assertNotIn(SUBJECT.encode(), self.octets())
        self.assertFalse(self.db.event_log.eraser.owed)


class TailTests(NotifyDbCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.threads = HeldThreads()
        self.db = self.opened(threads=self.threads)
        self.event_log = self.db.event_log
        self.addCleanup(setattr, self.db.database, "threads", Inline())

    def asked(self, coroutine):
        """The answer, and whether the thread was needed for it."""
        asking = Deferred.fromCoroutine(coroutine)
        needed = bool(self.threads.held)
        while self.threads.held:
            self.threads.release()
        return self.successResultOf(asking), needed

    def seqs(self, after, limit=100, account=JOE):
        stretch, needed = self.asked(self.event_log.read(account, after, limit))
        return [entry.seq for entry in stretch.entries], needed

    def test_what_has_just_happened_is_read_without_the_thread(self):
        self.asked(self.event_log.append([mail(), mail()]))
        self.assertEqual(self.seqs(0), ([1, 2], False))
        self.assertEqual(self.seqs(1), ([2], False))
        self.assertEqual(self.seqs(0, limit=1), ([1], False))
        self.assertEqual(self.seqs(2), ([], False))
        self.assertEqual(self.seqs(0, account=ANN), ([], True))

    def test_what_happened_before_that_is_read_from_the_file(self):
        self.asked(self.event_log.append([mail() for _ in range(event_log_module.KEPT_ENTRIES + 3)]))
        self.assertEqual(self.seqs(2), ([*range(3, event_log_module.KEPT_ENTRIES + 4)], True))
        self.assertEqual(self.seqs(3)[1], False)

    def test_so_few_accounts_are_remembered(self):
        self.patch(event_log_module, "KEPT_ACCOUNTS", 2)
        others = [attrs.evolve(JOE, local=f"joe{number}") for number in range(2)]
        for account in (JOE, ANN, JOE, *others):
            self.asked(self.event_log.append([mail(account)]))
        self.assertEqual(
            [self.seqs(0, account=each)[1] for each in (JOE, ANN, *others)], [True] * 2 + [False] * 2
        )

    def test_what_was_trimmed_is_not_remembered(self):
        self.asked(self.event_log.append([mail(), mail()]))
        self.asked(self.event_log.trim(NOON + 1, 1000))
        self.assertEqual(self.seqs(0), ([], True))

    def test_after_a_failure_the_file_is_asked(self):
        self.asked(self.event_log.append([mail()]))
        good, self.db.database.path = self.db.database.path, self.folder / "missing" / "notify.db"
        self.db.database._drop()
        failing = Deferred.fromCoroutine(self.event_log.append([mail()]))
        self.threads.release()
        self.failureResultOf(failing, TemporaryFailure)
        self.db.database.path = good
        self.assertEqual(self.seqs(0), ([1], True))
        self.asked(self.event_log.append([mail()]))
        self.assertEqual(self.seqs(1), ([2], False))

    def test_of_an_account_that_is_erased_nothing_is_remembered(self):
        self.asked(self.event_log.append([mail()]))
        self.asked(self.event_log.erase(JOE))
        self.assertEqual(self.seqs(0), ([], True))


class DamageTests(NotifyDbCase, SynchronousTestCase):
    def test_an_entry_that_cannot_be_read_is_left_out_and_logged(self):
        db = self.opened()
        self.answer(db.event_log.append([mail(), mail(), mail(), mail(), mail()]))
        db = self.opened()
        self.sql("UPDATE account_log SET kind = 'mail.lost' WHERE seq = 1")
        self.sql("UPDATE account_log SET summary = '{\"facts\":[1]}' WHERE seq = 2")
        self.sql("UPDATE account_log SET summary = '{' WHERE seq = 4")
        stretch = self.answer(db.event_log.read(JOE, 0, 2))
        self.assertEqual([entry.seq for entry in stretch.entries], [3, 5])
        self.assertEqual((stretch.head, stretch.missed), (5, False))
        damaged = [line for line in self.lines if "notify.entry_unreadable" in line]
        self.assertEqual(len(damaged), 3)
        self.assertIn("account=joe@example.net seq=1", damaged[0])

    def test_a_subscription_that_cannot_be_read_is_left_out_and_logged(self):
        db = self.opened()
        for number in range(5):
            self.answer(db.subscriptions.add(attrs.evolve(FULL, id=f"sub_{number}"), 0))
        self.sql(
            "UPDATE subscription SET sealed = (SELECT sealed FROM subscription WHERE id = 'sub_4')"
            " WHERE id = 'sub_0'"
        )
        self.sql("UPDATE subscription SET filter = '{\"kinds\":[\"mail.lost\"]}' WHERE id = 'sub_1'")
        self.sql("UPDATE subscription SET state = 'drunk' WHERE id = 'sub_2'")
        self.sql("DELETE FROM cursor WHERE subscription = 'sub_3'")
        self.assertEqual([each.subscription.id for each in self.answer(db.subscriptions.all())], ["sub_4"])
        lines = [line for line in self.lines if "notify.subscription_unreadable" in line]
        self.assertEqual([f"subscription=sub_{n}" in line for n, line in enumerate(lines)], [True] * 4)
        self.assertNotIn("very/secret", "".join(self.lines))

    def test_a_file_that_is_none_is_told_as_temporary(self):
        self.path.write_bytes(b"no database at all" * 100)
        db = self.opened()
        coroutines = (db.event_log.append([mail()]), db.subscriptions.all(), db.event_log.erase(JOE))
        for coroutine in coroutines:
            self.failureResultOf(Deferred.fromCoroutine(coroutine), TemporaryFailure)


class SealTests(NotifyDbCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.opened()
        self.key_file = self.folder / "keys" / "seal.key"
        self.vault.use(Keyring.create(self.key_file))

    def reseal(self):
        return self.answer(self.db.subscriptions.reseal())

    def test_all_is_sealed_again_by_the_newest_key(self):
        self.patch(subscriptions_module, "RESEALED_AT_ONCE", 2)
        wanted = [attrs.evolve(FULL, id=f"sub_{number}") for number in range(5)]
        for each in wanted:
            self.answer(self.db.subscriptions.add(each, 0))
        self.assertEqual(self.reseal(), (0, 0))
        self.vault.use(self.vault.keyring.with_new_key(self.key_file))
        self.answer(self.db.subscriptions.add(PLAIN, 0))
        self.assertEqual(self.reseal(), (5, 0))
        self.assertEqual(self.reseal(), (0, 0))
        self.vault.use(self.vault.keyring.drop_old_keys(self.key_file))
        found = [each.subscription for each in self.answer(self.db.subscriptions.all())]
        self.assertEqual(sorted(found, key=lambda each: each.id), [*wanted, PLAIN])

    def test_what_no_key_opens_stays_as_it_is_and_is_counted(self):
        self.answer(self.db.subscriptions.add(PLAIN, 0))
        self.vault.use(Keyring.new())
        self.answer(self.db.subscriptions.add(FULL, 0))
        self.sql("UPDATE subscription SET sealed = x'00' WHERE id = ?", PLAIN.id)
        self.assertEqual(self.reseal(), (0, 1))
        self.assertEqual(self.answer(count_sealed(self.db.database)), 2)


class StepTests(NotifyDbCase, SynchronousTestCase):
    def test_trimming_lets_others_have_their_turn(self):
        self.patch(event_log_module, "TRIM_ACCOUNTS", 2)
        self.patch(event_log_module, "TRIM_ROWS", 3)
        threads = HeldThreads()
        db = self.opened(threads=threads)
        event_log = db.event_log
        accounts = [attrs.evolve(JOE, local=f"joe{number}") for number in range(5)]
        appending = Deferred.fromCoroutine(
            event_log.append([mail(account) for account in accounts for _ in range(4)])
        )
        threads.release()
        self.successResultOf(appending)
        trimming = Deferred.fromCoroutine(event_log.trim(NOON + 1, 1000))
        other = Deferred.fromCoroutine(event_log.heads([JOE]))
        threads.release()
        threads.release()
        self.successResultOf(other)
        self.assertNoResult(trimming)
        rounds = 0
        while not trimming.called:
            threads.release()
            rounds += 1
        self.assertEqual(self.successResultOf(trimming), 20)
        self.assertGreaterEqual(rounds, 5)
        db.database.threads = Inline()

    def test_only_what_must_be_durable_is_synced(self):
        said = []

        class Connection(sqlite3.Connection):
            def execute(self, statement, *values):
                if statement.startswith("PRAGMA synchronous"):
                    said.append(statement.rpartition(" ")[2])
                return super().execute(statement, *values)

        db = self.opened(Connection)
        self.answer(db.subscriptions.add(PLAIN, 0))
        for coroutine, expected in (
            (db.event_log.append([mail()]), "FULL"),
            (db.event_log.append([mail()], is_durable=False), "NORMAL"),
            (db.subscriptions.record([Cursor(PLAIN.id, 1)]), "NORMAL"),
            (db.subscriptions.change(PLAIN), "FULL"),
            (db.subscriptions.remove(PLAIN.id), "FULL"),
        ):
            self.answer(coroutine)
            self.assertEqual(said[-1], expected)
