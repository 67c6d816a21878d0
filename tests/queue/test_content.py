"""Content that nobody wants any more, while its file is being opened."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.queue.spool.content import SpooledContent
from tests.concurrent.held import HeldThreads
from tests.directory.folders import FolderCase


class ContentTests(FolderCase, SynchronousTestCase):
    def setUp(self):
        self.path = self.folder / "content"
        self.path.write_bytes(b"octets")
        self.threads = HeldThreads()
        self.content = SpooledContent(self.find, self.threads)

    async def find(self):
        return str(self.path), len(b"octets")

    def begin(self, octets=3):
        return Deferred.fromCoroutine(self.content.read(octets))

    def test_closed_while_it_is_opened(self):
        reading = self.begin()
        self.content.close()
        self.threads.release()
        self.threads.release()
        self.failureResultOf(reading, RuntimeError)
        self.assertTrue(self.content._descriptor.closed)

    def test_cancelled_while_it_is_opened(self):
        reading = self.begin()
        reading.addErrback(lambda failure: None)
        bring_back = self.threads.work()
        reading.cancel()
        bring_back()
        self.assertIsNone(self.content._descriptor)
        again = self.begin()
        self.threads.release()
        self.threads.release()
        self.assertEqual(self.successResultOf(again), b"oct")
        self.content.close()
