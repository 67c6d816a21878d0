"""``mailsuite-notify`` and the real server: what it shows, and what it does not."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import PATIENCE, Server, password_of
from tests.system.notify_clients import Home
from tests.system.test_notify import KNOCK, letter, notify

JOE = "joe@example.test"
ANN = "ann@example.test"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.directory.mkdir()
    made.prefer()
    return made


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Where knocks come to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def port_of(door: socket.socket) -> int:
    return int(door.getsockname()[1])


def enrol(home: Home, server: Server, account: str = JOE, transport: str = "listener", *more: str) -> str:
    password = server.directory / f"{account}.password"
    password.write_text(password_of(account) + "\n")
    return home.do(
        "enrol",
        account,
        *("--server", "localhost", "--pop3-port", str(server.ports["pop3s"]), "--stream-port", "1"),
        *("--ca-file", str(server.certificate), "--transport", transport, "--no-keyring"),
        *("--password-file", str(password), *more),
    )


def knock(door: socket.socket) -> None:
    """Anybody can."""
    with socket.create_connection(door.getsockname(), PATIENCE) as connection:
        connection.sendall(KNOCK)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def start(server: Server, door: socket.socket) -> Server:
    server.extra = notify(port_of(door))
    server.settings[JOE] = (
        f'notifymail = {{ state = "static", address = "127.0.0.1", port = {port_of(door)} }}\n'
    )
    return server.start()


def test_a_knock_is_shown_when_there_is_mail_and_only_then(
    own_server: Server, home: Home, door: socket.socket
) -> None:
    start(own_server, door)
    own_server.deliver(letter(0))
    said = enrol(home, own_server)
    assert "1 messages are there" in said
    with home.running(door) as client:
        client.wait_for_event("listening")
        knock(door)  # a forged one
        client.wait_for_event("following")
        assert client.events("news") == []
        begun = time.monotonic()
        own_server.deliver(letter(1))
        shown = client.wait_for_event("news")
        took = time.monotonic() - begun
        assert (shown["account"], shown["count"], shown["source"]) == (JOE, 1, "pop3")
        assert took < PATIENCE
    assert len(client.events("news")) == 1
