"""Who is let in, who is not, and that nobody can tell why."""

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.accounts.checkers import REFUSED, PasswordChecker
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import _NOBODYS, Passwords
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, OVERLOADED
from mailsuite.observe.log import Log
from tests.accounts.fakes import CHEAP, HASH, SECRET, CountingHasher, attempt
from tests.concurrent.held import HeldThreads

JOE = Account(Address("joe", "example.net"), password_hash=HASH)
DUMB = Account(Address("dumb", "example.net"))
BROKEN = Account(Address("broken", "example.net"), password_hash="canary-plain-text")
OTHER = CHEAP.hash("other-swordfish")
IMPOSSIBLE = (
    "",
    "@",
    "..",
    "../joe",
    "joe/../ann",
    "joe\0",
    "j*e",
    "joe\r\n",
    "\u212aoe",
    "x" * 400,
    "joe@\udc80",
)


class CheckerCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.lines = []
        self.hasher = CountingHasher()
        self.directory = MemoryDirectory((JOE, DUMB, BROKEN))
        self.cache = PasswordCache(self.clock.seconds)
        self.use(Inline())

    def use(self, threads):
        self.threads = threads
        log = Log(lambda line, urgent: self.lines.append(line))
        self.checker = PasswordChecker(self.directory, Passwords(threads, log, self.hasher), self.cache, log)

    def check(self, credentials):
        return self.checker.requestAvatarId(credentials)

    def admitted(self, credentials):
        return self.successResultOf(self.check(credentials))

    def refused(self, credentials):
        return self.failureResultOf(self.check(credentials), UnauthorizedLogin).value

    def change(self, coroutine):
        self.successResultOf(Deferred.fromCoroutine(coroutine))


class PasswordCheckerTests(CheckerCase):
    def test_provides_the_interface(self):
        verifyObject(ICredentialsChecker, self.checker)

    def test_the_right_password_gives_the_canonical_address(self):
        for name in ("joe@example.net", "JOE@EXAMPLE.NET", "joe", "Joe"):
            self.assertEqual(self.admitted(attempt(name)), b"joe@example.net")

    def test_a_bare_name_needs_a_default_domain(self):
        self.refused(attempt("joe", default_domain=""))
        self.refused(attempt("joe", default_domain="example.org"))
        self.checker = attrs.evolve(self.checker, default_domain="example.net")
        self.admitted(attempt("joe", default_domain=""))

    def test_twisted_s_own_credentials_are_taken_too(self):
        self.assertEqual(
            self.admitted(UsernamePassword(b"joe@example.net", SECRET.encode())), b"joe@example.net"
        )
        self.refused(UsernamePassword(b"joe@example.net", b"wrong"))
        self.refused(UsernamePassword(b"\xff\xfe", b"\xff"))

    def test_every_refusal_says_the_same(self):
        credentials = [
            attempt(password="wrong"),
            attempt(password=""),
            attempt("nobody@example.net"),
            attempt("joe@elsewhere.example"),
            attempt("dumb@example.net", ""),
            attempt("broken@example.net", "canary-plain-text"),
            *map(attempt, IMPOSSIBLE),
        ]
        said = {(type(error), error.args) for error in map(self.refused, credentials)}
        self.assertEqual(said, {(UnauthorizedLogin, (REFUSED,))})

    def test_nothing_is_made_for_a_name_that_is_nobody_s(self):
        before = self.successResultOf(Deferred.fromCoroutine(self.directory.accounts()))
        for name in IMPOSSIBLE:
            self.refused(attempt(name))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.directory.accounts())), before)
        self.assertEqual(len(self.cache), 0)

    def test_a_directory_that_is_away_is_no_wrong_password(self):
        self.admitted(attempt())
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        for credentials in (attempt(), attempt(password="wrong"), attempt("nobody")):
            failure = self.failureResultOf(self.check(credentials), TemporaryFailure)
            self.assertEqual(failure.value.reply, DIRECTORY_UNAVAILABLE)

    def test_threads_that_are_all_busy_are_no_wrong_password(self):
        async def busy(work):
            raise TemporaryFailure(OVERLOADED)

        threads = Inline()
        threads.run = busy
        self.use(threads)
        self.failureResultOf(self.check(attempt(password="wrong")), TemporaryFailure)


class SameWorkTests(CheckerCase):
    """One argon2 verification on every path; clocks would only guess."""

    def work(self, credentials):
        self.hasher.verified.clear()
        self.check(credentials).addErrback(lambda failure: failure.trap(UnauthorizedLogin))
        return [stored for stored, _ in self.hasher.verified]

    def test_every_path_verifies_once(self):
        self.assertEqual(self.work(attempt(password="wrong")), [HASH])
        self.assertEqual(self.work(attempt("nobody@example.net")), [_NOBODYS])
        self.assertEqual(self.work(attempt("joe@elsewhere.example")), [_NOBODYS])
        self.assertEqual(self.work(attempt("dumb@example.net")), [_NOBODYS])
        self.assertEqual(self.work(attempt("broken@example.net")), [_NOBODYS])
        for name in IMPOSSIBLE:
            self.assertEqual(self.work(attempt(name)), [_NOBODYS], name)
        self.assertEqual(self.work(attempt()), [HASH])

    def test_only_the_right_password_is_ever_cheap(self):
        self.admitted(attempt())
        self.assertEqual(self.work(attempt()), [])
        self.assertEqual(self.work(attempt("JOE")), [])
        self.assertEqual(self.work(attempt(password="wrong")), [HASH])
        self.assertEqual(self.work(attempt(password="wrong")), [HASH])

    def test_the_cache_ends(self):
        self.admitted(attempt())
        self.clock.advance(601)
        self.assertEqual(self.work(attempt()), [HASH])


class ChangeTests(CheckerCase):
    def test_a_new_password_counts_at_once(self):
        self.admitted(attempt())
        self.change(self.directory.change_account(attrs.evolve(JOE, password_hash=OTHER)))
        self.refused(attempt())
        self.admitted(attempt(password="other-swordfish"))

    def test_a_password_that_was_taken_away_counts_no_more(self):
        self.admitted(attempt())
        self.change(self.directory.change_account(attrs.evolve(JOE, password_hash="")))
        self.refused(attempt())

    def test_a_removed_account_is_refused_at_once(self):
        self.admitted(attempt())
        self.change(self.directory.remove_account(JOE.address))
        self.refused(attempt())

    def test_one_of_the_same_name_has_its_own_password(self):
        self.admitted(attempt())
        self.change(self.directory.remove_account(JOE.address))
        self.change(self.directory.add_account(attrs.evolve(JOE, password_hash=OTHER)))
        self.refused(attempt())

    def test_a_change_while_the_password_is_verified_counts(self):
        for change in (
            self.directory.change_account(attrs.evolve(JOE, password_hash=OTHER)),
            self.directory.remove_account(JOE.address),
        ):
            self.change(self.directory.remove_account(JOE.address))
            self.change(self.directory.add_account(JOE))
            self.use(HeldThreads())
            checking = self.check(attempt())
            self.change(change)
            self.threads.release()
            self.failureResultOf(checking, UnauthorizedLogin)
            self.assertEqual(len(self.cache), 0)

    def test_a_session_that_goes_away_leaves_nothing_behind(self):
        self.use(HeldThreads())
        checking = self.check(attempt())
        checking.cancel()
        self.failureResultOf(checking, CancelledError)
        self.threads.release()
        self.assertEqual(len(self.cache), 0)


class LogTests(CheckerCase):
    def test_a_refusal_says_why_to_us(self):
        for credentials, reason, account in (
            (attempt(password="wrong"), "wrong-password", "joe@example.net"),
            (attempt("dumb"), "no-password", "dumb@example.net"),
            (attempt("nobody"), "unknown-account", "None"),
            (attempt("../joe"), "impossible-name", "None"),
        ):
            self.lines.clear()
            self.refused(credentials)
            self.assertEqual(len(self.lines), 1)
            for word in ("login.refused", "session=s1", "service=pop3", "peer=192.0.2.9"):
                self.assertIn(word, self.lines[0])
            self.assertIn(f"reason={reason}", self.lines[0])
            self.assertIn(f"account={account}", self.lines[0])

    def test_no_password_and_no_hash_is_in_a_line_or_a_repr(self):
        shown = []
        for credentials in (
            attempt(),
            attempt(),
            attempt(password="canary-wrong"),
            attempt("canary-in-the-wrong-field"),
            attempt("canary-in-the-wrong-field@example.net"),
            attempt("canary in the wrong field"),
            attempt("broken", "canary-plain-text"),
            attempt("dumb", "canary-x"),
        ):
            checking = self.check(credentials)
            checking.addErrback(lambda failure: shown.append(failure.getTraceback() + repr(failure.value)))
            shown.append(repr(credentials))
        shown += [repr(thing) for thing in (self.checker, self.cache, self.directory, JOE)]
        text = "\n".join(self.lines + shown)
        self.assertIn("login.refused", text)
        self.assertNotIn("canary", text)
        self.assertNotIn("$argon2", text)
