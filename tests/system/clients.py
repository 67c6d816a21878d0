"""Raw clients: octets as they stand, in the pieces a test wants."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import attrs

from tests.system.harness import PASSWORDS, PATIENCE, Server

READ_OCTETS = 65_536

IN_CLEAR = ("mx", "submission", "pop3", "pop3-trusted")
"""The listeners of harness.LISTENERS where TLS does not begin at once."""

T = TypeVar("T")


class Refused(AssertionError):
    """The server did not say what the test relies on."""


@attrs.define
class Client:
    """One connection. What it reads is bounded in time by PATIENCE."""

    socket: socket.socket
    _unread: bytes = attrs.field(default=b"", init=False)
    ended_a_line: bool = attrs.field(default=True, init=False)
    """Whether the last line() was whole, and not what the end of the connection left of one."""
    read: list[bytes] = attrs.field(factory=list, init=False, repr=False)
    """All that line() has answered."""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """The next line, without CRLF; b"" at the end."""
        while b"\n" not in self._unread:
            data = self.socket.recv(READ_OCTETS)
            if not data:
                break
            self._unread += data
        line, end, self._unread = self._unread.partition(b"\n")
        self.ended_a_line = bool(end)
        self.read.append(line.removesuffix(b"\r"))
        return self.read[-1]

    def octets(self, count: int) -> bytes:
        """Exactly so many octets."""
        pieces, self._unread = [self._unread], b""
        missing = count - len(pieces[0])
        while missing > 0:
            data = self.socket.recv(READ_OCTETS)
            if not data:
                raise Refused(f"the connection ended {missing} octets too early")
            pieces.append(data)
            missing -= len(data)
        data = b"".join(pieces)
        self._unread = data[count:]
        return data[:count]

    def rest(self) -> bytes:
        """All until the server ends the connection, by FIN or by RST."""
        pieces, self._unread = [self._unread], b""
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(READ_OCTETS):
                pieces.append(data)
        return b"".join(pieces)

    def reply(self) -> bytes:
        """The last line of an SMTP reply."""
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        return line

    def say(self, line: bytes, expected: bytes = b"") -> bytes:
        """Send a command, answer the (last) line of the reply; that begins as *expected*."""
        self.send(line + b"\r\n")
        reply = self.reply()
        if not reply.startswith(expected):
            raise Refused(f"{line[:80]!r}: {reply!r}, not {expected!r}")
        return reply

    def multiline(self, command: bytes) -> list[bytes]:
        """Send a POP3 command; the lines of its response, dots unstuffed."""
        self.say(command, b"+OK")
        return self.lines()

    def lines(self) -> list[bytes]:
        """The lines of a POP3 multi-line response, after the first."""
        lines = []
        while (line := self.line()) != b".":
            if not self.ended_a_line:
                raise Refused("the connection ended inside a response")
            lines.append(line.removeprefix(b"."))
        return lines

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection: the server gets an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def connect(server: Server, listener: str, receive_buffer: int = 0) -> Client:
    """A connection that has read nothing yet."""
    connection = socket.socket()
    try:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", server.ports[listener]))
    except BaseException:
        connection.close()
        raise
    return Client(connection)


@contextlib.contextmanager
def greeted(server: Server, listener: str) -> Iterator[Client]:
    """A session that has its greeting, and SMTP's EHLO behind it; under TLS but for the listeners
    that begin without it."""
    with connect(server, listener) as client:
        if listener not in IN_CLEAR:
            client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
        greeting = client.line()
        if greeting.startswith(b"220 "):
            client.say(b"EHLO client.example", b"250")
        elif not greeting.startswith(b"+OK"):
            raise Refused(f"no greeting: {greeting!r}")
        yield client


@contextlib.contextmanager
def smtp(server: Server, listener: str = "mx") -> Iterator[Client]:
    """Greeted, and EHLO said."""
    with connect(server, listener) as client:
        if not client.line().startswith(b"220 "):
            raise Refused("no greeting")
        client.say(b"EHLO client.example", b"250")
        yield client


def log_in(client: Client, account: str) -> bytes:
    """USER and PASS after the greeting; the answer to PASS."""
    if not client.line().startswith(b"+OK"):
        raise Refused("no greeting")
    client.say(b"USER " + account.encode(), b"+OK")
    return client.say(b"PASS " + PASSWORDS[account].encode())


@contextlib.contextmanager
def pop3(server: Server, account: str = "joe@example.test", receive_buffer: int = 0) -> Iterator[Client]:
    """Logged in over the listener that takes passwords in clear. No QUIT at the end."""
    with connect(server, "pop3-trusted", receive_buffer) as client:
        answer = log_in(client, account)
        if not answer.startswith(b"+OK"):
            raise Refused(answer.decode())
        yield client


def begin_data(client: Client, *recipients: str, sender: str = "sender@elsewhere.example") -> None:
    """MAIL, RCPT and DATA in one go, up to the 354."""
    recipients = recipients or ("joe@example.test",)
    commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]
    client.send("".join(command + "\r\n" for command in commands).encode())
    answers = [client.reply() for _ in commands]
    if not answers[-1].startswith(b"354"):
        raise Refused(repr(answers))


def uidls(client: Client) -> dict[str, int]:
    """UIDL -> message number."""
    pairs = [line.decode().split() for line in client.multiline(b"UIDL")]
    found = {uidl: int(number) for number, uidl in pairs}
    if len(found) != len(pairs):
        raise Refused("a UIDL comes twice")
    return found


def sizes(client: Client) -> dict[int, int]:
    """Message number -> octets."""
    return {int(number): int(size) for number, size in map(bytes.split, client.multiline(b"LIST"))}


def retrieve_all(client: Client) -> dict[str, bytes]:
    """UIDL -> message, all of them, asked for in one go."""
    known = uidls(client)
    announced = sizes(client)
    client.send(b"".join(b"RETR %d\r\n" % number for number in known.values()))
    messages = {}
    for uidl, number in known.items():
        if not client.line().startswith(b"+OK"):
            raise Refused(f"message {number} ({uidl}) is listed and cannot be retrieved")
        messages[uidl] = b"".join(line + b"\r\n" for line in client.lines())
        if len(messages[uidl]) != announced[number]:
            raise Refused(f"{uidl}: {announced[number]} octets announced, {len(messages[uidl])} came")
    return messages


def within(seconds: float, attempt: Callable[[], T], *transient: type[BaseException]) -> T:
    """Try again and again until *attempt* raises none of *transient*; after *seconds* let it raise."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except transient:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.005)


def resident_octets(pid: int) -> int:
    """VmRSS of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Refused("the process is gone")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, in user and kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pid_of(server: Server) -> int:
    if server.process is None:
        raise Refused("the server does not run")
    return server.process.pid
