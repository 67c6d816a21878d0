"""``mailsuite config check --what-if``: what is asked, what is told, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailsuite.cli.terminal import time_text
from tests.accounts.offices import FILED, JOE, NOW, World, login, now
from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

REQUIRE = ("config", "check", "--what-if", "pop3.apop=require")


def reads(control: ControlDouble, file: Path | None) -> None:
    """What configuration the server says that it has."""
    said = {"config": {"path": str(file) if file else None, "read_at": 0.0}}
    control.answers["GET /v1/status"] = (200, said)


@pytest.fixture
def world(control: ControlDouble, config: Path) -> World:
    reads(control, config)
    control.world.add_joe()
    return control.world


def test_who_would_be_locked_out(run: Run, control: ControlDouble, world: World) -> None:
    device, _ = world.add_device("Thunderbird")
    now(world.logins.record(login(device=device["id"], mechanism="PLAIN", peer="192.0.2.31")))
    now(world.logins.record(login(peer="192.0.2.7", at=NOW - 3600)))
    result = run(*REQUIRE)
    assert result.exit_code == 4
    check, head, columns, first, second, *rest = result.stdout.splitlines()
    assert check.endswith("This configuration can be used.")
    assert head == 'pop3.apop = "require": 1 account would be locked out:'
    assert columns.split() == ["ACCOUNT", "WHY", "PROGRAM", "FROM", "LOGIN", "LAST", "TIME"]
    assert first.startswith(f"{JOE}   has no device password for APOP   Thunderbird")
    assert first.endswith(f"192.0.2.31   PLAIN   {time_text(NOW - 60)}")
    assert second.split()[:3] == ["own", "password", "192.0.2.7"]
    assert rest == [
        "1 account was not seen in 30 days:",
        "  filed@file.test  has no device password for APOP, and no other way in",
        "0 accounts are not concerned.",
        "A device password for APOP:  mailsuite device add ADDRESS NAME --apop",
    ]
    assert control.requests[-1] == (
        "POST",
        "/v1/what-if",
        {"setting": "pop3.apop", "value": "require"},
    )


def give_filed_a_way(world: World) -> None:
    """A key for SCRAM, as the first login makes it."""
    now(world.directory.keep_verifiers(FILED, b"sealed"))


def test_somebody_whom_nobody_has_seen_and_who_has_no_other_way(run: Run, world: World) -> None:
    """Also where nobody at all was seen."""
    result = run(*REQUIRE)
    assert result.exit_code == 4
    assert "nobody who logged in these 30 days would be locked out." in result.stdout
    assert "  filed@file.test  has no device password for APOP, and no other way in\n" in result.stdout
    assert f"  {JOE}  has no device password for APOP\n" in result.stdout
    assert result.stdout.endswith("mailsuite device add ADDRESS NAME --apop\n")
    give_filed_a_way(world)
    result = run(*REQUIRE)
    assert (result.exit_code, "device add" in result.stdout) == (0, False)


def test_nobody_would_be(run: Run, world: World) -> None:
    device, _ = world.add_device("Eudora", mechanisms=["apop"])
    now(world.logins.record(login(device=device["id"], mechanism="APOP")))
    give_filed_a_way(world)
    result = run(*REQUIRE)
    assert result.exit_code == 0
    assert 'pop3.apop = "require": nobody who logged in these 30 days would be locked out.' in result.stdout
    off = run("config", "check", "--what-if", "pop3.apop='off'")
    assert off.exit_code == 4
    assert "uses APOP" in off.stdout
    assert "device add" not in off.stdout


def test_who_has_apop_and_was_not_seen(run: Run, world: World) -> None:
    world.add_device("Eudora", mechanisms=["apop"])
    result = run(*REQUIRE)
    assert f'  {JOE}  has APOP for "Eudora"\n' in result.stdout


def test_notes_are_told(run: Run, world: World) -> None:
    world.settings = '[[domain]]\nname = "file.test"\napop = "off"\n'
    assert 'note: domain file.test has apop = "off"' in run(*REQUIRE).stdout


def test_for_programs(run: Run, world: World) -> None:
    now(world.logins.record(login()))
    result = run(*REQUIRE, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 4
    assert (document["usable"], list(document)) == (True, ["usable", "problems", "what_if"])
    assert document["what_if"]["locked_out"][0]["reason"] == "no-apop-device"


@pytest.mark.usefixtures("world")
def test_what_cannot_be_asked(run: Run) -> None:
    result = run("config", "check", "--what-if", "pop3.auth=plain")
    assert result.exit_code == 1
    assert result.stderr.endswith("no what-if for 'pop3.auth' yet; there is: pop3.apop\n")
    assert run("config", "check", "--what-if", "pop3.apop").exit_code == 2
    both = run("config", "--set", "pop3.apop=offer", "check", "--what-if", "pop3.apop=require")
    assert (both.exit_code, "do not go together" in both.stderr) == (2, True)


def test_a_configuration_with_errors_is_told_of_first(run: Run, config: Path) -> None:
    config.write_text("x = 1\n")
    result = run(*REQUIRE)
    assert (result.exit_code, "what_if" in result.output) == (4, False)
    assert "unknown setting 'x'" in result.stdout


@pytest.mark.parametrize("other", [Path("/etc/mailsuite/other.toml"), None])
def test_a_server_that_reads_another_file_is_not_asked(
    run: Run, control: ControlDouble, other: Path | None
) -> None:
    reads(control, other)
    result = run(*REQUIRE)
    assert result.exit_code == 1
    assert f"the running server reads {other or 'no file'}, and --what-if would be" in result.stderr
    assert "what-if" not in str(control.requests)


def test_the_same_file_by_another_name(run: Run, control: ControlDouble, config: Path) -> None:
    other = config.parent / "by-another-name.toml"
    other.symlink_to(config)
    reads(control, other)
    assert "what_if" in run(*REQUIRE, "--json").stdout


def test_asking_makes_nothing(run: Run, config: Path) -> None:
    before = sorted(config.parent.rglob("*"))
    result = run(*REQUIRE)
    assert result.exit_code == 1
    assert f"no server has run in {config.parent}/state yet" in result.stderr
    assert sorted(config.parent.rglob("*")) == before
