"""Two small clients that add nothing and hide nothing: octets in, octets out.

They share no code with the server, so that a mistake about dots or line ends cannot cancel itself out.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
from collections.abc import Iterable, Iterator
from types import TracebackType

import attrs

from tests.system.harness import PATIENCE

CRLF = b"\r\n"
SMALL = (1, 2, 3, 5, 7, 1, 1, 11)
LARGE = (1, 4093, 65_537, 2, 8191, 200_003)


def stuffed(message: bytes) -> bytes:
    """With a second dot before each line that begins with one (RFC 5321 section 4.5.2)."""
    return CRLF.join(b"." + line if line.startswith(b".") else line for line in message.split(CRLF))


def unstuffed(text: bytes) -> bytes:
    """Without the first of the dots that a line begins with (RFC 1939 section 3)."""
    return CRLF.join(line.removeprefix(b".") for line in text.split(CRLF))


def pieces(data: bytes) -> Iterator[bytes]:
    """*data* in sizes that are odd in both senses."""
    start = 0
    for size in itertools.cycle(SMALL if len(data) < 2000 else LARGE):
        if start >= len(data):
            return
        yield data[start : start + size]
        start += size


@attrs.define
class Connection:
    """A connection with an answer to read from it. Closed at the end of a ``with``."""

    socket: socket.socket
    received: bytearray = attrs.field(factory=bytearray)

    @classmethod
    def to(cls, port: int, tls: ssl.SSLContext | None = None) -> Connection:
        connected = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            with contextlib.ExitStack() as failed:
                failed.push(connected)
                secured = tls.wrap_socket(connected, server_hostname="127.0.0.1")
                failed.pop_all()
                connected = secured
        return cls(connected)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes | Iterable[bytes]) -> None:
        for piece in [data] if isinstance(data, bytes) else data:
            self.socket.sendall(piece)

    def until(self, end: bytes) -> bytes:
        """All that comes up to *end*, and *end*."""
        searched = 0
        while (found := self.received.find(end, searched)) < 0:
            searched = max(0, len(self.received) - len(end) + 1)
            part = self.socket.recv(1 << 18)
            assert part, f"the server has closed the connection after {bytes(self.received[-200:])!r}"
            self.received += part
        cut = found + len(end)
        data = bytes(self.received[:cut])
        del self.received[:cut]
        return data

    def line(self) -> bytes:
        return self.until(CRLF)[:-2]


@attrs.define
class RawSmtp:
    """Another server, that hands in messages as they are."""

    connection: Connection

    @classmethod
    @contextlib.contextmanager
    def to(cls, port: int) -> Iterator[RawSmtp]:
        """Begins with EHLO, ends with QUIT."""
        with Connection.to(port) as connection:
            client = cls(connection)
            client.expect(b"220")
            client.ask(b"EHLO client.example", b"250")
            yield client
            client.ask(b"QUIT", b"221")

    def expect(self, beginning: bytes) -> bytes:
        """Read a reply that begins so, and answer its last line."""
        while (line := self.connection.line())[3:4] == b"-":
            pass
        assert line.startswith(beginning), line
        return line

    def ask(self, command: bytes, beginning: bytes) -> bytes:
        self.connection.send(command + CRLF)
        return self.expect(beginning)

    def message(
        self, wire: Iterable[bytes], beginning: bytes, recipient: bytes, sender: bytes = b""
    ) -> bytes:
        """Send these octets, as they are, between 354 and the reply."""
        self.ask(b"MAIL FROM:<%s> BODY=8BITMIME" % sender, b"250")
        self.ask(b"RCPT TO:<%s>" % recipient, b"250")
        self.ask(b"DATA", b"354")
        self.connection.send(wire)
        return self.expect(beginning)


def on_the_wire(message: bytes) -> bytes:
    """What stands between 354 and the reply where *message* is sent."""
    whole = message if not message or message.endswith(CRLF) else message + CRLF
    return stuffed(whole) + b"." + CRLF


@attrs.define
class RawPop3:
    """A mail program that keeps every octet."""

    connection: Connection

    @classmethod
    @contextlib.contextmanager
    def to(
        cls, port: int, account: str, password: str, tls: ssl.SSLContext | None = None
    ) -> Iterator[RawPop3]:
        """Begins with a login, ends with QUIT."""
        with Connection.to(port, tls) as connection:
            client = cls(connection)
            client.expect()
            client.ask(f"USER {account}")
            client.ask(f"PASS {password}")
            yield client
            client.ask("QUIT")

    def expect(self) -> bytes:
        line = self.connection.line()
        assert line.startswith(b"+OK"), line
        return line

    def ask(self, command: str) -> bytes:
        self.connection.send(command.encode() + CRLF)
        return self.expect()

    def answer(self) -> bytes:
        """A multi-line response behind its first line: without its last one, dots unstuffed."""
        self.expect()
        self.connection.received[:0] = CRLF  # the end of the first line: the terminator may need it
        return unstuffed(self.connection.until(b"\r\n.\r\n")[2:-3])

    def lines(self, command: str) -> bytes:
        self.connection.send(command.encode() + CRLF)
        return self.answer()

    def sizes(self) -> list[int]:
        """As LIST says."""
        return [int(line.split()[1]) for line in self.lines("LIST").splitlines()]
