"""account and domain without a server: they work on the store itself, under its lock, and say so."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.state import State
from tests.cli.conftest import Run

JOE = "joe@example.test"


def test_without_a_server_the_store_itself_is_changed(run: Run, config: Path, place: Path) -> None:
    added = run("account", "add", JOE, "--generate")
    assert added.exit_code == 0, added.output
    said = f"mailsuite is not running: this works on the accounts in {place}/state itself.\n"
    assert added.stderr.startswith(said)
    assert added.stdout.startswith(f"{JOE} made.\nPassword, shown once:  ")
    listed = run("account", "list", "--quiet")
    assert (listed.stdout, listed.stderr) == (f"{JOE}\n", "")
    changed = run("account", "change", JOE, "--name", "Joe", "--notifymail", "last-ip", "--json")
    assert '"last-ip"' in changed.stdout
    assert run("account", "password", JOE, "--stdin", input="eight888\n").exit_code == 0
    assert run("domain", "add", "more.test").exit_code == 0
    assert run("domain", "list", "-q").stdout == "example.test\nmore.test\n"
    assert "Joe" in run("account", "show", JOE).stdout
    removed = run("account", "remove", JOE, "--yes")
    assert removed.stdout == f"{JOE} removed. Its mail stays in {place}/state/mail/example.test/joe\n"
    missing = run("account", "show", JOE)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr == f"{said}{JOE}: there is no account of that name\n"


def test_accounts_of_the_file_are_there_too(run: Run, config: Path) -> None:
    with config.open("a") as file:
        file.write('[[account]]\naddress = "ann@file.test"\n')
    assert run("account", "list", "-q").stdout == "ann@file.test\n"
    result = run("account", "remove", "ann@file.test", "-y", "-q")
    assert (result.exit_code, result.stderr) == (
        1,
        "ann@file.test: this stands in the configuration file; change it there\n",
    )


def test_devices_keys_and_checks_need_no_server_either(run: Run, config: Path, place: Path) -> None:
    with config.open("a") as file:
        file.write('[pop3]\napop = "offer"\n')
    run("account", "add", JOE, "--stdin", "-q", input="eight888\n")
    added = run("device", "add", JOE, "Eudora", "--apop", "-q")
    assert (added.exit_code, added.stderr) == (0, "")
    password = added.stdout.strip()
    assert run("device", "list", "-q").stdout == f"{JOE} Eudora\n"
    assert "devices      1\n" in run("account", "show", JOE).stdout
    key_file = place / "state" / "keys" / "seal.key"
    before = key_file.read_bytes()
    rotated = run("key", "rotate")
    assert (rotated.exit_code, "1 device password, 1 account's" in rotated.stdout) == (0, True)
    assert key_file.read_bytes() != before
    for secret, mechanism, status in (
        (password, "APOP", 0),
        (password, "USER", 0),
        ("eight888", "SCRAM-SHA-256", 0),
        ("eight888", "APOP", 1),
        ("eight889", "USER", 1),
    ):
        tried = run("auth", "test", JOE, "--mechanism", mechanism, "--stdin", "-q", input=f"{secret}\n")
        assert (tried.exit_code, tried.stderr) == (status, ""), mechanism
    foretold = run("config", "check", "--what-if", "pop3.apop=require")
    assert foretold.exit_code == 0, foretold.output
    assert "1 account was not seen in 30 days:" in foretold.stdout
    assert run("account", "disable", JOE).exit_code == 0
    assert "not seen" not in run("config", "check", "--what-if", "pop3.apop=require").stdout
    assert run("account", "enable", JOE, "-q").exit_code == 0
    assert run("device", "remove", JOE, "eudora", "--yes").exit_code == 0
    assert run("account", "remove", JOE, "-y", "-q").exit_code == 0


def test_sources_outside_are_asked_by_a_server_only(run: Run, config: Path) -> None:
    with config.open("a") as file:
        file.write('[[source]]\nname = "hook"\ntype = "http"\nurl = "http://127.0.0.1:9/check"\n')
    run("account", "add", JOE, "--generate", "-q")
    result = run("auth", "test", JOE, "--stdin", input="whatever\n")
    assert "Sources outside are asked by a running server only" in result.stderr
    assert run("auth", "test", JOE, "--stdin", "-q", input="whatever\n").stderr == ""


def test_a_key_file_that_others_can_read_is_not_used(run: Run, place: Path) -> None:
    run("account", "add", JOE, "--generate")
    file = place / "state" / "keys" / "seal.key"
    file.chmod(0o644)
    result = run("account", "list", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(file) in result.stderr
    assert "chmod 600" in result.stderr


def test_a_database_that_cannot_be_read_is_named_with_the_reason(run: Run, place: Path) -> None:
    (place / "state").mkdir()
    (place / "state/accounts.db").write_bytes(b"this is no database " * 100)
    result = run("account", "list")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"({place}/state/accounts.db: file is not a database)\n")


def test_a_server_that_does_not_answer_keeps_its_store(run: Run, place: Path) -> None:
    state = State(place / "state")
    state.take()
    try:
        result = run("account", "list")
    finally:
        state.release()
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"is in use by process {os.getpid()}" in result.stderr
    assert f"{place}/state/control.sock" in result.stderr
    assert run("account", "list", "-q").exit_code == 0


def test_a_state_directory_that_cannot_be(run: Run, config: Path) -> None:
    config.write_text('[server]\nstate = "/proc/mailsuite"\n')
    result = run("account", "list", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("/proc/mailsuite: No such file or directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to work for somebody else")
def test_root_works_as_the_owner_of_the_state(config: Path, place: Path) -> None:
    state = place / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    place.chmod(0o755)
    command = [sys.executable, "-m", "mailsuite", "--config", str(config), "account", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in state.iterdir()} == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_makes_the_first_account_as_the_user_of_the_server(config: Path, place: Path) -> None:
    """Else the server, which is that user, could not open its own database afterwards."""
    state, user = place / "state", pwd.getpwnam("nobody")
    config.write_text(f'{config.read_text("utf-8")}user = "nobody"\n', "utf-8")
    place.chmod(0o755)
    command = [sys.executable, "-m", "mailsuite", "--config", str(config), "account", "add", JOE]
    done = subprocess.run([*command, "--generate"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in (state, *state.iterdir())} == {user.pw_uid}
    assert {path.stat().st_gid for path in (state, state / "accounts.db")} == {user.pw_gid}


def test_work_that_would_wait_is_a_mistake() -> None:
    class Forever:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def wait() -> None:
        await Forever()

    async def answer() -> int:
        return 7

    assert run_now(answer()) == 7
    with pytest.raises(RuntimeError, match="reactor"):
        run_now(wait())
