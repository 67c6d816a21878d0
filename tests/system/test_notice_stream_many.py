"""Many streams at the same time: all are told, soon, and none costs much (features row N-13)."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import PATIENCE, Server
from tests.system.streams import JOE, NOTIFY, WITH_NOTIFY, authorization

LONG = bool(os.environ.get("MAILSUITE_LONG"))
STREAMS = 10_000 if LONG else 500
SECONDS = 600.0 if LONG else 0.0
"""For how long they stay, told of a mail each ten seconds."""
MAX_PLAIN = 30 * 1024
"""Octets of memory for each: 300 MiB for 10,000."""
MAX_TLS = 90 * 1024
LIMITS = """
[guard]
failure_delay = "0s"
[notify]
max_connections = 0
max_connections_per_address = 0
max_streams_per_account = 1000
"""
IN_CLEAR = NOTIFY.replace('"notify"\nservice', '"in-clear"\nservice') + 'tls = "off"\n'
MAIL = b"Subject: news\r\n\r\nx\r\n"
ACCOUNTS = tuple(f"user{number}@example.test" for number in range(max(1, STREAMS // 500)))


class Crowd:
    """Streams of which only the number of events is looked at."""

    def __init__(self, server: Server, listener: str) -> None:
        self.server = server
        self.port = server.ports[listener]
        self.context = server.tls() if listener == "notify" else None
        self.selector = selectors.DefaultSelector()
        self.told: dict[socket.socket, int] = {}

    def open(self, account: str) -> None:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        if self.context is not None:
            client = self.context.wrap_socket(client, server_hostname="127.0.0.1")
        (shown,) = authorization(account).items()
        client.sendall(f"GET /notify/v1/stream HTTP/1.1\r\nHost: x\r\n{': '.join(shown)}\r\n\r\n".encode())
        said = b""
        while b"retry: " not in said:
            data = client.recv(4096)
            assert data, said
            said += data
        client.setblocking(False)
        self.told[client] = 0
        self.selector.register(client, selectors.EVENT_READ)

    def wait_for(self, events: int) -> float:
        """Until each has been told of so many; the seconds that took."""
        began = time.monotonic()
        waiting = {client for client, count in self.told.items() if count < events}
        while waiting:
            assert time.monotonic() - began < PATIENCE, f"{len(waiting)} were not told"
            for key, _ in self.selector.select(1.0):
                client: socket.socket = key.fileobj  # type: ignore[assignment]
                with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                    data = client.recv(65_536)
                    assert data, "a stream has ended"
                    self.told[client] += data.count(b"event: mail")
                    if self.told[client] >= events:
                        waiting.discard(client)
        return time.monotonic() - began

    def close(self) -> None:
        self.selector.close()
        for client in self.told:
            client.close()


def memory_of(server: Server) -> int:
    """Octets of the server's own that are in memory."""
    process = server.process
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * STREAMS + 1000)), hard))
    listeners = WITH_NOTIFY + IN_CLEAR
    with Server(tmp_path, extra=LIMITS, listeners=listeners, accounts=(JOE, *ACCOUNTS)) as running:
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("listener", "most"), [("in-clear", MAX_PLAIN), ("notify", MAX_TLS)])
def test_many_are_told_and_cost_little(server: Server, listener: str, most: int) -> None:
    crowd = Crowd(server, listener)
    count = STREAMS if listener == "in-clear" else STREAMS // 5
    try:
        for _ in range(20):
            crowd.open(ACCOUNTS[0])
        server.deliver(MAIL, *ACCOUNTS)
        crowd.wait_for(1)
        before, first = memory_of(server), len(crowd.told)
        for client in crowd.told:
            crowd.told[client] = 0
        for number in range(count - first):
            crowd.open(ACCOUNTS[number % len(ACCOUNTS)])
        each = (memory_of(server) - before) / (count - first)
        sys.stdout.write(f"{listener}: {count} streams of {each / 1024:.1f} KiB\n")
        assert each < most
        rounds, until = 0, time.monotonic() + SECONDS
        while not rounds or time.monotonic() < until:
            server.deliver(MAIL, *ACCOUNTS)
            rounds += 1
            sys.stdout.write(f"all were told within {crowd.wait_for(rounds) * 1000:.0f} ms\n")
            time.sleep(10.0 if SECONDS else 0.0)
    finally:
        crowd.close()
