"""Where a password may come from, and where it never shows up."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from argon2 import PasswordHasher

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.passwords import MAX_OCTETS, PasswordSource, reveal
from tests.cli.conftest import Run

CANARY = "canary-2-of-the-command-line"


def from_file(place: Path, octets: bytes) -> PasswordSource:
    file = place / "password"
    file.write_bytes(octets)
    return PasswordSource(file, False)


@pytest.mark.parametrize(
    ("octets", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" se cret \n", " se cret "),
        (b"secret\nmore\n", "secret"),
        ("pässwört\n".encode(), "pässwört"),
        (b"x" * MAX_OCTETS, "x" * MAX_OCTETS),
    ],
)
def test_the_first_line_as_it_stands(place: Path, octets: bytes, password: str) -> None:
    secret = from_file(place, octets).read()
    assert reveal(secret) == password
    assert password not in repr(secret)
    assert password not in str(secret)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "no password in the first line"),
        (b"\nsecret\n", "no password in the first line"),
        (b"\r\n", "no password in the first line"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"x" * (MAX_OCTETS + 1), "too long"),
    ],
)
def test_what_is_no_password(place: Path, octets: bytes, reason: str) -> None:
    with pytest.raises(CommandFailed, match=reason) as caught:
        from_file(place, octets).read()
    assert "secret" not in caught.value.message


def test_a_file_that_cannot_be_read(place: Path) -> None:
    with pytest.raises(CommandFailed, match="No such file"):
        PasswordSource(place / "none", False).read()
    with pytest.raises(CommandFailed, match="Is a directory"):
        PasswordSource(place, False).read()


@pytest.mark.parametrize(
    ("file", "stdin", "generate"),
    [(Path("x"), True, False), (Path("x"), False, True), (None, True, True), (Path("x"), True, True)],
)
def test_only_one_source(file: Path | None, stdin: bool, generate: bool) -> None:
    with pytest.raises(click.UsageError):
        PasswordSource(file, stdin, generate)


def test_generate_is_none() -> None:
    assert reveal(PasswordSource(None, False, True).read()) is None


def test_password_hash_of_stdin(run: Run) -> None:
    result = run("password-hash", "--stdin", input=f"{CANARY}\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert CANARY not in result.stdout
    assert PasswordHasher().verify(result.stdout.strip(), CANARY)


def test_password_hash_of_a_generated_one(run: Run) -> None:
    result = run("password-hash", "--generate")
    assert result.exit_code == 0
    password = result.stderr.removeprefix("Password, shown once:  ").strip()
    assert PasswordHasher().verify(result.stdout.strip(), password)


def test_password_hash_asks_twice(run: Run) -> None:
    result = run("password-hash", input=f"{CANARY}\n{CANARY}\n")
    assert result.exit_code == 0
    assert CANARY not in result.output
    assert PasswordHasher().verify(result.stdout.splitlines()[-1], CANARY)


def test_password_hash_refuses_what_nobody_can_have(run: Run) -> None:
    result = run("password-hash", "--stdin", input="x" * 2000)
    assert result.exit_code == 2
    assert "longer than 1024" in result.stderr


def test_without_a_terminal_it_does_not_ask() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mailsuite", "password-hash"],
        input=f"{CANARY}\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "--password-file" in done.stderr
    assert CANARY not in done.stderr


def test_on_a_terminal_the_password_is_not_echoed() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "mailsuite", "password-hash"])
    seen = b""
    answered = 0
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # EIO: the other end is closed
            break
        if not data:
            break
        seen += data
        while seen.count(b": ") > answered and answered < 2:
            os.write(terminal, CANARY.encode() + b"\n")
            answered += 1
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert answered == 2
    assert CANARY.encode() not in seen
    assert b"$argon2id$" in seen
