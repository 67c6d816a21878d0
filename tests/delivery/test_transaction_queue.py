"""A transaction over maildrops and the outbound queue is all or nothing; over LMTP each has its own fate."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.delivery.transaction import GATHERED_OCTETS, Transaction
from mailsuite.interfaces import IOutboundQueue, IQueuing
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.facts import Copy
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.message import Stored
from mailsuite.model.reply import DISK_FULL, STORE_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.queue.memory import MemoryQueue, MemoryQueuing
from tests.delivery.watched import WatchedStore

T = TypeVar("T")
JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
EVE = Address("eve", "example.org")
FULL = TemporaryFailure(DISK_FULL)
AWAY = TemporaryFailure(STORE_UNAVAILABLE)
OUTBOUND = OutboundEnvelope("id1", JOE, (OutboundRecipient(EVE),))


@implementer(IOutboundQueue)
class FailingQueue:
    """A queue whose step *name* raises *failure*, and that keeps what it has begun."""

    def __init__(self, name: str = "", failure: Exception = FULL) -> None:
        self.name, self.failure = name, failure
        self.memory = MemoryQueue()
        self.begun: list[FailingQueuing] = []

    def begin(self, envelope: OutboundEnvelope) -> FailingQueuing:
        self.step("begin")
        self.begun.append(FailingQueuing(self, self.memory.begin(envelope)))
        return self.begun[-1]

    def step(self, name: str) -> None:
        if name == self.name:
            raise self.failure


@implementer(IQueuing)
class FailingQueuing:
    def __init__(self, queue: FailingQueue, inner: MemoryQueuing) -> None:
        self.queue, self.inner = queue, inner
        self.envelope = inner.envelope
        self.steps: list[str] = []

    @property
    def congested(self) -> bool:
        return self.inner.congested

    def write(self, data: bytes) -> None:
        self.queue.step("write")
        self.inner.write(data)

    async def drained(self) -> None:
        await self.inner.drained()

    async def _do(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.steps.append(name)
        try:
            self.queue.step(name)
        except Exception:
            work.close()
            raise
        await work

    async def prepare(self) -> None:
        await self._do("prepare", self.inner.prepare())

    async def commit(self) -> None:
        await self._do("commit", self.inner.commit())

    async def abort(self) -> None:
        await self._do("abort", self.inner.abort())


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        self.make()

    def make(self, queue: FailingQueue | None = None, store: WatchedStore | None = None) -> None:
        self.queue = queue or FailingQueue()
        self.store = store or WatchedStore()
        self.transaction = Transaction(self.store, Log(lambda line, urgent: self.lines.append(line)))

    def begin(self, *accounts: Address) -> None:
        copies = [Copy(account, account) for account in accounts]
        self.transaction.begin(copies, lambda copy: f"To: {copy.account.local}\r\n".encode())

    def begin_both(self, *accounts: Address) -> None:
        self.begin(*(accounts or (JOE, ANN)))
        self.transaction.begin_outbound(self.queue, OUTBOUND, b"Received: here\r\n")
        self.transaction.write(b"one\r\n")

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def contents(self) -> list[tuple[bytes, ...]]:
        return [self.store.memory.contents(account) for account in (JOE, ANN)]

    def assert_nowhere(self, why: object = None) -> None:
        self.assertEqual(self.contents(), [(), ()], why)
        self.assertEqual(self.queue.memory.messages, (), why)
        self.assertEqual(self.store.open, 0, why)


class WithTheQueue(Case):
    def test_to_everybody_each_with_its_own_head(self) -> None:
        self.begin_both()
        self.transaction.write(b"two\r\n")
        stored = self.now(self.transaction.commit())
        self.assertEqual([each.account for each in stored], [JOE, ANN])
        self.assertEqual(self.contents(), [(b"To: joe\r\none\r\ntwo\r\n",), (b"To: ann\r\none\r\ntwo\r\n",)])
        (queued,) = self.queue.memory.messages
        self.assertEqual((queued.envelope, queued.content), (OUTBOUND, b"Received: here\r\none\r\ntwo\r\n"))
        self.assertEqual(self.queue.begun[0].steps, ["prepare", "commit"])
        self.assertEqual(self.store.open, 0)

    def test_to_the_queue_alone(self) -> None:
        self.transaction.begin_outbound(self.queue, OUTBOUND, b"Received: here\r\n")
        self.transaction.write(b"x" * GATHERED_OCTETS)
        self.assertEqual(self.now(self.transaction.commit()), ())
        (queued,) = self.queue.memory.messages
        self.assertEqual(queued.content, b"Received: here\r\n" + b"x" * GATHERED_OCTETS)

    def test_to_nobody(self) -> None:
        """Everybody it was for throws it away."""
        self.begin()
        self.transaction.write(b"one\r\n")
        self.assertEqual(self.now(self.transaction.commit()), ())

    def test_where_any_step_fails_it_is_nowhere(self) -> None:
        for failure in (FULL, ValueError("broken")):
            for step in ("prepare", "commit"):
                self.make(FailingQueue(step, failure))
                self.begin_both()
                committing = Deferred.fromCoroutine(self.transaction.commit())
                self.assertIs(self.failureResultOf(committing).value, failure)
                self.assert_nowhere(("queue", step))
                for account in (JOE, ANN):
                    self.make(store=WatchedStore(fail={step: failure}, fail_for=account))
                    self.begin_both()
                    committing = Deferred.fromCoroutine(self.transaction.commit())
                    self.assertIs(self.failureResultOf(committing).value, failure)
                    self.assert_nowhere((account, step))
                    self.assertNotIn("commit", self.queue.begun[0].steps, "nothing is sent to anybody")

    def test_the_first_failure_is_the_one_that_is_told(self) -> None:
        self.make(FailingQueue("prepare", AWAY), WatchedStore(fail={"prepare": FULL}))
        self.begin_both()
        committing = Deferred.fromCoroutine(self.transaction.commit())
        self.assertIs(self.failureResultOf(committing).value, FULL)

    def test_the_last_pieces_cannot_be_written(self) -> None:
        self.begin_both()
        self.queue.name = "write"
        self.failureResultOf(Deferred.fromCoroutine(self.transaction.commit()), TemporaryFailure)
        self.assert_nowhere()

    def test_a_queue_that_will_not_begin(self) -> None:
        self.queue.name = "begin"
        self.assertRaises(TemporaryFailure, self.begin_both)
        self.now(self.transaction.abort())
        self.assert_nowhere()

    def test_an_abort_that_fails_is_logged_and_keeps_nobody(self) -> None:
        self.begin_both()
        self.queue.name = "abort"
        self.now(self.transaction.abort())
        self.assertEqual(self.store.open, 0)
        (line,) = self.lines
        self.assertIn("delivery.abort_failed", line)
        self.assertIn("account=queue", line)

    def test_back_pressure_is_the_queues_too(self) -> None:
        self.begin_both()
        self.queue.memory.congested = True
        self.assertTrue(self.transaction.congested)
        waiting = Deferred.fromCoroutine(self.transaction.drained())
        self.assertNoResult(waiting)
        self.queue.memory.relieve()
        self.successResultOf(waiting)
        self.now(self.transaction.abort())


class EachForItself(Case):
    def test_all_go_well(self) -> None:
        self.begin(JOE, ANN)
        self.transaction.write(b"one\r\n")
        outcomes = self.now(self.transaction.commit_each())
        self.assertEqual([each.account for each in outcomes if isinstance(each, Stored)], [JOE, ANN])
        self.assertEqual(self.contents(), [(b"To: joe\r\none\r\n",), (b"To: ann\r\none\r\n",)])

    def test_one_fails_alone(self) -> None:
        for failure in (FULL, ValueError("broken")):
            self.make(store=WatchedStore(fail={"deliver": failure}, fail_for=JOE))
            self.begin(JOE, ANN)
            self.transaction.write(b"one\r\n")
            first, second = self.now(self.transaction.commit_each())
            self.assertIs(first, failure)
            self.assertIsInstance(second, Stored)
            self.assertEqual(self.contents(), [(), (b"To: ann\r\none\r\n",)])
            self.assertEqual(self.store.open, 0)

    def test_the_last_pieces_cannot_be_written(self) -> None:
        self.begin(JOE, ANN)
        self.transaction.write(b"one\r\n")
        self.store.fail = {"write": FULL}
        self.assertEqual(self.now(self.transaction.commit_each()), (FULL, FULL))
        self.assert_nowhere()
