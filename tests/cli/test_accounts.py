"""account and domain against the control socket: what is asked of the server, and what people see."""

from __future__ import annotations

import json

import pytest

from mailsuite.cli.terminal import time_text
from tests.accounts.offices import NOW, login, now
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

JOE = "joe@example.test"
CANARY = "canary-1-of-the-command-line"


def bodies(control: ControlDouble, method: str) -> list[object]:
    return [body for used, _, body in control.requests if used == method]


def test_add_with_a_generated_password(run: Run, control: ControlDouble) -> None:
    result = run("account", "add", JOE, "--name", "Joe Doe", "--generate")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first == f"{JOE} made."
    assert second.startswith("Password, shown once:  ")
    assert result.stderr == "example.test is new here: from now on its mail is ours.\n"
    assert bodies(control, "POST") == [
        {"address": JOE, "name": "Joe Doe", "password": None, "notifymail": None}
    ]
    again = run("account", "add", "ann@example.test", "--generate", "--quiet")
    assert again.stderr == ""
    assert len(again.stdout.splitlines()) == 1
    assert " " not in again.stdout
    third = run("account", "add", "eve@example.test", "--generate")
    assert third.stderr == ""


def test_add_for_programs(run: Run, control: ControlDouble) -> None:
    document = json.loads(run("account", "add", JOE, "--generate", "--json", "-q").stdout)
    assert document["account"]["address"] == JOE
    assert document["generated"]


@pytest.mark.parametrize(
    ("options", "preference"),
    [
        ([], None),
        (["--notifymail", "default"], {"state": None}),
        (["--notifymail", "last-ip", "--notifymail-port", "7979"], {"state": "last-ip", "port": 7979}),
        (["--notifymail-address", "192.0.2.7"], {"state": "static", "address": "192.0.2.7"}),
        (
            ["--notifymail", "off", "--notifymail-address", "::1"],
            {"state": "off", "address": "::1"},
        ),
    ],
)
def test_the_preference_is_sent_as_far_as_it_was_given(
    run: Run, control: ControlDouble, options: list[str], preference: object
) -> None:
    assert run("account", "add", JOE, "--generate", *options).exit_code == 0
    assert bodies(control, "POST")[0]["notifymail"] == preference  # type: ignore[index]
    changed = run("account", "change", JOE, "--name", "J", *options)
    assert changed.output == f"{JOE} changed.\n"
    named = {"name": "J"} if preference is None else {"name": "J", "notifymail": preference}
    assert bodies(control, "PATCH") == [named]


def test_a_change_of_nothing_is_wrong_usage(run: Run, control: ControlDouble) -> None:
    result = run("account", "change", JOE)
    assert result.exit_code == 2
    assert control.requests == []


def test_list_is_a_table(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--name", "[red]Joe[/red] " + "x" * 150, "--generate")
    run("account", "change", JOE, "--notifymail-address", "192.0.2.7")
    result = run("account", "list")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == 3
    assert lines[0].split("   ")[0] == "ADDRESS"
    assert lines[1].startswith(f"{JOE}   [red]Joe[/red] xxx")
    assert lines[1].split()[-8:] == [
        *("x" * 150, "enabled", "yes", "static", "192.0.2.7", "port", "79", "database"),
    ]
    assert lines[2].startswith("filed@file.test")
    assert lines[2].split()[-2:] == ["default", "file"]
    assert "enabled   none       default   " in lines[2]
    assert run("account", "list", "--quiet").output == f"{JOE}\nfiled@file.test\n"
    assert [one["address"] for one in json.loads(run("account", "list", "--json").output)["accounts"]] == [
        JOE,
        "filed@file.test",
    ]


def test_what_a_server_says_is_cleaned(run: Run, control: ControlDouble) -> None:
    account = {
        "address": "joe\x1b[2J@example.test",
        "name": "Jo\x9be\u202e\nJoe\xa0D",
        "origin": "database",
        "password": True,
        "state": "forward",
        "forward": "ann\x1b@example.test",
        "keep_copy": True,
        "pop3": "deny",
        "delete_after": "\x1b[2Jnever",
        "delete_unread_after": "30d\x9b",
        "notifymail": {"state": "last-ip", "address": None, "port": 79},
    }
    control.answers["GET /v1/accounts"] = (200, {"accounts": [account]})
    details = {"account": account, "devices": 0, "last_login": None}
    control.answers["GET /v1/accounts/joe@example.test"] = (200, details)
    for command in (["list"], ["list", "-q"], ["show", JOE]):
        output = run("account", *command).output
        assert r"joe\x1b[2J@example.test" in output
        assert all(line.isprintable() for line in output.splitlines())
    assert r"Jo\x9be\u202e\nJoe D" in run("account", "show", JOE).output


def test_an_empty_list_says_what_to_do(run: Run, control: ControlDouble) -> None:
    control.answers["GET /v1/accounts"] = (200, {"accounts": []})
    control.answers["GET /v1/domains"] = (200, {"domains": []})
    for noun in ("account", "domain"):
        result = run(noun, "list")
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"mailsuite {noun} add" in result.stderr


def test_show(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    result = run("account", "show", JOE.upper())
    assert [line.split() for line in result.output.splitlines()] == [
        ["address", JOE],
        ["name", "-"],
        ["state", "enabled"],
        ["password", "yes"],
        ["devices", "0"],
        ["last", "login", "never"],
        ["mail", "stays", "as", "its", "domain", "says"],
        ["notifymail", "default"],
        ["kept", "in", "database"],
    ]
    document = json.loads(run("account", "show", JOE, "--json").output)
    assert (document["account"]["address"], document["devices"], document["last_login"]) == (JOE, 0, None)


@pytest.mark.parametrize(
    ("options", "sent", "shown"),
    [
        (["--delete-after", "30d"], {"delete_after": "30d"}, "read mail 30d, unread mail for ever"),
        (
            ["--delete-after", "retrieval", "--delete-unread-after", "120d"],
            {"delete_after": "retrieval", "delete_unread_after": "120d"},
            "read mail until fetched, unread mail 120d",
        ),
        (["--delete-after", "default"], {"delete_after": "default"}, "as its domain says"),
    ],
)
def test_how_long_mail_stays_is_changed_and_shown(
    run: Run, control: ControlDouble, options: list[str], sent: dict[str, str], shown: str
) -> None:
    run("account", "add", JOE, "--generate")
    assert run("account", "change", JOE, *options).exit_code == 0
    assert [body for method, _, body in control.requests if method == "PATCH"] == [sent]
    assert f"mail stays   {shown}\n" in run("account", "show", JOE).output


def test_a_stay_that_is_none_is_refused(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    result = run("account", "change", JOE, "--delete-after", "1h")
    assert (result.exit_code, "delete_after: " in result.output) == (1, True)


def test_show_says_who_was_there_last(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    device = json.loads(run("device", "add", JOE, "Eudora", "--apop", "--json").stdout)["device"]
    now(control.world.logins.record(login(device=device["id"], mechanism="APOP")))
    lines = run("account", "show", JOE).output.splitlines()
    assert lines[4].split() == ["devices", "1"]
    assert lines[5].startswith(
        f'last login   {time_text(NOW - 60)} from 192.0.2.9 (POP3, APOP), device "Eudora"'
    )
    now(control.world.logins.record(login(at=NOW)))
    assert run("account", "show", JOE).output.splitlines()[5].endswith("(POP3, USER), its own password")


@pytest.mark.parametrize(
    ("options", "sent", "shown"),
    [
        (["--state", "off"], {"state": "off"}, "off"),
        (["--state", "enabled"], {"state": "enabled"}, "enabled"),
        (["--pop3", "deny"], {"pop3": "deny"}, "enabled, POP3 denied"),
        (["--state", "off", "--pop3", "deny"], {"state": "off", "pop3": "deny"}, "off, POP3 denied"),
        (
            ["--forward", "ann@example.test"],
            {"state": "forward", "forward": "ann@example.test"},
            "forward to ann@example.test",
        ),
        (
            ["--forward", "ann@example.test", "--keep-copy"],
            {"state": "forward", "forward": "ann@example.test", "keep_copy": True},
            "forward to ann@example.test, with a copy here",
        ),
        (
            ["--state", "enabled", "--forward", "ann@example.test", "--no-keep-copy"],
            {"state": "enabled", "forward": "ann@example.test", "keep_copy": False},
            "enabled",
        ),
    ],
)
def test_states(run: Run, control: ControlDouble, options: list[str], sent: object, shown: str) -> None:
    for name in (JOE, "ann@example.test"):
        run("account", "add", name, "--generate")
    assert run("account", "change", JOE, *options).stdout == f"{JOE} changed.\n"
    assert bodies(control, "PATCH") == [sent]
    assert f"state        {shown}\n" in run("account", "show", JOE).output
    assert shown in run("account", "list").output


def test_disable_and_enable(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    off = run("account", "disable", JOE)
    assert (off.exit_code, off.output) == (0, f"{JOE} is off: it gets no mail, and nobody can log in.\n")
    assert run("account", "show", JOE).output.splitlines()[2].split() == ["state", "off"]
    assert run("account", "enable", JOE).output == f"{JOE} is enabled.\n"
    assert json.loads(run("account", "disable", JOE, "--json").output)["account"]["state"] == "off"
    assert run("account", "enable", JOE, "-q").output == ""
    assert len(control.world.ended) == 2
    missing = run("account", "disable", "nobody@example.test")
    assert (missing.exit_code, "no account" in missing.stderr) == (1, True)


ANN, EVE = "ann@example.test", "eve@example.test"
LATER = "whoever sends it is told to come again later, until it goes elsewhere."


@pytest.fixture
def forwarding(control: ControlDouble, run: Run) -> None:
    """ANN's mail goes to JOE."""
    for name in (JOE, ANN, EVE):
        run("account", "add", name, "--generate")
    assert run("account", "change", ANN, "--forward", JOE).exit_code == 0


@pytest.mark.usefixtures("forwarding")
def test_whoever_forwards_to_an_account_that_goes_off_is_named(run: Run) -> None:
    said = f"{ANN} forwards its mail to {JOE}: {LATER}\n"
    assert run("account", "disable", JOE).stderr == said
    assert run("account", "disable", JOE, "-q").output == ""
    run("account", "enable", JOE)
    assert run("account", "change", EVE, "--forward", JOE).stderr == ""
    said = f"{ANN}, {EVE} forward their mail to {JOE}: {LATER}\n"
    assert run("account", "change", JOE, "--state", "off").stderr == said
    assert run("account", "change", JOE, "--state", "off", "-q").output == ""
    assert run("account", "disable", EVE).stderr == ""


@pytest.mark.usefixtures("forwarding")
def test_whoever_forwards_to_an_account_that_is_removed_is_named(run: Run, control: ControlDouble) -> None:
    said = f"{ANN} forwards its mail to it: {LATER}"
    declined = run("account", "remove", JOE, input="n\n")
    assert f"{said} [y/N]:" in declined.stderr
    assert run("account", "remove", JOE, "--dry-run").stderr == f"{said}\n"
    assert json.loads(run("account", "remove", JOE, "--dry-run", "--json").stdout)["forwarders"] == [ANN]
    assert run("account", "remove", JOE, "--yes").stderr == f"{said}\n"
    assert len(bodies(control, "DELETE")) == 1


@pytest.mark.usefixtures("control")
def test_many_who_forward_are_counted(run: Run) -> None:
    run("account", "add", JOE, "--generate")
    for number in range(7):
        run("account", "add", f"n{number}@example.test", "--generate")
        run("account", "change", f"n{number}@example.test", "--forward", JOE)
    said = run("account", "disable", JOE).stderr
    assert "n4@example.test and 2 more forward their mail" in said


@pytest.mark.usefixtures("forwarding")
def test_an_account_that_forwarded_does_not_when_it_is_enabled_again(run: Run) -> None:
    result = run("account", "enable", ANN)
    assert result.output == f"{ANN} is not off: forward to {JOE}.\n"
    run("account", "disable", ANN)
    result = run("account", "enable", ANN)
    assert result.stdout == f"{ANN} is enabled.\n"
    hint = f"mailsuite account change {ANN} --state forward"
    assert result.stderr == f"Its mail is not forwarded to {JOE} any more; for that:  {hint}\n"
    assert run("account", "change", ANN, "--state", "forward").exit_code == 0
    assert "forward to joe@example.test" in run("account", "show", ANN).output


@pytest.mark.usefixtures("forwarding")
def test_what_says_nothing_without_a_forward_is_told(run: Run) -> None:
    result = run("account", "change", JOE, "--keep-copy")
    assert result.stdout == f"{JOE} changed.\n"
    assert result.stderr == "Its mail is not forwarded while its state is enabled.\n"
    assert run("account", "change", JOE, "--keep-copy", "-q").output == ""
    refused = run("account", "change", JOE, "--state", "forward")
    assert (refused.exit_code, "--forward ADDR" in refused.stderr) == (1, True)


def test_add_without_a_password(run: Run, control: ControlDouble) -> None:
    result = run("account", "add", JOE, "--no-password")
    assert (result.exit_code, result.stdout) == (0, f"{JOE} made.\n")
    assert "It has no password: a device password lets its owner in, or a source" in result.stderr
    assert "password     none" in run("account", "show", JOE).output
    assert bodies(control, "POST")[0]["without_password"] is True  # type: ignore[index]
    assert "has no password" not in run("account", "add", EVE, "--no-password", "-q").output
    both = run("account", "add", ANN, "--no-password", "--generate")
    assert (both.exit_code, "one of them" in both.stderr) == (2, True)


def test_a_question_that_nobody_is_there_to_answer(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    result = run("account", "remove", JOE, input="")
    assert result.exit_code == 2
    assert "there is nobody here to answer; --yes goes on without asking" in result.stderr
    assert "Aborted" not in result.output
    assert bodies(control, "DELETE") == []


def test_remove_asks_and_says_where_the_mail_is(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    where = f"Its mail stays in {control.path.parent}/mail/example.test/joe"
    declined = run("account", "remove", JOE, input="n\n")
    assert declined.exit_code == 1
    assert f"Remove {JOE}? {where} [y/N]:" in declined.output
    assert bodies(control, "DELETE") == []
    removed = run("account", "remove", "JOE@example.test", input="y\n")
    assert removed.exit_code == 0
    assert removed.stdout.endswith(f"{JOE} removed. {where}\n")
    assert run("account", "list", "-q").output == "filed@file.test\n"


def test_remove_dry(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    result = run("account", "remove", JOE, "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{JOE} would be removed. Its mail stays in /")
    assert bodies(control, "DELETE") == []
    document = json.loads(run("account", "remove", JOE, "--dry-run", "--json").stdout)
    assert (document["account"]["address"], document["removed"]) == (JOE, False)
    document = json.loads(run("account", "remove", JOE, "--yes", "--json").stdout)
    assert (document["removed"], document["forwarders"]) == (True, [])
    assert document["maildrop"].endswith("/mail/example.test/joe")


def test_remove_without_a_question(run: Run, control: ControlDouble) -> None:
    run("account", "add", JOE, "--generate")
    result = run("account", "remove", JOE, "--yes", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    missing = run("account", "remove", JOE, "--yes")
    assert (missing.exit_code, missing.stderr) == (1, f"{JOE}: there is no account of that name\n")


def test_what_stands_in_the_file_is_not_asked_about(run: Run, control: ControlDouble) -> None:
    result = run("account", "remove", "filed@file.test")
    assert result.exit_code == 1
    assert result.stderr == "filed@file.test: this stands in the configuration file; change it there\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["account", "show", "nobody@x.test"], "nobody@x.test: there is no account of that name"),
        (["account", "add", "joe", "--generate"], "'joe' is no address: there is no @ in it"),
        (["account", "add", "a\x1b@x.test", "--generate"], "cannot be"),
        (["domain", "add", "file.test"], "file.test: there is one of that name already"),
        (["domain", "add", "x..y"], "'x..y' is no domain"),
    ],
)
def test_refusals_are_status_1(run: Run, control: ControlDouble, command: list[str], words: str) -> None:
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr or "has a character" in result.stderr
    assert result.stderr.removesuffix("\n").isprintable()


def test_domains(run: Run, control: ControlDouble) -> None:
    assert (
        run("domain", "add", "Example.TEST").output == "example.test added: from now on its mail is ours.\n"
    )
    assert run("domain", "add", "b.test", "-q").output == ""
    assert json.loads(run("domain", "add", "c.test", "--json").output)["domain"]["name"] == "c.test"
    lines = run("domain", "list").output.splitlines()
    assert lines[0].split() == ["DOMAIN", "ACCOUNTS", "QUOTA", "OF", "EACH", "KEPT", "IN"]
    assert [line.split() for line in lines[1:]] == [
        ["b.test", "0", "-", "database"],
        ["c.test", "0", "-", "database"],
        ["empty.test", "0", "-", "file"],
        ["example.test", "0", "-", "database"],
        ["file.test", "1", "-", "file"],
    ]
    assert run("domain", "list", "-q").output.split() == [
        *("b.test", "c.test", "empty.test", "example.test", "file.test")
    ]
    assert len(json.loads(run("domain", "list", "--json").output)["domains"]) == 5


@pytest.mark.parametrize("command", [["account", "add", JOE], ["account", "password", JOE]])
def test_a_password_shows_up_nowhere(run: Run, control: ControlDouble, command: list[str]) -> None:
    if "password" in command:
        run("account", "add", JOE, "--generate")
    file = control.path.parent / "password"
    file.write_text(f"{CANARY}\r\nnot this\n")
    for options, given in (
        (["--password-file", str(file)], None),
        (["--stdin"], f"{CANARY}\n"),
        (["--stdin", "--json"], f"{CANARY}\n"),
        ([], f"{CANARY}\n{CANARY}\n"),
    ):
        if "add" in command:
            run("account", "remove", JOE, "--yes")
        result = run(*command, *options, input=given)
        assert result.exit_code == 0, result.output
        assert CANARY not in result.output
        body = control.requests[-1][2]
        assert body is not None
        assert body["password"] == CANARY


def test_two_prompts_must_agree(run: Run, control: ControlDouble) -> None:
    result = run("account", "add", JOE, input=f"{CANARY}\nanother\n{CANARY}\n{CANARY}\n")
    assert result.exit_code == 0
    assert "another" not in result.output
    assert CANARY not in result.output
    assert run("account", "add", "ann@example.test", input="").exit_code == 1


def test_a_refused_password_is_not_repeated(run: Run, control: ControlDouble) -> None:
    result = run("account", "add", JOE, "--stdin", input="canary7\n")
    assert result.exit_code == 1
    assert "canary7" not in result.output
    assert "shorter than 8" in result.stderr
