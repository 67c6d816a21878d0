"""Password hashes: what fits, what does not, and that both cost the same."""

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import HashingError, VerificationError
from argon2.low_level import error_to_str
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.passwords import (
    _NOBODYS,
    LANES,
    MAX_PASSWORD_OCTETS,
    MEMORY_KIB,
    PASSES,
    PasswordRefused,
    Passwords,
    prepared,
)
from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.hashes.stored import is_readable
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from tests.accounts.fakes import HASH, SECRET, CountingHasher

JOE = Address("joe", "example.net")


class Counting(Inline):
    runs = 0

    async def run(self, work):
        self.runs += 1
        return work()


class PasswordsTests(SynchronousTestCase):
    def setUp(self):
        self.lines = []
        self.hasher = CountingHasher()
        log = Log(lambda line, urgent: self.lines.append(line))
        self.passwords = Passwords(Inline(), log, self.hasher)

    def answer(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def verify(self, stored, password):
        return self.answer(self.passwords.verify(stored, password, JOE))

    def test_the_right_password_fits_and_no_other(self):
        self.assertTrue(self.verify(HASH, SECRET))
        for wrong in ("", SECRET + " ", " " + SECRET, SECRET.upper(), SECRET + "\0", SECRET[:-1], HASH):
            self.assertFalse(self.verify(HASH, wrong))

    def test_what_was_hashed_can_be_verified(self):
        for password in (
            "x",
            "with space ",
            "\u00fcber",
            "nul\0nul",
            "\udcff",
            "\ud800",
            "k" * MAX_PASSWORD_OCTETS,
        ):
            stored = self.answer(self.passwords.hash(password))
            self.assertTrue(self.verify(stored, password))
            self.assertFalse(self.verify(stored, password + "x"))
        self.assertNotEqual(*(self.answer(self.passwords.hash("x")) for _ in range(2)))

    def test_the_same_keys_fit_from_every_system(self):
        stored = self.answer(self.passwords.hash("\u00fc"))
        self.assertTrue(self.verify(stored, "u\u0308"))

    def test_some_passwords_are_refused(self):
        for password in ("", "x" * (MAX_PASSWORD_OCTETS + 1)):
            failed = Deferred.fromCoroutine(self.passwords.hash(password))
            text = str(self.failureResultOf(failed, PasswordRefused).value)
            self.assertNotIn("xx", text)

    def test_every_answer_costs_one_verification(self):
        over_long = "k" * (MAX_PASSWORD_OCTETS + 1)
        for stored, password in (
            (HASH, SECRET),
            (HASH, "wrong"),
            (HASH, over_long),
            ("", SECRET),
            ("", ""),
            ("garbage", SECRET),
            ("$6$salt$sha512crypt", SECRET),
        ):
            self.hasher.verified.clear()
            self.verify(stored, password)
            self.assertEqual(len(self.hasher.verified), 1, (stored, len(password)))
            against, secret = self.hasher.verified[0]
            usable = stored == HASH and password != over_long
            self.assertEqual(against, HASH if usable else _NOBODYS)
            self.assertLessEqual(len(secret), MAX_PASSWORD_OCTETS)

    def test_a_hash_that_argon2_alone_cannot_read_costs_one_that_works(self):
        broken = HASH[:-1] + "B"  # bits that no base64 encoder leaves behind
        if not is_readable(broken):
            raise AssertionError("our own reading sees more than it should")
        self.assertFalse(self.verify(broken, SECRET))
        self.assertEqual([against for against, _ in self.hasher.verified], [broken, _NOBODYS])
        self.assertIn("password.hash_unreadable", self.lines[0])

    def test_a_hash_that_cannot_be_read_is_logged_without_it(self):
        self.assertFalse(self.verify("plain-canary", "plain-canary"))
        self.assertEqual(len(self.lines), 1)
        self.assertIn("joe@example.net", self.lines[0])
        self.assertNotIn("canary", self.lines[0])

    def test_no_hash_is_nothing_to_log(self):
        self.verify("", SECRET)
        self.verify(HASH, "wrong")
        self.verify(HASH, "k" * 5000)
        self.assertEqual(self.lines, [])

    def test_nobody_s_hash_lets_nobody_in(self):
        self.hasher.verify = lambda stored, password: True
        self.assertFalse(self.verify("", SECRET))
        self.assertFalse(self.verify("garbage", SECRET))

    def test_a_machine_without_memory_is_no_wrong_password(self):
        for code in (-22, -33):
            self.hasher.fails_with = VerificationError(error_to_str(code))
            for stored in (HASH, ""):
                failed = Deferred.fromCoroutine(self.passwords.verify(stored, SECRET))
                self.assertEqual(self.failureResultOf(failed, TemporaryFailure).value.reply, OVERLOADED)

    def test_a_machine_without_memory_makes_no_hash(self):
        self.hasher.fails_with = HashingError(error_to_str(-22))
        failed = Deferred.fromCoroutine(self.passwords.hash("x"))
        self.assertEqual(self.failureResultOf(failed, TemporaryFailure).value.reply, OVERLOADED)

    def test_what_costs_more_than_ours_holds_nobody_up(self):
        """The slow hashes of other servers, and argon2 with greater parameters, have threads of their own."""
        slow, usual = Counting(), Counting()
        passwords = Passwords(usual, hasher=self.hasher, slow=slow)
        greater = PasswordHasher(time_cost=PASSES + 1, memory_cost=MEMORY_KIB, parallelism=LANES).hash("x")
        for stored in ("", HASH, "no hash", greater, "{SHA256}" + "A" * 43 + "=", "$6$salt$" + "x" * 86):
            self.answer(passwords.verify(stored, "wrong"))
        self.assertEqual((usual.runs, slow.runs), (4, 2))

    def test_nothing_is_shown(self):
        self.assertNotIn(SECRET, repr(self.passwords))


class RealArgon2Tests(SynchronousTestCase):
    def test_hashes_are_argon2id_at_the_cost_that_is_promised(self):
        passwords = Passwords(Inline())
        stored = self.successResultOf(Deferred.fromCoroutine(passwords.hash(SECRET)))
        self.assertTrue(stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(passwords.verify(stored, SECRET))))

    def test_nobody_s_hash_costs_what_a_real_one_costs(self):
        ours, nobodys = PasswordHasher(PASSES, MEMORY_KIB, LANES).hash("x"), _NOBODYS
        self.assertEqual(extract_parameters(ours), extract_parameters(nobodys))
        passwords = Passwords(Inline())
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(passwords.verify(nobodys, SECRET))))


def test_preparation_keeps_what_is_composed():
    assert prepared("a b\u00a0") == b"a b\xc2\xa0"
    assert prepared("\udcff") == b"\xff"
    assert prepared("\ud800") == b"\xed\xa0\x80"
