"""One session at a time across processes; a killed process holds nothing."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import MaildropInUse, TemporaryFailure
from tests.store.maildirs import JOE, MaildirCase

HOLDER = """
import sys
from mailsuite.durable.directories import Directories
from mailsuite.durable.files import Files
from mailsuite.store.maildir.layout import SUBDIRECTORIES
from mailsuite.store.maildir.lock import take_lock
from mailsuite.model.failure import MaildropInUse
try:
    lock = take_lock(sys.argv[1], Directories(sys.argv[2], Files(), SUBDIRECTORIES))
except MaildropInUse:
    print("in use", flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
"""


class LockTests(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.store = self.maildir_store()

    def another_process(self):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.maildir()), str(self.root / "mail")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def opened(self):
        return self.pump.answer(self.store.open_maildrop(JOE))

    def test_two_processes(self):
        process, said = self.another_process()
        self.assertEqual(said, "held")
        with self.assertRaises(MaildropInUse):
            self.opened()
        self.assertEqual(self.another_process()[1], "in use")
        process.stdin.write("\n")
        process.stdin.flush()
        process.wait(30)
        maildrop = self.opened()
        self.assertEqual(self.another_process()[1], "in use")
        self.pump.answer(maildrop.release())
        self.assertEqual(self.another_process()[1], "held")

    def test_a_killed_process_holds_nothing(self):
        process, said = self.another_process()
        self.assertEqual(said, "held")
        process.kill()
        process.wait(30)
        self.pump.answer(self.opened().release())

    def test_the_lock_is_not_inherited(self):
        maildrop = self.opened()
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.pump.answer(maildrop.release())
        self.pump.answer(self.opened().release())

    def test_something_else_in_the_place_of_the_lock(self):
        self.maildir().mkdir(parents=True)
        os.symlink("/etc/passwd", self.maildir() / "mailsuite.lock")
        with self.assertRaises(TemporaryFailure) as raised:
            self.opened()
        self.assertNotIsInstance(raised.exception, MaildropInUse)

    def test_a_listing_that_fails_gives_the_lock_back(self):
        self.maildir().mkdir(parents=True)
        (self.maildir() / "new").write_bytes(b"no directory")
        with self.assertRaises(TemporaryFailure):
            self.opened()
        (self.maildir() / "new").unlink()
        self.pump.answer(self.opened().release())

    def test_use_after_release(self):
        self.deliver(self.store, self.written(self.store))
        maildrop = self.opened()
        self.pump.answer(maildrop.release())
        with self.assertRaises(RuntimeError):
            self.pump.answer(maildrop.open(maildrop.messages[0]))
        with self.assertRaises(RuntimeError):
            self.pump.answer(maildrop.update(maildrop.messages, []))
        self.assertEqual(len(self.visible()), 1)

    def test_modes(self):
        self.opened()
        self.assertEqual((self.maildir() / "mailsuite.lock").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.maildir().stat().st_mode & 0o777, 0o700)
