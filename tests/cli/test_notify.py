"""``mailsuite notify listen`` as a program: real processes, real loopback sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from mailsuite.cli.notify import handed_over, notify_group

KNOCK = b"nm_notifyuser\r\n"
PATIENCE = 30.0
PROGRAM = [sys.executable, "-c", "from mailsuite.cli.notify import notify_group; notify_group()", "listen"]

HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="knock.socket")
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def listening(*arguments: str, **popen: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running program and the first line it printed."""
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen
    ) as program:
        try:
            yield program, program.stdout.readline().rstrip("\n")
        finally:
            program.kill()


def knock(port: int, octets: bytes = KNOCK, host: str = "127.0.0.1") -> bytes:
    """What comes back, until the listener has closed."""
    with socket.create_connection((host, port), PATIENCE) as connection:
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(100)


def port_of(line: str) -> int:
    place = line.removeprefix("listening on ")
    assert place != line
    return int(place.rpartition(":")[2])


def test_a_line_for_a_knock_and_an_end_after_the_first() -> None:
    with listening("--port", "0", "--once") as (program, first):
        assert first.startswith("listening on 127.0.0.1:")
        assert knock(port_of(first), b"/W joe\r\n") == b""
        assert knock(port_of(first)) == b""
        out, err = program.communicate(timeout=PATIENCE)
        assert program.returncode == 0
        assert out.endswith("knock from 127.0.0.1\n")
        assert out.count("\n") == 1
        assert "--bind 0.0.0.0" in err


def test_json_lines() -> None:
    with listening("--port", "0", "--once", "--json") as (program, first):
        place = json.loads(first)
        assert place["address"] == "127.0.0.1"
        knock(place["port"])
        out, _ = program.communicate(timeout=PATIENCE)
        assert json.loads(out)["peer"] == "127.0.0.1"


@pytest.mark.parametrize("status", [0, 3])
def test_a_command_is_run_without_a_shell(status: int) -> None:
    code = f"import sys; print(sys.argv[1], sys.stdin.read(), end=''); raise SystemExit({status})"
    command = [sys.executable, "-c", code, "$HOME; *"]
    with listening("--port", "0", "--once", "--run", *command) as (program, first):
        knock(port_of(first))
        out, err = program.communicate(timeout=PATIENCE)
        words, _, document = out.partition("{")
        assert words == "$HOME; * "
        assert json.loads("{" + document)["event"] == "knock"
        assert program.returncode == (1 if status else 0)
        assert (f"exit status {status}" in err) == bool(status)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked(how: signal.Signals) -> None:
    def hear_interrupts() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore them

    with listening("--port", "0", preexec_fn=hear_interrupts) as (program, first):
        assert port_of(first)
        program.send_signal(how)
        _, err = program.communicate(timeout=PATIENCE)
        assert "Traceback" not in err
        assert program.returncode in {0, -how}


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*PROGRAM, "--port", str(port)], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"127.0.0.1:{port} is in use")
    assert "Traceback" not in done.stderr


def test_a_socket_from_systemd() -> None:
    """As a socket unit hands it over: descriptor 3, announced in the environment."""
    with socket.create_server(("127.0.0.1", 0)) as handed:
        descriptor = handed.fileno()
        with subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(descriptor), *PROGRAM, "--once"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[descriptor],
        ) as program:
            try:
                first = program.stdout.readline().rstrip("\n")
                assert port_of(first) == handed.getsockname()[1]
                knock(port_of(first))
                out, _ = program.communicate(timeout=PATIENCE)
                assert "knock from 127.0.0.1" in out
            finally:
                program.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run"], "--run and COMMAND belong together"),
        (["fetchmail"], "--run and COMMAND belong together"),
        (["--run", "no-such-program-anywhere"], "there is no program"),
        (["--port", "65536"], "--port"),
        (["--bind", "localhost"], "'localhost' is no IP address"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(notify_group, ["listen", *arguments])
    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ()),
        ({"LISTEN_FDS": "2"}, ()),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "1"}, ()),
        ({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())}, (3, 4)),
        ({"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())}, ()),
        ({"LISTEN_PID": str(os.getpid())}, ()),
    ],
)
def test_which_sockets_are_handed_over(variables: dict[str, str], expected: tuple[int, ...]) -> None:
    assert handed_over(variables) == expected


def test_help_needs_no_reactor() -> None:
    code = (
        "import sys; from mailsuite.cli.notify import notify_group\n"
        "try: notify_group(['listen', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(sum(name.split('.')[0] == 'twisted' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0
    assert b"--once" in done.stdout
