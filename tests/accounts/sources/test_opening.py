"""From blocks to sources: each type, and what can never work."""

from __future__ import annotations

import sys

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock

from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.opening import open_sources
from mailsuite.accounts.sources.trust import SourceError
from mailsuite.concurrent.threads import Inline
from mailsuite.config.sources import SourceBlock
from mailsuite.observe.log import Log
from tests.accounts.fakes import CHEAP
from tests.accounts.sources.certificates import Authority
from tests.accounts.sources.fakes import ANN, JOE, SECRET

LDAP = SourceBlock(name="x", type="ldap", url="ldaps://127.0.0.1", bind_dn="uid={local}")
HOOK = SourceBlock(name="x", type="http", url="https://127.0.0.1/check")


def opened(*blocks):
    log, passwords = Log(), Passwords(Inline())
    return open_sources(blocks, MemoryReactorClock(), threads=Inline(), passwords=passwords, log=log)


def result(coroutine):
    found = []
    Deferred.fromCoroutine(coroutine).addBoth(found.append)
    return found[0]


def test_each_type(tmp_path):
    passwd = tmp_path / "passwd"
    passwd.write_text(f"joe@example.net:{CHEAP.hash(SECRET)}\n")
    sources = opened(
        SourceBlock(name="a", type="passwd-file", file=passwd),
        SourceBlock(name="b", type="pam"),
        attrs.evolve(HOOK, name="c", ca_file=Authority(tmp_path).file),
        attrs.evolve(LDAP, name="d"),
        attrs.evolve(LDAP, name="e", url="ldap://ldap.example.net:1389"),
        attrs.evolve(LDAP, name="f", url="ldap://localhost", starttls=False),
        SourceBlock(name="g", type="plugin", checker="memory:joe@example.net:x"),
        SourceBlock(name="h", type="plugin", checker="unknown", enabled=False),
    )
    assert [source.name for source in sources.sources] == list("abcdefg")
    assert result(sources.check(JOE, SECRET)) is True
    assert result(sources.stop()) is None


def test_a_checker_of_twisted_is_one_like_others(tmp_path):
    (tmp_path / "plain").write_text(f"joe@example.net:{SECRET}\nann:other\n")
    checker = f"file:{tmp_path}/plain"
    sources = opened(
        SourceBlock(name="one", type="plugin", checker=checker, domains=("example.net",)),
        SourceBlock(name="two", type="plugin", checker=checker, domains=("example.org",), username="local"),
    )
    assert result(sources.check(JOE, SECRET)) is True
    assert result(sources.check(JOE, "wrong")) is False
    assert result(sources.check(ANN, "other")) is True
    assert result(sources.check(ANN, SECRET)) is False


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (SourceBlock(name="x", type="passwd-file"), "file is missing"),
        (SourceBlock(name="x", type="plugin", checker="canary"), "nothing here is called"),
        (
            SourceBlock(name="x", type="plugin", checker="memory:canary"),
            "cannot be made with these arguments",
        ),
        (SourceBlock(name="x", type="plugin", checker="anonymous"), "does not check names and passwords"),
        (attrs.evolve(HOOK, url=""), "url is missing"),
        (attrs.evolve(LDAP, bind_dn="", base="dc=x", filter="(mail={address}"), "filter: there is no ')'"),
        (attrs.evolve(LDAP, url="ldap://192.0.2.1", starttls=False), "in the clear"),
    ],
)
def test_what_can_never_work(block, words):
    with pytest.raises(SourceError, match=r"^source x: ") as caught:
        opened(block)
    assert words in str(caught.value)
    assert "memory:canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("block", "key", "content", "words"),
    [
        (HOOK, "token_file", None, "is not there"),
        (HOOK, "token_file", b"", "one line with a secret"),
        (HOOK, "token_file", b"canary\nmore", "one line with a secret"),
        (HOOK, "token_file", b"canary\xff", "is not UTF-8"),
        (HOOK, "token_file", b"canary" * 1000, "one line with a secret"),
        (HOOK, "ca_file", None, "cannot be read: No such file"),
        (LDAP, "ca_file", b"canary", "holds no PEM certificate"),
        (LDAP, "ca_file", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "no PEM"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, block, key, content, words):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        opened(attrs.evolve(block, **{key: file}))
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_library_that_is_not_installed(monkeypatch):
    for name in [one for one in sys.modules if one.startswith("mailsuite.accounts.sources.ldap")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("ldap", "ldap_text"):
        monkeypatch.delattr(f"mailsuite.accounts.sources.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "ldaptor", None)
    monkeypatch.setitem(sys.modules, "ldaptor.protocols", None)
    with pytest.raises(SourceError, match=r"pip install mailsuite\[ldap\]"):
        opened(LDAP)
