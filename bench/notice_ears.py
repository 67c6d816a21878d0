"""Those who are told of mail: streams, listeners for knocks (RFC 4146), receivers of webhooks. Each works in
a process of its own (bench/apart.py) and answers when it heard of which message: ``(number, seconds)``.

Messages are told apart by their subject, ``n`` and a number. A knock says nothing: it is told by the address
that it came to.
"""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import cast

import attrs

from bench.apart import READY
from tests.system.harness import password_of

Heard = tuple[int, float]
"""A number, and the time of CLOCK_MONOTONIC."""
_SUBJECT = re.compile(rb'"subject": ?"n(\d+)"')
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
PATIENCE = 60.0


def opened(port: int, account: str, context: ssl.SSLContext | None) -> socket.socket:
    """A stream that has begun."""
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    if context is not None:
        client = context.wrap_socket(client, server_hostname="localhost")
    shown = b64encode(f"{account}:{password_of(account)}".encode()).decode()
    request = f"GET /notify/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {shown}\r\n\r\n"
    client.sendall(request.encode())
    said = b""
    while b"retry: " not in said:
        data = client.recv(4096)
        if not data:
            raise ConnectionError(said[:200])
        said += data
    return client


@attrs.frozen
class Streams:
    """One stream for each of *accounts*, as often as it is named."""

    port: int
    accounts: Sequence[str]
    tls: Callable[[], ssl.SSLContext] | None = None

    def __call__(self, pipe: Connection) -> list[Heard]:
        selector = selectors.DefaultSelector()
        selector.register(pipe, selectors.EVENT_READ)
        rest: dict[socket.socket, bytes] = {}
        context = None if self.tls is None else self.tls()
        for account in self.accounts:
            client = opened(self.port, account, context)
            client.setblocking(False)
            rest[client] = b""
            selector.register(client, selectors.EVENT_READ)
        pipe.send(READY)
        heard: list[Heard] = []
        while True:
            for key, _ in selector.select():
                if key.fileobj is pipe:
                    pipe.recv()
                    return heard
                client = cast(socket.socket, key.fileobj)
                rest[client] = self._read(client, rest[client], heard)

    def _read(self, client: socket.socket, rest: bytes, heard: list[Heard]) -> bytes:
        try:
            data = client.recv(65_536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return rest
        now = time.monotonic()
        if not data:
            raise ConnectionError("a stream has ended")
        rest += data
        end = 0
        for found in _SUBJECT.finditer(rest):
            heard.append((int(found[1]), now))
            end = found.end()
        return rest[end:][-4096:]


@attrs.frozen
class Listeners:
    """Whoever is knocked at, at any address of 127.0.0.0/8. The number is that of the address."""

    listener: socket.socket

    def __call__(self, pipe: Connection) -> list[Heard]:
        selector = selectors.DefaultSelector()
        selector.register(pipe, selectors.EVENT_READ)
        selector.register(self.listener, selectors.EVENT_READ)
        pipe.send(READY)
        heard: list[Heard] = []
        while True:
            for key, _ in selector.select():
                if key.fileobj is pipe:
                    pipe.recv()
                    return heard
                if key.fileobj is self.listener:
                    knock, _ = self.listener.accept()
                    selector.register(knock, selectors.EVENT_READ)
                    continue
                knock = cast(socket.socket, key.fileobj)
                if b"nm_notifyuser\r\n" in knock.recv(64):
                    heard.append((number_of(knock.getsockname()[0]), time.monotonic()))
                else:
                    selector.unregister(knock)
                    knock.close()


def address_of(number: int) -> str:
    """An address of this machine, in a network of its own: budgets go by /24."""
    return f"127.{1 + number // 250}.{number % 250}.1"


def number_of(address: str) -> int:
    _, high, low, _ = map(int, address.split("."))
    return (high - 1) * 250 + low


@attrs.frozen
class Receiver:
    """A web server that takes whatever is posted, at any address of 127.0.0.0/8."""

    listener: socket.socket
    tls: ssl.SSLContext | None = None

    def __call__(self, pipe: Connection) -> list[Heard]:
        heard: list[Heard] = []
        threading.Thread(target=self._accept, args=(heard,), daemon=True).start()
        pipe.send(READY)
        pipe.recv()
        return heard

    def _accept(self, heard: list[Heard]) -> None:
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(client, heard), daemon=True).start()

    def _serve(self, client: socket.socket, heard: list[Heard]) -> None:
        with suppress(ConnectionError), client:  # the server has ended
            self._answer(client, heard)

    def _answer(self, client: socket.socket, heard: list[Heard]) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            client = self.tls.wrap_socket(client, server_side=True)
        octets = b""
        while data := client.recv(65_536):
            octets += data
            now = time.monotonic()
            while (request := _whole(octets)) is not None:
                octets = octets[len(request) :]
                heard.extend((int(found), now) for found in _SUBJECT.findall(request))
                client.sendall(NO_CONTENT)


def _whole(octets: bytes) -> bytes | None:
    """The first request, once it is there."""
    head, blank, _ = octets.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not blank or length is None:
        return None
    end = len(head) + 4 + int(length[1])
    return octets[:end] if len(octets) >= end else None
