"""device, key and auth against the control socket: what is asked of the server, and what people see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailsuite.cli.terminal import time_text
from tests.accounts.offices import JOE, NOW, World, login, now
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

ADDRESS = str(JOE)
CANARY = "canary-of-auth-test"
APOP = '[pop3]\napop = "offer"\n'


@pytest.fixture
def world(control: ControlDouble) -> World:
    control.world.add_joe(CANARY)
    return control.world


def bodies(control: ControlDouble, method: str) -> list[object]:
    return [body for used, _, body in control.requests if used == method]


def password_of(text: str) -> str:
    return text.split("Password, shown once:  ")[1].split(maxsplit=1)[0]


def allow_apop(config: Path) -> None:
    with config.open("a") as file:
        file.write(APOP)


@pytest.mark.usefixtures("world")
def test_add_prints_the_password_once_and_what_it_works_for(run: Run, config: Path) -> None:
    allow_apop(config)
    result = run("device", "add", ADDRESS, "Eudora on the old Mac", "--apop")
    assert (result.exit_code, result.stderr) == (0, "")
    password = password_of(result.stdout)
    assert result.stdout == (
        f"Password, shown once:  {password}        "
        "works for: POP3 (APOP, USER/PASS over TLS), SMTP submission\n"
    )
    listed = run("device", "list", ADDRESS)
    assert password not in listed.output
    assert password not in run("device", "list", ADDRESS, "--json").output


@pytest.mark.parametrize(
    ("options", "sent", "works_for"),
    [
        ([], {}, "POP3, SMTP submission"),
        (["--scope", "pop3"], {"scopes": ["pop3"]}, "POP3"),
        (["--own-view"], {"view": True}, "POP3, SMTP submission"),
        (
            ["--scope", "submission", "--sender", ADDRESS, "--recipient", "*@example.com"],
            {"scopes": ["submission"], "sender": ADDRESS, "recipients": ["*@example.com"]},
            f"SMTP submission as {ADDRESS} to *@example.com",
        ),
        (
            ["--scope", "notify", "--scope", "console"],
            {"scopes": ["notify", "console"]},
            "notices, the console",
        ),
        (
            ["--cram-md5", "--ntlm"],
            {"mechanisms": ["cram-md5", "ntlm"]},
            "POP3 (CRAM-MD5, NTLM, USER/PASS over TLS), SMTP submission (CRAM-MD5, NTLM, PLAIN over TLS)",
        ),
        (
            ["--network", "192.0.2.0/24", "--network", "2001:db8::/32", "--expires", "2027-01-31"],
            {"networks": ["192.0.2.0/24", "2001:db8::/32"], "expires": "2027-01-31"},
            "POP3, SMTP submission",
        ),
    ],
)
@pytest.mark.usefixtures("world")
def test_only_what_was_given_is_sent(
    run: Run, control: ControlDouble, options: list[str], sent: dict[str, object], works_for: str
) -> None:
    result = run("device", "add", ADDRESS, "x", *options)
    assert result.exit_code == 0, result.output
    assert bodies(control, "POST") == [{"name": "x", **sent}]
    assert result.stdout.endswith(f"works for: {works_for}\n")


@pytest.mark.usefixtures("world")
def test_what_no_listener_offers_is_remarked(run: Run, config: Path) -> None:
    result = run("device", "add", ADDRESS, "old", "--apop", "--ntlm")
    assert result.stderr == (
        "APOP is not offered by any listener yet; see pop3.apop.\n"
        "NTLM is not offered by any listener yet; see pop3.auth and submission.auth.\n"
    )
    assert run("device", "add", ADDRESS, "older", "--apop", "-q").stderr == ""
    allow_apop(config)
    assert run("device", "add", ADDRESS, "oldest", "--apop").stderr == ""


@pytest.mark.usefixtures("world")
def test_add_for_programs(run: Run) -> None:
    document = json.loads(run("device", "add", ADDRESS, "x", "--json").stdout)
    assert (document["device"]["name"], document["device"]["account"]) == ("x", ADDRESS)
    assert len(document["generated"]) > 16
    quiet = run("device", "add", ADDRESS, "y", "--quiet")
    assert (quiet.stderr, " " in quiet.stdout, len(quiet.stdout.splitlines())) == ("", False, 1)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("command", "words", "status"),
    [
        (["add", ADDRESS, "x", "--expires", "soon"], "device.expires: ", 1),
        (["add", ADDRESS, "x", "--network", "192.0.2.1/24"], "has host bits set", 1),
        (["add", "nobody@example.test", "x"], "nobody@example.test: there is no account of that name", 1),
        (["add", ADDRESS, "x", "--scope", "imap"], "'imap' is not one of", 2),
        (["add", ADDRESS], "Missing argument 'NAME'", 2),
        (["list", "nobody@example.test"], "there is no account of that name", 1),
        (["remove", ADDRESS, "x"], f"{ADDRESS}, x: there is no device of that name", 1),
    ],
)
def test_refusals(run: Run, command: list[str], words: str, status: int) -> None:
    result = run("device", *command)
    assert (result.exit_code, result.stdout) == (status, "")
    assert words in result.stderr


def test_list_says_who_used_what_and_how(run: Run, world: World) -> None:
    device, _ = world.add_device(
        "Eudora", mechanisms=["apop"], networks=["192.0.2.0/24"], expires="2027-01-31", view=True
    )
    now(world.logins.record(login(device=device["id"], mechanism="APOP")))
    now(world.office.devices.add_device("filed@file.test", {"name": "phone"}))
    head, row = run("device", "list", ADDRESS).stdout.splitlines()
    columns = ["NAME", "WORKS FOR", "FROM", "VIEW", "MADE", "LAST USE", "EXPIRES", "KEPT IN"]
    assert [part.strip() for part in head.split("   ") if part.strip()] == columns
    cells = [part.strip() for part in row.split("   ") if part.strip()]
    assert cells == [
        "Eudora",
        "POP3 (APOP, USER/PASS over TLS), SMTP submission",
        "192.0.2.0/24",
        "own",
        time_text(NOW),
        f"{time_text(NOW - 60)} from 192.0.2.9 (POP3, APOP)",
        "2027-01-31",
        "database",
    ]
    everything = run("device", "list").stdout.splitlines()
    assert [line.split()[0] for line in everything] == ["ACCOUNT", ADDRESS, "filed@file.test"]
    assert "anywhere" in everything[2]
    assert "shared" in everything[2]
    assert everything[2].split()[-3:] == ["never", "never", "database"]
    assert run("device", "list", "-q").stdout == f"{ADDRESS} Eudora\nfiled@file.test phone\n"
    assert run("device", "list", ADDRESS, "-q").stdout == "Eudora\n"
    assert len(json.loads(run("device", "list", "--json").stdout)["devices"]) == 2


def test_an_empty_list_says_what_to_do(run: Run, control: ControlDouble, world: World) -> None:
    result = run("device", "list", ADDRESS)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"There is no device yet. Make one:  mailsuite device add {ADDRESS} NAME\n"
    assert "device add ADDRESS NAME" in run("device", "list").stderr


def test_what_a_server_says_is_cleaned(run: Run, control: ControlDouble, world: World) -> None:
    device, _ = world.add_device("Eudora")
    control.answers["GET /v1/devices"] = (200, {"devices": [{**device, "name": "Eu\x1b[2J\u202edora"}]})
    for options in ([], ["-q"]):
        output = run("device", "list", *options).output
        assert r"Eu\x1b[2J\u202edora" in output
        assert all(line.isprintable() for line in output.splitlines())


def test_remove_asks_and_tells_the_last_use(run: Run, control: ControlDouble, world: World) -> None:
    device, _ = world.add_device("Old Mac/1")
    now(world.logins.record(login(device=device["id"])))
    declined = run("device", "remove", ADDRESS, "old mac/1", input="n\n")
    assert declined.exit_code == 1
    what = f'The device "Old Mac/1" of {ADDRESS}'
    used = f"{time_text(NOW - 60)} from 192.0.2.9 (POP3, USER)"
    assert f"{what} was used last: {used}. Remove it? [y/N]:" in declined.output
    dry = run("device", "remove", ADDRESS, "old mac/1", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, f"{what} would be removed.\n")
    assert bodies(control, "DELETE") == []
    removed = run("device", "remove", ADDRESS, "old mac/1", input="y\n")
    assert removed.stdout.endswith(f"{what} removed.\n")
    assert world.ended == [(JOE, device["id"], "the device was removed")]
    assert run("device", "list", ADDRESS, "-q").stdout == ""


def test_a_name_of_nothing(run: Run, world: World) -> None:
    result = run("device", "add", ADDRESS, "")
    assert (result.exit_code, "missing" in result.stderr, "name" in result.stderr) == (1, False, True)


def test_remove_for_programs(run: Run, world: World) -> None:
    world.add_device("x")
    document = json.loads(run("device", "remove", ADDRESS, "x", "--dry-run", "--json").stdout)
    assert (document["device"]["name"], document["removed"]) == ("x", False)
    assert json.loads(run("device", "remove", ADDRESS, "x", "--yes", "--json").stdout)["removed"] is True
    world.add_device("y")
    assert run("device", "remove", ADDRESS, "y", "-y", "-q").output == ""


def test_rotate(run: Run, control: ControlDouble, world: World) -> None:
    world.add_device("x")
    result = run("key", "rotate")
    assert result.exit_code == 0
    assert result.output == (
        "There is a new key. Sealed again: 1 device password, 1 account's SCRAM verifiers, 0 subscriptions.\n"
        "The old keys are gone; make a new copy of the key file, and keep it elsewhere.\n"
    )
    assert run("key", "rotate", "-q").output == ""
    document = json.loads(run("key", "rotate", "--json").output)
    assert document == {"devices": 1, "verifiers": 1, "subscriptions": 0, "unreadable": 0, "dropped": True}


def test_a_rotation_that_did_not_come_to_its_end(run: Run, control: ControlDouble) -> None:
    answer = {"devices": 3, "verifiers": 0, "subscriptions": 0, "unreadable": 2, "dropped": False}
    control.answers["POST /v1/keys/rotate"] = (200, answer)
    result = run("key", "rotate")
    assert result.exit_code == 1
    assert "2 secrets could not be opened by any key" in result.stderr
    assert "the old keys are kept" in result.stderr
    assert "3 device passwords, 0 accounts' SCRAM verifiers" in result.stdout


@pytest.mark.usefixtures("world")
def test_from_where_is_an_address(run: Run, control: ControlDouble) -> None:
    result = run("auth", "test", ADDRESS, "--from", "here", "--stdin", input=f"{CANARY}\n")
    assert result.exit_code == 2
    assert "Invalid value for '--from': 'here' is no IP address" in result.stderr
    assert control.requests == []
    run("auth", "test", ADDRESS, "--from", "[2001:db8::7]", "--stdin", input=f"{CANARY}\n")
    assert bodies(control, "POST")[0]["peer"] == "2001:db8::7"  # type: ignore[index]


def test_a_login_is_judged_in_words(run: Run, control: ControlDouble, world: World) -> None:
    control.world.settings = APOP
    refused = run("auth", "test", ADDRESS, "--mechanism", "APOP", input=f"{CANARY}\n")
    assert refused.exit_code == 1
    assert refused.stdout.endswith(
        "refused: this account has a password hash only, and APOP needs a device password made with --apop.\n"
        f"  make one:  mailsuite device add {ADDRESS} NAME --apop\n"
    )
    accepted = run("auth", "test", ADDRESS, "--stdin", input=f"{CANARY}\n")
    assert accepted.exit_code == 0
    assert accepted.stdout.startswith("accepted: USER with the account's own password, under TLS, at ")
    run("account", "disable", ADDRESS)
    off = run("auth", "test", ADDRESS, "--stdin", input=f"{CANARY}\n")
    assert off.stdout == (
        f"refused: this account is off.\n  this helps:  mailsuite account enable {ADDRESS}\n"
    )
    for result in (refused, accepted, off):
        assert CANARY not in result.output


def test_a_login_can_be_described(run: Run, control: ControlDouble, world: World) -> None:
    file = control.path.parent / "password"
    file.write_text(f"{CANARY}\n")
    options = ["--service", "submission", "--from", "192.0.2.7", "--password-file", str(file)]
    result = run("auth", "test", ADDRESS, "--mechanism", "plain", *options, "--json")
    assert (result.exit_code, json.loads(result.stdout)["accepted"]) == (0, True)
    assert bodies(control, "POST") == [
        {
            "address": ADDRESS,
            "password": CANARY,
            "service": "submission",
            "mechanism": "plain",
            "peer": "192.0.2.7",
        }
    ]
    wrong = run("auth", "test", ADDRESS, "--stdin", "--quiet", input="something else\n")
    assert (wrong.exit_code, wrong.output) == (1, "")
    bad = run("auth", "test", ADDRESS, "--stdin", "--mechanism", "GSSAPI", input="x\n")
    assert (bad.exit_code, "'GSSAPI' is none of pop3" in bad.stderr) == (1, True)
