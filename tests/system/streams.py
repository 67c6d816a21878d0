"""Clients of the users' side over HTTPS: one that asks, and one that stays connected."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from typing import Any

import attrs

from mailsuite.wire.sse import Event, EventReader
from tests.system.harness import LISTENERS, PATIENCE, Server, password_of

JOE = "joe@example.test"
ANN = "ann@example.test"

NOTIFY = """
[[listener]]
name    = "notify"
service = "notify"
bind    = ["127.0.0.1"]
port    = 0
"""
WITH_NOTIFY = LISTENERS + NOTIFY


def authorization(account: str = JOE, password: str = "") -> dict[str, str]:
    """The field that shows who asks; by the account's own password where nothing is said."""
    shown = f"{account}:{password or password_of(account)}".encode()
    return {"Authorization": f"Basic {b64encode(shown).decode()}"}


def ask(
    server: Server,
    line: str,
    who: dict[str, str] | None = None,
    body: object = None,
    base: str = "/notify/v1",
) -> tuple[int, dict[str, Any]]:
    """One request, ``GET /subscriptions``, on a connection of its own; status and document."""
    with closing(connect(server)) as connection:
        return ask_on(connection, line, who, body, base)


def connect(server: Server) -> http.client.HTTPSConnection:
    """A connection for any number of requests."""
    return http.client.HTTPSConnection(
        "127.0.0.1", server.ports["notify"], timeout=PATIENCE, context=server.tls()
    )


def ask_on(
    connection: http.client.HTTPSConnection,
    line: str,
    who: dict[str, str] | None = None,
    body: object = None,
    base: str = "/notify/v1",
) -> tuple[int, dict[str, Any]]:
    """As ask(), on a connection that is there already."""
    method, path = line.split(" ")
    fields = authorization() if who is None else who
    content = None if body is None else json.dumps(body)
    connection.request(method, f"{base}{path}", content, {**fields, "Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"{}")


@attrs.define
class Listening:
    """A stream that is open. What it waits for comes within PATIENCE."""

    socket: socket.socket
    status: int = 0
    ended: bool = False
    """The server has ended it, whole."""
    events: list[Event] = attrs.field(factory=list)
    """All but pings."""
    _octets: bytes = b""
    _reader: EventReader = attrs.field(factory=EventReader)

    @classmethod
    def open(
        cls, server: Server, query: str = "", who: dict[str, str] | None = None, last: str = ""
    ) -> Listening:
        """Returns when the server has answered."""
        plain = socket.create_connection(("127.0.0.1", server.ports["notify"]), PATIENCE)
        secure = server.tls().wrap_socket(plain, server_hostname="127.0.0.1")
        fields = {"Host": "localhost", **(authorization() if who is None else who)}
        if last:
            fields["Last-Event-ID"] = last
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        secure.sendall(f"GET /notify/v1/stream{query} HTTP/1.1\r\n{lines}\r\n".encode())
        stream = cls(secure)
        while b"\r\n\r\n" not in stream._octets:
            assert stream._read()
        head, _, stream._octets = stream._octets.partition(b"\r\n\r\n")
        stream.status = int(head.split()[1])
        return stream

    def _read(self) -> bool:
        """False: the connection is over."""
        try:
            data = self.socket.recv(65_536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self._octets += data
        return bool(data)

    def _take_chunks(self) -> None:
        while b"\r\n" in self._octets:
            size, _, rest = self._octets.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                return
            self._octets = rest[length + 2 :]
            if not length:
                self.ended = True
                return
            self.events += (each for each in self._reader.feed(rest[:length]) if each.type != "ping")

    @property
    def last_id(self) -> str:
        """From where to go on after a break."""
        self._take_chunks()
        return self._reader.last_id

    @property
    def retry(self) -> int | None:
        """Milliseconds that the server wants us to wait after the end."""
        return self._reader.retry

    def until(self, enough: Callable[[list[Event]], bool]) -> list[Event]:
        """The events, as soon as they are *enough*."""
        self._take_chunks()
        while not enough(self.events):
            assert self._read(), f"the stream has ended: {self.events}"
            self._take_chunks()
        return self.events

    def next(self, count: int = 1) -> list[Event]:
        """So many events, the oldest that nobody has asked for."""
        self.until(lambda events: len(events) >= count)
        taken, self.events = self.events[:count], self.events[count:]
        return taken

    def end(self) -> bool:
        """Wait for the end of the connection; whether the server has ended the stream before, whole."""
        while self._read():
            pass
        self.close()
        self._take_chunks()
        return self.ended

    def close(self) -> None:
        self.socket.close()
