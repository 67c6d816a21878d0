"""Every setting by which people log in: what it becomes, in which layer, and what is never shown of it."""

from __future__ import annotations

import datetime
import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailsuite.config.explain import explain, reference_page
from mailsuite.config.load import Loaded, load
from mailsuite.config.problems import Place
from mailsuite.config.schema import AccountBlock, Config, DeviceBlock, Pop3, Submission
from mailsuite.config.values import as_toml, changes, values, with_origins
from mailsuite.model.account import AccountState
from mailsuite.model.address import Address
from mailsuite.model.device import Device, Scope
from mailsuite.model.origin import Origin
from tests.config.conftest import MACHINE, LoadText

HASH = "$argon2id$v=19$m=19456,t=2,p=1$bWFpbHN1aXRlLWV4YW1wbGU$bm90IGEgcmVhbCBoYXNoLCBvbmx5IGFuIGV4YW1wbGU"
PASSWORD = "tulip-canyon-mosaic-ledger"
OTHER = "$tulip{mosaic}canyon-2"
"""Begins as hashes do: a device password may hold anything that prints."""
ANN = f'[[account]]\naddress = "ann@example.net"\npassword_hash = "{HASH}"\n'
EUDORA = (
    '[[account.device]]\nname = "Eudora on the old Mac"\npassword_file = "eudora"\n'
    'mechanisms = ["apop", "ntlm"]\n'
)
PHONE = (
    '[[account.device]]\nname = "Phone"\npassword_file = "phone"\nscopes = ["pop3", "notify"]\n'
    'networks = ["192.0.2.0/24"]\nexpires = 2027-01-31\n'
)


def config_of(loaded: Loaded) -> Config:
    assert loaded.config is not None, loaded.problems
    return loaded.config


@pytest.fixture
def secrets(tmp_path: Path) -> None:
    for name, content in {"eudora": PASSWORD, "phone": OTHER}.items():
        (tmp_path / name).write_text(content + "\n", "utf-8")
        (tmp_path / name).chmod(0o600)


def devices_of(loaded: Loaded) -> tuple[DeviceBlock, ...]:
    [account] = config_of(loaded).accounts
    return account.devices


# Devices and APOP

APOP_DEVICE = '[[account.device]]\nname = "Eudora"\npassword_file = "eudora"\nmechanisms = ["apop"]\n'
CANNOT = "and ann@example.net of this file cannot use it"


@pytest.mark.usefixtures("secrets")
def test_apop_is_for_pop3(load_text: LoadText) -> None:
    text = "[pop3]\napop = 'require'\n" + ANN + APOP_DEVICE + 'scopes = ["submission"]\n'
    warning, error = load_text(text).problems
    assert (error.severity, error.place.line) == ("error", 10)
    assert error.text.startswith('mechanisms has "apop", which is for POP3, and scopes has no "pop3"')
    assert (warning.place.line, CANNOT in warning.text) == (2, True)
    assert load_text(text.replace('["submission"]', '["submission", "pop3"]')).problems == ()
    cram = text.replace('"apop"', '"cram-md5"').replace("require", "offer")
    assert load_text(cram).problems == ()


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(("day", "has_come"), [("20", True), ("21", True), ("22", False)])
def test_a_device_whose_day_has_come(tmp_path: Path, day: str, has_come: bool) -> None:
    file = tmp_path / "mailsuite.toml"
    text = "[pop3]\napop = 'require'\n" + ANN + APOP_DEVICE + f"expires = 2026-11-{day}\n"
    file.write_text(text)
    today = attrs.evolve(MACHINE, today=datetime.date(2026, 11, 21))
    loaded = load(file, {}, (), today)
    assert loaded.config is not None
    found = [(each.place.line, each.severity) for each in loaded.problems]
    assert found == ([(2, "warning"), (10, "warning")] if has_come else [])
    if has_come:
        assert CANNOT in loaded.problems[0].text
        assert loaded.problems[1].text == (
            f"expires = 2026-11-{day} has come: this device password is refused"
        )


# The services


def test_what_is_offered_where_nobody_says(load_text: LoadText) -> None:
    config = config_of(load_text(""))
    assert config.pop3.auth == ("plain", "scram-sha-256")
    assert (config.pop3.apop, config.pop3.alternate_at) == ("off", "")
    assert config.submission.auth == ("plain", "login", "scram-sha-256")
    assert config.submission.alternate_at == ""
    assert (config.guard.failure_delay, config.guard.failure_delay_maximum) == (1.0, 16.0)


@pytest.mark.parametrize("service", ["pop3", "submission"])
def test_every_mechanism_can_be_named(load_text: LoadText, service: str) -> None:
    names = ["plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "cram-md5", "ntlm"]
    loaded = load_text(f"[{service}]\nauth = {json.dumps(names)}\n")
    assert getattr(config_of(loaded), service).auth == tuple(names)
    assert [problem.severity for problem in loaded.problems] == ["warning", "warning"]


def test_pop3_can_do_without_sasl(load_text: LoadText) -> None:
    loaded = load_text("[pop3]\nauth = []\n")
    assert loaded.problems == ()
    assert config_of(loaded).pop3.auth == ()


def test_a_listener_has_ways_of_its_own(load_text: LoadText) -> None:
    loaded = load_text(
        "[pop3]\napop = 'offer'\nalternate_at = '#%'\n"
        "[[listener]]\nname = 'old'\nservice = 'pop3'\nauth = []\napop = 'require'\nalternate_at = '$'\n"
        "[[listener]]\nname = 'new'\nservice = 'pop3'\nport = 0\n"
        "[[listener]]\nname = 'send'\nservice = 'submission'\nauth = ['scram-sha-256']\n"
    )
    old, new, send = (listener.settings for listener in config_of(loaded).listeners)
    assert isinstance(old, Pop3)
    assert (old.auth, old.apop, old.alternate_at) == ((), "require", "$")
    assert isinstance(new, Pop3)
    assert (new.auth, new.apop, new.alternate_at) == (("plain", "scram-sha-256"), "offer", "#%")
    assert isinstance(send, Submission)
    assert (send.auth, send.alternate_at) == (("scram-sha-256",), "#%")
    assert [problem.text[:20] for problem in loaded.problems] == ['apop = "require" and']


def test_submission_takes_the_alternates_of_pop3_or_its_own(load_text: LoadText) -> None:
    text = "[pop3]\nalternate_at = '#'\n[submission]\nalternate_at = '{}'\n"
    assert config_of(load_text(text.format("%"))).submission.alternate_at == "%"
    assert config_of(load_text(text.format(""))).submission.alternate_at == ""
    derived = load_text("[pop3]\nalternate_at = '#'\n")
    assert config_of(derived).submission.alternate_at == "#"
    assert "submission.alternate_at" not in derived.origins


@pytest.mark.parametrize(
    ("environ", "overrides", "key", "expected", "place"),
    [
        ({"MAILSUITE_POP3__APOP": "require"}, (), "pop3.apop", "require", "MAILSUITE_POP3__APOP"),
        (
            {"MAILSUITE_POP3__AUTH": "plain,login"},
            (),
            "pop3.auth",
            ("plain", "login"),
            "MAILSUITE_POP3__AUTH",
        ),
        ({"MAILSUITE_POP3__AUTH": ""}, (), "pop3.auth", (), "MAILSUITE_POP3__AUTH"),
        ({}, ["pop3.alternate_at=#$"], "pop3.alternate_at", "#$", "--set pop3.alternate_at"),
        ({}, ["guard.failure_delay=0s"], "guard.failure_delay", 0.0, "--set guard.failure_delay"),
        (
            {"MAILSUITE_GUARD__FAILURE_DELAY_MAXIMUM": "60s"},
            (),
            "guard.failure_delay_maximum",
            60.0,
            "MAILSUITE_GUARD__FAILURE_DELAY_MAXIMUM",
        ),
    ],
)
def test_ways_in_from_outside_of_the_file(
    environ: dict[str, str], overrides: list[str], key: str, expected: object, place: str
) -> None:
    loaded = load(None, environ, overrides, MACHINE)
    found: Any = config_of(loaded)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == expected
    assert loaded.origins[key] == Place(place)


def test_a_domain_says_otherwise_about_apop(load_text: LoadText) -> None:
    loaded = load_text(
        "[pop3]\napop = 'offer'\n[[domain]]\nname = 'a.example'\napop = 'require'\n"
        "[[domain]]\nname = 'b.example'\n[[domain]]\nname = 'c.example'\napop = ''\n"
    )
    assert loaded.problems == ()
    assert [domain.apop for domain in config_of(loaded).domains] == ["require", None, None]


# Who can log in


@pytest.mark.parametrize(
    "more",
    [
        "state = 'off'\n",
        "state = 'forward'\nforward = 'ann@example.net'\n",
        "[[source]]\nname = 'x'\ntype = 'pam'\n",
        "[[source]]\nname = 'x'\ntype = 'pam'\ndomains = ['a.example', 'example.net']\n",
    ],
)
def test_who_needs_no_password_here(load_text: LoadText, more: str) -> None:
    loaded = load_text(f"[[account]]\naddress = 'joe@example.net'\n{more}")
    assert not [problem for problem in loaded.problems if "nobody can log in" in problem.text]


@pytest.mark.parametrize("more", ["domains = ['a.example']\n", "enabled = false\n"])
def test_a_source_that_does_not_know_the_account(load_text: LoadText, more: str) -> None:
    source = f"[[source]]\nname = 'x'\ntype = 'pam'\n{more}"
    [problem] = load_text(f"[[account]]\naddress = 'joe@example.net'\n{source}").problems
    assert "nobody can log in" in problem.text


@pytest.mark.parametrize("local", ["jöe", "иван", "用户", "joe.doe"])
def test_a_login_name_may_be_of_any_script(load_text: LoadText, local: str) -> None:
    assert load_text(ANN.replace("ann@", f"{local}@")).problems == ()


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    "text",
    [
        "[pop3]\napop = 'require'\n" + ANN + EUDORA,
        "[pop3]\napop = 'require'\n" + ANN + "pop3 = 'deny'\n",
        "[pop3]\napop = 'require'\n" + ANN + "state = 'off'\n",
        "[[domain]]\nname = 'a.example'\napop = 'require'\n" + ANN,
        "[[domain]]\nname = 'a.example'\napop = 'offer'\n[pop3]\nauth = []\n",
        "[[listener]]\nname = 'x'\nservice = 'pop3'\napop = 'require'\nenabled = false\n"
        "[[listener]]\nname = 'y'\nservice = 'smtp'\n" + ANN,
        "[pop3]\napop = 'require'\nauth = ['plain', 'scram-sha-1']\n",
        "[[domain]]\nname = 'a.example'\napop = 'off'\n",
        "[[listener]]\nname = 'x'\nservice = 'smtp'\n[[domain]]\nname = 'a.example'\napop = 'require'\n",
    ],
)
def test_nobody_is_locked_out(load_text: LoadText, text: str) -> None:
    assert load_text(text).problems == ()


@pytest.mark.parametrize(
    ("alternate_at", "names"),
    [
        ("", ("joe#example.net", "joe")),
        ("#", ("joe#example.net", "ann")),
        ("#", ("joe#b.example", "joe")),
        ("#$", ("joe#example.net$", "joe")),
        ("#", ("#example.net", "joe")),
        ("$", ("joe#example.net", "joe")),
    ],
)
def test_names_that_nobody_takes_for_another(
    load_text: LoadText, alternate_at: str, names: tuple[str, str]
) -> None:
    accounts = "".join(ANN.replace("ann@", f"{name}@") for name in names)
    text = f"[pop3]\nalternate_at = '{alternate_at}'\ndefault_domain = 'example.net'\n"
    assert load_text(text + accounts).problems == ()


def test_a_name_is_taken_for_another_only_where_its_domain_is_the_default(load_text: LoadText) -> None:
    accounts = ANN.replace("ann@", "joe#example.net@") + ANN.replace("ann@", "joe@")
    door = "[[listener]]\nname = 'x'\nservice = 'pop3'\nalternate_at = '#'\ndefault_domain = '{}'\n"
    assert load_text(accounts + door.format("b.example")).problems == ()
    [problem] = load_text(accounts + door.format("example.net")).problems
    assert problem.place.line == 2


@pytest.mark.parametrize("first", ["0s", "1s", "60s"])
def test_delays_that_are_all_the_same(load_text: LoadText, first: str) -> None:
    text = f"[guard]\nfailure_delay = '{first}'\nfailure_delay_maximum = '{first}'\n"
    assert load_text(text).problems == ()


# What becomes of an account


def test_an_account_that_is_forwarded(load_text: LoadText) -> None:
    loaded = load_text(
        ANN + "state = 'forward'\nforward = 'Joe@Example.NET'\nkeep_copy = true\npop3 = 'deny'\n"
        f"[[account]]\naddress = 'joe@example.net'\nstate = 'enabled'\npassword_hash = '{HASH}'\n"
    )
    assert loaded.problems == ()
    ann, joe = (block.account for block in config_of(loaded).accounts)
    assert (ann.state, ann.forward, ann.keep_copy, ann.pop3) == (
        AccountState.FORWARD,
        Address("joe", "example.net"),
        True,
        False,
    )
    assert (joe.state, joe.forward, joe.keep_copy, joe.pop3) == (AccountState.ENABLED, None, False, True)


@pytest.mark.parametrize("domain", ["example.net", "b.example"])
def test_a_forward_within_our_domains(load_text: LoadText, domain: str) -> None:
    """The account there may be one of the database."""
    text = ANN + f"state = 'forward'\nforward = 'x@{domain}'\n[[domain]]\nname = 'b.example'\n"
    assert load_text(text).problems == ()


def test_a_circle_is_told_of_those_who_are_in_it(load_text: LoadText) -> None:
    def forward(name: str, to: str) -> str:
        return f"[[account]]\naddress = '{name}@a.example'\nstate = 'forward'\nforward = '{to}@a.example'\n"

    loaded = load_text(forward("into", "b") + forward("b", "c") + forward("c", "d") + forward("d", "b"))
    assert [problem.place.line for problem in loaded.errors] == [8, 12, 16]
    assert "b@a.example to c@a.example to d@a.example to b@a.example" in loaded.errors[0].text


# Device passwords


@pytest.mark.usefixtures("secrets")
def test_devices_become_values_of_the_model(load_text: LoadText) -> None:
    loaded = load_text(ANN + EUDORA + PHONE)
    assert loaded.problems == ()
    eudora, phone = devices_of(loaded)
    assert (eudora.password.reveal(), phone.password.reveal()) == (PASSWORD, OTHER)
    assert eudora.device("1", b"sealed") == Device(
        "1",
        "Eudora on the old Mac",
        b"sealed",
        mechanisms=frozenset({"apop", "ntlm"}),
        origin=Origin.FILE,
    )
    model = phone.device("2", b"sealed")
    assert model.scopes == {Scope.POP3, Scope.NOTIFY}
    assert model.networks == (ip_network("192.0.2.0/24"),)
    assert model.allows(ip_address("192.0.2.7"))
    assert model.expires == datetime.datetime(2027, 1, 31, tzinfo=datetime.UTC).timestamp()


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("written", ["'2027-01-31'", '"2027-01-31"', "2027-01-31"])
def test_a_day_is_a_date_or_a_text(load_text: LoadText, written: str) -> None:
    [phone] = devices_of(load_text(ANN + PHONE.replace("2027-01-31", written)))
    assert phone.expires == datetime.date(2027, 1, 31)


@pytest.mark.usefixtures("secrets")
def test_an_account_may_have_devices_alone(load_text: LoadText) -> None:
    loaded = load_text("[[account]]\naddress = 'ann@example.net'\n" + PHONE)
    assert loaded.problems == ()


@pytest.mark.usefixtures("secrets")
def test_a_device_belongs_to_the_account_above(load_text: LoadText) -> None:
    joe = ANN.replace("ann@", "joe@")
    accounts = config_of(load_text(ANN + EUDORA + joe + EUDORA + PHONE)).accounts
    assert [[one.name for one in account.devices] for account in accounts] == [
        ["Eudora on the old Mac"],
        ["Eudora on the old Mac", "Phone"],
    ]


@pytest.mark.usefixtures("secrets")
def test_a_later_file_changes_single_keys_of_a_device_and_adds_devices(load_text: LoadText) -> None:
    loaded = load_text(
        ANN + EUDORA,
        files={
            "conf.d/50-console.toml": "[[account]]\naddress = 'Ann@example.net'\n"
            "[[account.device]]\nname = 'EUDORA on the old Mac'\nscopes = ['pop3']\n"
            "[[account.device]]\nname = 'Phone'\npassword_file = '../phone'\n"
        },
    )
    assert loaded.problems == ()
    eudora, phone = devices_of(loaded)
    assert (eudora.name, eudora.mechanisms, eudora.scopes) == (
        "EUDORA on the old Mac",
        ("apop", "ntlm"),
        (Scope.POP3,),
    )
    assert (eudora.password.reveal(), phone.password.reveal()) == (PASSWORD, OTHER)
    prefix = "account.ann@example.net.device.EUDORA on the old Mac"
    assert {key: str(place) for key, place in loaded.origins.items() if key.startswith(prefix)} == {
        prefix: "mailsuite.toml:4",
        f"{prefix}.name": "conf.d/50-console.toml:4",
        f"{prefix}.password_file": "mailsuite.toml:6",
        f"{prefix}.mechanisms": "mailsuite.toml:7",
        f"{prefix}.scopes": "conf.d/50-console.toml:5",
    }


def test_a_device_beside_an_account_of_an_earlier_file_is_judged_where_it_stands(load_text: LoadText) -> None:
    loaded = load_text(
        ANN,
        files={
            "conf.d/a.toml": "\n[[account]]\naddress = 'ann@example.net'\n"
            "[[account.device]]\nname = 'x'\ny = 1\n"
        },
    )
    assert [str(problem) for problem in loaded.problems] == [
        "conf.d/a.toml:4: error device 'x' has no password_file: expected a path, for example "
        '"/etc/mailsuite/secrets/joe-eudora"',
        "conf.d/a.toml:6: error unknown setting 'y' in [[account.device]]; see: mailsuite config example",
    ]


@pytest.mark.parametrize(
    ("environ", "overrides", "place"),
    [
        ({"MAILSUITE_ACCOUNT__DEVICE__NAME": "x"}, (), "MAILSUITE_ACCOUNT__DEVICE__NAME"),
        ({}, ["account.device.name=x"], "--set account.device.name"),
    ],
)
def test_devices_are_written_in_the_file(environ: dict[str, str], overrides: list[str], place: str) -> None:
    [problem] = load(None, environ, overrides, MACHINE).problems
    assert (str(problem.place), problem.severity) == (place, "error")
    assert "[[account]] blocks are written in the file, not here" in problem.text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "does not hold one line with a password"),
        (b"a" * 16 + b"\nb", "does not hold one line"),
        (b"a" * 2000, "does not hold one line"),
        (b"\xff" * 20, "is not UTF-8"),
        (b"tulip-canyon-15", "less than 16 characters; a device password is checked by a fast hash"),
        (HASH.encode(), "holds what looks like a hash; here the device password itself is needed"),
        (b"{SSHA}abcdefghijklmnopq", "holds what looks like a hash; here"),
    ],
)
def test_a_device_password_that_cannot_be_used(
    load_text: LoadText, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "eudora").write_bytes(content)
    (tmp_path / "eudora").chmod(0o600)
    [problem] = load_text(ANN + EUDORA).problems
    assert (str(problem.place), problem.severity) == ("mailsuite.toml:6", "error")
    assert says in problem.text
    assert "tulip" not in problem.text


@pytest.mark.usefixtures("secrets")
def test_a_device_password_that_others_can_read_is_told(load_text: LoadText, tmp_path: Path) -> None:
    (tmp_path / "eudora").chmod(0o644)
    [problem] = load_text(ANN + EUDORA).problems
    assert (problem.place.line, problem.severity) == (6, "warning")
    assert "chmod 600" in problem.text


@pytest.mark.usefixtures("secrets")
def test_each_device_has_a_password_of_its_own(load_text: LoadText) -> None:
    loaded = load_text(ANN + EUDORA + PHONE.replace('"phone"', '"eudora"'))
    [problem] = loaded.problems
    assert (problem.place.line, problem.severity) == (10, "error")
    assert "'Phone' has the password of 'Eudora on the old Mac'" in problem.text
    assert PASSWORD not in problem.text


# What is shown


@pytest.mark.usefixtures("secrets")
def test_what_is_shown_of_devices_loads_to_the_same(load_text: LoadText) -> None:
    text = "[[domain]]\nname = 'a.example'\n" + ANN + "state = 'forward'\nforward = 'x@a.example'\n"
    config = config_of(load_text(text + EUDORA + PHONE + ANN.replace("ann", "joe") + PHONE))
    shown = as_toml(values(config))
    hidden = "# password_hash is set, and not shown"
    assert shown.count(hidden) == 2
    assert config_of(load_text(shown.replace(hidden, f"password_hash = '{HASH}'"))) == config


@pytest.mark.usefixtures("secrets")
def test_only_what_a_device_says_beyond_the_defaults(load_text: LoadText) -> None:
    loaded = load_text(ANN + EUDORA + "scopes = ['pop3', 'submission']\n" + PHONE)
    shown = [one for one in values(config_of(loaded)) if one.is_changed(loaded.origins)]
    base = config_of(loaded).accounts[0].devices[0].password_file.parent
    assert as_toml(shown) == (
        '[[account]]\naddress = "ann@example.net"\n# password_hash is set, and not shown\n'
        f'\n[[account.device]]\nname = "Eudora on the old Mac"\npassword_file = "{base}/eudora"\n'
        'mechanisms = ["apop", "ntlm"]\n'
        f'\n[[account.device]]\nname = "Phone"\npassword_file = "{base}/phone"\n'
        'scopes = ["pop3", "notify"]\nnetworks = ["192.0.2.0/24"]\nexpires = "2027-01-31"\n'
    )


@pytest.mark.usefixtures("secrets")
def test_each_value_of_a_device_has_its_place(load_text: LoadText) -> None:
    loaded = load_text(ANN + EUDORA)
    lines = with_origins(values(config_of(loaded)), loaded.origins).splitlines()
    prefix = "account.ann@example.net.device.Eudora on the old Mac"
    assert f'{prefix}.mechanisms = ["apop", "ntlm"]   mailsuite.toml:7' in lines
    assert f'{prefix}.expires = ""   default' in lines


@pytest.mark.usefixtures("secrets")
def test_a_device_password_is_shown_nowhere(load_text: LoadText) -> None:
    loaded = load_text(ANN + EUDORA + PHONE)
    shown = list(values(config_of(loaded)))
    told = as_toml(shown) + with_origins(shown, loaded.origins) + repr(shown) + repr(loaded) + str(loaded)
    assert PASSWORD not in told
    assert OTHER not in told
    assert "(hidden)" in str(devices_of(loaded)[0].password)


@pytest.mark.usefixtures("secrets")
def test_what_changed_of_a_device(load_text: LoadText) -> None:
    old = config_of(load_text(ANN + EUDORA))
    new = config_of(load_text(ANN + EUDORA.replace('["apop", "ntlm"]', '["apop"]') + PHONE))
    found = {change.key: (change.old, change.new) for change in changes(old, new)}
    prefix = "account.ann@example.net.device"
    assert found[f"{prefix}.Eudora on the old Mac.mechanisms"] == ('["apop", "ntlm"]', '["apop"]')
    assert found[f"{prefix}.Phone.name"] == (None, '"Phone"')
    assert all(key.startswith(prefix) for key in found)


def test_a_block_within_a_block_is_explained() -> None:
    assert explain("account.device").startswith("[[account.device]]  Device passwords.\n\n  name ")
    assert explain("[[account.device]]") == explain("account.device")
    assert "--set" not in explain("account.device.mechanisms")
    assert "\n## `[[account.device]]`\n" in reference_page()
    assert "\n## `account.notifymail = { ... }`\n" in reference_page()


@pytest.mark.parametrize("key", ["listener.apop", "listener.auth", "listener.alternate_at"])
def test_a_way_in_may_stand_in_a_listener(key: str) -> None:
    assert "a [[listener]] with service = " in explain(key)


def test_an_account_without_devices_is_as_before(load_text: LoadText) -> None:
    [block] = config_of(load_text(ANN)).accounts
    assert isinstance(block, AccountBlock)
    assert block.devices == ()
    assert block.account.state is AccountState.ENABLED
