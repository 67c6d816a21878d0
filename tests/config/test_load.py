"""Loading: authority of the sources, what is derived, and that nothing makes it raise."""

from __future__ import annotations

import datetime
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailsuite.config.declare import all_settings
from mailsuite.config.kinds import toml_text
from mailsuite.config.load import Loaded, find, load
from mailsuite.config.machine import Machine, _host_name, _state_folder
from mailsuite.config.problems import ConfigurationError, Place, Problem, report, summary
from mailsuite.config.schema import Config, Pop3, Submission
from mailsuite.config.secret import Secret
from mailsuite.model.account import Account, Domain, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.origin import Origin
from tests.config.conftest import MACHINE, LoadText

HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"


def config_of(loaded: Loaded) -> Config:
    assert loaded.config is not None, loaded.problems
    return loaded.config


# Defaults


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "schema = 1"])
def test_an_empty_file_gives_a_server_on_loopback_high_ports(load_text: LoadText, text: str) -> None:
    loaded = load_text(text)
    assert loaded.problems == ()
    config = config_of(loaded)
    assert [(one.name, one.service, one.bind, one.port, one.tls) for one in config.listeners] == [
        ("smtp", "smtp", ("127.0.0.1",), 2525, "starttls"),
        ("submission", "submission", ("127.0.0.1",), 2587, "required-starttls"),
        ("submissions", "submission", ("127.0.0.1",), 2465, "implicit"),
        ("pop3", "pop3", ("127.0.0.1",), 2110, "starttls"),
        ("pop3s", "pop3", ("127.0.0.1",), 2995, "implicit"),
        ("notify", "notify", ("127.0.0.1",), 8443, "implicit"),
    ]


def test_no_file_at_all_is_the_same_as_an_empty_one(load_text: LoadText) -> None:
    assert load(None, {}, (), MACHINE).config == load_text("").config


def test_what_is_derived_follows_the_machine_and_the_host_name(load_text: LoadText) -> None:
    config = config_of(load_text(""))
    assert config.server.name == config.pop3.response_name == config.pop3.default_domain == "host.example.net"
    assert config.server.admin == Address("postmaster", "host.example.net")
    assert config.server.control_socket == Path("/var/lib/mailsuite/control.sock")
    assert config.delivery.path == "/var/lib/mailsuite/mail/{domain}/{local}"
    named = config_of(
        load_text("[server]\nname = 'mx.example.org'\nstate = '/srv'\n[log]\nto = '{state}/log'\n")
    )
    assert named.server.admin == Address("postmaster", "mx.example.org")
    assert named.pop3.response_name == "mx.example.org"
    assert named.server.control_socket == Path("/srv/control.sock")
    assert named.delivery.path == "/srv/mail/{domain}/{local}"
    assert named.log.to == Path("/srv/log")


def test_the_first_domain_is_the_default_one(load_text: LoadText) -> None:
    config = config_of(load_text("[[domain]]\nname='b.example'\n[[domain]]\nname='a.example'\n"))
    assert config.pop3.default_domain == config.submission.default_domain == "b.example"
    assert [block.domain for block in config.domains] == [
        Domain("b.example", Origin.FILE),
        Domain("a.example", Origin.FILE),
    ]


@pytest.mark.parametrize(
    ("block", "port", "tls"),
    [
        ("service='smtp'", 25, "starttls"),
        ("service='submission'", 587, "required-starttls"),
        ("service='pop3'", 110, "starttls"),
        ("service='pop3'\ntls='implicit'", 995, "implicit"),
        ("service='submission'\ntls='implicit'", 465, "implicit"),
        ("service='smtp'\ntls='implicit'", 465, "implicit"),
        ("service='pop3'\nport=995", 995, "implicit"),
        ("service='submission'\nport=465", 465, "implicit"),
        ("service='pop3'\nport=0", 0, "starttls"),
        ("service='pop3'\nport=110\ntls='implicit'", 110, "implicit"),
    ],
)
def test_a_listener_has_the_usual_port_and_tls(load_text: LoadText, block: str, port: int, tls: str) -> None:
    [listener] = config_of(load_text(f"[[listener]]\nname='x'\n{block}\n")).listeners
    assert (listener.port, listener.tls, listener.bind) == (port, tls, ("*",))


# Listeners


def test_a_listener_overrides_its_service(load_text: LoadText) -> None:
    config = config_of(
        load_text(
            "[pop3]\nbanner='all'\nmax_command=300\n"
            "[[listener]]\nname='a'\nservice='pop3'\nbanner='mine'\nidle_timeout='20m'\n"
            "[[listener]]\nname='b'\nservice='pop3'\nport=0\n"
            "[[listener]]\nname='c'\nservice='submission'\nauth=['login']\n"
        )
    )
    first, second, third = (listener.settings for listener in config.listeners)
    assert isinstance(first, Pop3)
    assert (first.banner, first.idle_timeout, first.max_command) == ("mine", 1200.0, 300)
    assert second == config.pop3
    assert isinstance(third, Submission)
    assert third.auth == ("login",)
    assert config.submission.auth == ("plain", "login", "scram-sha-256")
    assert config.pop3.banner == "all"


def test_a_listener_has_the_certificate_of_the_server_or_its_own(load_text: LoadText, pem: Path) -> None:
    text = (
        f"[tls]\nmode='files'\ncertificate='{pem}'\nkey='{pem}'\n"
        "[[listener]]\nname='a'\nservice='pop3'\n"
        "[[listener]]\nname='b'\nservice='smtp'\ncertificate='own.pem'\nkey='own.pem'\n"
    )
    loaded = load_text(text, files={"own.pem": pem.read_text()})
    listeners = config_of(loaded).listeners
    assert (listeners[0].certificate, listeners[0].key) == (pem, pem)
    assert listeners[1].certificate == listeners[1].key == pem.parent / "own.pem"
    alone = config_of(load_text("[[listener]]\nname='a'\nservice='pop3'\n"))
    assert alone.listeners[0].certificate is None


@pytest.mark.parametrize(
    "text",
    [
        "bind=['0.0.0.0', '::']\nport=110\n",
        "bind=['127.0.0.1']\nport=110\n[[listener]]\nname='y'\nservice='pop3'\nbind=['127.0.0.2']\nport=110\n",
        "bind=['::']\nport=110\n[[listener]]\nname='y'\nservice='pop3'\nbind=['0.0.0.0']\nport=110\n",
        "port=0\n[[listener]]\nname='y'\nservice='smtp'\nport=0\n",
        "port=110\n[[listener]]\nname='y'\nservice='pop3'\nport=110\nenabled=false\n",
        "endpoint='tcp:110'\n[[listener]]\nname='y'\nservice='pop3'\nport=110\n",
    ],
)
def test_listeners_that_do_not_clash(load_text: LoadText, text: str) -> None:
    assert load_text(f"[[listener]]\nname='x'\nservice='pop3'\n{text}").problems == ()


def test_tls_may_be_off_where_passwords_are_trusted(load_text: LoadText) -> None:
    off = "[[listener]]\nname='x'\nservice='pop3'\ntls='off'\n"
    assert load_text(f"{off}trusted_networks=['192.0.2.0/24']\n").problems == ()
    assert load_text(f"[pop3]\ntrusted_networks=['192.0.2.0/24']\n{off}").problems == ()
    assert load_text(f"{off}enabled=false\n[[listener]]\nname='y'\nservice='smtp'\n").problems == ()


# Accounts


def test_an_account_becomes_a_value_of_the_model(load_text: LoadText) -> None:
    [block] = config_of(
        load_text(
            f"[[account]]\naddress='Joe@Example.NET'\nname='Joe Doe'\npassword_hash='{HASH}'\n"
            "notifymail={ state='static', address='[IPv6:2001:db8::7]' }\n"
        )
    ).accounts
    from ipaddress import ip_address

    notice = NotifyPreference(NotifyState.STATIC, ip_address("2001:db8::7"), 79)
    assert block.account == Account(Address("joe", "example.net"), "Joe Doe", HASH, notice, Origin.FILE)
    assert HASH not in repr(block)


def test_an_account_that_says_nothing_follows_the_default_state(load_text: LoadText) -> None:
    [block] = config_of(load_text("[[account]]\naddress='joe@example.net'\n")).accounts
    assert block.account.notify == NotifyPreference()
    assert block.password is None


@pytest.mark.parametrize(
    ("content", "password"),
    [("tulip canyon\n", "tulip canyon"), ("tulip", "tulip"), ("tulip\r\n", "tulip"), ("grün ", "grün ")],
)
def test_a_password_file_holds_a_password(
    load_text: LoadText, tmp_path: Path, content: str, password: str
) -> None:
    (tmp_path / "pw").write_bytes(content.encode())
    (tmp_path / "pw").chmod(0o600)
    loaded = load_text("[[account]]\naddress='joe@example.net'\npassword_file='pw'\n")
    assert loaded.problems == ()
    [block] = config_of(loaded).accounts
    assert block.password == Secret(password)
    assert block.password.reveal() == password
    assert password not in f"{block!r} {block.password} {loaded!r}"
    assert block.account.password_hash == ""


def test_a_password_file_holds_a_hash(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(HASH + "\n")
    (tmp_path / "pw").chmod(0o600)
    [block] = config_of(load_text("[[account]]\naddress='joe@example.net'\npassword_file='pw'\n")).accounts
    assert block.password is None
    assert block.account.password_hash == HASH


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "does not hold one line"),
        (b"\n", "does not hold one line"),
        (b"a\nb\n", "does not hold one line"),
        (b"a\0b\n", "does not hold one line"),
        (b"x" * 2000, "does not hold one line"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"$1$nothing\n", "looks like a hash and cannot be used: "),
        (b"{SSHA}abcdefghijklmnopq\n", "looks like a hash and cannot be used: "),
        (b"{CRAM-MD5}abcdef\n", "password to whoever has it; expected argon2id in PHC form"),
    ],
)
def test_a_password_file_that_holds_neither(
    load_text: LoadText, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "pw").write_bytes(content)
    loaded = load_text("[[account]]\naddress='joe@example.net'\npassword_file='pw'\n")
    [problem] = loaded.errors
    assert (problem.place.line, says in problem.text) == (3, True)


def test_a_password_file_that_is_a_fifo_does_not_hang(load_text: LoadText, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pw")
    loaded = load_text("[[account]]\naddress='joe@example.net'\npassword_file='pw'\n")
    assert "is no file" in loaded.errors[0].text


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_password_file_that_others_can_read_is_told(load_text: LoadText, tmp_path: Path, mode: int) -> None:
    (tmp_path / "pw").write_text("tulip\n")
    (tmp_path / "pw").chmod(mode)
    [problem] = load_text("[[account]]\naddress='joe@example.net'\npassword_file='pw'\n").problems
    assert problem.severity == "warning"
    assert "chmod 600" in problem.text


def test_a_byte_order_mark_does_no_harm(load_text: LoadText) -> None:
    assert load_text("\ufeff[server]\nname = 'mail.example.net'\n").problems == ()
    [problem] = load_text("\ufeff\n[server]\nnme = 'x'\n").problems
    assert problem.place.line == 3


def test_a_system_file_that_we_may_not_look_at_is_meant_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else a person without the right to read it would work with built-in defaults, unawares."""
    hidden = tmp_path / ("x" * 300)  # root may look everywhere; this fails for root, too
    monkeypatch.setattr("mailsuite.config.load._SYSTEM_FILE", hidden)
    assert find({}) == hidden


def test_private_notice_addresses_need_leave(load_text: LoadText) -> None:
    account = f"[[account]]\naddress='joe@example.net'\npassword_hash='{HASH}'\nnotifymail.address='{{}}'\n"
    for address in (
        "10.1.2.3",
        "127.0.0.1",
        "fd00::1",
        "100.64.0.1",
        "::ffff:10.0.0.1",
    ):
        assert load_text(account.format(address)).config is None, address
    allowed = "[notify]\nallow_networks=['10.0.0.0/8']\n"
    assert load_text(account.format("10.1.2.3") + allowed).problems == ()
    assert load_text(account.format("198.51.100.3")).problems == ()


# Certificates


def test_a_pair_that_does_not_belong_together(load_text: LoadText, pem: Path, other_pem: Path) -> None:
    text = f"[tls]\nmode='files'\ncertificate='{pem}'\nkey='{other_pem}'\n"
    [problem] = load_text(text).problems
    assert (problem.place.line, problem.severity) == (3, "error")
    assert "key values mismatch" in problem.text


def test_a_certificate_that_is_none(load_text: LoadText, tmp_path: Path) -> None:
    text = "[tls]\nmode='files'\ncertificate='c'\nkey='k'\n"
    files = {"c": "nothing", "k": "nothing"}
    [warning, error] = load_text(text, files=files).problems[::-1]
    assert "everybody can read" in warning.text
    assert "cannot be used together" in error.text


# Authority


def test_each_source_stands_above_the_one_before(load_text: LoadText) -> None:
    sources: dict[str, Any] = {
        "files": {
            "conf.d/10-a.toml": "[pop3]\nmax_command=302\nmax_connections=2\nbanner='a'\n",
            "conf.d/50-b.toml": "[pop3]\nmax_connections=3\nbanner='b'\n",
            "conf.d/60-c.toml.off": "[pop3]\nbanner='off'\n",
        },
        "environ": {"MAILSUITE_POP3__BANNER": "env", "MAILSUITE_POP3__DEFAULT_DOMAIN": "env.example"},
        "overrides": ["pop3.default_domain=set.example"],
    }
    loaded = load_text("\n[pop3]\nmax_command=301\nmax_connections_per_address=1\n", **sources)
    pop3 = config_of(loaded).pop3
    assert pop3.max_connections_per_address == 1
    assert pop3.max_command == 302
    assert pop3.max_connections == 3
    assert pop3.banner == "env"
    assert pop3.default_domain == "set.example"
    assert {key: str(place) for key, place in loaded.origins.items()} == {
        "pop3.max_connections_per_address": "mailsuite.toml:4",
        "pop3.max_command": "conf.d/10-a.toml:2",
        "pop3.max_connections": "conf.d/50-b.toml:2",
        "pop3.banner": "MAILSUITE_POP3__BANNER",
        "pop3.default_domain": "--set pop3.default_domain",
    }


def test_a_later_file_changes_single_keys_of_a_block_and_adds_blocks(load_text: LoadText) -> None:
    loaded = load_text(
        "[[listener]]\nname='pop3'\nservice='pop3'\nport=2110\nbanner='a'\n",
        files={
            "conf.d/50-console.toml": "[[listener]]\nname='pop3'\nport=2111\n"
            "[[listener]]\nname='mx'\nservice='smtp'\n"
        },
    )
    assert loaded.problems == ()
    first, second = config_of(loaded).listeners
    assert (first.name, first.port, first.settings.banner) == ("pop3", 2111, "a")
    assert second.name == "mx"
    assert str(loaded.origins["listener.pop3.port"]) == "conf.d/50-console.toml:3"
    assert str(loaded.origins["listener.pop3.banner"]) == "mailsuite.toml:5"


def test_a_wrong_value_is_told_even_where_a_later_source_hides_it(load_text: LoadText) -> None:
    loaded = load_text("[pop3]\nmax_command = 1\n", overrides=["pop3.max_command=512"])
    assert [str(problem.place) for problem in loaded.errors] == ["mailsuite.toml:2"]


@pytest.mark.parametrize(
    ("variable", "value", "key", "expected"),
    [
        ("MAILSUITE_NOTIFY__NOTIFYMAIL__ENABLED", "false", "notify.notifymail.enabled", False),
        ("MAILSUITE_NOTIFY__NOTIFYMAIL__PORTS", "79,7979", "notify.notifymail.ports", (79, 7979)),
        ("MAILSUITE_NOTIFY__ALLOW_NETWORKS", '["10.0.0.0/8"]', "notify.allow_networks", None),
        ("MAILSUITE_SMTP__MAX_MESSAGE", "1MiB", "smtp.max_message", 1 << 20),
        ("MAILSUITE_SMTP__MAX_MESSAGE", '"1MiB"', "smtp.max_message", 1 << 20),
        ("MAILSUITE_POP3__BANNER", "5", "pop3.banner", "5"),
    ],
)
def test_the_environment(variable: str, value: str, key: str, expected: object) -> None:
    loaded = load(None, {variable: value}, (), MACHINE)
    found: Any = config_of(loaded)
    for part in key.split("."):
        found = getattr(found, part)
    assert expected is None or found == expected
    assert loaded.origins[key] == Place(variable)


@pytest.mark.parametrize("variable", ["MAILSUITE_CONFIG", "MAILSUITE_LOG_LEVEL", "PATH", "XMAILSUITE_A__B"])
def test_other_variables_are_not_ours(variable: str) -> None:
    assert load(None, {variable: "x"}, (), MACHINE).problems == ()


@pytest.mark.parametrize(
    ("environ", "overrides", "place", "says"),
    [
        (
            {"MAILSUITE_POP3__IDLE_TIMOUT": "5m"},
            (),
            "MAILSUITE_POP3__IDLE_TIMOUT",
            "did you mean 'idle_timeout'?",
        ),
        ({"MAILSUITE_POP__BANNER": "x"}, (), "MAILSUITE_POP__BANNER", "did you mean 'pop3'?"),
        ({"MAILSUITE_POP3__MAX_COMMAND": "x"}, (), "MAILSUITE_POP3__MAX_COMMAND", "whole number"),
        ({"MAILSUITE_POP3__BANNER__X": "x"}, (), "MAILSUITE_POP3__BANNER__X", "a table is wrong here"),
        ({"MAILSUITE_LISTENER__PORT": "1"}, (), "MAILSUITE_LISTENER__PORT", "written in the file"),
        ({"MAILSUITE_POP3__": "x"}, (), "MAILSUITE_POP3__", "unknown setting ''"),
        ({"MAILSUITE_LOG__TO": "/\udcff"}, (), "MAILSUITE_LOG__TO", "is not UTF-8"),
        ({}, ["pop3.idle_timout=5m"], "--set pop3.idle_timout", "did you mean 'idle_timeout'?"),
        ({}, ["pop3=5"], "--set pop3", "pop3 is a table"),
        ({}, ["pop3.banner"], "--set", "is no key=value"),
        ({}, ["=5"], "--set", "is no key=value"),
        ({}, ["pop3.banner=x", "pop3.banner.x=x"], "--set pop3.banner.x", "beside another"),
        ({}, ["pop3.banner.x=x", "pop3.banner=x"], "--set pop3.banner", "beside another"),
    ],
)
def test_mistakes_outside_of_the_file(
    environ: dict[str, str], overrides: list[str], place: str, says: str
) -> None:
    loaded = load(None, environ, overrides, MACHINE)
    assert loaded.config is None
    assert any(str(p.place) == place and says in p.text for p in loaded.errors), loaded.problems
    assert all(line.isprintable() for line in report(loaded.problems))


def test_the_last_of_several_overrides_wins() -> None:
    loaded = load(None, {}, ["pop3.banner=a", "pop3.banner=b"], MACHINE)
    assert config_of(loaded).pop3.banner == "b"


# Files


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    loaded = load(tmp_path / "no.toml", {}, (), MACHINE)
    assert [str(problem) for problem in loaded.problems] == [
        "no.toml: error cannot be read: No such file or directory"
    ]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert load(tmp_path, {}, (), MACHINE).config is None


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(b"[pop3]\n# Gr\xfc\xdfe\n")
    [problem] = load(tmp_path / "m.toml", {}, (), MACHINE).problems
    assert str(problem) == "m.toml:2: error is not UTF-8 from here on"


def test_a_broken_file_beside_is_named(load_text: LoadText) -> None:
    loaded = load_text("", files={"conf.d/50-console.toml": "[pop3\n"})
    assert [str(problem.place) for problem in loaded.errors] == ["conf.d/50-console.toml:1"]


def test_a_folder_beside_that_cannot_be_read_is_told(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "conf.d").symlink_to("conf.d")
    [problem] = load_text("").errors
    assert str(problem) == "conf.d: error cannot be read: Too many levels of symbolic links"


def test_a_file_beside_that_is_no_folder_is_not_ours(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "conf.d").write_text("x")
    assert load_text("").problems == ()


def test_a_huge_file(load_text: LoadText, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailsuite.config.layers.MAX_FILE_OCTETS", 10)
    assert "is larger than 10 octets" in load_text("# 12345678\n").errors[0].text


def test_a_folder_that_is_gone_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    loaded = load(None, {}, ["server.state=state"], MACHINE)
    assert config_of(loaded).server.state == Path("/state")


def test_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(b"[pop3]\r\nbanner = 'x'\r\nbaner = 'x'\r\n")
    [problem] = load(tmp_path / "m.toml", {}, (), MACHINE).problems
    assert problem.place.line == 3


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000 + "]" * 5000,
        "a = " + "{a = " * 5000 + "1" + "}" * 5000,
        "a" + ".a" * 5000 + " = 1",
        "[" + "a." * 5000 + "a]",
        "a = " + "9" * 5000,
        "a = 2021-02-30",
        'a = "\\ud800"',
        '"\\u0000" = 1',
        "pop3.max_command = 9" + "_9" * 2500,
    ],
)
def test_hostile_text_is_only_wrong(load_text: LoadText, text: str) -> None:
    loaded = load_text(text)
    assert loaded.config is None
    assert all(len(line) < 12_000 and line.isprintable() for line in report(loaded.problems))


_names = st.sampled_from(
    sorted(
        {part for key, _ in all_settings(Config) for part in key.split(".")} | {"x", "listener", "account"}
    )
)
_scalars = (
    st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.just(datetime.date(2026, 1, 1))
    | st.text(max_size=8)
    | st.sampled_from(
        ["10m", "1MiB", "*", "::1", "/dev/null", "a@b.example", "pop3", "smtp", "off", "files", "{state}/{"]
    )
)
_values = st.recursive(
    _scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_names, below, max_size=3),
    max_leaves=6,
)


def _toml(document: dict[str, Any]) -> str:
    return "".join(f"{name} = {toml_text(value)}\n" for name, value in document.items())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_no_text_makes_it_raise(load_text: LoadText, text: str) -> None:
    loaded = load_text(text)
    assert (loaded.config is None) == bool(loaded.errors)


_tables = st.dictionaries(_names, _values, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(_names, _values | _tables | st.lists(_tables, max_size=3), max_size=4))
def test_no_values_make_it_raise(load_text: LoadText, document: dict[str, Any]) -> None:
    loaded = load_text(_toml(document))
    assert (loaded.config is None) == bool(loaded.errors)
    assert all(problem.text for problem in loaded.problems)
    assert all(line.isprintable() for line in report(loaded.problems))


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=30).map(lambda name: f"MAILSUITE_{name}"), st.text()),
    st.lists(st.text()),
)
def test_no_environment_makes_it_raise(environ: dict[str, str], overrides: list[str]) -> None:
    loaded = load(None, environ, overrides, MACHINE)
    assert (loaded.config is None) == bool(loaded.errors)


# What comes of it


def test_a_configuration_with_errors_cannot_be_accepted(load_text: LoadText) -> None:
    assert load_text("").accepted().schema == 1
    with pytest.raises(ConfigurationError, match=r"mailsuite.toml:1:  error    unknown setting 'x'"):
        load_text("x = 1\ny = 1").accepted()


def test_problems_are_reported_in_columns() -> None:
    problems = [
        Problem(Place("mailsuite.toml", 7), "error", "a"),
        Problem(Place("mailsuite.toml", 107), "warning", "b"),
    ]
    assert report(problems) == ["mailsuite.toml:7:    error    a", "mailsuite.toml:107:  warning  b"]
    assert summary(problems) == "1 error, 1 warning"
    assert summary(problems[:1] * 2) == "2 errors"
    assert summary([]) == ""
    assert report([]) == []


def test_the_file_that_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find({"MAILSUITE_CONFIG": "/x.toml"}) == Path("/x.toml")
    monkeypatch.setattr("mailsuite.config.load._SYSTEM_FILE", tmp_path / "m.toml")
    assert find({}) is None
    (tmp_path / "m.toml").touch()
    assert find({}) == tmp_path / "m.toml"


# The machine


@pytest.mark.parametrize(
    ("node", "hosts", "name"),
    [
        ("mail.example.net", [], "mail.example.net"),
        ("mail", ["127.0.1.1 mail.example.net mail # here"], "mail.example.net"),
        ("mail", ["# mail x.example", "127.0.0.1 localhost"], "mail"),
        ("mail", ["127.0.1.1 bad_.example mail"], "mail"),
        ("my_pc", [], "localhost"),
        ("", [], "localhost"),
        ("[::1]", [], "localhost"),
    ],
)
def test_the_host_name_is_always_a_valid_one(node: str, hosts: list[str], name: str) -> None:
    assert _host_name(node, hosts) == name


@pytest.mark.parametrize(
    ("uid", "environ", "folder"),
    [
        (0, {"HOME": "/root"}, "/var/lib/mailsuite"),
        (1, {"HOME": "/home/joe"}, "/home/joe/.local/state/mailsuite"),
        (1, {"HOME": "/home/joe", "XDG_STATE_HOME": "/s"}, "/s/mailsuite"),
        (1, {"HOME": "/home/joe", "XDG_STATE_HOME": "s"}, "/home/joe/.local/state/mailsuite"),
        (1, {}, f"{pwd.getpwuid(1).pw_dir}/.local/state/mailsuite"),
        (4_000_000_000, {}, "/var/lib/mailsuite"),
    ],
)
def test_the_state_folder(uid: int, environ: dict[str, str], folder: str) -> None:
    assert _state_folder(uid, environ) == Path(folder)


def test_the_machine_we_are_on() -> None:
    machine = Machine.here({"HOME": "/home/joe"})
    assert machine.name
    assert machine.state.is_absolute()
    assert load(None).config is not None


def test_a_port_that_nobody_asked_for_is_no_error(load_text: LoadText) -> None:
    accounts = "[[account]]\naddress = 'joe@example.net'\npassword_hash = ''\n"
    assert not load_text(f"[notify.notifymail]\nports = [10079]\n{accounts}").errors
