"""PAM by the modules that every Debian has, with service files of the tests' own: no root is needed."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from mailsuite.accounts.sources.detached import Detached
from mailsuite.accounts.sources.libpam import LibPam
from mailsuite.accounts.sources.pam import PamChecker
from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED

LIBRARY = LibPam.load()


class PamTests(SynchronousTestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="ms-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def check(self, auth, account="pam_permit.so", name=b"joe", password=b"canary"):
        if auth:
            text = f"auth required {auth}\naccount required {account}\n"
            (self.folder / "mailtest").write_text(text)
        checker = PamChecker(LIBRARY, "mailtest", Inline(), self.folder)
        verifyObject(ICredentialsChecker, checker)
        return checker.requestAvatarId(UsernamePassword(name, password))

    def refused(self, *arguments, **keys):
        self.failureResultOf(self.check(*arguments, **keys), UnauthorizedLogin)

    def is_down(self, words, *arguments):
        failure = self.failureResultOf(self.check(*arguments), TemporaryFailure).value
        self.assertIn(words, failure.detail)
        self.assertNotIn("canary", failure.detail)

    def test_yes_and_no(self):
        self.assertEqual(self.successResultOf(self.check("pam_permit.so")), b"joe")
        self.refused("pam_deny.so")
        self.refused("pam_permit.so", "pam_deny.so")

    def test_what_is_nobodys_password_is_not_asked_about(self):
        for name, password in ((b"joe", b""), (b"joe", b"a\0b"), (b"joe\0", b"x")):
            self.refused("pam_permit.so", name=name, password=password)

    def test_a_service_that_is_not_there_is_no_wrong_password(self):
        self.is_down("there is no PAM service 'mailtest'", "")

    def test_a_module_that_is_not_there_is_no_wrong_password(self):
        self.is_down("(28)", "pam_that_nobody_wrote.so")

    def test_what_a_module_hears(self):
        """pam_exec hands the password to a program, which tells us."""
        heard = self.folder / "heard"
        program = self.folder / "program"
        program.write_text(f"#!/bin/sh\nprintf '%s:' \"$PAM_USER\" > {heard}; tr -d '\\0' >> {heard}\n")
        program.chmod(0o700)
        checking = self.check(f"pam_exec.so quiet expose_authtok {program}", password="grün x".encode())
        self.assertEqual(self.successResultOf(checking), b"joe")
        self.assertEqual(heard.read_text(), "joe:grün x")


class DetachedTests(SynchronousTestCase):
    """With a reactor that calls at once, and threads that wait for the test."""

    def setUp(self):
        self.calls = []
        self.called = threading.Semaphore(0)
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)
        self.threads = Detached(self, "pam", 2)

    def callFromThread(self, callable, *arguments):
        self.calls.append((callable, arguments))
        self.called.release()

    def deliver(self, count):
        """What the threads have brought, in the reactor."""
        for _ in range(count):
            self.assertTrue(self.called.acquire(timeout=20))
            callable, arguments = self.calls.pop(0)
            callable(*arguments)

    def run_(self, work=None):
        return Deferred.fromCoroutine(self.threads.run(work or (lambda: self.gate.wait(20))))

    def test_answers_and_failures(self):
        answer, failure = self.run_(lambda: 42), self.run_(lambda: {}["x"])
        self.deliver(2)
        self.assertEqual(self.successResultOf(answer), 42)
        self.failureResultOf(failure, KeyError)
        self.assertEqual((self.threads.running, self.threads.abandoned), (0, 0))

    def test_no_more_than_so_many(self):
        waiting = [self.run_(), self.run_()]
        self.assertEqual(self.failureResultOf(self.run_(), TemporaryFailure).value.reply, OVERLOADED)
        self.gate.set()
        self.deliver(2)
        for one in waiting:
            self.successResultOf(one)

    def test_threads_that_hang_are_abandoned_and_counted(self):
        for one in (self.run_(), self.run_()):
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.assertEqual((self.threads.running, self.threads.abandoned), (2, 2))
        failure = self.failureResultOf(self.run_(), TemporaryFailure).value
        self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
        self.assertEqual(failure.detail, "pam: none of 2 calls has come back")
        self.gate.set()
        self.deliver(2)
        self.assertEqual((self.threads.running, self.threads.abandoned), (0, 0))
        answer = self.run_(lambda: 1)
        self.deliver(1)
        self.assertEqual(self.successResultOf(answer), 1)


class ReactorTests(TestCase):
    async def test_over_the_real_reactor(self):
        self.assertEqual(await Detached(reactor, "x", 1).run(threading.current_thread) is not None, True)
