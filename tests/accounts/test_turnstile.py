"""What keeps a right password from its maildrop: delays, too many sessions, another session of the view."""

from __future__ import annotations

import attrs
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.realm import MailRealm
from mailsuite.accounts.turnstile import TAKEOVER_PATIENCE, Turnstile
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.model.failure import AccountCrowded, LoginTooSoon, MaildropInUse, TemporaryFailure
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.model.retention import DAY, Retention, Terms
from mailsuite.model.view import Box, View
from mailsuite.wire.sasl.steps import ScramQuestion
from tests.accounts.fakes import SECRET, attempt, digest, facts_of, ntlm, scram
from tests.accounts.gates import DUMB, JOE, NOON, device, password_of
from tests.accounts.test_login import LoginCase

RULES = LoginRules("example.net", apop="offer")
TRASH, RESTORE = "joe+trash@example.net", "joe+trash+restore@example.net"


class Sessions:
    """The sessions of a front-end: who is in by what."""

    def __init__(self, tasks):
        self.tasks = tasks
        self.opened = []
        self.leaving = True
        """Whether a session that is ended lets go of its maildrop."""

    def add(self, opened):
        self.opened.append(opened)
        return opened

    def displace(self, account, view):
        for opened in self.opened:
            if (opened.maildrop.account, opened.view) == (account, view):
                self.opened.remove(opened)
                if self.leaving:
                    self.tasks.start(self._leave(opened))
                return True
        return False

    async def _leave(self, opened):
        await opened.maildrop.release()
        opened.leave()


class EntryCase(LoginCase):
    def setUp(self):
        super().setUp()
        for name, view in (("laptop", True), ("tablet", True), ("plain", False)):
            made = attrs.evolve(device(JOE, name), view=view)
            sealed = run_now(self.vault.seal_device(JOE.address, name, password_of(name), False))
            self.do(self.directory.add_device(JOE.address, attrs.evolve(made, id=name, sealed=sealed)))
        self.sessions = Sessions(self.tasks)
        self.turnstile = Turnstile(self.clock, self.log)
        self.turnstile.displace = self.sessions.displace
        self.use(Inline(), turnstile=self.turnstile)

    def enter(self, name="joe@example.net", password=SECRET, **rules):
        credentials = attempt(name, password, rules=attrs.evolve(RULES, **rules))
        going = self.maildrop(credentials)
        return going.addCallback(self.sessions.add)

    def is_in(self, *arguments, **rules):
        return self.successResultOf(self.enter(*arguments, **rules))

    def leave(self, opened):
        self.sessions.opened.remove(opened)
        self.do(opened.maildrop.release())
        opened.leave()

    def visit(self, *arguments, **rules):
        self.leave(self.is_in(*arguments, **rules))

    def said(self, event):
        return [line for line in self.lines if event in line]


class OpenTests(EntryCase):
    def is_open(self, *device):
        return self.turnstile.is_open(JOE.address, *device)

    def test_who_is_in(self):
        self.assertFalse(self.is_open() or self.is_open(""))
        own = self.is_in()
        self.assertTrue(self.is_open() and self.is_open(""))
        self.assertFalse(self.is_open("laptop"))
        laptop = self.is_in(password=password_of("laptop"))
        self.assertTrue(self.is_open("laptop"))
        self.leave(own)
        self.assertFalse(self.is_open(""))
        self.assertTrue(self.is_open())
        self.leave(laptop)
        self.assertFalse(self.is_open() or self.is_open("laptop"))
        self.assertEqual(self.turnstile._open, {})

    def test_two_by_one_password(self):
        first, second = (self.is_in(password=password_of(name)) for name in ("laptop", "tablet"))
        self.turnstile.opened(JOE.address, "laptop")
        self.leave(first)
        self.assertTrue(self.is_open("laptop"))
        self.turnstile.closed(JOE.address, "laptop")
        self.assertFalse(self.is_open("laptop"))
        self.leave(second)

    def test_the_trash_is_another_place(self):
        opened = self.is_in(TRASH)
        self.assertFalse(self.is_open())
        self.leave(opened)

    def test_who_is_refused_is_not_in(self):
        opened = self.is_in()
        self.failureResultOf(self.enter(), MaildropInUse)
        self.leave(opened)
        self.assertFalse(self.is_open())


class BoxTests(EntryCase):
    def proof(self, name, hash):
        parameters = self.do(self.login.scram_parameters(ScramQuestion(name, hash), RULES, facts_of()))
        return scram(name, SECRET, parameters, hash=hash)

    def ways(self, name):
        """All ways to log in, by that name."""
        for mechanism in ("USER", "PLAIN", "LOGIN"):
            yield attempt(name, mechanism=mechanism)
        yield digest(name, password_of("eudora"))
        yield digest(name, password_of("eudora"), mechanism="CRAM-MD5")
        yield ntlm(name, password_of("eudora"))
        for hash in ("sha1", "sha256"):
            yield self.proof(name, hash)

    def test_by_each_mechanism_a_name_opens_its_box(self):
        for name, box in (
            ("joe", Box.INBOX),
            (TRASH, Box.TRASH),
            ("JOE+Trash", Box.TRASH),
            (RESTORE, Box.RESTORE),
            ("joe+trash+restore", Box.RESTORE),
        ):
            for credentials in self.ways(name):
                opened = self.successResultOf(self.maildrop(credentials))
                self.assertEqual(opened.view, View(box), credentials.mechanism)
                self.assertEqual(opened.maildrop.account, JOE.address)
                self.assertEqual(opened.granted.account, JOE.address)
                self.do(opened.maildrop.release())

    def test_a_trash_and_the_inbox_are_open_at_once_and_each_once(self):
        for name in ("joe", TRASH, RESTORE):
            self.is_in(name)
            self.failureResultOf(self.enter(name), MaildropInUse)

    def test_scram_has_one_salt_for_all_boxes(self):
        expected = self.vault.scram_parameters("joe@example.net", "sha256")
        for name in (TRASH, RESTORE, "JOE+TRASH"):
            asking = self.login.scram_parameters(ScramQuestion(name, "sha256"), RULES, facts_of())
            self.assertEqual(self.do(asking), expected)
        asking = self.login.scram_parameters(ScramQuestion(TRASH, "sha256"), RULES, facts_of("submission"))
        self.assertNotEqual(self.do(asking), expected)

    def test_a_wrong_password_is_a_failure_of_the_account(self):
        for name, seconds in (("joe", 1), (TRASH, 2), (RESTORE, 4), ("joe", 8)):
            going = self.maildrop(attempt(name, "wrong"))
            self.clock.advance(seconds - 0.5)
            self.assertNoResult(going)
            self.clock.advance(0.5)
            self.failureResultOf(going, UnauthorizedLogin)
        self.is_in(TRASH)
        self.assertEqual(len(self.throttle), 1, "the right one takes them back")

    def test_nobody_submits_from_a_trash(self):
        for name in (TRASH, RESTORE):
            self.refused(self.submitter(attempt(name, service="submission")))
        self.assertIn("reason=unknown-account", self.lines[-1])

    def test_an_account_that_is_called_so_is_itself(self):
        literal = attrs.evolve(JOE, address=Address("joe+trash", "example.net"))
        self.do(self.directory.add_account(literal))
        opened = self.is_in(TRASH)
        self.assertEqual((opened.maildrop.account, opened.view), (literal.address, View()))
        self.successResultOf(self.submitter(attempt(TRASH, service="submission")))

    def test_a_login_to_the_trash_is_recorded_as_any(self):
        self.is_in(TRASH)
        (record,) = self.recorded()
        self.assertEqual((record.account, record.mechanism), (JOE.address, "USER"))
        self.assertIsNotNone(self.seen())

    def test_what_somebody_else_s_checker_lets_in_sees_the_inbox(self):
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        literal = attrs.evolve(JOE, address=Address("joe+trash", "example.net"))
        checker.addUser(TRASH.encode(), b"canary-plain")
        self.do(self.directory.add_account(literal))
        realm = MailRealm(self.store, self.directory, self.tasks)
        self.use(Inline(), portal=Portal(realm, [checker]), turnstile=self.turnstile)
        opened = self.is_in(TRASH, "canary-plain", login_delay=60.0)
        self.assertEqual((opened.maildrop.account, opened.view), (literal.address, View()))
        self.leave(opened)
        self.failureResultOf(self.enter(TRASH, "canary-plain", login_delay=60.0), LoginTooSoon)


class ViewTests(EntryCase):
    def test_a_device_may_have_a_view_of_its_own(self):
        for password, view in (
            (password_of("laptop"), View(device="laptop")),
            (password_of("tablet"), View(device="tablet")),
            (password_of("plain"), View()),
        ):
            self.assertEqual(self.is_in("joe", password).view, view)
            self.failureResultOf(self.enter("joe", password), MaildropInUse)
        self.failureResultOf(self.enter(), MaildropInUse)
        opened = self.is_in(TRASH, password_of("laptop"))
        self.assertEqual(opened.view, View(Box.TRASH, "laptop"))


class TermsTests(EntryCase):
    def test_the_terms_are_those_of_the_account(self):
        self.do(self.directory.change_account(attrs.evolve(JOE, retention=Retention(9 * DAY))))
        rules = {"retention": Retention(30 * DAY), "login_delay": 60.0}
        self.assertEqual(self.is_in(**rules).terms, Terms(9, 60))
        self.assertEqual(self.is_in(TRASH, **rules).terms, Terms(tells_expire=False))
        self.assertEqual(self.is_in("dumb", password_of("dumb-phone"), **rules).terms, Terms(30, 60))


class DelayTests(EntryCase):
    def test_a_right_password_comes_too_soon(self):
        self.visit(login_delay=60.0)
        self.clock.advance(20)
        failure = self.failureResultOf(self.enter(login_delay=60.0), LoginTooSoon).value
        self.assertEqual(failure.left, 40.0)
        self.assertEqual(len(self.throttle), 0, "it is no failed attempt")
        self.assertTrue(self.is_free())
        (line,) = self.said("login.too_soon")
        for word in ("session=s1", "account=joe@example.net", "left=40"):
            self.assertIn(word, line)
        self.clock.advance(40)
        self.visit(login_delay=60.0)

    def test_a_wrong_password_hears_nothing_of_it(self):
        self.visit(login_delay=60.0)
        going = self.enter(password="wrong", login_delay=60.0)
        self.assertNoResult(going)
        self.clock.advance(2)
        self.failureResultOf(going, UnauthorizedLogin)

    def test_the_maildrop_is_not_even_opened(self):
        self.visit(login_delay=60.0)
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE)
        self.failureResultOf(self.enter(login_delay=60.0), LoginTooSoon)

    def test_a_device_waits_for_itself(self):
        self.visit(login_delay=60.0)
        self.visit("joe", password_of("laptop"), login_delay=60.0)
        self.failureResultOf(self.enter("joe", password_of("laptop"), login_delay=60.0), LoginTooSoon)

    def test_a_domain_may_say_otherwise(self):
        self.visit(login_delay=60.0, domain_login_delay={"example.net": 0.0})
        self.visit(domain_login_delay={"example.net": 5.0})
        self.visit(login_delay=5.0, domain_login_delay={"example.net": 0.0})
        self.failureResultOf(self.enter(domain_login_delay={"example.net": 5.0}), LoginTooSoon)

    def test_who_brings_mail_back_does_not_wait(self):
        for name in ("joe", TRASH, TRASH, RESTORE, RESTORE):
            self.visit(name, login_delay=60.0)
        self.clock.advance(60)
        self.visit(TRASH, login_delay=60.0)
        self.visit(login_delay=60.0)

    def test_a_knock_opens_the_door(self):
        self.visit(login_delay=60.0)
        self.turnstile.delay.knocked(JOE.address)
        holder = self.do(self.store.open_maildrop(JOE.address, View()))
        self.failureResultOf(self.enter(login_delay=60.0), MaildropInUse)
        self.do(holder.release())
        self.visit(login_delay=60.0)
        self.failureResultOf(self.enter(login_delay=60.0), LoginTooSoon)

    def test_a_login_that_opened_nothing_counts_for_nothing(self):
        self.store.before = self.directory.change_account(attrs.evolve(JOE, pop3=False))
        self.refused(self.enter(login_delay=60.0))
        self.do(self.directory.change_account(JOE))
        self.store.before = None
        self.visit(login_delay=60.0)

    def test_without_a_delay_nothing_is_kept(self):
        self.visit()
        self.assertEqual(len(self.turnstile.delay._logins), 0)

    def test_without_a_turnstile_of_all_listeners_there_is_one_of_this(self):
        self.use(Inline())
        self.visit(login_delay=60.0)
        self.failureResultOf(self.enter(login_delay=60.0), LoginTooSoon)
        self.is_in(max_sessions=1)
        self.failureResultOf(self.enter(max_sessions=1, takeover=True), MaildropInUse)


class CrowdTests(EntryCase):
    def test_beyond_the_limit_the_right_password_hears_in_use(self):
        first = self.is_in(max_sessions=2)
        self.is_in("joe", password_of("laptop"), max_sessions=2)
        failure = self.failureResultOf(self.enter(TRASH, max_sessions=2), AccountCrowded).value
        self.assertIsInstance(failure, MaildropInUse)
        self.assertEqual(failure.reason, "the account has as many sessions as it may have")
        self.assertEqual(len(self.throttle), 0)
        self.is_in("dumb", password_of("dumb-phone"), max_sessions=2)
        self.leave(first)
        self.is_in(TRASH, max_sessions=2)

    def test_a_wrong_password_hears_nothing_of_it(self):
        self.is_in(max_sessions=1)
        self.refused(self.enter(TRASH, "wrong", max_sessions=1))

    def test_without_a_limit_there_is_none(self):
        for name, password in (("joe", SECRET), (TRASH, SECRET), ("joe", password_of("laptop"))):
            self.is_in(name, password, max_sessions=0)

    def test_logins_under_way_count(self):
        """Two that are opened at the same time: no more than the limit gets in, whichever is slower."""
        self.store.before = waiting = Deferred()
        slow = self.enter(max_sessions=1)
        self.assertNoResult(slow)
        self.store.before = None
        self.failureResultOf(self.enter(TRASH, max_sessions=1), AccountCrowded)
        waiting.callback(None)
        self.leave(self.successResultOf(slow))
        self.is_in(TRASH, max_sessions=1)

    def test_a_login_that_comes_to_nothing_gives_its_place_back(self):
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE)
        self.failureResultOf(self.enter(max_sessions=1), TemporaryFailure)
        self.store.refuse_with = None
        self.store.before = self.directory.change_account(attrs.evolve(JOE, pop3=False))
        self.refused(self.enter(max_sessions=1))
        self.do(self.directory.change_account(JOE))
        self.store.before = waiting = Deferred()
        going = self.enter(max_sessions=1)
        going.cancel()
        self.failureResultOf(going, CancelledError)
        waiting.addErrback(lambda cancelled: None)
        self.store.before = None
        self.is_in("joe", password_of("laptop"), max_sessions=1)
        self.assertEqual(self.turnstile._places, {JOE.address: 1})

    def test_a_place_is_left_once(self):
        self.turnstile.take_place(JOE.address, 2)
        self.turnstile.take_place(JOE.address, 2)
        self.assertRaises(AccountCrowded, self.turnstile.take_place, JOE.address, 2)
        self.turnstile.take_place(DUMB.address, 1)
        self.turnstile.leave_place(JOE.address)
        self.turnstile.take_place(JOE.address, 2)


class TakeoverTests(EntryCase):
    def test_the_session_of_the_same_view_is_ended(self):
        first = self.is_in(takeover=True)
        other = self.is_in("joe", password_of("laptop"), takeover=True)
        going = self.enter(takeover=True)
        self.clock.advance(0.1)
        second = self.successResultOf(going)
        self.assertEqual(self.sessions.opened, [other, second])
        self.assertIsNot(second.maildrop, first.maildrop)
        (line,) = self.said("login.takeover")
        for word in ("session=s1", "account=joe@example.net"):
            self.assertIn(word, line)

    def test_without_leave_it_is_in_use(self):
        first = self.is_in()
        self.failureResultOf(self.enter(), MaildropInUse)
        self.assertEqual(self.sessions.opened, [first])

    def test_a_wrong_password_ends_nobody(self):
        first = self.is_in(takeover=True)
        self.refused(self.enter(password="wrong", takeover=True))
        self.assertEqual(self.sessions.opened, [first])

    def test_whoever_holds_it_elsewhere_is_not_waited_for(self):
        self.do(self.store.open_maildrop(JOE.address, View()))
        self.failureResultOf(self.enter(takeover=True), MaildropInUse)

    def test_a_maildrop_that_stays_locked_is_given_up(self):
        first = self.is_in(takeover=True)
        self.sessions.leaving = False
        going = self.enter(takeover=True)
        self.clock.pump([0.1] * int(TAKEOVER_PATIENCE * 10 - 1))
        self.assertNoResult(going)
        self.clock.pump([0.1] * 2)
        self.failureResultOf(going, MaildropInUse)
        self.assertEqual(len(self.said("login.takeover")), 1)
        self.assertEqual(self.turnstile._places, {JOE.address: 1})
        self.do(first.maildrop.release())
        self.is_in()

    def test_one_that_is_released_late_is_opened_then(self):
        first = self.is_in(takeover=True)
        self.sessions.leaving = False
        going = self.enter(takeover=True)
        self.clock.pump([0.1] * 20)
        self.do(first.maildrop.release())
        self.clock.advance(0.1)
        self.successResultOf(going)

    def test_whoever_goes_away_waits_no_more(self):
        self.is_in(takeover=True)
        self.sessions.leaving = False
        going = self.enter(takeover=True)
        going.cancel()
        self.failureResultOf(going, CancelledError)
        self.assertEqual((self.clock.getDelayedCalls(), self.turnstile._places), ([], {JOE.address: 1}))

    def test_the_last_place_of_all_is_taken_over_as_well(self):
        self.is_in(takeover=True, max_sessions=1)
        going = self.enter(takeover=True, max_sessions=1)
        self.clock.advance(0.1)
        self.successResultOf(going)
        self.failureResultOf(self.enter(TRASH, takeover=True, max_sessions=1), AccountCrowded)
        self.assertEqual(len(self.sessions.opened), 1)

    def test_a_store_that_is_away_ends_nobody(self):
        first = self.is_in(takeover=True)
        self.store.refuse_with = TemporaryFailure(STORE_UNAVAILABLE)
        self.failureResultOf(self.enter(takeover=True), TemporaryFailure)
        self.assertEqual(self.sessions.opened, [first])
        self.assertEqual(self.clock.seconds(), NOON)
