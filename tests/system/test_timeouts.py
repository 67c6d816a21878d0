"""How long anything may take in an SMTP session, over real sockets: each limit by itself, in seconds here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.system.clients import Client, begin_data, connect, smtp, within
from tests.system.harness import LIMITS, LISTENERS, Server
from tests.system.load import files_below

DOOR = """
[[listener]]
name    = "{name}"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"
{keys}
"""
SHORT = "allow_short_timeouts = true\n"
DOORS = {
    "silent": SHORT + 'idle_timeout = "1s"',
    "stalls": SHORT + 'data_timeout = "1s"',
    "unintroduced": SHORT + 'open_timeout = "1s"',
    "long": SHORT + 'max_session = "2s"\nopen_timeout = "5m"',
    "late": 'greet_delay = "500ms"',
    "strict": 'soft_errors = 2\nhard_errors = 4\nerror_delay = "400ms"',
    "few": "max_messages = 2",
}
TIMED_OUT = b"421 4.4.2 "
SOON = 5.0
"""Seconds within which a limit of one second is felt, on a busy machine."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    doors = "".join(DOOR.format(name=name, keys=keys) for name, keys in DOORS.items())
    with Server(tmp_path_factory.mktemp("server"), LIMITS, LISTENERS + doors) as running:
        yield running
        assert [line for line in running.logged().splitlines() if " error " in line] == []


@contextlib.contextmanager
def takes(least: float, most: float = SOON) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert least <= time.monotonic() - began <= most


def drip(client: Client, octets: bytes) -> bytes:
    """Send them one by one, 0.1 seconds apart, until the server says something; all that it says."""
    client.socket.settimeout(0.1)
    for octet in octets:
        with contextlib.suppress(TimeoutError):
            return client.rest()
        client.send(bytes([octet]))
    raise AssertionError("the server bears it")


def is_logged(server: Server, *parts: str) -> None:
    """Soon: the log is written behind what is served."""

    def find() -> None:
        assert any(all(part in line for part in parts) for line in server.logged().splitlines())

    within(SOON, find, AssertionError)


def nothing_is_left(server: Server) -> None:
    assert list(files_below(server.maildir("joe@example.test"), "tmp", "new", "cur")) == []


def test_a_client_that_falls_silent(server: Server) -> None:
    with smtp(server, "silent") as client, takes(0.9):
        assert client.rest().startswith(TIMED_OUT)
    is_logged(server, "smtp.timed_out ", 'reason="idle time-out"')


def test_a_command_that_never_ends(server: Server) -> None:
    """Octet by octet it is no faster than not at all."""
    with smtp(server, "silent") as client, takes(0.9):
        assert drip(client, b"NOOP " + b"x" * 400).startswith(TIMED_OUT)


def test_commands_keep_a_session_alive(server: Server) -> None:
    with smtp(server, "silent") as client:
        client.socket.settimeout(0.4)
        for _ in range(4):
            with contextlib.suppress(TimeoutError):
                raise AssertionError(client.line())
            client.say(b"NOOP", b"250")


def test_a_message_that_stalls(server: Server) -> None:
    with smtp(server, "stalls") as client, takes(0.9):
        begin_data(client)
        client.send(b"Subject: half\r\n\r\n" + b"a message\r\n" * 50_000)
        assert client.rest().startswith(TIMED_OUT)
    is_logged(server, "smtp.timed_out ", 'reason="data time-out"')
    within(SOON, lambda: nothing_is_left(server), AssertionError)


def test_who_does_not_say_ehlo(server: Server) -> None:
    with connect(server, "unintroduced") as client, takes(0.9):
        assert client.line().startswith(b"220 ")
        said = drip(client, b"NOOP\r\n" * 100)
        assert said.endswith(b"421 4.4.2 This took too long\r\n")
    with smtp(server, "unintroduced") as client:
        client.socket.settimeout(1.5)
        with pytest.raises(TimeoutError):
            client.line()


def test_a_session_that_is_never_idle(server: Server) -> None:
    """It ends between two commands; a message that was coming by then is taken first."""
    with smtp(server, "long") as client, takes(1.9):
        assert TIMED_OUT in drip(client, b"NOOP\r\n" * 100)
    with smtp(server, "long") as client:
        client.socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            client.line()
        client.socket.settimeout(SOON)
        begin_data(client, "ann@example.test")
        client.socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            client.line()
        client.socket.settimeout(SOON)
        client.send(b"Subject: late\r\n\r\n.\r\n")
        assert client.line().startswith(b"250 2.0.0 ")
        assert client.rest().startswith(TIMED_OUT)
    assert len(list(files_below(server.maildir("ann@example.test"), "new"))) == 1


def test_the_greeting_waits_for_who_can_wait(server: Server) -> None:
    with connect(server, "late") as client, takes(0.4):
        assert client.line().startswith(b"220 ")
    with connect(server, "late") as client:
        client.send(b"EHLO x\r\nMAIL FROM:<>\r\n")
        assert client.rest().startswith(b"554 5.5.0 ")
    is_logged(server, "smtp.violation ", "kind=early-talker")


def test_errors_slow_down_and_then_end_it(server: Server) -> None:
    with smtp(server, "strict") as client:
        client.say(b"X", b"500")
        client.say(b"X", b"500")
        with takes(0.35):
            client.say(b"X", b"500")
        client.say(b"X", b"500")
        assert client.rest().startswith(b"421 4.7.0 ")


def test_so_many_messages(server: Server) -> None:
    with smtp(server, "few") as client:
        for _ in range(2):
            begin_data(client, "bob@example.test")
            client.send(b"Subject: x\r\n\r\n.\r\n")
            assert client.line().startswith(b"250 2.0.0 ")
        assert client.say(b"MAIL FROM:<>").startswith(b"4")
    assert len(list(files_below(server.maildir("bob@example.test"), "new"))) == 2


def test_nothing_is_shorter_than_the_standard_by_mistake(own_server: Server) -> None:
    """Features row S-A18."""
    own_server.extra += "\n[lmtp]\n" + 'idle_timeout = "30s"\n'
    own_server.write_config()
    said = own_server.cli("config", "check", status=4)
    assert "allow_short_timeouts = true" in said
