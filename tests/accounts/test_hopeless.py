"""Claims that can be true of no account: refused like a wrong password, and found in the log."""

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from zope.interface.verify import verifyObject

from mailsuite.accounts.attempt import IHopeless, LoginRules, attempt_of
from mailsuite.accounts.gate import REFUSED
from mailsuite.accounts.hopeless import HopelessChecker
from mailsuite.accounts.realm import MailRealm
from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.wire.sasl.steps import HopelessClaim
from tests.accounts.fakes import facts_of
from tests.accounts.gates import IMPOSSIBLE, GateCase
from tests.accounts.test_login import LoginCase


def hopeless(name, mechanism="NTLM", reason="ntlm-version-1"):
    return attempt_of(HopelessClaim(mechanism, name, reason), LoginRules("example.net"), facts_of())


def test_the_name_is_not_shown():
    credentials = hopeless("canary-name")
    verifyObject(IHopeless, credentials)
    assert (credentials.username, credentials.reason) == (b"canary-name", "ntlm-version-1")
    assert "canary" not in repr(credentials)


class HopelessCheckerTests(GateCase):
    def refusal(self, credentials):
        return self.failureResultOf(HopelessChecker(self.gate).requestAvatarId(credentials))

    def test_what_it_takes(self):
        checker = HopelessChecker(self.gate)
        verifyObject(ICredentialsChecker, checker)
        self.assertEqual(checker.credentialInterfaces, (IHopeless,))

    def test_the_log_says_why_and_nobody_else_does(self):
        refusal = self.refusal(hopeless("joe"))
        self.assertEqual(refusal.check(UnauthorizedLogin), UnauthorizedLogin)
        self.assertEqual(refusal.getErrorMessage(), REFUSED)
        [line] = self.lines
        self.assertIn(" login.refused ", line)
        for field in ("account=joe@example.net", "mechanism=NTLM", "reason=ntlm-version-1", "service=pop3"):
            self.assertIn(field, line)

    def test_a_name_that_is_nobody_s_is_not_logged(self):
        for name in ("canary", *IMPOSSIBLE):
            self.lines.clear()
            self.refusal(hopeless(name, "APOP", "stamp-spent")).trap(UnauthorizedLogin)
            [line] = self.lines
            self.assertIn("reason=stamp-spent", line)
            self.assertNotIn("canary", line)
            self.assertNotIn("@", line)

    def test_the_directory_is_asked_the_same_for_every_name(self):
        asked = []
        for name in ("joe", "off", "nobody-at-all", "", "..", "x" * 400):
            self.directory.asked.clear()
            self.refusal(hopeless(name)).trap(UnauthorizedLogin)
            asked.append(tuple(self.directory.asked))
        self.assertEqual(set(asked), {("account", "devices")})

    def test_a_directory_that_is_away_is_no_refusal(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.refusal(hopeless("joe")).trap(TemporaryFailure)
        self.assertEqual(self.lines, [])


class HopelessLoginTests(LoginCase):
    def setUp(self):
        super().setUp()
        realm = MailRealm(self.store, self.directory, self.tasks)
        self.use(Inline(), portal=Portal(realm, [HopelessChecker(self.gate)]))

    def test_it_costs_what_a_wrong_password_costs(self):
        for seconds in (1, 2, 4):
            going = self.maildrop(hopeless("joe"))
            self.clock.advance(seconds - 0.5)
            self.assertNoResult(going)
            self.clock.advance(0.5)
            self.failureResultOf(going, UnauthorizedLogin)
        self.refused(self.submitter(hopeless("joe")))
        self.assertEqual(self.recorded(), ())
