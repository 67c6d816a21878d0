"""The blocks of [[source]]: what each type needs, and what it does not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.sources import is_loopback
from tests.config.conftest import LoadText

HEAD = '[[source]]\nname = "x"\n'
PLUGIN = HEAD + 'type = "plugin"\nchecker = "memory:joe:canary"\n'
HOOK = HEAD + 'type = "http"\nurl = "https://auth.example.net/check"\n'
LDAP = HEAD + 'type = "ldap"\nurl = "ldaps://ldap.example.net"\n'
BY_NAME = LDAP + 'bind_dn = "uid={local},dc=x"\n'
BY_SEARCH = LDAP + 'base = "dc=x"\nfilter = "(mail={address})"\n'


def problems(load_text: LoadText, text: str, **files: str) -> list[str]:
    return [str(problem) for problem in load_text(text, files=files).problems]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + 'type = "passwd-file"\nfile = "passwd"\n',
        HEAD + 'type = "pam"\nservice = "mail"\ndomains = ["example.net"]\nusername = "local"\n',
        HOOK,
        HOOK + 'token_file = "secret"\ntimeout = "2s"\ncache = "0s"\ncache_refused = "0s"\n',
        HOOK.replace("https://auth.example.net", "http://[::1]:8080"),
        BY_NAME,
        BY_SEARCH + 'search_dn = "cn=mail"\nsearch_password_file = "secret"\n',
        BY_NAME.replace("ldaps://ldap.example.net", "ldap://localhost:389") + "starttls = false\n",
        PLUGIN,
    ],
)
def test_right_ones(load_text: LoadText, tmp_path: Path, text: str) -> None:
    for name in ("passwd", "secret"):
        (tmp_path / name).write_text("x:y\n")
        (tmp_path / name).chmod(0o600)
    loaded = load_text(text)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.config is not None
    assert [source.name for source in loaded.config.sources] == ["x"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD, 1, "source 'x' has no type"),
        (HEAD + 'type = "sql"\n', 3, "one of"),
        (HEAD + 'type = "passwd-file"\n', 3, 'type = "passwd-file" needs file'),
        (HEAD + 'type = "http"\n', 3, 'type = "http" needs url'),
        (HEAD + 'type = "plugin"\n', 3, 'type = "plugin" needs checker'),
        (HEAD + 'type = "pam"\nservice = "../x"\n', 4, "expected"),
        (HEAD + 'type = "pam"\nurl = "https://x.example"\n', 4, 'url says nothing for type = "pam"'),
        (HOOK.replace("https:", "http:"), 4, "http:// sends passwords in the clear"),
        (HOOK.replace("https:", "ldaps:").replace("/check", ""), 4, "needs a URL with https:// or http://"),
        (HOOK.replace("auth.example.net", "a:canary@x"), 4, "has a name or a password in it"),
        (HOOK.replace("https:", "ftp:"), 4, "is no URL that is spoken here"),
        (HOOK.replace("/check", ":99999/"), 4, "is no URL"),
        (HOOK.replace("/check", ":0/"), 4, "port 0"),
        (HOOK.replace("/check", "/ä"), 4, "is not ASCII"),
        (HOOK.replace("/check", "/#x"), 4, "fragment"),
        (LDAP, 3, "either bind_dn, or base and filter"),
        (LDAP + 'filter = "(mail={address})"\n', 5, "filter needs base"),
        (LDAP + 'bind_dn = "uid=joe"\n', 5, "the same name for everybody"),
        (LDAP + 'bind_dn = "uid={user}"\n', 5, "unknown placeholder '{user}'"),
        (BY_NAME + 'base = "dc=x"\n', 6, "base says nothing beside bind_dn"),
        (BY_NAME + 'filter = "(mail={address})"\n', 5, "either bind_dn, or base and filter"),
        (BY_SEARCH + 'search_dn = "cn=x"\n', 7, "belong together"),
        (BY_NAME.replace("ldaps", "ldap") + "starttls = false\n", 6, "starttls = false sends passwords"),
        (BY_NAME.replace(".net", ".net/dc=x"), 4, "has a path"),
        (PLUGIN.replace("memory:", "mem ory:"), 4, "the value is no checker"),
        (HOOK + 'token_file = "nowhere"\n', 5, "is not there"),
        (HOOK + 'ca_file = "/"\n', 5, "is no file"),
    ],
)
def test_wrong_ones(load_text: LoadText, text: str, line: int, words: str) -> None:
    found = problems(load_text, text)
    assert any(f"mailsuite.toml:{line}: error" in one and words in one for one in found), found
    assert "canary" not in "".join(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BY_NAME + 'username = "local"\n', "username says nothing"),
        (BY_NAME + "starttls = true\n", "starttls says nothing for ldaps"),
        (HOOK + 'username = "local"\n', "the same password opens the accounts of that name"),
        (HOOK + 'token_file = "open"\n', "everybody can read"),
    ],
)
def test_doubtful_ones(load_text: LoadText, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "open").write_text("x\n")
    (tmp_path / "open").chmod(0o644)
    found = problems(load_text, text)
    assert any(": warning" in one and words in one for one in found), found


def test_one_that_is_off_needs_no_files(load_text: LoadText) -> None:
    assert problems(load_text, HEAD + 'type = "passwd-file"\nfile = "nowhere"\nenabled = false\n') == []


def test_the_arguments_of_a_checker_are_not_shown(load_text: LoadText) -> None:
    loaded = load_text(PLUGIN)
    assert loaded.config is not None
    assert "canary" not in repr(loaded.config)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example.net", "10.0.0.1", "0.0.0.0", "example.net", "::"])
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)
