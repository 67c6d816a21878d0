"""Work on one maildir takes turns, and never waits in a thread."""

import fcntl
import os

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Pool
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.model.retention import Retention
from mailsuite.model.view import Box, View
from mailsuite.store.maildir import lock as lock_module
from mailsuite.store.maildir.turns import MAX_WAITING, Turns
from tests.store.maildir.test_threads import Stepped
from tests.store.maildirs import ANN, JOE, MaildirCase
from tests.store.pump import Pump
from tests.store.recording import RecordingFiles

DESK = View(device="desk")


class TurnsTests(SynchronousTestCase):
    def setUp(self):
        self.threads = Stepped()
        self.threads.direct = False
        self.turns = Turns(self.threads)
        self.pump = Pump()
        self.done = []

    def begin(self, name, maildir="/joe"):
        return self.pump.start(self.turns.of(maildir).run(lambda: self.done.append(name) or name))

    def step(self):
        self.threads.step()()

    def test_one_after_the_other(self):
        running = [self.begin(name) for name in "abc"]
        self.assertEqual(len(self.threads.waiting), 1)
        for _ in running:
            self.step()
        self.assertEqual([self.successResultOf(each) for each in running], ["a", "b", "c"])
        self.assertEqual((self.done, self.turns._waiting), (["a", "b", "c"], {}))

    def test_others_do_not_wait(self):
        self.begin("a")
        other = self.begin("b", "/ann")
        self.threads.waiting.pop()[1].callback("b")
        self.assertEqual(self.successResultOf(other), "b")

    def test_so_many_wait_and_no_more(self):
        running = [self.begin(number) for number in range(1 + MAX_WAITING)]
        failure = self.failureResultOf(self.begin("surplus"), TemporaryFailure)
        self.assertIs(failure.value.reply, OVERLOADED)
        for _ in running:
            self.step()
        self.assertEqual(self.done, list(range(1 + MAX_WAITING)))

    def test_work_that_fails_ends_the_turn(self):
        failing = self.pump.start(self.turns.of("/joe").run(lambda: 1 / 0))
        after = self.begin("after")
        self.step()
        self.failureResultOf(failing, ZeroDivisionError)
        self.step()
        self.assertEqual(self.successResultOf(after), "after")

    def test_threads_that_refuse_end_the_turn(self):
        self.threads.refuse = True
        for _ in range(2):
            self.failureResultOf(self.begin("refused"), TemporaryFailure)
        self.assertEqual(self.turns._waiting, {})

    def test_who_is_cancelled_while_waiting_does_nothing(self):
        first, second, third = (self.begin(name) for name in "abc")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.step()
        self.step()
        self.assertEqual((self.done, self.turns._waiting), (["a", "c"], {}))
        self.assertEqual([self.successResultOf(each) for each in (first, third)], ["a", "c"])

    def test_who_is_cancelled_at_work_keeps_the_turn_until_the_thread_has_ended(self):
        """Else whoever logs in and goes away, again and again, takes thread after thread."""
        running = [self.begin(name) for name in "abc"]
        for each in running[:2]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(len(self.threads.waiting), 1)
        self.step()
        self.step()
        self.assertEqual((self.done, self.successResultOf(running[2])), (["a", "c"], "c"))

    def test_a_coroutine_that_is_closed_waits_no_more(self):
        self.begin("a")
        waiting = self.turns.of("/joe").run(lambda: None)
        waiting.send(None)
        waiting.close()
        self.step()
        self.assertEqual(self.turns._waiting, {})


class StoreTests(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.files = RecordingFiles(self.root)
        self.pool = Pool(self.pump, "store", 2, 16)
        self.pool.start()
        self.addCleanup(self.pool.stop)
        self.store = self.maildir_store(self.files, threads=self.pool)
        for account in (JOE, ANN):
            self.deliver(self.store, self.written(self.store, account=account))
        self.pump.answer(self.pump.answer(self.store.open_maildrop(JOE, DESK)).release())

    def test_the_devices_of_one_account_leave_threads_to_others(self):
        self.files.hold = "replace"
        work = [
            self.store.open_maildrop(JOE, View(device="phone")),
            *(self.store.open_maildrop(JOE, View(device=f"d{number}")) for number in range(4)),
            self.store.open_maildrop(JOE, View(Box.RESTORE)),
            self.store.enroll_view(JOE, "tablet"),
            self.store.forget_view(JOE, "desk"),
            self.store.expire(JOE, Retention(), 0.0),
            self.store.undelete(JOE, ["x"]),
        ]
        running = [self.pump.start(each) for each in work]
        self.assertTrue(self.files.held.wait(30))
        maildrop = self.pump.answer(self.store.open_maildrop(ANN))
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 0)
        self.pump.answer(self.pump.answer(self.store.open_maildrop(JOE)).release())
        self.assertFalse(any(each.called for each in running))
        self.files.release()
        for each in running:
            self.pump.result(each)

    def test_an_update_takes_its_turn(self):
        maildrop = self.pump.answer(self.store.open_maildrop(JOE, DESK))
        self.files.hold = "replace"
        running = [self.pump.start(self.store.enroll_view(JOE, "phone"))]
        running += [self.pump.start(maildrop.update(maildrop.messages, [])) for _ in range(3)]
        self.assertTrue(self.files.held.wait(30))
        self.pump.answer(self.pump.answer(self.store.open_maildrop(ANN)).release())
        self.files.release()
        for each in running:
            self.pump.result(each)


class OtherProcessTests(MaildirCase, SynchronousTestCase):
    """A second open file is to flock(2) what another process is."""

    def setUp(self):
        super().setUp()
        self.store = self.maildir_store()
        self.pump.answer(self.store.enroll_view(JOE, "desk"))
        self.other = os.open(self.maildir() / "mailsuite.views" / ".lock", os.O_RDWR)
        self.addCleanup(os.close, self.other)
        fcntl.flock(self.other, fcntl.LOCK_EX)
        self.pauses = []

    def test_it_is_waited_for(self):
        def pause(seconds):
            self.pauses.append(seconds)
            if len(self.pauses) == 3:
                fcntl.flock(self.other, fcntl.LOCK_UN)

        self.patch(lock_module, "sleep", pause)
        self.pump.answer(self.pump.answer(self.store.open_maildrop(JOE, DESK)).release())
        self.assertEqual(len(self.pauses), 3)

    def test_but_not_for_ever(self):
        self.patch(lock_module, "sleep", self.pauses.append)
        for work in (
            self.store.open_maildrop(JOE, DESK),
            self.store.forget_view(JOE, "desk"),
            self.store.expire(JOE, Retention(), 0.0),
        ):
            self.pauses.clear()
            with self.assertRaises(TemporaryFailure):
                self.pump.answer(work)
            self.assertAlmostEqual(sum(self.pauses), lock_module.PATIENCE)
        fcntl.flock(self.other, fcntl.LOCK_UN)
        self.pump.answer(self.pump.answer(self.store.open_maildrop(JOE, DESK)).release())
