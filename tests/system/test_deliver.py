"""``mailsuite deliver`` against a running server: what arrives, and the statuses (row S-B03)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.cli.sysexits import Exit
from tests.system.harness import LIMITS, PATIENCE
from tests.system.sockets import LMTP_DOOR, SMALL, SocketServer, letters

JOE, ANN = "joe@example.test", "ann@example.test"
LETTER = b"From ann@elsewhere.example Sat Nov 21 16:14:00 2026\nSubject: by hand\n\n.\nhello\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    with SocketServer(tmp_path_factory.mktemp("server"), listeners=LMTP_DOOR, extra=LIMITS) as running:
        running.add_small()
        yield running


def deliver(
    server: SocketServer, *arguments: str, stdin: bytes = LETTER, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mailsuite", "--config", str(server.config), "deliver", *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_what_arrives(server: SocketServer) -> None:
    before = len(letters(server, ANN))
    assert deliver(server, "-f", "bob@elsewhere.example", JOE, "-a", ANN) == (0, "")
    [letter] = [each for each in letters(server, JOE) if b"Subject: by hand" in each]
    assert letter.startswith(b"Return-Path: <bob@elsewhere.example>\r\n")
    assert b"Delivered-To: joe@example.test\r\n" in letter
    assert letter.endswith(b"Subject: by hand\r\n\r\n.\r\nhello\r\n")
    assert b"From ann" not in letter
    assert len(letters(server, ANN)) == before + 1


def test_unknown_recipients(server: SocketServer) -> None:
    before = len(letters(server, JOE))
    status, said = deliver(server, JOE, "nobody@example.test")
    assert (status, len(letters(server, JOE))) == (Exit.NOUSER, before)
    assert "nobody@example.test: 550 5.1.1" in said
    assert deliver(server, "x@elsewhere.example")[0] == Exit.UNAVAILABLE


def test_no_room(server: SocketServer) -> None:
    """For one of two, who comes again: the other has a copy."""
    big = b"Subject: big\n\n" + b"y" * 70 + b"\n" + b"z" * 3000
    assert deliver(server, SMALL, stdin=big)[0] in {Exit.TEMPFAIL, Exit.UNAVAILABLE}
    assert letters(server, SMALL) == []


def test_a_message_at_fault(server: SocketServer) -> None:
    status, said = deliver(server, JOE, stdin=b"Subject: x\n\n" + b"x" * 200_000 + b"\n")
    assert status == Exit.DATAERR
    assert "joe@example.test: 5" in said


def test_the_environment_says_nothing(server: SocketServer) -> None:
    assert deliver(server, environment={"RECIPIENT": JOE, "SENDER": JOE})[0] == Exit.USAGE


def test_wrong_usage(server: SocketServer) -> None:
    assert deliver(server, "--nonsense", JOE)[0] == Exit.USAGE
    assert deliver(server, "joe")[0] == Exit.USAGE


def test_no_server_and_no_door(tmp_path: Path) -> None:
    stopped = SocketServer(tmp_path, listeners=LMTP_DOOR)
    stopped.write_config()
    status, said = deliver(stopped, JOE)
    assert (status, "mailsuite is not running" in said) == (Exit.TEMPFAIL, True)
    stopped.listeners = ""
    stopped.write_config()
    assert deliver(stopped, JOE)[0] == Exit.CONFIG
    stopped.config.write_text("half a conf")
    assert deliver(stopped, JOE)[0] == Exit.TEMPFAIL
    stopped.close()


def peak(server: SocketServer, megabytes: int) -> int:
    """KiB of memory that the program took at most to deliver so much."""
    command = [sys.executable, "-m", "mailsuite", "--config", str(server.config), "deliver", JOE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"Subject: big\n\n")
    for _ in range(megabytes * 16):
        process.stdin.write((b"." + b"x" * 62 + b"\n") * 1024)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == Exit.OK
    return usage.ru_maxrss


def test_a_large_message_flows_through(server: SocketServer) -> None:
    assert peak(server, 40) < peak(server, 0) + 8 * 1024


def test_a_program_that_is_killed_delivers_nothing(server: SocketServer) -> None:
    before = len(letters(server, JOE))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mailsuite",
            "--config",
            str(server.config),
            "deliver",
            "--socket",
            str(server.lmtp),
            JOE,
        ],
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"Subject: half\n\n" + b"x" * 100 + b"\n")
    process.stdin.flush()
    process.kill()
    process.wait(PATIENCE)
    process.stdin.close()
    assert deliver(server, ANN)[0] == 0, "the server goes on"
    assert len(letters(server, JOE)) == before
