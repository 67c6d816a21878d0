"""Who calls on a Unix socket: nobody is trusted for being on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.harness import LIMITS, PATIENCE
from tests.system.sockets import SocketServer, called

NAMELESS = 4_000_001
"""A user id that no name belongs to."""
DOOR = """
[[listener]]
name        = "calls"
service     = "submission"
socket      = "{sockets}/submission.sock"
socket_mode = "0666"
max_connections_per_address = 2
"""
RELAYS = LIMITS.replace("[submission]\n", '[submission]\nrelay_networks = ["127.0.0.0/8"]\n')
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
TALK = r"""
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
line = socket.socket(socket.AF_UNIX)
line.settimeout(30)
line.connect(sys.argv[1])
stream = line.makefile("rwb", buffering=0)
stream.readline()
for command in (b"EHLO client.example", b"MAIL FROM:<joe@example.test>"):
    stream.write(command + b"\r\n")
    while (answer := stream.readline())[3:4] == b"-":
        pass
print(answer.decode())
"""
HOLD = r"""
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
held = []
for _ in range(3):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(30)
    line.connect(sys.argv[1])
    held.append(line)
    print(line.makefile("rb").readline().decode()[:9], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    with SocketServer(tmp_path_factory.mktemp("server"), listeners=DOOR, extra=RELAYS) as running:
        running.submission.parent.chmod(0o755)
        yield running


def command(program: str, server: SocketServer) -> list[str]:
    return [sys.executable, "-c", program, str(server.submission), str(NAMELESS)]


@needs_root
def test_a_user_without_a_name_sends_nothing_though_loopback_may_relay(server: SocketServer) -> None:
    done = subprocess.run(command(TALK, server), capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.startswith("530 5.7.0 "), done


@needs_root
def test_one_user_does_not_take_all_places(server: SocketServer) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(HOLD, server), stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        said = [holder.stdout.readline()[:4] for _ in range(3)]
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(called(server.submission)) for _ in range(3)]
            assert [client.line()[:4] for client in clients] == [b"220 "] * 3, "root has no limit of its own"
        holder.stdin.close()
        assert holder.wait(PATIENCE) == 0
    assert said == ["220 ", "220 ", "421 "]
