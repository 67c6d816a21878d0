"""A small POP3 client that keeps every octet (RFC 1939, RFC 2449, RFC 2595).

poplib refuses lines above 2,048 octets and forgets which line ends there were; this is for looking closely.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Final, Self

import attrs

from mailsuite.cli.context import CommandFailed
from mailsuite.cli.terminal import clean

MAX_REPLY_OCTETS: Final = 8192
"""RFC 2449 section 4 allows 512; be liberal with a foreign server."""
PIECE: Final = 65536


class Pop3Error(CommandFailed):
    """The server said -ERR, or something that is not POP3; its words are in the message, cleaned."""


@attrs.define
class Pop3Client:
    """One session. Raises Pop3Error, OSError."""

    _socket: socket.socket
    _buffer: bytearray = attrs.field(factory=bytearray, init=False)

    @classmethod
    def connect(cls, host: str, port: int, timeout: float, tls: ssl.SSLContext | None) -> Self:
        """Connect, with TLS at once where a context is given, and take the greeting."""
        connection = socket.create_connection((host, port), timeout)
        try:
            if tls is not None:
                connection = tls.wrap_socket(connection, server_hostname=host)
            client = cls(connection)
            client._status()
        except BaseException:
            connection.close()
            raise
        return client

    def command(self, *words: str) -> str:
        """Send a command of one line, answer what stands behind +OK."""
        line = " ".join(words).encode("utf-8", "surrogateescape")
        if b"\r" in line or b"\n" in line:
            raise Pop3Error("a line end cannot be part of a command")
        self._socket.sendall(line + b"\r\n")
        return self._status()

    def lines(self, *words: str) -> Iterator[bytes]:
        """Send a command with a multi-line answer; its octets line by line, unstuffed, as they come.

        A line above 64 KiB comes in several pieces.
        """
        self.command(*words)
        return self._body()

    def _body(self) -> Iterator[bytes]:
        before = b"\r\n"
        while True:
            piece = self._read_line(PIECE)
            if before == b"\r\n" and piece.startswith(b"."):
                if piece == b".\r\n":
                    return
                piece = piece[1:]
            yield piece
            before = (before + piece)[-2:]

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """STLS (RFC 2595 section 4). What came in clear after the answer is an attack: Pop3Error."""
        self.command("STLS")
        if self._buffer:
            raise Pop3Error("the server said more than it should before TLS; somebody may be in between")
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def close(self) -> None:
        self._socket.close()

    def _status(self) -> str:
        line = self._read_line(MAX_REPLY_OCTETS)
        text = clean(line.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))
        word, _, rest = text.partition(" ")
        if word == "+OK" and line.endswith(b"\n"):
            return rest
        if word == "-ERR":
            raise Pop3Error(f"the server said: {rest or 'no'}")
        raise Pop3Error(f"that is not POP3: {text[:200]}")

    def _read_line(self, limit: int) -> bytes:
        """One line with its end, or *limit* octets of it."""
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched, limit)
            if end >= 0 or len(self._buffer) >= limit:
                length = end + 1 if end >= 0 else limit
                line = bytes(self._buffer[:length])
                del self._buffer[:length]
                return line
            searched = len(self._buffer)
            data = self._socket.recv(PIECE)
            if not data:
                raise EOFError("the server cut the connection")
            self._buffer += data
