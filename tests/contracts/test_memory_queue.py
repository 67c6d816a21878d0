"""The memory queue keeps the contract, and obeys the tests that steer it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DISK_FULL
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk
from tests.contracts.outbound_queue import OutboundQueueContract
from tests.contracts.outbound_queue_sending import SendingContract
from tests.contracts.queue_desk import QueueDeskContract


class Memory:
    def make_queue(self):
        return MemoryQueue()

    def restarted(self, queue):
        return queue

    def queued(self, queue):
        return [(each.envelope, each.content) for each in queue.messages]


class MemorySendingTests(Memory, SendingContract, SynchronousTestCase):
    pass


class MemoryDeskTests(Memory, QueueDeskContract, SynchronousTestCase):
    def make_desk(self, queue):
        return MemoryDesk(queue)


class MemoryQueueContractTests(Memory, OutboundQueueContract, SynchronousTestCase):
    def test_refusal_at_either_step(self):
        self.queue.refuse_with = TemporaryFailure(DISK_FULL)
        queuing = self.begun()
        self.failureResultOf(Deferred.fromCoroutine(queuing.prepare()), TemporaryFailure)
        self.queue.refuse_with = None
        self.answer(queuing.prepare())
        self.queue.refuse_with = TemporaryFailure(DISK_FULL)
        self.failureResultOf(Deferred.fromCoroutine(queuing.commit()), TemporaryFailure)
        self.assertEqual(self.queue.messages, ())

    def test_congestion(self):
        queuing = self.begun()
        self.queue.congested = True
        self.assertTrue(queuing.congested)
        waiting = Deferred.fromCoroutine(queuing.drained())
        self.assertNoResult(waiting)
        self.queue.relieve()
        self.successResultOf(waiting)
        self.assertFalse(queuing.congested)
