"""The key file that is lost, without a server: nothing goes on as if nothing were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.control_double import ControlDouble

JOE = "joe@example.test"


@pytest.fixture
def key_file(run: Run, place: Path) -> Path:
    """Lost, and something was sealed with it."""
    run("account", "add", JOE, "--stdin", "-q", input="eight888\n")
    file = place / "state" / "keys" / "seal.key"
    file.unlink()
    return file


def test_a_key_file_that_is_lost_is_asked_for(run: Run, key_file: Path) -> None:
    for command in (("account", "list"), ("key", "rotate"), ("device", "list")):
        result = run(*command, "-q")
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"{key_file} is missing, and what was sealed with it (1)" in result.stderr
        assert "`mailsuite key new`" in result.stderr
        assert not key_file.exists()


def test_without_a_copy_there_is_a_new_key_for_whoever_wants_one(run: Run, key_file: Path) -> None:
    made = run("key", "new")
    assert made.exit_code == 0, made.output
    assert "There is a new key." in made.stdout
    assert run("account", "list", "-q").stdout == f"{JOE}\n"
    before = key_file.read_bytes()
    again = run("key", "new", "-q")
    assert (again.exit_code, again.stdout) == (1, "")
    assert f"{key_file} is there" in again.stderr
    assert key_file.read_bytes() == before
    key_file.unlink()
    assert run("key", "new", "-q").output == ""


def test_a_rotation_that_leaves_secrets_behind_says_so_by_its_status(run: Run, key_file: Path) -> None:
    run("key", "new", "-q")
    rotated = run("key", "rotate", "-q")
    assert rotated.exit_code == 1
    assert "1 secret could not be opened by any key" in rotated.stderr


def test_a_right_password_that_nobody_can_tell_is_not_called_wrong(run: Run, key_file: Path) -> None:
    run("key", "new", "-q")
    secret = run("device", "add", JOE, "Phone", "-q").stdout
    key_file.unlink()
    run("key", "new", "-q")
    tried = run("auth", "test", JOE, "--stdin", "--json", "-q", input=secret)
    assert tried.exit_code == 1
    assert '"seal-broken"' in tried.stdout
    assert run("auth", "test", JOE, "--stdin", "-q", input="eight888\n").exit_code == 0


def test_a_database_that_cannot_be_read_is_named(run: Run, key_file: Path, place: Path) -> None:
    (place / "state" / "accounts.db").write_bytes(b"this is no database " * 100)
    result = run("account", "list", "-q")
    assert result.exit_code == 1
    assert "nobody can tell what is sealed with it" in result.stderr
    assert not key_file.exists()


def test_a_running_server_has_the_keys_yet(run: Run, control: ControlDouble) -> None:
    result = run("key", "new")
    assert result.exit_code == 1
    assert "`mailsuite key rotate`" in result.stderr
