"""SMTP intake beside Postfix, in the same run: ``python -m bench.smtp`` from the checkout, as root.

A round ends when its last message is visible in ``new/``: Postfix answers 250 when a message is in its queue,
we when it is in the maildrop. The generator shares the cores with the servers: read the CPU columns (all
processes of a server, ended ones included), and the rates as a floor. Rounds of the servers take turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from bench.measure import compare, in_parallel
from bench.peers import SEARCH_PATH, unverified
from bench.whole import Client, message
from tests.interop.postfix import Postfix
from tests.system.harness import LIMITS, Server

WIDTH = 16
"""Connections at once, and users."""
PER_SESSION = 50
PATIENCE = 60.0
"""Seconds until the last message of a round is where it belongs."""
USERS = tuple(f"user{number}" for number in range(WIDTH))
MORE = "in_flow_delay = 0\nmessage_size_limit = 52428800\nmailbox_size_limit = 0\nvirtual_mailbox_limit = 0\n"
"""Without the pause of a second by which Postfix slows a client that is faster than its deliveries."""


@attrs.frozen
class Running:
    """A server that runs."""

    name: str
    port: int
    pid: int
    maildir: Callable[[str], Path]

    def delivered(self) -> int:
        """Messages that are visible."""
        places = (self.maildir(user) / "new" for user in USERS)
        return sum(len(os.listdir(place)) for place in places if place.is_dir())

    def until(self, count: int) -> None:
        """Return when so many are there. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while self.delivered() < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: {self.delivered()} of {count} messages have arrived")
            time.sleep(0.005)


def session(port: int, data: bytes, number: int, messages: int, tls: ssl.SSLContext | None) -> int:
    """Hand in *messages*, each to the next user; answers their octets."""
    client = Client(port)
    client.line()
    client.say(b"EHLO load.example\r\n", b"250")
    if tls is not None:
        client.say(b"STARTTLS\r\n", b"220")
        client.socket = tls.wrap_socket(client.socket, server_hostname="localhost")
        client.say(b"EHLO load.example\r\n", b"250")
    for each in range(messages):
        user = USERS[(number + each) % WIDTH]
        client.say(b"MAIL FROM:<load@elsewhere.example>\r\n", b"250")
        client.say(f"RCPT TO:<{user}@example.test>\r\n".encode(), b"250")
        client.say(b"DATA\r\n", b"354")
        client.say(data + b".\r\n", b"250")
    client.say(b"QUIT\r\n", b"221")
    client.socket.close()
    return len(data) * messages


@attrs.frozen
class Scenario:
    name: str
    data: bytes
    sessions: int
    messages: int = 1
    """In each session."""
    tls: ssl.SSLContext | None = None

    @property
    def count(self) -> int:
        return self.sessions * self.messages

    def work(self, server: Running) -> int:
        before = server.delivered()
        octets = in_parallel(
            WIDTH,
            self.sessions,
            lambda number: session(server.port, self.data, number, self.messages, self.tls),
        )
        server.until(before + self.count)
        return octets


def scenarios(messages: int) -> Sequence[Scenario]:
    small, large, tls = message(4096), message(1 << 20), unverified()
    many, big = max(messages // PER_SESSION, WIDTH), max(messages // 20, WIDTH)
    return (
        Scenario("4 KiB, new session each", small, messages),
        Scenario("4 KiB, new session each, TLS", small, messages, tls=tls),
        Scenario(f"4 KiB, {PER_SESSION} a session", small, many, PER_SESSION),
        Scenario(f"4 KiB, {PER_SESSION} a session, TLS", small, many, PER_SESSION, tls),
        Scenario("1 MiB, new session each", large, big),
        Scenario("1 MiB, new session each, TLS", large, big, tls=tls),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000, help="small messages in a round")
    parser.add_argument("--directory", type=Path, help="where the servers keep their mail")
    options = parser.parse_args()
    with ExitStack() as stack:

        def folder() -> Path:
            made = tempfile.TemporaryDirectory(dir=options.directory, prefix="ms-bench-")
            path = Path(stack.enter_context(made))
            path.chmod(0o755)
            return path

        accounts = tuple(f"{user}@example.test" for user in USERS)
        ours = stack.enter_context(Server(folder(), extra=LIMITS, accounts=accounts))
        assert ours.process is not None
        servers = [
            Running(
                "mailsuite",
                ours.ports["mx"],
                ours.process.pid,
                lambda user: ours.maildir(f"{user}@example.test"),
            )
        ]
        if os.geteuid() == 0 and shutil.which("postfix", path=SEARCH_PATH):
            postfix = stack.enter_context(Postfix(folder(), users=USERS, more=MORE))
            servers.append(Running("Postfix", postfix.port, postfix.pid, postfix.maildir))
        compare(servers, scenarios(options.messages), options.rounds)


if __name__ == "__main__":
    main()
