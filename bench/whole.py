"""The baseline figures of one process: SMTP in, POP3 out. ``python -m bench.whole`` from the checkout.

The generator is Python too and shares the cores with the server; so read the CPU columns, and the rates as
a floor.
"""

from __future__ import annotations

import argparse
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.measure import in_parallel, report, rounds
from tests.system.harness import LIMITS, Server, password_of

ACCOUNTS = tuple(f"user{number}@example.test" for number in range(16))
BIG = "big@example.test"
LINE = b"The quick brown fox jumps over the lazy dog and counts to 1234567890.\r\n"
HEADER = b"From: <load@elsewhere.example>\r\nSubject: load\r\n\r\n"


def message(size: int) -> bytes:
    body = LINE * (size // len(LINE) + 1)
    return (HEADER + body)[: size - 2] + b"\r\n"


class Client:
    """The cheapest client there is: a socket and a buffer."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self.more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def more(self) -> None:
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError(f"closed; last was {self.buffer[-200:]!r}")
        self.buffer += data

    def say(self, data: bytes, expected: bytes) -> bytes:
        self.socket.sendall(data)
        while (line := self.line())[3:4] == b"-":
            pass
        if not line.startswith(expected):
            raise ConnectionError(f"{data[:40]!r} was answered {line!r}")
        return line

    def multiline(self) -> int:
        """Read up to the terminator; answer the octets."""
        octets, tail = len(self.buffer), self.buffer[-5:]
        while not tail.endswith(b"\r\n.\r\n"):
            self.buffer = b""
            self.more()
            octets += len(self.buffer)
            tail = (tail + self.buffer[-5:])[-5:]
        self.buffer = b""
        return octets


def smtp_session(port: int, data: bytes, number: int, messages: int = 1) -> int:
    """Hand in *messages* to the account that *number* chooses."""
    recipient = ACCOUNTS[number % len(ACCOUNTS)]
    client = Client(port)
    client.line()
    client.say(b"EHLO load.example\r\n", b"250")
    for _ in range(messages):
        client.say(b"MAIL FROM:<load@elsewhere.example>\r\n", b"250")
        client.say(f"RCPT TO:<{recipient}>\r\n".encode(), b"250")
        client.say(b"DATA\r\n", b"354")
        client.say(data + b".\r\n", b"250")
    client.say(b"QUIT\r\n", b"221")
    client.socket.close()
    return len(data) * messages


def pop3_session(port: int, account: str, retrievals: int) -> int:
    client = Client(port)
    client.line()
    client.say(f"USER {account}\r\n".encode(), b"+OK")
    client.say(f"PASS {password_of(account)}\r\n".encode(), b"+OK")
    octets = 0
    if retrievals:
        client.say(b"LIST\r\n", b"+OK")
        client.multiline()
        client.say(b"UIDL\r\n", b"+OK")
        client.multiline()
    for number in range(1, retrievals + 1):
        client.say(b"RETR %d\r\n" % number, b"+OK")
        octets += client.multiline()
    client.say(b"QUIT\r\n", b"+OK")
    client.socket.close()
    return octets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="messages or sessions in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--directory", type=Path, help="where the server keeps its mail (a file system of its own is best)"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        Server(Path(directory), extra=LIMITS, accounts=(*ACCOUNTS, BIG)) as server,
    ):
        smtp(server, options)
        pop3(server, options)


def smtp(server: Server, options: argparse.Namespace) -> None:
    assert server.process is not None
    pid, port, width = server.process.pid, server.ports["mx"], options.connections
    small, large = message(4096), message(1 << 20)
    count, per = options.messages, 50
    big = max(count // 20, width)

    def each(sessions: int, data: bytes, messages: int = 1) -> Callable[[], int]:
        return lambda: in_parallel(width, sessions, lambda number: smtp_session(port, data, number, messages))

    figures = rounds(pid, options.rounds, count, each(count, small))
    report("SMTP 4 KiB, new session each", figures)
    figures = rounds(pid, options.rounds, count // per * per, each(count // per, small, per))
    report("SMTP 4 KiB, 50 a session", figures)
    figures = rounds(pid, options.rounds, big, each(big, large))
    report("SMTP 1 MiB, new session each", figures, throughput=True)


def pop3(server: Server, options: argparse.Namespace) -> None:
    """Each account has 20 messages of 4 KiB; one session at a time in each maildrop."""
    assert server.process is not None
    pid, port, width = server.process.pid, server.ports["pop3-trusted"], len(ACCOUNTS)
    for account in ACCOUNTS:
        empty(server, account)
        fill(server, account, message(4096), 20)
    fill(server, BIG, message(1 << 20), 10)
    each = max(options.messages // 4 // width, 4)

    def sessions(retrievals: int) -> Callable[[], int]:
        return lambda: in_parallel(
            width, width, lambda number: serial(each, port, ACCOUNTS[number], retrievals)
        )

    figures = rounds(pid, options.rounds, each * width, sessions(0))
    report("POP3 login, STAT, QUIT", figures)
    figures = rounds(pid, options.rounds, each * width, sessions(10))
    report("POP3 session, LIST, UIDL, 10 RETR of 4 KiB", figures)
    figures = rounds(pid, options.rounds, 20, lambda: serial(20, port, BIG, 10))
    report("POP3 10 RETR of 1 MiB", figures, throughput=True)


def serial(sessions: int, port: int, account: str, retrievals: int) -> int:
    """One after the other: a maildrop has one session at a time."""
    return sum(pop3_session(port, account, retrievals) for _ in range(sessions))


def fill(server: Server, account: str, data: bytes, messages: int) -> None:
    for _ in range(messages):
        server.deliver(data, account)


def empty(server: Server, account: str) -> None:
    for name in ("new", "cur"):
        for file in (server.maildir(account) / name).glob("*"):
            file.unlink()


if __name__ == "__main__":
    main()
