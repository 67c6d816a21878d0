"""The embedded queue keeps the contract, with work done in place and with pools of threads."""

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Pool
from mailsuite.queue.sqlite.desk import SqliteDesk
from tests.contracts.outbound_queue import OutboundQueueContract
from tests.contracts.outbound_queue_sending import SendingContract
from tests.contracts.queue_desk import QueueDeskContract
from tests.queue.queues import QueueOnDisk


class InPlace(QueueOnDisk):
    def make_queue(self):
        return self.open_queue()

    def restarted(self, queue):
        return self.reopened(queue)

    def failure(self, coroutine, kind):
        with self.assertRaises(kind):
            self.answer(coroutine)

    def make_desk(self, queue):
        return SqliteDesk(queue)


class InThreads(InPlace):
    def make_queue(self):
        return self.open_queue(threads=self.pool(4), rows_thread=self.pool(1))

    def pool(self, size):
        pool = Pool(self.pump, "queue", size, 64)
        pool.start()
        self.addCleanup(pool.stop)
        return pool


class SqliteQueueContractTests(InPlace, OutboundQueueContract, SynchronousTestCase):
    pass


class SqliteQueueInThreadsContractTests(InThreads, OutboundQueueContract, SynchronousTestCase):
    pass


class SqliteSendingTests(InPlace, SendingContract, SynchronousTestCase):
    pass


class SqliteDeskTests(InPlace, QueueDeskContract, SynchronousTestCase):
    pass
