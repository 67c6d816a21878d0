"""The whole way of a login: portal, checkers, realm, throttle, and what is remembered of it."""

from __future__ import annotations

from ipaddress import ip_network

import attrs
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.checkers import PasswordChecker, ScramChecker, SecretChecker
from mailsuite.accounts.gate import ProofOutdated
from mailsuite.accounts.login import Login
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.realm import MailRealm
from mailsuite.accounts.renewal import Renewal
from mailsuite.accounts.throttle import FailureThrottle
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.logins import MemoryLogins
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import AccountState
from mailsuite.model.address import Address
from mailsuite.model.failure import MaildropInUse, TemporaryFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, INTERNAL_ERROR
from mailsuite.model.sighting import Sighting
from mailsuite.model.view import View
from mailsuite.store.memory import MemoryStore
from mailsuite.wire.sasl.steps import ScramQuestion
from tests.accounts.fakes import CHEAP, HASH, PEER, SECRET, CountingHasher, attempt, digest, facts_of, scram
from tests.accounts.gates import DEVICES, DUMB, JOE, NOON, GateCase, password_of
from tests.concurrent.held import HeldThreads

RULES = LoginRules("example.net")
INBOX = View()
OTHER = CHEAP.hash("other-swordfish")


class SlowStore(MemoryStore):
    """Opens a maildrop after something else has happened."""

    def __init__(self):
        super().__init__()
        self.before = None

    async def open_maildrop(self, account, view=INBOX):
        if self.before is not None:
            await self.before
        return await super().open_maildrop(account, view)


class LoginCase(GateCase):
    def setUp(self):
        super().setUp()
        self.lost = []
        self.tasks = Tasks(self.lost.append)
        self.store = SlowStore()
        self.sightings = MemorySightings()
        self.logins = MemoryLogins()
        self.throttle = FailureThrottle(self.clock, jitter=lambda: 0.0)
        self.use(Inline())

    def use(self, threads, **others):
        passwords = Passwords(threads, self.log, CountingHasher())
        renewal = Renewal(self.directory, self.vault, passwords, self.tasks, self.log)
        cache = PasswordCache(self.clock.seconds)
        checkers = [
            PasswordChecker(self.gate, passwords, cache, renewal),
            SecretChecker(self.gate),
            ScramChecker(self.gate),
        ]
        parts = {
            "portal": Portal(MailRealm(self.store, self.directory, self.tasks), checkers),
            "gate": self.gate,
            "throttle": self.throttle,
            "sightings": self.sightings,
            "logins": self.logins,
            "learn_from": frozenset({"pop3"}),
            "now": self.clock.seconds,
            "tasks": self.tasks,
            "log": self.log,
        }
        self.login = Login(**{**parts, **others})

    def maildrop(self, credentials):
        return Deferred.fromCoroutine(self.login.login_maildrop(credentials))

    def submitter(self, credentials):
        return Deferred.fromCoroutine(self.login.login_submitter(credentials))

    def refused(self, going):
        """Refused after its delay."""
        self.assertNoResult(going)
        self.clock.advance(16)
        self.failureResultOf(going, UnauthorizedLogin)

    def seen(self):
        return self.do(self.sightings.last(JOE.address, NOON))

    def recorded(self):
        return self.do(self.logins.since(NOON))

    def is_free(self, account=JOE):
        opening = Deferred.fromCoroutine(MemoryStore.open_maildrop(self.store, account.address))
        found = []
        opening.addBoth(found.append)
        if not hasattr(found[0], "check"):
            self.do(found[0].release())
            return True
        self.assertTrue(found[0].check(MaildropInUse))
        return False


class LoginTests(LoginCase):
    def test_a_maildrop_is_opened(self):
        opened = self.successResultOf(self.maildrop(attempt("JOE")))
        self.assertEqual(opened.maildrop.account, JOE.address)
        self.assertEqual((opened.granted.account, opened.granted.device), (JOE.address, None))
        self.failureResultOf(self.maildrop(attempt()), MaildropInUse)
        self.do(opened.maildrop.release())
        self.successResultOf(self.maildrop(attempt()))

    def test_by_a_device_it_is_known_by_which(self):
        opened = self.successResultOf(self.maildrop(digest("joe", password_of("eudora"))))
        self.assertEqual(opened.granted.device.name, "eudora")

    def test_a_submitter_is_named(self):
        granted = self.successResultOf(self.submitter(attempt("JOE", service="submission")))
        self.assertEqual((granted.account, granted.device, granted.signature), (JOE.address, None, b""))

    def test_scram_s_signature_comes_back(self):
        parameters = self.do(self.login.scram_parameters(ScramQuestion("JOE", "sha1"), RULES, facts_of()))
        granted = self.successResultOf(self.submitter(scram("joe", SECRET, parameters, hash="sha1")))
        self.assertEqual(len(granted.signature), 20)

    def test_who_is_refused_gets_nothing_and_is_not_seen(self):
        for credentials in (attempt(password="wrong"), attempt("nobody"), attempt("../joe")):
            self.refused(self.maildrop(credentials))
            self.refused(self.submitter(credentials))
        self.assertIsNone(self.seen())
        self.assertEqual(self.recorded(), ())
        self.successResultOf(self.maildrop(attempt()))

    def test_a_directory_that_is_away_is_no_wrong_password(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.failureResultOf(self.maildrop(attempt()), TemporaryFailure)
        self.failureResultOf(self.submitter(attempt()), TemporaryFailure)
        self.assertEqual(len(self.throttle), 0)

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

    def test_a_checker_of_somebody_else_s_is_enough(self):
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        for name in (b"ann@example.net", b"off@example.net", b"nobody@example.net"):
            checker.addUser(name, b"canary-plain")
        self.do(self.directory.add_account(attrs.evolve(DUMB, address=Address("ann", "example.net"))))
        realm = MailRealm(self.store, self.directory, self.tasks)
        self.use(Inline(), portal=Portal(realm, [checker]))
        credentials = attempt("ann@example.net", "canary-plain")
        opened = self.successResultOf(self.maildrop(credentials))
        self.assertEqual(str(opened.granted.account), "ann@example.net")
        self.assertIsNone(opened.granted.device)
        self.refused(self.maildrop(attempt("ann@example.net", "wrong")))
        for name in ("off@example.net", "nobody@example.net"):
            self.refused(self.maildrop(attempt(name, "canary-plain")))
        self.assertEqual([record.mechanism for record in self.recorded()], ["USER"])


class ObjectionTests(LoginCase):
    def objection(self, address):
        return self.do(self.login.objection(address))

    def test_to_whom_nobody_objects(self):
        self.assertEqual(self.objection(JOE.address), "")
        self.assertEqual(self.objection(Address("nobody", "example.net")), "")
        self.do(self.directory.change_account(attrs.evolve(JOE, pop3=False)))
        self.assertEqual(self.objection(JOE.address), "")

    def test_an_account_that_is_off(self):
        self.do(self.directory.change_account(attrs.evolve(JOE, state=AccountState.OFF)))
        self.assertEqual(self.objection(JOE.address), "account-off")


class ScramParametersTests(LoginCase):
    def ask(self, name, rules=RULES, hash="sha256"):
        return self.do(self.login.scram_parameters(ScramQuestion(name, hash), rules, facts_of()))

    def test_each_way_to_write_a_name_has_the_salt_of_the_account(self):
        expected = self.vault.scram_parameters("joe@example.net", "sha256")
        for name in ("joe@example.net", "JOE", "joe%example.net"):
            self.assertEqual(self.ask(name, LoginRules("example.net", "%")), expected)

    def test_a_name_that_is_nobody_s_looks_the_same(self):
        self.assertEqual(self.ask("NOBODY"), self.ask("nobody@example.net"))
        self.assertEqual(self.ask("../JOE"), self.ask("../joe"))
        answers = [self.ask(name) for name in ("joe", "nobody", "../joe", "")]
        self.assertEqual(len({answer.salt for answer in answers}), 4)
        self.assertEqual(len({(len(answer.salt), answer.iterations) for answer in answers}), 1)

    def test_a_directory_that_is_away_is_told_where_it_is_asked(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        question = ScramQuestion("joe%example.net", "sha256")
        asking = self.login.scram_parameters(question, LoginRules("example.net", "%"), facts_of())
        self.failureResultOf(Deferred.fromCoroutine(asking), TemporaryFailure)


class DelayTests(LoginCase):
    def delay(self, credentials):
        """After how many seconds the refusal comes."""
        going = self.maildrop(credentials)
        for seconds in range(20):
            if going.called:
                self.failureResultOf(going, UnauthorizedLogin, TemporaryFailure)
                return seconds
            self.clock.advance(1)
        raise AssertionError("no answer")

    def test_a_failure_is_answered_later_each_time(self):
        self.assertEqual([self.delay(attempt(password="wrong")) for _ in range(6)], [1, 2, 4, 8, 16, 16])

    def test_a_login_is_answered_at_once_and_takes_its_failures_back(self):
        self.assertEqual(self.delay(attempt("JOE", password="wrong")), 1)
        self.assertEqual(self.delay(attempt("joe", password="wrong")), 2)
        self.do(self.successResultOf(self.maildrop(attempt("Joe@EXAMPLE.net"))).maildrop.release())
        self.assertEqual(self.delay(attempt(password="wrong")), 1)

    def test_the_time_that_the_check_took_is_part_of_it(self):
        threads = HeldThreads()
        self.use(threads)
        going = self.maildrop(attempt(password="wrong"))
        self.clock.advance(3)
        threads.release()
        self.failureResultOf(going, UnauthorizedLogin)

    def test_whoever_goes_away_does_not_wait(self):
        going = self.maildrop(attempt(password="wrong"))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        going.cancel()
        self.failureResultOf(going, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_seal_that_is_broken_lets_nobody_guess_faster(self):
        self.break_seal(JOE, "eudora")
        self.assertEqual([self.delay(attempt(password="wrong")) for _ in range(3)], [1, 2, 4])
        going = self.maildrop(attempt(password="wrong"))
        self.clock.advance(16)
        self.assertEqual(self.failureResultOf(going, TemporaryFailure).value.reply, INTERNAL_ERROR)

    def test_the_right_password_is_judged_no_earlier_than_the_answer_to_a_wrong_one(self):
        impatient = self.maildrop(attempt(password="wrong"))
        impatient.cancel()
        self.failureResultOf(impatient, CancelledError)
        right = self.maildrop(attempt())
        self.clock.advance(0.9)
        self.assertNoResult(right)
        self.clock.advance(0.1)
        self.successResultOf(right)

    def test_a_maildrop_that_is_in_use_is_no_failure(self):
        self.successResultOf(self.maildrop(attempt()))
        self.failureResultOf(self.maildrop(attempt()), MaildropInUse)
        self.assertEqual(len(self.throttle), 0)

    def test_a_name_that_is_nobody_s_is_counted_as_it_was_typed(self):
        names = []

        class Listening(FailureThrottle):
            async def penalty(self, peer, name, since):
                names.append(name)

        self.use(Inline(), throttle=Listening(self.clock))
        for name in ("../JOE", "JOE", "Nobody"):
            self.failureResultOf(self.maildrop(attempt(name, "wrong")), UnauthorizedLogin)
        self.assertEqual(names, ["../joe", "joe@example.net", "nobody@example.net"])


class ChangedMeanwhileTests(LoginCase):
    """Whoever may not log in any more has his sessions ended; a login under way must not slip through."""

    ID = "joe@example.net/eudora"

    def removing(self):
        self.store.before = self.directory.remove_device(JOE.address, self.ID)

    def test_a_device_that_is_removed_while_the_maildrop_opens_opens_nothing(self):
        self.removing()
        self.refused(self.maildrop(digest("joe", password_of("eudora"))))
        self.assertTrue(self.is_free())
        self.assertEqual((self.recorded(), self.seen()), ((), None))
        for word in ("login.refused", "account=joe@example.net", "device=eudora", "reason=device-removed"):
            self.assertIn(word, self.lines[-1])

    def test_another_device_does_not_matter(self):
        self.removing()
        self.successResultOf(self.maildrop(attempt(password=password_of("phone"))))

    def test_the_account_s_own_password_does_not_matter(self):
        self.removing()
        self.successResultOf(self.maildrop(attempt()))

    def changing(self, **fields):
        self.store.before = self.directory.change_account(attrs.evolve(JOE, **fields))

    def opens_nothing(self, reason, *attempts):
        for credentials in attempts:
            self.refused(self.maildrop(credentials))
            self.assertTrue(self.is_free())
            self.assertEqual((self.recorded(), self.seen()), ((), None))
            for word in ("login.refused", "account=joe@example.net", f"reason={reason}"):
                self.assertIn(word, self.lines[-1])
            self.do(self.directory.change_account(JOE))

    def proof(self):
        return scram("joe", SECRET, self.vault.scram_parameters(str(JOE.address), "sha256"))

    def test_an_account_that_is_switched_off_or_loses_pop3(self):
        for fields, reason in (
            ({"state": AccountState.OFF}, "account-off"),
            ({"pop3": False}, "pop3-denied"),
        ):
            for credentials in (attempt(), self.proof(), digest("joe", password_of("eudora"))):
                self.changing(**fields)
                self.opens_nothing(reason, credentials)

    def test_an_account_that_is_removed(self):
        for number, credentials in enumerate((attempt(), digest("joe", password_of("eudora")))):
            self.store.before = self.directory.remove_account(JOE.address)
            self.refused(self.maildrop(credentials))
            self.assertTrue(self.is_free())
            for word in ("account=joe@example.net", "reason=changed-meanwhile"):
                self.assertIn(word, self.lines[-1], number)
            self.setUp()

    def test_a_password_that_is_changed(self):
        for credentials in (attempt(), self.proof()):
            self.changing(password_hash=OTHER)
            self.opens_nothing("changed-meanwhile", credentials)
        self.changing(password_hash=OTHER)
        self.successResultOf(self.maildrop(attempt(password=password_of("phone"))))

    def test_a_hash_that_was_only_renewed_does_not_matter(self):
        gate = attrs.evolve(self.gate, successor=lambda account, stored: {HASH: OTHER}[stored])
        self.use(Inline(), gate=gate)
        self.changing(password_hash=OTHER)
        self.successResultOf(self.maildrop(attempt()))

    def test_what_was_written_anew_is_proved_again(self):
        """Nobody can tell whether a password file that was read again has the same password."""
        [eudora] = [owned for account, owned in DEVICES if owned.id == self.ID]
        self.store.before = self.directory.change_device(JOE.address, attrs.evolve(eudora, sealed=b"anew"))
        self.failureResultOf(self.maildrop(digest("joe", password_of("eudora"))), ProofOutdated)
        self.assertTrue(self.is_free())
        file = MemoryDirectory((JOE,), origin=Origin.FILE)
        self.directory = LayeredDirectory(file, MemoryDirectory())
        self.gate = attrs.evolve(self.gate, directory=self.directory)
        self.use(Inline())

        async def reload():
            again = attrs.evolve(JOE, password_hash=OTHER)
            self.directory.replace_file(MemoryDirectory((again,), origin=Origin.FILE))

        self.store.before = reload()
        self.failureResultOf(self.maildrop(attempt()), ProofOutdated)
        self.assertTrue(self.is_free())
        self.assertEqual(len(self.throttle), 0)

    def test_a_submitter_s_device_is_looked_for_as_well(self):
        login = self.login
        credentials = attempt(password=password_of("phone"), service="submission")
        looking = Deferred()
        devices = self.directory.devices

        async def slowly(account, elsewhere=False):
            if credentials.granted is not None:
                await looking
            return await devices(account, elsewhere)

        self.directory.devices = slowly
        going = Deferred.fromCoroutine(login.login_submitter(credentials))
        self.assertNoResult(going)
        self.do(self.directory.remove_device(JOE.address, "joe@example.net/phone"))
        looking.callback(None)
        self.refused(going)

    def test_a_directory_that_goes_away_then_leaves_no_maildrop_locked(self):
        async def break_down():
            self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)

        self.store.before = break_down()
        self.failureResultOf(self.maildrop(digest("joe", password_of("eudora"))), TemporaryFailure)
        self.assertTrue(self.is_free())

    def test_a_session_that_goes_away_then_leaves_no_maildrop_locked(self):
        waiting = Deferred()

        async def never(account):
            await waiting

        directory = type("Slow", (), {"devices": staticmethod(never)})()
        self.use(Inline(), gate=attrs.evolve(self.gate, directory=directory))
        going = self.maildrop(digest("joe", password_of("eudora")))
        self.assertNoResult(going)
        self.assertFalse(self.is_free())
        going.cancel()
        self.failureResultOf(going, CancelledError)
        self.assertTrue(self.is_free())


class MemoryTests(LoginCase):
    def test_a_login_is_seen_where_its_service_is_learnt_from(self):
        self.successResultOf(self.submitter(attempt(service="submission")))
        self.assertIsNone(self.seen())
        self.successResultOf(self.submitter(attempt(service="pop3")))
        self.assertEqual(self.seen(), PEER)

    def test_a_proxy_is_nobody_s_place(self):
        self.use(Inline(), no_learn=(ip_network("10.0.0.0/8"), ip_network(PEER)))
        self.successResultOf(self.submitter(attempt()))
        self.assertIsNone(self.seen())
        self.use(Inline(), no_learn=(ip_network("10.0.0.0/8"),))
        self.successResultOf(self.submitter(attempt()))
        self.assertEqual(self.seen(), PEER)

    def test_opening_a_maildrop_is_seen(self):
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual(self.seen(), PEER)

    def test_where_each_device_was_seen_is_told_apart(self):
        self.successResultOf(self.maildrop(digest("joe", password_of("eudora"))))
        self.successResultOf(self.submitter(attempt(service="pop3")))
        self.assertEqual(
            self.do(self.sightings.recent(JOE.address, NOON)),
            (
                Sighting(PEER, NOON, "", "pop3", NOON),
                Sighting(PEER, NOON, "joe@example.net/eudora", "pop3", NOON),
            ),
        )

    def test_how_somebody_logged_in_is_recorded(self):
        self.successResultOf(self.maildrop(digest("joe", password_of("eudora"))))
        self.successResultOf(self.submitter(attempt("DUMB", password_of("dumb-phone"), mechanism="PLAIN")))
        self.successResultOf(self.submitter(attempt("joe", service="submission", mechanism="LOGIN")))
        self.assertEqual(
            set(self.recorded()),
            {
                LoginRecord(JOE.address, "joe@example.net/eudora", "pop3", "APOP", PEER, NOON),
                LoginRecord(DUMB.address, "dumb@example.net/dumb-phone", "pop3", "PLAIN", PEER, NOON),
                LoginRecord(JOE.address, "", "submission", "LOGIN", PEER, NOON),
            },
        )

    def test_what_cannot_be_recorded_harms_no_login(self):
        self.sightings.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk is on fire")
        self.logins.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "and so is this one")
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual(self.lost, [])
        self.assertEqual(len(self.lines), 2)
        for line, *words in (
            (self.lines[0], "sighting.lost", "the disk is on fire"),
            (self.lines[1], "login.unrecorded", "and so is this one"),
        ):
            for word in ("warning", "session=s1", "account=joe@example.net", *words):
                self.assertIn(word, line)

    def test_a_mistake_in_recording_harms_no_login_either(self):
        self.sightings.refuse_with = ZeroDivisionError()
        self.logins.refuse_with = ZeroDivisionError()
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual([bool(failure.check(ZeroDivisionError)) for failure in self.lost], [True, True])

    def test_a_login_does_not_wait_for_what_is_recorded(self):
        recording = Deferred()

        async def slowly(*facts):
            await recording

        recorder = type("Slow", (), {"record": staticmethod(slowly)})()
        self.use(Inline(), sightings=recorder, logins=recorder)
        self.successResultOf(self.maildrop(attempt()))
        self.assertEqual(len(self.tasks), 2)
        recording.callback(None)
        self.assertEqual(len(self.tasks), 0)
