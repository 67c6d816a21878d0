"""What idle SMTP sessions cost in memory: ``python -m bench.idle`` from the checkout (features row M-17).

Each has had its greeting and the answer to EHLO, and says nothing more. Wants as many descriptors here and in
the server: ``ulimit -n``.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.measure import anonymous_octets, cpu_seconds
from tests.system.clients import pid_of, resident_octets
from tests.system.harness import LIMITS, Server

MEBIBYTE = 1 << 20
WARM = 50
"""Sessions before those that are counted: what the first ones cost is no session's."""


def opened(port: int, stack: ExitStack) -> None:
    """One session that has been greeted."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    stack.callback(client.close)
    client.recv(4096)
    client.sendall(b"EHLO idle.example\r\n")
    while b"\r\n250 " not in (b"\r\n" + client.recv(4096)):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=5000)
    count = parser.parse_args().sessions
    extra = LIMITS.replace("[smtp]\n", "[smtp]\nmax_connections = 0\n")
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ms-bench-"))
        server = stack.enter_context(Server(Path(directory), extra))
        pid, port = pid_of(server), server.ports["mx"]
        for _ in range(WARM):
            opened(port, stack)
        resident, anonymous, cpu = resident_octets(pid), anonymous_octets(pid), cpu_seconds(pid)
        for _ in range(count):
            opened(port, stack)
        took = cpu_seconds(pid) - cpu
        grown, anonymous = resident_octets(pid) - resident, anonymous_octets(pid) - anonymous
        print(f"{count} idle sessions: {grown / MEBIBYTE:.1f} MiB resident, {anonymous / MEBIBYTE:.1f} MiB")
        print(f"anonymous, {grown / count / 1024:.1f} KiB each; {took / count * 1e3:.2f} ms CPU to open one")


if __name__ == "__main__":
    main()
