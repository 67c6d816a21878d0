"""Mail at a steady rate, whether or not what came before was answered: each message has its moment, and the
times of its final dot and of its 250 are kept."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

import attrs

from bench.apart import READY
from bench.whole import Client

PATIENCE = 60.0
BODY = b"The quick brown fox jumps over the lazy dog and counts to 1234567890.\r\n" * 40


@attrs.frozen
class Handed:
    """One message that was taken."""

    number: int
    dot: float
    """When all of it was sent ..."""
    answered: float
    """... and when the 250 was there."""


@attrs.frozen
class Mail:
    """*count* messages, *rate* a second, to *recipients* in turn. Begins at the word ``go``."""

    port: int
    recipients: Sequence[str]
    count: int
    rate: float
    connections: int = 16
    first: int = 0
    """The number of the first one."""

    def __call__(self, pipe: Connection) -> list[Handed]:
        clients = [greeted(self.port) for _ in range(self.connections)]
        pipe.send(READY)
        pipe.recv()
        began = time.monotonic() + 0.05
        handed: list[Handed] = []
        threads = [
            threading.Thread(target=self._work, args=(client, number, began, handed))
            for number, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(handed) < self.count:
            raise ConnectionError(f"{len(handed)} of {self.count} messages were taken")
        return handed

    def _work(self, client: Client, worker: int, began: float, handed: list[Handed]) -> None:
        for number in range(worker, self.count, self.connections):
            wait = began + number / self.rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            recipient = self.recipients[(self.first + number) % len(self.recipients)]
            handed.append(hand_in(client, recipient, self.first + number))
        client.say(b"QUIT\r\n", b"221")
        client.socket.close()


def greeted(port: int, hello: bytes = b"EHLO load.example\r\n") -> Client:
    client = Client(port)
    client.socket.settimeout(PATIENCE)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.line()
    client.say(hello, b"250")
    return client


def hand_in(client: Client, recipient: str, number: int) -> Handed:
    """Raises ConnectionError where it is not taken."""
    client.say(b"MAIL FROM:<load@elsewhere.example>\r\n", b"250")
    client.say(f"RCPT TO:<{recipient}>\r\n".encode(), b"250")
    client.say(b"DATA\r\n", b"354")
    text = b"From: <load@elsewhere.example>\r\nSubject: n%d\r\n\r\n%s.\r\n" % (number, BODY)
    client.socket.sendall(text)
    dot = time.monotonic()
    line = client.line()
    answered = time.monotonic()
    if not line.startswith(b"250"):
        raise ConnectionError(repr(line))
    return Handed(number, dot, answered)
