"""Hashes that other programs made: each scheme by vectors that none of our code has computed.

Those for SECRET were made by ``openssl passwd``, ``slappasswd``, passlib, scramp and argon2-cffi; those for
``test`` stand in the tests of Dovecot, those for ``cyclone123`` and ``hashcat`` in programs that guess.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.accounts.libcrypt import (
    NotComputable,
    SystemCrypt,
    in_library,
    load_crypt,
    no_crypt,
    system_crypt,
)
from mailsuite.accounts.passwords import _NOBODYS, Passwords
from mailsuite.accounts.schemes import MAX_CRYPT_OCTETS, matches
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.hashes.stored import of_foreign_file, read_hash
from mailsuite.model.hashes.values import Argon2, Pbkdf2, Scrypt
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from tests.accounts.fakes import CountingHasher

SECRET = "canary-swordfish"
JOE = Address("joe", "example.net")
SHA512_CRYPT = (
    "$6$c0PPer.v1vid$dfifh9o6XIs40Ju7hUghtIUvGgrneS5nyuNzxBmGh76W1CECiABHec5icjM7.xqz/r8smQ/aaIMGGJRe1jUek0"
)

VECTORS = [
    (SECRET, "$1$Zq8mT1xw$uTujqmAbkQkDo7d2eJbVq0"),
    (SECRET, "$5$rLhg7aP0uWe$XEeANSjzKKNJOScgLbav4H.ypItUIQAw1ichnWuCZP3"),
    (SECRET, "$5$rounds=12345$lantern$59av/IgVLbzhBBHHyXHoKfOETDCltMi5WFItpayu9J3"),
    (SECRET, SHA512_CRYPT),
    (SECRET, f"{{SHA512-CRYPT}}{SHA512_CRYPT}"),
    (
        SECRET,
        "$6$rounds=1000$lantern$6/NUDYNlbZYCU0CuNGM032cq/g1oWLwq0gw4v3YOLSprBtiGA95OyFOQfFtIqXemmJe2E5to9Z1cN"
        "WeVd58RO.",
    ),
    (SECRET, "k9lc5WfPHTzec"),
    (SECRET, "$2a$04$abcdefghijklmnopqrstuuRmvvXelOwVFB6dClV/s7zMOxcGvi4rK"),
    (SECRET, "$2b$04$abcdefghijklmnopqrstuuRmvvXelOwVFB6dClV/s7zMOxcGvi4rK"),
    (SECRET, "$2y$04$abcdefghijklmnopqrstuuRmvvXelOwVFB6dClV/s7zMOxcGvi4rK"),
    (SECRET, "$scrypt$ln=10,r=8,p=1$Y29wcGVyLWxhbnRlcm4$yG38peU1lPQyiWWmkCvWDORmMv9FQ2Ie43nQxXY3FmU"),
    (SECRET, "$pbkdf2$1200$Y29wcGVyLWxhbnRlcm4$j3ZN4HyAf7ekc8C5xsNBEdpVdM4"),
    (SECRET, "$pbkdf2-sha256$1200$Y29wcGVyLWxhbnRlcm4$jjgmoKSqeVLuwvWEGR328ndoh4I8BlZIgGxUIvFVizM"),
    (
        SECRET,
        "$pbkdf2-sha512$1200$Y29wcGVyLWxhbnRlcm4$qVYdkjzaU.9SEiER4PARINF1HyMuHDPWUyqxkscWTe8ptkCGp822xIqIKQXz"
        "Caj2dWtv59wWPk6Jfj/sTr6AKg",
    ),
    (SECRET, "{SMD5}YFxsj1GRPZJHiFr7kp/05XZpdmlkc2Fs"),
    (SECRET, "{SSHA}RRLCga9vWxgrZsXXcYLQlEvk8bvAfHSW"),
    (SECRET, "{SSHA256}hdEqj3+T/JVYFewBFN0bBcvZDgk0Gns/IN6YJzWwupB2aXZpZHNhbA=="),
    (
        SECRET,
        "{SSHA512}fss67j300ojea6M8TJP1iR51RQwCgUWWJx8gtPGmZGewLuQRRLO+4eQ85p5ZmISomv5fNt9SMnu3VIDuPA203nZpdml"
        "kc2Fs",
    ),
    (SECRET, "{MD5}t2NuOHK1R8E7b/mW7MB1Ig=="),
    (SECRET, "{PLAIN-MD5}b7636e3872b547c13b6ff996ecc07522"),
    (SECRET, "{SHA}h/v/8yiiFOKl52TxG0GXPTvjxTE="),
    (SECRET, "{SHA256}Dh497dbsLsnsB5Jua9aOjFs6Hwl9gmM9KVvzBCs+YlU="),
    (SECRET, "{SHA256.hex}0e1e3dedd6ec2ec9ec07926e6bd68e8c5b3a1f097d82633d295bf3042b3e6255"),
    (
        SECRET,
        "{SHA512}+3ej1nHn5TTxgNXJXrVYdNV/YaK5WFLl9WbfO67ROGtCh8l/GFXyv0eMdaeAQFUG63WmQE8ykutuUs6+dMYBjw==",
    ),
    (
        SECRET,
        "{SCRAM-SHA-1}4096,Y29wcGVyLWxhbnRlcm4=,bBrzcbhlgBx1r6pZ9WrGP4Iqzk0=,pH0l8Shb7yODQ6uv4a8SMTGs6tM=",
    ),
    (
        SECRET,
        "{SCRAM-SHA-256}4096,Y29wcGVyLWxhbnRlcm4=,r6C9w3g6dTxm1Ise9joXPpqbGw3u8Hyo9+bTQbwEoto=,"
        "sqhX3zAD/+VCV68NYPidsqOO/zUtkO5Zm7FxJF/6S+U=",
    ),
    ("test", "{CRYPT}//EsnG9FLTKjo"),
    ("test", "{MD5}$1$wmyrgRuV$kImF6.9MAFQNHe23kq5vI/"),
    ("test", "{SHA1}qUqP5cyxm6YcTAhz05Hph5gvu9M="),
    ("test", "{SMD5}JTu1KRwptKZJg/RLd+6Vn5GUd0M="),
    ("test", "{LDAP-MD5}CY9rzUYh03PK3k6DJie09g=="),
    ("test", "{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="),
    ("test", "{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO"),
    ("test", "{MD5-CRYPT}$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/"),
    ("test", "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a"),
    (
        "test",
        "{SCRAM-SHA-1}4096,GetyLXdBuHzf1FWf8SLz2Q==,NA/OqmF4hhrsrB9KR7po+dliTGM=,QBiURvQaE6H6qYTmeghDHLANBFQ=",
    ),
    (
        "test",
        "{SCRAM-SHA-256}4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,"
        "AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=",
    ),
    ("test", "{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW"),
    ("cyclone123", "$y$j9T$z7lNWyBfW4ZruGHCsFzDz/$Sz1GtrDDnsf0KfUE8mQHNJqGyG32TDWC287DdU97dz."),
    ("cyclone123", "$gy$j9T$zHbAdM1G1TomuQ6P6lRwc.$kTKZeBwUiSlCcxHfPQuzczMUxeNgp0LaK2LbsAK8KO/"),
    ("hashcat", "$gy$j9T$HtyOX9cwJ2Dh8LlJV8IJ30$ZCSJt69pE/HLXFfIuxukRc2PlNla.tbqJxUHCp/WHVD"),
]


def fits(stored: str, password: str) -> bool:
    field = of_foreign_file(stored)
    assert isinstance(field, str)
    read = read_hash(field)
    assert not isinstance(read, Argon2)
    return matches(read, password.encode(), system_crypt())


@pytest.mark.parametrize(("password", "stored"), VECTORS)
def test_each_scheme_knows_its_password(password: str, stored: str) -> None:
    assert fits(stored, password)


@pytest.mark.parametrize(("password", "stored"), VECTORS)
def test_no_scheme_takes_another(password: str, stored: str) -> None:
    for wrong in (
        "",
        password.upper(),
        password[:3],
        f"x{password}",
        stored,
        f"{password}\0",
        f"{password[:2]}\0x",
    ):
        assert not fits(stored, wrong)


@pytest.mark.parametrize(
    ("password", "salt", "rounds", "key"),
    [
        ("password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
        ("password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        ("password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
        ("pass\0word", "sa\0lt", 4096, "56fa6aa75548099dcc37d7f03425e0c3"),
    ],
)
def test_pbkdf2_by_rfc_6070(password: str, salt: str, rounds: int, key: str) -> None:
    stored = Pbkdf2("sha1", rounds, salt.encode(), bytes.fromhex(key))
    assert matches(stored, password.encode(), no_crypt)
    assert not matches(stored, password.encode() + b"x", no_crypt)


def test_scrypt_by_rfc_7914() -> None:
    key = (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830da"
        "c727afb94a83ee6d8360cbdfa2cc0640"
    )
    stored = Scrypt(10, 8, 16, b"NaCl", bytes.fromhex(key))
    assert matches(stored, b"password", no_crypt)
    assert not matches(stored, b"Password", no_crypt)


def test_crypt_is_not_asked_what_it_would_cut_off() -> None:
    asked: list[bytes] = []

    def crypt(secret: bytes, stored: bytes) -> bytes:
        asked.append(secret)
        return stored

    read = read_hash(SHA512_CRYPT)
    assert not isinstance(read, Argon2)
    assert matches(read, b"k" * MAX_CRYPT_OCTETS, crypt)
    assert not matches(read, b"k" * (MAX_CRYPT_OCTETS + 1), crypt)
    assert not matches(read, b"ab\0cd", crypt)
    assert asked == [b"k" * MAX_CRYPT_OCTETS, b"", b""]


class LibraryTests(SynchronousTestCase):
    def test_it_is_found_where_it_is(self) -> None:
        self.assertIs(load_crypt(["libnobodys.so.7"]), no_crypt)
        self.assertIs(load_crypt(["libnobodys.so.7", "libm.so.6"]), no_crypt)
        self.assertIsInstance(load_crypt(["libm.so.6", "libcrypt.so.1"]), SystemCrypt)

    def test_one_that_has_only_the_old_function(self) -> None:
        library = ctypes.CDLL("libcrypt.so.1", use_errno=True)
        crypt = in_library(SimpleNamespace(crypt_r=library.crypt_r))
        self.assertEqual(crypt(SECRET.encode(), SHA512_CRYPT.encode()), SHA512_CRYPT.encode())
        with self.assertRaises(NotComputable):
            crypt(b"x", b"$nobodys$x")

    def test_what_the_library_does_not_know(self) -> None:
        with self.assertRaises(NotComputable):
            system_crypt()(b"x", b"$nobodys$x")
        with self.assertRaises(NotComputable):
            no_crypt(b"x", b"$6$x")

    def test_its_failures_are_told_apart(self) -> None:
        def without_memory(*arguments: object) -> None:
            ctypes.set_errno(errno.ENOMEM)

        with self.assertRaises(MemoryError):
            SystemCrypt(without_memory)(b"x", b"$6$x")
        with self.assertRaises(NotComputable):
            SystemCrypt(lambda *arguments: b"*0")(b"x", b"$6$x")
        with self.assertRaises(NotComputable):
            SystemCrypt(lambda *arguments: None)(b"x", b"$6$x")

    def test_what_it_worked_with_is_wiped(self) -> None:
        seen = []

        def compute(secret: bytes, stored: bytes, workspace: ctypes.Array[ctypes.c_char]) -> bytes:
            workspace[0:6] = b"canary"
            seen.append(workspace)
            return stored

        SystemCrypt(compute)(b"canary", b"$6$x")
        self.assertNotIn(b"canary", seen[0].raw)


class ImportedTests(SynchronousTestCase):
    """Passwords over such hashes: what it costs, and what is told."""

    def setUp(self) -> None:
        self.lines: list[str] = []
        self.hasher = CountingHasher()
        self.log = Log(lambda line, urgent: self.lines.append(line))

    def verify(self, stored: str, password: str, **parts: object) -> bool:
        passwords = Passwords(Inline(), self.log, self.hasher, **parts)
        return self.successResultOf(Deferred.fromCoroutine(passwords.verify(stored, password, JOE)))

    def test_each_answer_costs_one_argon2_besides(self) -> None:
        for password, field in VECTORS:
            stored = of_foreign_file(field)
            for tried, right in ((password, True), ("wrong", False), ("k" * 2000, False)):
                self.hasher.verified.clear()
                self.assertIs(self.verify(stored, tried), right)
                self.assertEqual([against for against, _ in self.hasher.verified], [_NOBODYS])
        self.assertEqual(self.lines, [])

    def test_the_foreign_argon2_is_the_one(self) -> None:
        stored = (
            "$argon2i$v=19$m=8,t=1,p=1$Y29wcGVyLWxhbnRlcm4tMQ$10ICLdndrlN5K/ZluyZVqrCCBtNUtPeI9+tl0KCHKSA"
        )
        self.assertTrue(self.verify(stored, SECRET))
        self.assertFalse(self.verify(stored, "wrong"))
        self.assertEqual([against for against, _ in self.hasher.verified], [stored, stored])
        prefixed = f"{{ARGON2I}}{stored}"
        self.assertTrue(self.verify(prefixed, SECRET))

    def test_without_the_library_the_hash_is_unreadable_at_the_same_cost(self) -> None:
        self.assertFalse(self.verify(SHA512_CRYPT, SECRET, crypt=no_crypt))
        self.assertEqual([against for against, _ in self.hasher.verified], [_NOBODYS])
        self.assertIn("password.hash_unreadable", self.lines[0])
        self.assertNotIn(SHA512_CRYPT[3:], self.lines[0])
        self.assertTrue(self.verify("{SHA}h/v/8yiiFOKl52TxG0GXPTvjxTE=", SECRET, crypt=no_crypt))

    def test_a_machine_without_memory_is_no_wrong_password(self) -> None:
        def exhausted(secret: bytes, stored: bytes) -> bytes:
            raise MemoryError

        passwords = Passwords(Inline(), self.log, self.hasher, exhausted)
        failed = Deferred.fromCoroutine(passwords.verify(SHA512_CRYPT, SECRET))
        self.assertEqual(self.failureResultOf(failed, TemporaryFailure).value.reply, OVERLOADED)

        def no_scrypt(*arguments: object, **named: object) -> bytes:
            raise ValueError("[digital envelope routines] malloc failure")

        self.patch(hashlib, "scrypt", no_scrypt)
        stored = "$scrypt$ln=10,r=8,p=1$Y29wcGVyLWxhbnRlcm4$yG38peU1lPQyiWWmkCvWDORmMv9FQ2Ie43nQxXY3FmU"
        failed = Deferred.fromCoroutine(passwords.verify(stored, SECRET))
        self.assertEqual(self.failureResultOf(failed, TemporaryFailure).value.reply, OVERLOADED)


@pytest.mark.parametrize(
    ("stored", "password", "certain"),
    [
        ("{CRYPT}k9lc5WfPHTzec", "canary-swordfish", False),
        ("{CRYPT}k9lc5WfPHTzec", "canary-s", False),
        ("{DES-CRYPT}k9lc5WfPHTzec", "canary-", True),
        ("{CRYPT}k9lc5WfPHTzec", "can\u00e4ry", False),
        ("$2b$04$abcdefghijklmnopqrstuuRmvvXelOwVFB6dClV/s7zMOxcGvi4rK", 71 * "k", True),
        ("$2b$04$abcdefghijklmnopqrstuuRmvvXelOwVFB6dClV/s7zMOxcGvi4rK", 36 * "\u00e4", False),
        ("{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW", 80 * "k", False),
        (SHA512_CRYPT, 100 * "k", True),
        ("{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO", 100 * "k", True),
        ("$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNo", 100 * "k", True),
        ("unreadable", "k", True),
    ],
)
def test_of_which_passwords_it_is_certain_that_they_are_right(
    stored: str, password: str, certain: bool
) -> None:
    assert Passwords(Inline()).is_certain(stored, password) is certain


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        ("{CRYPT}k9lc5WfPHTzec", SECRET),
        ("{CRYPT}" + system_crypt()(73 * b"k", b"$2b$04$" + 22 * b"a").decode("ascii"), 73 * "k"),
    ],
)
def test_where_it_is_not_certain_another_fits_too(stored: str, password: str) -> None:
    typed = password[:-1] + "X"
    passwords = Passwords(Inline(), hasher=CountingHasher())
    for each in (password, typed):
        assert run_now(passwords.verify(stored, each))
        assert not passwords.is_certain(stored, each)


@pytest.mark.parametrize(
    ("stored", "needed"),
    [
        ("$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNo", False),
        ("$argon2id$v=19$m=65536,t=3,p=4$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNo", False),
        ("$argon2id$v=19$m=19455,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNo", True),
        ("$argon2id$v=19$m=65536,t=1,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNo", True),
        ("$argon2i$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNo", True),
        (SHA512_CRYPT, True),
        ("{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO", True),
    ],
)
def test_what_is_hashed_anew(stored: str, needed: bool) -> None:
    assert Passwords(Inline()).needs_rehash(stored) is needed
