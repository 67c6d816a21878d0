"""Who is let in, who is not, and that nobody can tell why."""

from ipaddress import ip_address

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import CramMD5Credentials, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.checkers import PasswordChecker, ScramChecker, SecretChecker
from mailsuite.accounts.gate import LEAST_TRIES, REFUSED
from mailsuite.accounts.names import Named
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import _NOBODYS, Passwords
from mailsuite.accounts.renewal import Renewal
from mailsuite.concurrent.tasks import Tasks
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import AccountState
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, INTERNAL_ERROR, OVERLOADED
from tests.accounts.fakes import (
    CHEAP,
    HASH,
    PEER,
    SECRET,
    TLS,
    CountingHasher,
    attempt,
    digest,
    held_against,
    ntlm,
    scram,
    server_signature,
)
from tests.accounts.gates import (
    DUMB,
    IMPOSSIBLE,
    JOE,
    NOON,
    CountingDirectory,
    GateCase,
    device,
    password_of,
)
from tests.concurrent.held import HeldThreads

OTHER = CHEAP.hash("other-swordfish")
OFFICE = ip_address("198.51.100.7")
REQUIRE = LoginRules("example.net", apop="require")
STRICT_RULES = LoginRules("example.net", apop="offer", domain_apop={"strict.example": "require"})
LOOSE_RULES = LoginRules("example.net", apop="require", domain_apop={"strict.example": "off"})


def own(name, **others):
    return attempt(name, SECRET, **others)


def by(name, of, **others):
    return attempt(name, password_of(of), **others)


class FixedSources:
    """One password for all accounts of a domain, or trouble."""

    def __init__(self, domain="example.net", password="canary-elsewhere"):
        self.domain, self.password = domain, password
        self.asked = []
        self.fails_with = None
        self.meanwhile = None

    def serves(self, address):
        return address.domain == self.domain

    async def check(self, address, password):
        self.asked.append(address)
        if self.fails_with is not None:
            raise self.fails_with
        if self.meanwhile is not None:
            await self.meanwhile
        return password == self.password


class CheckerCase(GateCase):
    def setUp(self):
        super().setUp()
        self.hasher = CountingHasher()
        self.lost = []
        self.tasks = Tasks(self.lost.append)
        self.cache = PasswordCache(self.clock.seconds)
        self.use(Inline())

    def use(self, threads, **others):
        self.threads = threads
        passwords = Passwords(threads, self.log, self.hasher)
        renewal = Renewal(self.directory, self.vault, passwords, self.tasks, self.log)
        self.checker = PasswordChecker(self.gate, passwords, self.cache, renewal, **others)

    def check(self, credentials):
        return self.checker.requestAvatarId(credentials)

    def admitted(self, credentials):
        return self.successResultOf(self.check(credentials))

    def by_device(self, credentials):
        self.admitted(credentials)
        granted = credentials.granted
        return granted.device.name if granted.device else None

    def refused(self, credentials):
        return self.failureResultOf(self.check(credentials), UnauthorizedLogin).value

    def reason(self, credentials):
        """Why it is refused, from the one line of the log that says so."""
        self.lines.clear()
        error = self.refused(credentials)
        self.assertEqual(error.args, (REFUSED,))
        self.assertIsNone(getattr(credentials, "granted", None))
        (line,) = (line for line in self.lines if "login.refused" in line)
        fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
        return fields["reason"], fields["account"], fields["device"]


PLAINTEXT = (
    (lambda: attempt(password="wrong"), ("wrong-password", "joe@example.net", '""')),
    (lambda: attempt(password=""), ("wrong-password", "joe@example.net", '""')),
    (lambda: own("nobody@example.net"), ("unknown-account", '""', '""')),
    (lambda: own("joe@elsewhere.example"), ("unknown-account", '""', '""')),
    (lambda: own("joe", default_domain=""), ("impossible-name", '""', '""')),
    (lambda: own("nobody@invalid"), ("impossible-name", '""', '""')),
    (lambda: own("dumb"), ("no-password", "dumb@example.net", '""')),
    (lambda: attempt("dumb", ""), ("no-password", "dumb@example.net", '""')),
    (lambda: attempt("broken", "canary-plain-text"), ("wrong-password", "broken@example.net", '""')),
    (lambda: own("off"), ("account-off", "off@example.net", '""')),
    (lambda: by("off", "off-phone"), ("account-off", "off@example.net", "off-phone")),
    (lambda: own("sender"), ("pop3-denied", "sender@example.net", '""')),
    (lambda: by("sender", "sender-phone"), ("pop3-denied", "sender@example.net", "sender-phone")),
    (lambda: own("joe", service="smtp", rules=REQUIRE) and by("joe", "phone", service="smtp"),
     ("device-scope", "joe@example.net", "phone")),
    (lambda: by("joe", "send-only"), ("device-scope", "joe@example.net", "send-only")),
    (lambda: by("joe", "office"), ("device-network", "joe@example.net", "office")),
    (lambda: by("joe", "late"), ("device-expired", "joe@example.net", "late")),
    (lambda: by("dumb", "phone"), ("no-password", "dumb@example.net", '""')),
    (lambda: own("joe", rules=REQUIRE), ("apop-required", "joe@example.net", '""')),
    (lambda: own("joe", rules=REQUIRE, mechanism="PLAIN"), ("apop-required", "joe@example.net", '""')),
    (lambda: own("joe", rules=REQUIRE, mechanism="LOGIN"), ("apop-required", "joe@example.net", '""')),
    (lambda: by("joe", "phone", rules=REQUIRE), ("apop-required", "joe@example.net", "phone")),
    (lambda: own("joe@strict.example", rules=STRICT_RULES), ("apop-required", "joe@strict.example", '""')),
    *((lambda name=name: own(name), ("impossible-name", '""', '""')) for name in IMPOSSIBLE),
)  # fmt: skip


class PasswordCheckerTests(CheckerCase):
    def test_provides_the_interface(self):
        verifyObject(ICredentialsChecker, self.checker)

    def test_the_right_password_gives_the_canonical_address(self):
        for name in ("joe@example.net", "JOE@EXAMPLE.NET", "joe", "Joe"):
            credentials = own(name)
            self.assertEqual(self.admitted(credentials), b"joe@example.net")
            self.assertEqual(credentials.granted.account, JOE.address)
            self.assertEqual(credentials.named, Named(JOE.address))
            self.assertIsNone(credentials.granted.device)

    def test_the_avatar_id_is_in_utf_8(self):
        address = Address("jo\u00eb", "example.net")
        self.do(self.directory.add_account(attrs.evolve(JOE, address=address)))
        self.assertEqual(self.admitted(own("JO\u00cb")), "jo\u00eb@example.net".encode())

    def test_an_alternate_at_is_one(self):
        rules = LoginRules(alternate_at="#%")
        self.assertEqual(self.admitted(own("joe%example.net", rules=rules)), b"joe@example.net")

    def test_a_bare_name_needs_a_default_domain(self):
        self.refused(own("joe", default_domain=""))
        self.refused(own("joe", default_domain="example.org"))

    def test_a_device_password_is_enough_within_its_bounds(self):
        self.assertEqual(self.by_device(by("joe", "phone")), "phone")
        self.assertEqual(self.by_device(by("joe", "phone", service="submission")), "phone")
        self.assertEqual(self.by_device(by("joe", "send-only", service="submission")), "send-only")
        self.assertEqual(self.by_device(by("joe", "office", peer=OFFICE)), "office")
        self.assertEqual(self.by_device(by("dumb", "dumb-phone")), "dumb-phone")
        self.clock.rightNow = NOON - 1
        self.assertEqual(self.by_device(by("joe", "late")), "late")

    def test_what_holds_for_pop3_holds_for_it_alone(self):
        for name in ("sender", "joe@strict.example"):
            self.admitted(own(name, service="submission", rules=STRICT_RULES))
        self.admitted(own("joe@strict.example", rules=LOOSE_RULES))
        self.admitted(own("forward"))

    def test_of_two_devices_with_one_password_one_is_enough(self):
        twin = device(JOE, "late")
        self.do(self.directory.add_device(JOE.address, attrs.evolve(twin, id="twin", name="zz")))
        self.break_seal(JOE, "phone")
        self.refused(by("joe", "late"))  # sealed for another id
        again = attrs.evolve(device(JOE, "late"), name="zz")
        self.do(self.directory.remove_device(JOE.address, "twin"))
        self.do(self.directory.remove_device(JOE.address, again.id))
        self.do(self.directory.add_device(JOE.address, again))
        self.assertEqual(self.by_device(by("joe", "late")), "zz")

    def test_twisted_s_own_credentials_are_taken_too(self):
        shown = UsernamePassword(b"joe@example.net", SECRET.encode())
        self.assertEqual(self.admitted(shown), b"joe@example.net")
        self.refused(UsernamePassword(b"joe@example.net", b"wrong"))
        self.refused(UsernamePassword(b"\xff\xfe", b"\xff"))
        self.refused(UsernamePassword(b"off@example.net", SECRET.encode()))

    def test_twisted_s_own_credentials_tell_too_little_for_a_device(self):
        shown = UsernamePassword(b"joe@example.net", password_of("phone").encode())
        self.assertEqual(self.reason(shown), ("device-scope", "joe@example.net", "phone"))

    def test_every_refusal_has_its_reason_and_says_the_same(self):
        for number, (credentials, expected) in enumerate(PLAINTEXT):
            self.assertEqual(self.reason(credentials()), expected, number)

    def test_nothing_is_made_for_a_name_that_is_nobody_s(self):
        before = self.do(self.directory.accounts())
        for name in IMPOSSIBLE:
            self.refused(own(name))
        self.assertEqual(self.do(self.directory.accounts()), before)
        self.assertEqual(len(self.cache), 0)

    def test_an_account_where_impossible_names_are_looked_up_is_not_theirs(self):
        nobody = Address("nobody", "invalid")
        self.do(self.directory.add_account(attrs.evolve(JOE, address=nobody)))
        self.assertEqual(self.reason(own("../joe")), ("impossible-name", '""', '""'))

    def test_a_directory_that_is_away_is_no_wrong_password(self):
        self.admitted(own("joe"))
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        for credentials in (own("joe"), attempt(password="wrong"), own("nobody")):
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

    def cheap_work(self, credentials):
        """What was asked of the directory, and how many secrets were opened."""
        self.directory.asked.clear()
        self.ring.opened = 0
        self.check(credentials).addErrback(lambda failure: failure.trap(UnauthorizedLogin))
        return self.directory.asked[:2], self.ring.opened

    def test_every_refusal_verifies_once(self):
        without = {"unknown-account", "impossible-name", "no-password"}
        for number, (credentials, (reason, account, _)) in enumerate(PLAINTEXT):
            unreadable = account == "broken@example.net"
            expected = _NOBODYS if reason in without or unreadable else HASH
            self.assertEqual(self.work(credentials()), [expected], number)

    def test_every_refusal_opens_as_many_secrets(self):
        for number, (credentials, _) in enumerate(PLAINTEXT):
            found = self.cheap_work(credentials())
            self.assertEqual(found, (["account", "devices"], LEAST_TRIES), number)

    def test_only_the_right_password_is_ever_cheap(self):
        self.assertEqual(self.work(own("joe")), [HASH])
        self.assertEqual(self.work(own("joe")), [])
        self.assertEqual(self.work(own("JOE")), [])
        self.assertEqual(self.work(by("joe", "phone")), [])
        self.assertEqual(self.work(attempt(password="wrong")), [HASH])
        self.assertEqual(self.work(attempt(password="wrong")), [HASH])

    def test_the_cache_lets_nobody_through_the_gate(self):
        self.admitted(own("joe"))
        self.assertEqual(self.work(own("joe", rules=REQUIRE)), [HASH])
        self.assertEqual(self.reason(own("joe", rules=REQUIRE))[0], "apop-required")
        self.do(self.directory.change_account(attrs.evolve(JOE, state=AccountState.OFF)))
        self.assertEqual(self.work(own("joe")), [HASH])
        self.assertEqual(self.reason(own("joe"))[0], "account-off")

    def test_a_password_that_was_right_and_refused_is_cheap_as_soon_as_it_is_let_in(self):
        self.refused(own("joe", rules=REQUIRE))
        self.assertEqual(self.work(own("joe")), [])

    def test_the_cache_ends(self):
        self.admitted(own("joe"))
        self.clock.advance(601)
        self.assertEqual(self.work(own("joe")), [HASH])


class ChangeTests(CheckerCase):
    def change(self, account):
        self.do(self.directory.change_account(account))

    def test_a_new_password_counts_at_once(self):
        self.admitted(own("joe"))
        self.change(attrs.evolve(JOE, password_hash=OTHER))
        self.refused(own("joe"))
        self.admitted(attempt(password="other-swordfish"))

    def test_a_password_that_was_taken_away_counts_no_more(self):
        self.admitted(own("joe"))
        self.change(attrs.evolve(JOE, password_hash=""))
        self.refused(own("joe"))

    def test_a_removed_account_is_refused_at_once(self):
        self.admitted(own("joe"))
        self.do(self.directory.remove_account(JOE.address))
        self.refused(own("joe"))
        self.refused(by("joe", "phone"))

    def test_a_removed_device_is_refused_at_once(self):
        self.admitted(by("joe", "phone"))
        self.do(self.directory.remove_device(JOE.address, "joe@example.net/phone"))
        self.refused(by("joe", "phone"))

    def test_one_of_the_same_name_has_its_own_password(self):
        self.admitted(own("joe"))
        self.do(self.directory.remove_account(JOE.address))
        self.do(self.directory.add_account(attrs.evolve(JOE, password_hash=OTHER)))
        self.refused(own("joe"))
        self.refused(by("joe", "phone"))

    def test_a_change_while_the_password_is_verified_counts(self):
        for change, reason in (
            (self.directory.change_account(attrs.evolve(JOE, password_hash=OTHER)), "changed-meanwhile"),
            (self.directory.change_account(attrs.evolve(JOE, state=AccountState.OFF)), "account-off"),
            (self.directory.remove_account(JOE.address), "changed-meanwhile"),
        ):
            self.do(self.directory.remove_account(JOE.address))
            self.do(self.directory.add_account(JOE))
            self.use(HeldThreads())
            self.cache = PasswordCache(self.clock.seconds)
            checking = self.check(own("joe"))
            self.do(change)
            self.threads.release()
            self.failureResultOf(checking, UnauthorizedLogin)
            self.assertIn(f"reason={reason}", self.lines[-1])

    def test_a_hash_that_was_renewed_while_the_password_is_verified_does_not_matter(self):
        """Two devices of one person log in at once, the first time after an import."""
        self.gate = attrs.evolve(self.gate, successor=lambda account, stored: {HASH: OTHER}[stored])
        self.use(HeldThreads())
        checking = self.check(own("joe"))
        self.change(attrs.evolve(JOE, password_hash=OTHER))
        self.threads.release()
        self.assertEqual(self.successResultOf(checking), b"joe@example.net")

    def test_a_session_that_goes_away_leaves_nothing_behind(self):
        self.use(HeldThreads())
        checking = self.check(own("joe"))
        checking.cancel()
        self.failureResultOf(checking, CancelledError)
        self.threads.release()
        self.assertEqual(len(self.cache), 0)


class SourcesTests(CheckerCase):
    def setUp(self):
        super().setUp()
        self.sources = FixedSources()
        self.use(Inline(), sources=self.sources)

    def work(self):
        return [stored for stored, _ in self.hasher.verified]

    def test_a_password_that_is_kept_elsewhere(self):
        credentials = attempt("DUMB", "canary-elsewhere")
        self.assertEqual(self.admitted(credentials), b"dumb@example.net")
        self.assertIsNone(credentials.granted.device)
        self.assertEqual((self.sources.asked, self.work()), ([DUMB.address], []))
        self.assertEqual(len(self.cache), 0)

    def test_a_wrong_one_costs_what_any_other_costs(self):
        self.assertEqual(self.reason(own("dumb"))[0], "wrong-password")
        self.assertEqual(self.work(), [_NOBODYS])

    def test_nobody_is_asked_about_accounts_that_have_a_password_here_or_are_none(self):
        for credentials in (
            attempt("joe", "canary-elsewhere"),
            attempt("nobody", "canary-elsewhere"),
            attempt("joe@strict.example", "canary-elsewhere"),
            attempt("../joe", "canary-elsewhere"),
        ):
            self.refused(credentials)
        self.admitted(by("dumb", "dumb-phone"))
        self.assertEqual(self.sources.asked, [])

    def test_nobody_is_asked_about_other_domains(self):
        self.sources.domain = "elsewhere.example"
        self.assertEqual(self.reason(attempt("dumb", "canary-elsewhere"))[0], "no-password")
        self.assertEqual(self.sources.asked, [])

    def test_one_that_is_down_is_no_wrong_password(self):
        self.sources.fails_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        failure = self.failureResultOf(self.check(own("dumb")), TemporaryFailure).value
        self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
        self.admitted(by("dumb", "dumb-phone"))

    def test_without_sources_nothing_is_kept_elsewhere(self):
        nowhere = PasswordChecker(self.gate, None, None, None).sources
        self.assertIs(nowhere.serves(DUMB.address), False)
        self.assertIs(self.do(nowhere.check(DUMB.address, "canary-elsewhere")), False)

    def test_the_gate_holds_for_them_too(self):
        right = attempt("dumb", "canary-elsewhere", rules=REQUIRE)
        self.assertEqual(self.reason(right)[0], "apop-required")
        self.assertEqual(self.work(), [_NOBODYS])

    def test_an_account_that_changes_meanwhile_is_refused(self):
        for change in (
            self.directory.change_account(attrs.evolve(DUMB, password_hash=HASH)),
            self.directory.remove_account(DUMB.address),
        ):
            self.do(self.directory.remove_account(DUMB.address))
            self.do(self.directory.add_account(DUMB))
            self.sources.meanwhile = change
            self.assertEqual(self.reason(attempt("dumb", "canary-elsewhere"))[0], "changed-meanwhile")


class RenewalTests(CheckerCase):
    """That it begins; what it does is in test_renewal."""

    def verifiers(self):
        return self.do(self.directory.verifiers(JOE.address))

    def setUp(self):
        super().setUp()
        self.do(self.directory.keep_verifiers(JOE.address, b""))

    def test_a_login_under_tls_brings_verifiers(self):
        self.admitted(own("joe", tls=TLS))
        self.assertTrue(self.verifiers())
        self.assertEqual(self.lost, [])

    def test_and_so_does_one_whose_password_was_right_a_short_time_ago(self):
        self.admitted(own("joe"))
        self.assertFalse(self.verifiers())
        self.admitted(own("joe", tls=TLS))
        self.assertTrue(self.verifiers())

    def test_nothing_else_does(self):
        self.admitted(own("joe"))
        self.admitted(by("joe", "phone", tls=TLS))
        self.refused(attempt(password="wrong", tls=TLS))
        self.refused(own("joe", tls=TLS, rules=REQUIRE))
        self.admitted(UsernamePassword(b"joe@example.net", SECRET.encode()))
        self.assertFalse(self.verifiers())


DIGESTS = (
    (lambda: digest("joe", "wrong"), ("wrong-digest", "joe@example.net", '""')),
    (lambda: digest("joe", ""), ("wrong-digest", "joe@example.net", '""')),
    (lambda: digest("joe", SECRET), ("wrong-digest", "joe@example.net", '""')),
    (lambda: digest("joe", password_of("phone")), ("wrong-digest", "joe@example.net", '""')),
    (lambda: digest("joe", password_of("apop-only"), mechanism="CRAM-MD5"),
     ("wrong-digest", "joe@example.net", '""')),
    (lambda: digest("dumb", password_of("dumb-phone")), ("no-secret", "dumb@example.net", '""')),
    (lambda: digest("nobody", password_of("eudora")), ("unknown-account", '""', '""')),
    (lambda: digest("nobody@invalid", "x"), ("impossible-name", '""', '""')),
    (lambda: digest("../joe", password_of("eudora")), ("impossible-name", '""', '""')),
    (lambda: digest("off", password_of("off-phone")), ("account-off", "off@example.net", "off-phone")),
    (lambda: digest("sender", password_of("sender-phone")),
     ("pop3-denied", "sender@example.net", "sender-phone")),
    (lambda: digest("joe", password_of("send-only")), ("device-scope", "joe@example.net", "send-only")),
    (lambda: digest("joe", password_of("office")), ("device-network", "joe@example.net", "office")),
    (lambda: digest("joe", password_of("late")), ("device-expired", "joe@example.net", "late")),
    (lambda: digest("joe", password_of("eudora"), rules=LoginRules("example.net")),
     ("apop-off", "joe@example.net", "eudora")),
    (lambda: digest("joe@strict.example", password_of("strict-phone"), rules=LOOSE_RULES),
     ("apop-off", "joe@strict.example", "strict-phone")),
)  # fmt: skip


class SecretCheckerTests(CheckerCase):
    def use(self, threads):
        self.checker = SecretChecker(self.gate)

    def test_provides_the_interface(self):
        verifyObject(ICredentialsChecker, self.checker)

    def test_a_digest_of_a_device_that_is_made_for_it_is_enough(self):
        eudora = password_of("eudora")
        self.assertEqual(self.by_device(digest("JOE", eudora)), "eudora")
        self.assertEqual(self.by_device(digest("joe", eudora, mechanism="CRAM-MD5")), "eudora")
        self.assertEqual(self.by_device(digest("joe", password_of("apop-only"))), "apop-only")
        self.assertEqual(self.by_device(digest("joe", password_of("office"), peer=OFFICE)), "office")
        sending = digest("joe", password_of("send-only"), mechanism="CRAM-MD5", service="submission")
        self.assertEqual(self.by_device(sending), "send-only")

    def test_and_so_is_a_response_of_ntlm(self):
        self.assertEqual(self.by_device(ntlm("joe", password_of("eudora"))), "eudora")
        for credentials, reason in (
            (ntlm("joe", password_of("apop-only")), "wrong-digest"),
            (ntlm("joe", password_of("send-only")), "device-scope"),
            (ntlm("joe", SECRET), "wrong-digest"),
            (ntlm("dumb", password_of("dumb-phone")), "no-secret"),
            (ntlm("nobody", password_of("eudora")), "unknown-account"),
        ):
            tried = held_against(credentials)
            self.assertEqual((self.reason(credentials)[0], len(tried)), (reason, LEAST_TRIES))

    def test_whoever_requires_apop_takes_what_hides_the_password(self):
        for mechanism in ("APOP", "CRAM-MD5"):
            shown = digest("joe", password_of("eudora"), mechanism=mechanism, rules=REQUIRE)
            self.assertEqual(self.by_device(shown), "eudora")

    def test_whoever_has_no_apop_may_have_cram_md5(self):
        shown = digest("joe", password_of("eudora"), mechanism="CRAM-MD5", rules=LoginRules("example.net"))
        self.assertEqual(self.by_device(shown), "eudora")

    def test_every_refusal_has_its_reason_and_the_same_work(self):
        for number, (make, expected) in enumerate(DIGESTS):
            credentials = make()
            tried = held_against(credentials)
            self.ring.opened = 0
            self.directory.asked.clear()
            self.assertEqual(self.reason(credentials), expected, number)
            self.assertEqual((len(tried), self.ring.opened), (LEAST_TRIES, LEAST_TRIES), number)
            self.assertEqual(self.directory.asked, ["account", "devices"], number)

    def test_whoever_has_more_devices_is_tried_on_all(self):
        for number in range(10):
            self.do(self.directory.add_device(DUMB.address, device(DUMB, f"n{number}")))
        credentials = digest("dumb", "wrong")
        tried = held_against(credentials)
        self.assertEqual(self.reason(credentials)[0], "no-secret")
        self.assertEqual(len(tried), 11)
        self.assertNotIn(password_of("n1").encode(), tried)

    def test_credentials_that_do_not_say_how_they_were_made_are_refused(self):
        shown = CramMD5Credentials(b"mail.example.net")
        shown.setResponse(b"joe@example.net 00112233445566778899aabbccddeeff")
        self.assertEqual(self.reason(shown)[0], "unknown-mechanism")

    def test_a_directory_that_is_away_is_no_wrong_digest(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.failureResultOf(self.check(digest("joe", "wrong")), TemporaryFailure)


class ScramCheckerTests(CheckerCase):
    def use(self, threads):
        self.checker = ScramChecker(self.gate)

    def proof(self, name, password=SECRET, *, hash="sha256", of=None, **others):
        return scram(name, password, self.parameters(of or JOE, hash), hash=hash, **others)

    def parameters(self, account, hash="sha256"):
        return self.vault.scram_parameters(str(account.address), hash)

    def test_provides_the_interface(self):
        verifyObject(ICredentialsChecker, self.checker)

    def test_a_proof_of_the_account_s_own_password(self):
        for hash in ("sha1", "sha256"):
            credentials = self.proof("JOE", hash=hash)
            self.assertEqual(self.admitted(credentials), b"joe@example.net")
            self.assertIsNone(credentials.granted.device)
            expected = server_signature(SECRET, self.parameters(JOE, hash), hash)
            self.assertEqual(credentials.granted.signature, expected)

    def test_a_proof_of_a_device_s_password(self):
        for hash in ("sha1", "sha256"):
            for name in ("phone", "eudora"):
                credentials = self.proof("joe", password_of(name), hash=hash)
                self.assertEqual(self.by_device(credentials), name)
                expected = server_signature(password_of(name), self.parameters(JOE, hash), hash)
                self.assertEqual(credentials.granted.signature, expected)

    def test_whoever_requires_apop_takes_it(self):
        self.admitted(self.proof("joe", rules=REQUIRE))

    def cases(self):
        address = attrs.evolve(JOE, address=Address("nobody", "example.net"))
        strict = attrs.evolve(JOE, address=Address("off", "example.net"))
        sender = attrs.evolve(JOE, address=Address("sender", "example.net"))
        yield self.proof("joe", "wrong"), ("wrong-proof", "joe@example.net", '""')
        yield self.proof("joe", SECRET, of=DUMB), ("wrong-proof", "joe@example.net", '""')
        yield self.proof("nobody", of=address), ("unknown-account", '""', '""')
        yield self.proof("../joe"), ("impossible-name", '""', '""')
        yield self.proof("broken"), ("no-verifiers", "broken@example.net", '""')
        yield self.proof("dumb", of=DUMB), ("wrong-proof", "dumb@example.net", '""')
        yield self.proof("off", of=strict), ("account-off", "off@example.net", '""')
        yield (
            self.proof("off", password_of("off-phone"), of=strict),
            ("account-off", "off@example.net", "off-phone"),
        )
        yield self.proof("sender", of=sender), ("pop3-denied", "sender@example.net", '""')
        for name, reason in (
            ("send-only", "device-scope"),
            ("office", "device-network"),
            ("late", "device-expired"),
        ):
            yield self.proof("joe", password_of(name)), (reason, "joe@example.net", name)

    def test_every_refusal_has_its_reason_and_the_same_work(self):
        for number, (credentials, expected) in enumerate(self.cases()):
            tried = held_against(credentials)
            self.ring.opened = 0
            self.directory.asked.clear()
            self.assertEqual(self.reason(credentials), expected, number)
            self.assertEqual(len(tried), LEAST_TRIES + 1, number)
            self.assertEqual(self.ring.opened, LEAST_TRIES + 2, number)
            self.assertEqual(self.directory.asked, ["account", "devices", "verifiers"], number)

    def test_an_old_password_proves_nothing(self):
        self.do(self.directory.change_account(attrs.evolve(JOE, password_hash=OTHER)))
        self.refused(self.proof("joe"))
        self.admitted(self.proof("joe", password_of("phone")))

    def test_no_proof_is_made_of_a_decoy(self):
        """A stored key of zeros or of another hash would be as good as a password that everybody knows."""
        secrets = self.vault.open_decoy()
        for keys in (secrets.scram, self.vault.open_decoy_verifiers()):
            self.assertEqual({len(keys["sha1"].stored_key), len(keys["sha256"].stored_key)}, {20, 32})
            self.assertTrue(any(keys["sha256"].stored_key))

    def test_a_directory_that_is_away_is_no_wrong_proof(self):
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        self.failureResultOf(self.check(self.proof("joe")), TemporaryFailure)

    def test_while_verifiers_are_out_of_reach_devices_let_in(self):
        """An account of the configuration has devices there, and its verifiers may be in the database."""

        class Away(CountingDirectory):
            async def verifiers(self, account, elsewhere=False):
                raise TemporaryFailure(DIRECTORY_UNAVAILABLE)

        self.directory.__class__ = Away
        credentials = self.proof("joe", password_of("phone"))
        self.assertEqual(self.by_device(credentials), "phone")
        for password in (SECRET, "wrong", password_of("late")):
            failure = self.failureResultOf(self.check(self.proof("joe", password)), TemporaryFailure).value
            self.assertEqual(failure.reply, DIRECTORY_UNAVAILABLE)
        self.assertEqual([line for line in self.lines if "login.refused" in line], [])

    def test_while_verifiers_are_out_of_reach_passwords_are_right_or_wrong(self):
        """They are asked for in the background alone."""
        file = MemoryDirectory((JOE,), origin=Origin.FILE)
        away = MemoryDirectory(refuse_with=TemporaryFailure(DIRECTORY_UNAVAILABLE))
        gate = attrs.evolve(self.gate, directory=LayeredDirectory(file, away))
        passwords = Passwords(Inline(), self.log, self.hasher)
        renewal = Renewal(gate.directory, self.vault, passwords, self.tasks, self.log)
        self.checker = PasswordChecker(gate, passwords, self.cache, renewal)
        self.admitted(own("joe", tls=TLS))
        self.assertIn("login.renewal_failed", self.lines[-1])
        self.refused(attempt(password="wrong", tls=TLS))
        self.assertEqual(self.lost, [])


class BrokenSealTests(CheckerCase):
    """What does not open is our mistake: nobody hears "wrong password", unless it could not have helped."""

    def checks(self, secret="wrong"):
        parameters = self.vault.scram_parameters(str(JOE.address), "sha256")
        yield self.checker, attempt(password=secret)
        yield SecretChecker(self.gate), digest("joe", secret)
        yield ScramChecker(self.gate), scram("joe", secret, parameters)

    def told(self, device):
        (line,) = (line for line in self.lines if "seal.broken" in line)
        for word in (" error ", "account=joe@example.net", f"device={device}", "reason="):
            self.assertIn(word, line)
        self.lines.clear()

    def test_a_device_that_does_not_open_is_temporary_and_told(self):
        self.break_seal(JOE, "eudora")
        for checker, credentials in self.checks():
            failure = self.failureResultOf(checker.requestAvatarId(credentials), TemporaryFailure).value
            self.assertEqual(failure.reply, INTERNAL_ERROR)
            self.told("eudora")
        self.assertEqual(len(self.hasher.verified), 1)

    def test_all_else_works_beside_it(self):
        self.break_seal(JOE, "eudora")
        for secret in (SECRET, password_of("phone")):
            for checker, credentials in self.checks(secret):
                if not isinstance(checker, SecretChecker):
                    self.successResultOf(checker.requestAvatarId(credentials))
        self.successResultOf(
            SecretChecker(self.gate).requestAvatarId(digest("joe", password_of("apop-only")))
        )

    def test_who_proved_it_and_may_not_is_refused_all_the_same(self):
        self.break_seal(JOE, "eudora")
        for checker, credentials in self.checks(password_of("office")):
            self.failureResultOf(checker.requestAvatarId(credentials), UnauthorizedLogin)

    def test_one_that_could_not_have_helped_is_not_even_opened(self):
        self.break_seal(JOE, "apop-only")
        self.checker = SecretChecker(self.gate)
        self.lines.clear()
        self.assertEqual(self.reason(digest("joe", "wrong", mechanism="NTLM"))[0], "wrong-digest")

    def test_verifiers_that_do_not_open_are_temporary_and_told(self):
        self.do(self.directory.keep_verifiers(JOE.address, b"broken"))
        (*_, (checker, credentials)) = self.checks(SECRET)
        self.failureResultOf(checker.requestAvatarId(credentials), TemporaryFailure)
        self.told('""')
        (*_, (checker, credentials)) = self.checks(password_of("phone"))
        self.successResultOf(checker.requestAvatarId(credentials))

    def test_strangers_hear_nothing_of_it(self):
        self.break_seal(JOE, "eudora")
        self.assertEqual(self.reason(attempt("nobody", "wrong"))[0], "unknown-account")


class LogTests(CheckerCase):
    def test_a_refusal_says_where_and_how(self):
        self.refused(attempt(password="wrong", mechanism="PLAIN", service="submission"))
        for word in ("session=s1", "service=submission", f"peer={PEER}", "mechanism=PLAIN"):
            self.assertIn(word, self.lines[-1])

    def test_no_password_and_no_hash_is_in_a_line_or_a_repr(self):
        shown: list[str] = []

        def note(failure):
            shown.append(failure.getTraceback() + repr(failure.value))

        self.break_seal(JOE, "eudora")
        parameters = self.vault.scram_parameters(str(JOE.address), "sha256")
        for checker, credentials in (
            (self.checker, own("joe", tls=TLS)),
            (self.checker, own("joe")),
            (self.checker, by("joe", "office")),
            (self.checker, attempt(password="canary-wrong")),
            (self.checker, own("canary-in-the-wrong-field")),
            (self.checker, own("canary-in-the-wrong-field@example.net")),
            (self.checker, own("canary in the wrong field")),
            (self.checker, attempt("broken", "canary-plain-text")),
            (self.checker, attempt("dumb", "canary-x")),
            (SecretChecker(self.gate), digest("joe", password_of("office"))),
            (SecretChecker(self.gate), digest("joe", password_of("apop-only"))),
            (ScramChecker(self.gate), scram("joe", SECRET, parameters)),
            (ScramChecker(self.gate), scram("joe", "canary-x", parameters)),
        ):
            checker.requestAvatarId(credentials).addErrback(note)
            shown.extend([repr(credentials), repr(checker)])
        devices = self.do(self.directory.devices(JOE.address))
        shown.extend(repr(thing) for thing in (self.cache, self.directory, JOE, self.gate, devices))
        text = "\n".join(self.lines + shown)
        self.assertIn("login.refused", text)
        self.assertIn("seal.broken", text)
        self.assertNotIn("canary", text)
        self.assertNotIn("$argon2", text)


class WaitingTests(CheckerCase):
    def test_a_device_password_waits_for_no_thread(self):
        self.use(HeldThreads())
        self.assertEqual(self.by_device(by("joe", "phone")), "phone")
        checking = self.check(own("joe"))
        self.assertNoResult(checking)
        self.threads.release()
        self.successResultOf(checking)
