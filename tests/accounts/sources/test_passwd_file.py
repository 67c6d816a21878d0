"""A passwd-file as Dovecot's: real files, real hashes, changes that count within a second."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.passwd_file import PasswdFileChecker, parse, read_if_changed
from mailsuite.accounts.sources.question import Question
from mailsuite.concurrent.threads import Inline
from mailsuite.model.failure import TemporaryFailure
from mailsuite.observe.log import Log
from tests.accounts.fakes import CHEAP
from tests.accounts.sources.fakes import JOE, SECRET
from tests.concurrent.held import HeldThreads

HASH, OTHER = CHEAP.hash(SECRET), CHEAP.hash("other")


@pytest.mark.parametrize(
    ("text", "hashes"),
    [
        ("", {}),
        ("joe:hash", {"joe": "hash"}),
        ("joe:hash\n", {"joe": "hash"}),
        ("joe:hash\r\nann:other\r\n", {"joe": "hash", "ann": "other"}),
        ("Joe@Example.NET:hash", {"joe@example.net": "hash"}),
        (
            "joe:{SHA512-CRYPT}$6$salt$sum:1000:1000:Joe:/home/joe:/bin/sh:",
            {"joe": "{SHA512-CRYPT}$6$salt$sum"},
        ),
        ("joe:hash::::::userdb_quota=1G:2", {"joe": "hash"}),
        ("# a comment: not a name\n\n  \njoe:hash", {"joe": "hash"}),
        ("joe:first\njoe:second\nJOE:third", {"joe": "first"}),
        ("joe", {"joe": ""}),
        ("joe::", {"joe": ""}),
        (":hash", {}),
        ("joe:a\u2028b:x\x0cc:d", {"joe": "a\u2028b"}),
    ],
)
def test_lines(text, hashes):
    assert parse(text).hashes == hashes


@pytest.mark.parametrize("fields", ["nologin", "x=y nologin=y", "allow_nets=192.0.2.0/24", "deny=yes a"])
def test_an_account_that_may_not_log_in_there_may_not_here(fields):
    entries = parse(f"joe:hash::::::{fields}\nann:hash::::::userdb_nologin_of_mine=1 nodelay=y\njoe:below")
    assert entries.hashes == {"joe": "", "ann": "hash"}
    assert entries.restricted == 1


def test_a_file_that_did_not_change_is_not_read(tmp_path):
    file = tmp_path / "passwd"
    file.write_text("joe:hash")
    version, entries = read_if_changed(file, None)
    assert entries.hashes == {"joe": "hash"}
    assert read_if_changed(file, version) is None
    (tmp_path / "new").write_text("joe:hush")
    os.replace(tmp_path / "new", file)
    assert read_if_changed(file, version)[1].hashes == {"joe": "hush"}


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "nowhere"):
        with pytest.raises(OSError, match=r"."):
            read_if_changed(place, None)


class CheckerTests(SynchronousTestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="ms-")
        self.addCleanup(temporary.cleanup)
        self.file = Path(temporary.name) / "passwd"
        self.clock = Clock()
        self.lines = []
        self.use(Inline())
        self.write(f"joe@example.net:{HASH}\n")

    def use(self, threads):
        log = Log(lambda line, level: self.lines.append(line))
        self.checker = PasswdFileChecker(
            file=self.file,
            passwords=Passwords(Inline(), log),
            cache=PasswordCache(self.clock.seconds, 300),
            threads=threads,
            clock=self.clock,
            timeout=5.0,
            log=log,
        )

    def write(self, text):
        self.file.with_suffix(".new").write_text(text)
        os.replace(self.file.with_suffix(".new"), self.file)

    def check(self, password=SECRET, name=b"joe@example.net"):
        return self.checker.requestAvatarId(Question(JOE, name, password.encode()))

    def admitted(self, *question):
        return self.successResultOf(self.check(*question))

    def refused(self, *question):
        self.failureResultOf(self.check(*question), UnauthorizedLogin)

    def test_provides_the_interface(self):
        verifyObject(ICredentialsChecker, self.checker)

    def test_yes_and_no(self):
        self.assertEqual(self.admitted(), b"joe@example.net")
        self.assertEqual(self.admitted(SECRET, b"JOE@example.net"), b"JOE@example.net")
        self.refused("wrong")
        self.refused("")
        self.refused(SECRET, b"ann@example.net")
        self.refused(SECRET, b"joe@example.net:")
        self.refused(SECRET, b"\xff")

    def test_fields_that_dovecot_reads(self):
        """A bare hash is crypt's there, and {PLAIN} the password itself."""
        for field, password in (
            ("k9lc5WfPHTzec", SECRET),
            ("{PLAIN}caf\u00e9 au lait", "cafe\u0301 au lait"),
            ("{plain.b64}bGFudGVybg==", "lantern"),
            ("{CLEARTEXT}lantern", "lantern"),
            ("{CRYPT}k9lc5WfPHTzec", SECRET),
        ):
            self.write(f"joe@example.net:{field}\n")
            self.clock.advance(1)
            self.refused("anything else")
            self.refused(field)
            self.refused("")
            self.admitted(password)
            self.admitted(password)
        self.assertNotIn("unreadable", "".join(self.lines))

    def test_fields_that_let_nobody_in(self):
        for field in (
            "",
            "!",
            "*",
            "*LK*",
            "{PLAIN}",
            "{CRYPT}!",
            "x",
            "a plain password",
            "{NTLM}abc",
            "{PLAIN",
        ):
            self.write(f"joe@example.net:{field}\n")
            self.clock.advance(1)
            for password in (field, "", "a plain password", "!"):
                self.refused(password)
        text = "".join(self.lines)
        self.assertIn("password.hash_unreadable", text)
        self.assertNotIn("plain", text)

    def test_credentials_of_twisted_are_taken_too(self):
        credentials = UsernamePassword(b"joe@example.net", SECRET.encode())
        self.assertEqual(self.successResultOf(self.checker.requestAvatarId(credentials)), b"joe@example.net")

    def test_a_changed_line_counts_within_a_second(self):
        self.admitted()
        self.write(f"joe@example.net:{OTHER}\n")
        self.admitted()
        self.clock.advance(1)
        self.refused()
        self.admitted("other")
        self.write("")
        self.clock.advance(1)
        self.refused("other")

    def test_a_file_that_is_away_is_no_wrong_password(self):
        self.admitted()
        self.file.unlink()
        self.clock.advance(1)
        failure = self.failureResultOf(self.check(), TemporaryFailure)
        self.assertIn("No such file", failure.value.detail)
        self.write(f"joe@example.net:{HASH}\n")
        self.admitted()

    def test_a_disk_that_hangs_is_no_wrong_password(self):
        threads = HeldThreads()
        self.use(threads)
        one, two = self.check(), self.check()
        self.assertEqual(len(threads.held), 1)
        self.clock.advance(5.1)
        self.failureResultOf(one, TemporaryFailure)
        self.assertNoResult(two)
        threads.held.pop(0)
        threads.release()
        self.assertEqual(self.successResultOf(two), b"joe@example.net")

    def test_the_log_tells_of_each_reading_and_of_no_hash(self):
        self.admitted()
        self.refused("wrong")
        self.clock.advance(1)
        self.admitted()
        self.assertEqual(len([line for line in self.lines if "source.read" in line]), 1)
        self.assertIn("names=1 restricted=0", self.lines[0])
        text = "".join(self.lines) + repr(self.checker)
        self.assertNotIn("canary", text)
        self.assertNotIn("$argon2", text)
