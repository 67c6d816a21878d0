"""A transaction is all or nothing, and ends every delivery that it begins."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.transaction import GATHERED_OCTETS, Transaction
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DISK_FULL
from mailsuite.observe.log import Log
from tests.delivery.watched import WatchedStore

T = TypeVar("T")
JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
FULL = TemporaryFailure(DISK_FULL)


class TransactionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = WatchedStore()
        self.lines: list[str] = []
        self.transaction = Transaction(self.store, Log(lambda line, urgent: self.lines.append(line)))

    def begin(self, *accounts: Address) -> None:
        copies = [Copy(account, account) for account in accounts]
        self.transaction.begin(copies, lambda copy: f"To: {copy.account.local}\r\n".encode())

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def contents(self) -> list[tuple[bytes, ...]]:
        return [self.store.memory.contents(account) for account in (JOE, ANN)]

    def test_delivers_to_all_each_with_its_own_head(self) -> None:
        self.begin(JOE, ANN)
        self.transaction.write(b"one\r\n")
        self.transaction.write(b"two\r\n")
        self.assertEqual(self.contents(), [(), ()])
        stored = self.now(self.transaction.commit())
        self.assertEqual([each.account for each in stored], [JOE, ANN])
        self.assertEqual(self.contents(), [(b"To: joe\r\none\r\ntwo\r\n",), (b"To: ann\r\none\r\ntwo\r\n",)])
        self.assertEqual(self.store.open, 0)

    def test_small_pieces_are_put_together(self) -> None:
        """A sender of single octets costs no more calls and memory than one of large segments."""
        self.begin(JOE, ANN)
        pieces = [b"%d" % (number % 10) for number in range(2 * GATHERED_OCTETS + 1)] + [b"x" * 70_000]
        for piece in pieces:
            self.transaction.write(piece)
        self.now(self.transaction.commit())
        for delivery in self.store.begun:
            self.assertEqual(delivery.written[1:], [GATHERED_OCTETS, GATHERED_OCTETS, 70_001, 0])
        for (content,) in self.contents():
            self.assertEqual(content.partition(b"\r\n")[2], b"".join(pieces))

    def test_large_pieces_are_handed_on_as_they_are(self) -> None:
        taken: list[bytes] = []

        class Taking:
            write = taken.append

        self.transaction.deliveries.append(cast(Any, Taking()))
        large = b"x" * GATHERED_OCTETS
        for piece in (large, b"small", large):
            self.transaction.write(piece)
        self.assertIs(taken[0], large)
        self.assertEqual(taken[1:], [b"small" + large])

    def test_the_last_pieces_cannot_be_written(self) -> None:
        self.begin(JOE, ANN)
        self.transaction.write(b"one\r\n")
        self.store.fail = {"write": FULL}
        committing = Deferred.fromCoroutine(self.transaction.commit())
        self.assertIs(self.failureResultOf(committing).value, FULL)
        self.assertEqual((self.contents(), self.store.open), ([(), ()], 0))

    def test_abort_leaves_nothing_any_number_of_times(self) -> None:
        self.begin(JOE, ANN)
        self.now(self.transaction.abort())
        self.now(self.transaction.abort())
        self.assertEqual(self.contents(), [(), ()])
        self.assertEqual(self.store.open, 0)

    def test_a_store_that_refuses_leaves_nothing(self) -> None:
        for step in ("deliver", "after-one"):
            for failure in (FULL, ValueError("broken")):
                self.store = WatchedStore(fail={step: failure})
                self.transaction = Transaction(self.store, Log())
                self.begin(JOE, ANN)
                committing = Deferred.fromCoroutine(self.transaction.commit())
                self.assertIs(self.failureResultOf(committing).value, failure)
                self.assertEqual(self.contents(), [(), ()])
                self.assertEqual(self.store.open, 0)

    def test_the_memory_store_failing_itself_leaves_nothing(self) -> None:
        self.begin(JOE, ANN)
        self.store.memory.refuse_with = FULL
        self.failureResultOf(Deferred.fromCoroutine(self.transaction.commit()), TemporaryFailure)
        self.assertEqual(self.contents(), [(), ()])
        self.assertEqual(self.store.open, 0)

    def test_a_failing_abort_is_logged_and_keeps_nobody(self) -> None:
        self.store.fail = {"abort": OSError(5, "disk"), "deliver": FULL}
        self.begin(JOE, ANN)
        committing = Deferred.fromCoroutine(self.transaction.commit())
        self.assertIs(self.failureResultOf(committing).value, FULL)
        self.assertEqual([delivery.aborts for delivery in self.store.begun], [1, 1])
        self.assertEqual(len(self.lines), 2)
        for line, account in zip(self.lines, ("joe", "ann"), strict=True):
            self.assertIn("delivery.abort_failed", line)
            self.assertIn(f"account={account}@example.net", line)
            self.assertIn("OSError", line)

    def test_what_was_begun_before_a_failure_to_begin_can_be_aborted(self) -> None:
        self.store.fail = {"begin": FULL}
        self.store.begin_at_most = 1
        self.assertRaises(TemporaryFailure, self.begin, JOE, ANN)
        self.assertEqual(self.store.open, 1)
        self.now(self.transaction.abort())
        self.assertEqual(self.store.open, 0)

    def test_a_head_that_cannot_be_written_is_no_open_delivery_forgotten(self) -> None:
        self.store.fail = {"write": FULL}
        self.assertRaises(TemporaryFailure, self.begin, JOE)
        self.now(self.transaction.abort())
        self.assertEqual((len(self.store.begun), self.store.open), (1, 0))

    def test_back_pressure_is_that_of_its_deliveries(self) -> None:
        self.assertFalse(self.transaction.congested)
        self.begin(JOE, ANN)
        self.assertFalse(self.transaction.congested)
        self.store.memory.congested = True
        self.assertTrue(self.transaction.congested)
        waiting = Deferred.fromCoroutine(self.transaction.drained())
        self.assertNoResult(waiting)
        self.store.memory.relieve()
        self.successResultOf(waiting)
        self.assertFalse(self.transaction.congested)
        self.now(self.transaction.abort())
