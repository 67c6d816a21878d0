"""Work that is in a thread while the session goes away: nothing leaks, nothing is used after its closing."""

import errno
import os
import threading

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.durable.descriptor import Descriptor
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import MaildropInUse, TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.store.maildir import body as body_module
from tests.store.maildirs import JOE, MESSAGE, MaildirCase


@implementer(IThreads)
class Stepped:
    """Threads whose work the test carries out, and whose outcome it hands back, when it wants."""

    def __init__(self):
        self.waiting = []
        self.direct = True
        self.refuse = False
        self.calls = 0

    async def run(self, work):
        self.calls += 1
        if self.refuse:
            raise TemporaryFailure(OVERLOADED)
        if self.direct:
            return work()
        done = Deferred()
        self.waiting.append((work, done))
        return await done

    def step(self):
        """Carry out the oldest work; answers the function that hands its outcome back."""
        work, done = self.waiting.pop(0)
        try:
            result = work()
        except Exception as error:
            return lambda error=error: done.called or done.errback(error)
        return lambda: done.called or done.callback(result)


def descriptors():
    return {
        name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)
    }


def _is_open(name):
    return os.path.lexists(f"/proc/self/fd/{name}")


class ThreadCase(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.threads = Stepped()
        self.store = self.maildir_store(threads=self.threads)

    def open_files(self):
        return sorted(path for path in descriptors().values() if path.startswith(str(self.root)))

    def opened(self):
        return self.pump.answer(self.store.open_maildrop(JOE))


class ReadingTests(ThreadCase):
    def setUp(self):
        super().setUp()
        self.content = b"0123456789abcde\n" * 10_000
        self.deliver(self.store, self.written(self.store, self.content))

    def test_opening_a_maildrop_cancelled_before_the_thread_has_it(self):
        self.threads.direct = False
        opening = self.pump.start(self.store.open_maildrop(JOE))
        opening.cancel()
        self.threads.step()()
        self.failureResultOf(opening, CancelledError)
        self.assertEqual(self.open_files(), [])

    def test_opening_a_maildrop_cancelled_when_the_thread_has_it(self):
        self.threads.direct = False
        opening = self.pump.start(self.store.open_maildrop(JOE))
        hand_over = self.threads.step()
        self.threads.direct = True
        with self.assertRaises(MaildropInUse):
            self.opened()
        opening.cancel()
        hand_over()
        self.failureResultOf(opening, CancelledError)
        self.pump.answer(self.opened().release())
        self.assertEqual(self.open_files(), [])

    def test_opening_a_message_cancelled(self):
        self.nothing_in_memory()
        maildrop = self.opened()
        before = self.open_files()
        for early in (True, False):
            self.threads.direct = False
            opening = self.pump.start(maildrop.open(maildrop.messages[0]))
            if early:
                opening.cancel()
            hand_over = self.threads.step()
            opening.cancel()
            hand_over()
            self.failureResultOf(opening, CancelledError)
            self.assertEqual(self.open_files(), before)

    def test_a_body_closed_while_a_thread_reads_it(self):
        maildrop = self.opened()
        before = self.open_files()
        body = self.pump.answer(maildrop.open(maildrop.messages[0]))
        with body._file.borrowed():
            body.close()
            self.assertEqual(body.descriptor, -1)
            self.assertNotEqual(self.open_files(), before, "the thread still has it")
        self.assertEqual(self.open_files(), before)
        body.close()

    def nothing_in_memory(self):
        def fail(*arguments):
            raise BlockingIOError(errno.EAGAIN, "not in memory")

        self.patch(body_module, "open_regular_cached", fail)
        self.patch(body_module, "pread_cached", fail)

    def test_a_read_that_comes_after_the_closing(self):
        self.nothing_in_memory()
        maildrop = self.opened()
        body = self.pump.answer(maildrop.open(maildrop.messages[0]))
        self.pump.answer(body.read())
        self.threads.direct = False
        reading = self.pump.start(body.read())
        body.close()
        self.threads.step()()
        self.failureResultOf(reading, RuntimeError)

    def test_released_while_a_thread_expunges(self):
        maildrop = self.opened()
        with maildrop._lock.borrowed():
            self.pump.answer(maildrop.release())
            with self.assertRaises(MaildropInUse):
                self.opened()
        self.pump.answer(self.opened().release())

    def test_expunge_that_comes_after_the_release_deletes_nothing(self):
        maildrop = self.opened()
        self.threads.direct = False
        expunging = self.pump.start(maildrop.update(maildrop.messages, []))
        self.pump.answer(maildrop.release())
        self.threads.step()()
        self.failureResultOf(expunging, RuntimeError)
        self.assertEqual(len(self.visible()), 1)

    def test_a_message_in_memory_takes_no_hand_over(self):
        maildrop = self.opened()
        self.threads.calls = 0
        body = self.pump.answer(maildrop.open(maildrop.messages[0]))
        while self.pump.answer(body.read()):
            pass
        self.assertEqual(self.threads.calls, 0)
        body.close()

    def test_a_small_message_takes_one_hand_over(self):
        self.nothing_in_memory()
        self.deliver(self.store, self.written(self.store))
        maildrop = self.opened()
        self.threads.calls = 0
        body = self.pump.answer(maildrop.open(maildrop.messages[1]))
        self.assertEqual(self.pump.answer(body.read()), MESSAGE)
        self.assertEqual(self.pump.answer(body.read()), b"")
        self.assertEqual(self.threads.calls, 1)
        body.close()

    def test_no_thread_to_be_had(self):
        self.nothing_in_memory()
        maildrop = self.opened()
        body = self.pump.answer(maildrop.open(maildrop.messages[0]))
        self.pump.answer(body.read())
        self.threads.refuse = True
        for call in (self.store.open_maildrop(JOE), maildrop.open(maildrop.messages[0]), body.read()):
            with self.assertRaises(TemporaryFailure):
                self.pump.answer(call)
        body.close()


class DescriptorTests(ThreadCase):
    """Whether a body's descriptor may be sent as it stands."""

    def body_of(self, content, name=None):
        if name is None:
            self.deliver(self.store, self.written(self.store, content))
        else:
            (self.maildir() / "new").mkdir(parents=True, exist_ok=True)
            (self.maildir() / "new" / name).write_bytes(content)
        maildrop = self.opened()
        body = self.pump.answer(maildrop.open(maildrop.messages[-1]))
        self.addCleanup(body.close)
        self.pump.answer(maildrop.release())
        return body

    def test_wire_form(self):
        body = self.body_of(MESSAGE)
        self.assertEqual(os.pread(body.descriptor, 1000, 0), MESSAGE)
        self.assertEqual(os.lseek(body.descriptor, 0, os.SEEK_CUR), 0)
        body.close()
        self.assertEqual(body.descriptor, -1)

    def test_empty(self):
        self.assertGreaterEqual(self.body_of(b"").descriptor, 0)

    def test_without_a_line_end(self):
        self.assertEqual(self.body_of(b"no end").descriptor, -1)
        self.assertEqual(self.body_of(b"\n").descriptor, -1)

    def test_foreign(self):
        self.assertEqual(self.body_of(b"a\nb\n", "1700000000.M1P1.h,S=4,W=6").descriptor, -1)

    def test_foreign_in_wire_form(self):
        """Anybody may write that it is, and err."""
        self.assertEqual(self.body_of(b"a\r\nb\r\n", "1700000000.M1P1.h,S=6,W=6").descriptor, -1)

    def test_any_number_of_closings(self):
        number = os.open("/dev/null", os.O_RDONLY)
        descriptor = Descriptor(number)
        descriptor.close()
        again = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, again)
        self.assertEqual(again, number)
        descriptor.close()
        os.fstat(again)


class SpoolTests(ThreadCase):
    """Large messages: 256 KiB wait in memory, then a thread writes."""

    piece = b"x" * 65_535 + b"\n"

    def setUp(self):
        super().setUp()
        self.threads.direct = False

    def writing(self, pieces):
        delivery = self.store.begin(JOE)
        for _ in range(pieces):
            delivery.write(self.piece)
        return delivery

    def finish(self, waiting):
        """Carry out all that threads have to do until *waiting* has its result."""
        while self.threads.waiting:
            self.threads.step()()
        return self.pump.result(waiting)

    def test_small_messages_need_no_thread(self):
        delivery = self.writing(4)
        self.assertEqual(self.threads.waiting, [])
        self.pump.answer(self.store.deliver([delivery]))

    def test_one_piece_of_work_at_a_time(self):
        delivery = self.writing(12)
        self.assertEqual(len(self.threads.waiting), 1)
        (stored,) = self.finish(self.pump.start(self.store.deliver([delivery])))
        self.assertEqual(stored.size, 12 * 65_536)
        (path,) = self.visible()
        self.assertEqual(path.read_bytes(), self.piece * 12)

    def test_a_large_message_is_synced_before_the_committer_has_it(self):
        synced_by = []
        sync = self.store.files.sync

        def noting(descriptor):
            synced_by.append(threading.current_thread().name)
            sync(descriptor)

        self.patch(self.store.files, "sync", noting)
        self.finish(self.pump.start(self.store.deliver([self.writing(12), self.written(self.store)])))
        self.assertEqual(synced_by, [threading.current_thread().name, "committer"])

    def test_back_pressure(self):
        delivery = self.writing(8)
        self.assertFalse(delivery.congested)
        self.assertIsNotNone(self.successResultOf(self.pump.start(_answer(delivery.drained(), "at once"))))
        delivery.write(self.piece)
        self.assertTrue(delivery.congested)
        draining = self.pump.start(delivery.drained())
        cancelled = self.pump.start(delivery.drained())
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.threads.step()()  # the first five pieces
        self.assertFalse(delivery.congested)
        self.successResultOf(draining)
        for _ in range(12):
            delivery.write(self.piece)
        draining = self.pump.start(delivery.drained())
        self.threads.step()()  # the next four
        self.assertTrue(delivery.congested)
        self.assertNoResult(draining)
        self.threads.step()()
        self.successResultOf(draining)
        self.finish(self.pump.start(delivery.prepare()))
        self.pump.answer(delivery.commit())
        self.assertEqual(self.visible()[0].stat().st_size, 21 * 65_536)

    def test_refused_by_the_pool(self):
        self.threads.refuse = True
        delivery = self.writing(12)
        self.assertFalse(delivery.congested)
        with self.assertRaises(TemporaryFailure) as raised:
            self.pump.answer(self.store.deliver([delivery]))
        self.assertEqual(raised.exception.reply, OVERLOADED)

    def test_a_failure_relieves_who_waits(self):
        self.maildir().parent.mkdir(parents=True)
        self.maildir().write_bytes(b"not a directory")
        delivery = self.writing(12)
        draining = self.pump.start(delivery.drained())
        self.threads.step()()
        self.successResultOf(draining)
        delivery.write(self.piece)
        self.assertEqual(self.threads.waiting, [])
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(delivery.prepare())

    def test_abort_waits_for_the_thread(self):
        delivery = self.writing(12)
        aborting = self.pump.start(delivery.abort())
        another = self.written(self.store)
        self.pump.answer(self.store.deliver([another]))  # behind an undo that did not wait
        self.pump.answer(another.abort())
        self.assertNoResult(aborting)
        self.assertEqual(len(self.threads.waiting), 1)
        self.finish(aborting)
        self.assertEqual(self.unfinished(), [])
        self.assertEqual(self.open_files(), [])

    def test_abort_between_two_pieces(self):
        delivery = self.writing(5)
        self.threads.step()()
        self.assertEqual(len(self.unfinished()), 1)
        self.pump.answer(delivery.abort())
        self.assertEqual(self.unfinished(), [])
        self.assertEqual(self.open_files(), [])

    def test_cancelled_while_it_is_spooled(self):
        delivering = self.pump.start(self.store.deliver([self.writing(12)]))
        delivering.cancel()
        with self.assertRaises(CancelledError):
            self.finish(delivering)
        self.assertEqual(self.unfinished() + self.visible(), [])
        self.assertEqual(self.open_files(), [])

    def test_one_large_message_that_fails_takes_its_transaction_with_it(self):
        (self.maildir().parent).mkdir(parents=True)
        (self.maildir().parent / "ann").write_bytes(b"not a directory")
        large = self.store.begin(type(JOE)("ann", "example.net"))
        large.write(self.piece * 8)
        with self.assertRaises(TemporaryFailure):
            self.finish(
                self.pump.start(self.store.deliver([self.written(self.store), self.writing(8), large]))
            )
        self.assertEqual(self.unfinished() + self.visible(), [])


async def _answer(waiting, result):
    await waiting
    return result


class DotTests(ThreadCase):
    def test_the_dot_flag(self):
        for pieces, dots in (
            ([b".\r\n"], True),
            ([b"a\r\n.\r\n"], True),
            ([b"a\r\n", b".b\r\n"], True),
            ([b"a\r", b"\n", b".b\r\n"], True),
            ([b"", b".b\r\n"], True),
            ([b"a\r\n", b"", b".b\r\n"], True),
            ([b"a.b\r\n", b"c", b".d\r\n"], False),
            ([b"a"], False),
            ([], False),
        ):
            delivery = self.store.begin(JOE)
            for piece in pieces:
                delivery.write(piece)
            self.deliver(self.store, delivery)
            maildrop = self.opened()
            self.assertEqual(maildrop.messages[-1].dot_lines, dots, pieces)
            self.pump.answer(maildrop.release())


class StaleTests(ThreadCase):
    def test_only_old_plain_files_in_tmp(self):
        self.deliver(self.store, self.written(self.store))
        tmp = self.maildir() / "tmp"
        (tmp / "1.left").write_bytes(b"torn")
        os.utime(tmp / "1.left", (0, 0))
        (tmp / "directory").mkdir()
        (self.root / "mail" / "example.net" / "stray").write_bytes(b"")
        now = os.stat(tmp / "1.left").st_ctime
        self.assertEqual(self.pump.answer(self.store.clean_stale(now + 36 * 3600 - 1)), 0)
        self.assertEqual(self.pump.answer(self.store.clean_stale(now + 36 * 3600 + 1)), 1)
        self.assertEqual([path.name for path in self.unfinished()], ["directory"])
        self.assertEqual(len(self.visible()), 1)

    def test_a_store_without_mail(self):
        self.assertEqual(self.pump.answer(self.store.clean_stale(0)), 0)
