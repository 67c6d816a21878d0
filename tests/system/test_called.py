"""Who calls on a Unix socket: nobody is trusted for being on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.harness import LIMITS, PATIENCE
from tests.system.sockets import SocketServer

NAMELESS = 4_000_001
"""A user id that no name belongs to."""
DOOR = """
[[listener]]
name        = "calls"
service     = "submission"
socket      = "{sockets}/submission.sock"
socket_mode = "0666"
"""
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody without a name")
def test_a_user_without_a_name_sends_nothing_though_loopback_may_relay(tmp_path: Path) -> None:
    relays = LIMITS.replace("[submission]\n", '[submission]\nrelay_networks = ["127.0.0.0/8"]\n')
    with SocketServer(tmp_path, listeners=DOOR, extra=relays) as server:
        server.submission.parent.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", TALK, str(server.submission), str(NAMELESS)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    assert done.stdout.startswith("530 5.7.0 "), done
