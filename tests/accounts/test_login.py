"""The whole way of a login: portal, checker, realm, sighting."""

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.checkers import PasswordChecker
from mailsuite.accounts.login import Login
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.realm import MailRealm
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.store.memory import MemoryStore
from tests.accounts.fakes import HASH, PEER, CountingHasher, attempt
from tests.concurrent.held import HeldThreads

JOE = Address("joe", "example.net")
NOON = 1_700_000_000.0


class LoginTests(SynchronousTestCase):
    def setUp(self):
        self.lines = []
        self.lost = []
        self.tasks = Tasks(self.lost.append)
        self.store = MemoryStore()
        self.directory = MemoryDirectory((Account(JOE, password_hash=HASH),))
        self.sightings = MemorySightings()
        self.use(Inline())

    def use(self, threads):
        log = Log(lambda line, urgent: self.lines.append(line))
        checker = PasswordChecker(
            self.directory, Passwords(threads, log, CountingHasher()), PasswordCache(lambda: NOON), log
        )
        portal = Portal(MailRealm(self.store, self.directory, self.tasks), [checker])
        self.login = Login(portal, self.sightings, frozenset({"pop3"}), lambda: NOON, self.tasks, log)

    def maildrop(self, credentials):
        return Deferred.fromCoroutine(self.login.login_maildrop(credentials))

    def submitter(self, credentials):
        return Deferred.fromCoroutine(self.login.login_submitter(credentials))

    def seen(self):
        return self.successResultOf(Deferred.fromCoroutine(self.sightings.last(JOE, NOON)))

    def test_a_maildrop_is_opened(self):
        maildrop = self.successResultOf(self.maildrop(attempt("JOE")))
        self.assertEqual(maildrop.account, JOE)
        self.failureResultOf(self.maildrop(attempt()), MaildropInUse)
        self.successResultOf(Deferred.fromCoroutine(maildrop.release()))
        self.successResultOf(self.maildrop(attempt()))

    def test_a_submitter_is_named(self):
        self.assertEqual(self.successResultOf(self.submitter(attempt("JOE", service="submission"))), JOE)

    def test_who_is_refused_gets_nothing_and_is_not_seen(self):
        for credentials in (attempt(password="wrong"), attempt("nobody"), attempt("../joe")):
            self.failureResultOf(self.maildrop(credentials), UnauthorizedLogin)
            self.failureResultOf(self.submitter(credentials), UnauthorizedLogin)
        self.assertIsNone(self.seen())
        self.successResultOf(self.maildrop(attempt()))

    def test_a_directory_that_is_away_is_no_wrong_password(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.failureResultOf(self.maildrop(attempt()), TemporaryFailure)
        self.failureResultOf(self.submitter(attempt()), TemporaryFailure)

    def test_a_login_is_seen_where_its_service_is_learnt_from(self):
        self.successResultOf(self.submitter(attempt(service="submission")))
        self.assertIsNone(self.seen())
        self.successResultOf(self.submitter(attempt(service="pop3")))
        self.assertEqual(self.seen(), PEER)

    def test_opening_a_maildrop_is_seen(self):
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual(self.seen(), PEER)

    def test_a_sighting_that_cannot_be_recorded_harms_no_login(self):
        self.sightings.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk is on fire")
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual(self.lost, [])
        self.assertEqual(len(self.lines), 1)
        for word in ("sighting.lost", "session=s1", "account=joe@example.net", "the disk is on fire"):
            self.assertIn(word, self.lines[0])

    def test_a_mistake_in_recording_harms_no_login_either(self):
        self.sightings.refuse_with = ZeroDivisionError()
        self.successResultOf(self.maildrop(attempt()))
        self.assertTrue(self.lost[0].check(ZeroDivisionError))

    def test_a_login_does_not_wait_for_its_sighting(self):
        recording = Deferred()

        async def slowly(account, peer, at):
            await recording

        self.sightings = MemorySightings()
        recorder = type("Slow", (), {"record": staticmethod(slowly)})()
        self.login = Login(self.login.portal, recorder, frozenset({"pop3"}), lambda: NOON, self.tasks, Log())
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual(len(self.tasks), 1)
        recording.callback(None)
        self.assertEqual(len(self.tasks), 0)

    def test_a_session_that_goes_away_while_it_logs_in_holds_nothing(self):
        threads = HeldThreads()
        self.use(threads)
        going = self.maildrop(attempt())
        going.cancel()
        self.failureResultOf(going, CancelledError)
        threads.release()
        self.assertIsNone(self.seen())
        self.use(Inline())
        self.successResultOf(self.maildrop(attempt()))
