"""Clients that take their time on purpose, by the hundred, and clients that never read."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator

import pytest

from tests.system.clients import connect, pid_of, pop3, resident_octets, smtp, uidls, within
from tests.system.harness import LIMITS, Server
from tests.system.load import files_below

SLOW = 300
"""Of them at the same time."""
PROMPT = 10.0
"""Seconds within which others are served (reliability.md section 2)."""
SMALL_WINDOW = 4096
MEGABYTE = 1 << 20
SHORT = '\nidle_timeout = "2s"\ndata_timeout = "2s"\nallow_short_timeouts = true\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS.replace("[smtp]\n", f"[smtp]{SHORT}")
    with Server(tmp_path_factory.mktemp("server"), extra) as running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


class Crowd:
    """Connections that all send one octet more, again and again: to a command, or to a message."""

    def __init__(self, server: Server, stack: contextlib.ExitStack, count: int) -> None:
        self.reading = selectors.DefaultSelector()
        stack.callback(self.reading.close)
        self.sockets: list[socket.socket] = []
        for number in range(count):
            client = stack.enter_context(connect(server, "mx"))
            if number % 2:
                commands = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\n"
                client.send(commands)
            client.socket.setblocking(False)
            self.sockets.append(client.socket)
            self.reading.register(client.socket, selectors.EVENT_READ)

    def drip(self) -> None:
        """One octet from each that is still connected."""
        for each in list(self.sockets):
            try:
                each.send(b"x")
            except (BrokenPipeError, ConnectionResetError):
                self._gone(each)

    def listen(self) -> None:
        """Read what has come; see who was cut."""
        for key, _ in self.reading.select(0):
            each = key.fileobj
            assert isinstance(each, socket.socket)
            with contextlib.suppress(ConnectionResetError, BlockingIOError):
                if each.recv(65_536):
                    continue
            self._gone(each)

    def _gone(self, each: socket.socket) -> None:
        if each in self.sockets:
            self.sockets.remove(each)
            self.reading.unregister(each)


def test_a_message_gets_through_beside_three_hundred(server: Server) -> None:
    """And those that send a command octet by octet are cut; those that trickle a message are told to by
    their rate, after a minute (tests/frontends/test_smtp.py)."""
    with contextlib.ExitStack() as stack:
        crowd = Crowd(server, stack, SLOW)
        began = time.monotonic()
        crowd.drip()
        server.deliver(b"Subject: through\r\n\r\nall of them\r\n", "ann@example.test")
        with pop3(server, "ann@example.test") as client:
            assert len(uidls(client)) == 1
            client.say(b"QUIT", b"+OK")
        assert time.monotonic() - began < PROMPT

        def until_half_is_cut() -> None:
            crowd.drip()
            crowd.listen()
            assert len(crowd.sockets) <= SLOW // 2

        within(PROMPT, until_half_is_cut, AssertionError)

        def until_all_are_cut() -> None:
            crowd.listen()
            assert crowd.sockets == []

        within(PROMPT, until_all_are_cut, AssertionError)
    assert list(files_below(server.maildir("joe@example.test"), "tmp", "new", "cur")) == []
    with smtp(server) as client:
        client.say(b"QUIT", b"221")


def test_a_client_that_never_reads_its_replies(server: Server) -> None:
    """It is served no further when what waits for it fills its socket, and cut when it goes on like that."""
    pid = pid_of(server)
    before = resident_octets(pid)
    recipients = b"RCPT TO:<joe@example.test>\r\n" * 100
    with connect(server, "mx", SMALL_WINDOW) as client:
        client.send(b"EHLO x\r\n")
        client.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
            while sent < 64 * MEGABYTE:
                client.send(b"MAIL FROM:<>\r\n" + recipients + b"DATA\r\nx\r\n.\r\n")
                sent += len(recipients)
        assert sent < 64 * MEGABYTE, "the server reads no further"
        within(PROMPT, lambda: stalled(server), AssertionError)
        client.socket.settimeout(PROMPT)
        with pytest.raises(ConnectionResetError):
            read_on(client.socket)
    assert resident_octets(pid) - before < 24 * MEGABYTE


def read_on(connection: socket.socket) -> None:
    """All that was sent by then, to the end of the connection."""
    while connection.recv(65_536):
        pass


def stalled(server: Server) -> None:
    assert "smtp.timed_out" in server.logged()
    assert "reason=stalled" in server.logged()
