"""``mailsuite-notify`` and the real server: what it shows, and what it does not."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.system.harness import LISTENERS, PATIENCE, Server, password_of
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


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
        client.wait_for_event("following")
        looks = own_server.logged().count(" pop3.session ")
        knock(door)  # a forged one
        until(lambda: own_server.logged().count(" pop3.session ") > looks)  # it has looked
    assert client.events("news") == []
    with home.running(door) as client:
        client.wait_for_event("listening")
        own_server.deliver(letter(1))
        shown = client.wait_for_event("news")
    assert (shown["account"], shown["count"], shown["source"]) == (JOE, 1, "pop3")
    assert len(client.events("news")) == 1


def test_each_account_of_a_server_is_looked_at_for_a_knock(
    own_server: Server, home: Home, door: socket.socket
) -> None:
    """A knock does not say whose mail has come (RFC 4146 section 3)."""
    start(own_server, door)
    for account in (JOE, ANN):
        enrol(home, own_server, account)
    with home.running(door) as client:
        client.wait_for_event("listening")
        client.wait_for_event("following", 2)
        own_server.deliver(letter(1), ANN)
        knock(door)
        assert client.wait_for_event("news")["account"] == ANN
    assert [each["account"] for each in client.events("news")] == [ANN]


def test_a_knock_from_elsewhere_is_not_heard(own_server: Server, home: Home, door: socket.socket) -> None:
    """Here all come from 127.0.0.1, so the account's server is said to be at 127.0.0.2."""
    one = 'name    = "pop3s"\nservice = "pop3"\nbind    = ["127.0.0.1"]'
    assert one in LISTENERS
    own_server.listeners = LISTENERS.replace(one, one.replace('["127.0.0.1"]', '["127.0.0.1", "127.0.0.2"]'))
    start(own_server, door)
    enrol(home, own_server)
    account = home.config / "accounts" / f"{JOE}.toml"
    account.write_text(account.read_text().replace('"localhost"', '"127.0.0.2"'))
    with home.running(door) as client:
        client.wait_for_event("listening")
        with socket.create_connection(door.getsockname(), PATIENCE) as stranger:
            assert stranger.recv(1) == b""  # before a word was said; others have five seconds


def test_what_was_missed_is_told_at_the_next_start(own_server: Server, home: Home) -> None:
    own_server.start()
    enrol(home, own_server, JOE, "poll")
    for number in range(3):
        own_server.deliver(letter(number))
    with home.running() as client:
        assert client.wait_for_event("news")["count"] == 3
    with home.running() as client:
        client.wait_for_event("following")
    assert client.events("news") == []


def test_without_a_stream_it_listens_and_looks(own_server: Server, home: Home) -> None:
    own_server.start()
    own_server.deliver(letter(0))
    said = enrol(home, own_server, JOE, "auto")
    assert "stream: nothing listens there" in said
    port = free_port()
    home.prefer(f'popup = "off"\n[listener]\nport = {port}\nbind = "127.0.0.1"\n')
    with home.running() as client:
        assert client.wait_for_event("listening")["port"] == port
        client.wait_for_event("following")
        client.wait_for_complaint("stream: nothing listens there")
        own_server.deliver(letter(1))
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(KNOCK)
        assert client.wait_for_event("news")["count"] == 1


def test_a_command_and_a_program_that_fetches(own_server: Server, home: Home, door: socket.socket) -> None:
    start(own_server, door)
    enrol(home, own_server)
    heard, fetched = home.directory / "heard", home.directory / "fetched"
    home.prefer(
        f'popup = "off"\ncommand = ["/bin/sh", "-c", "cat > {heard}.new; mv {heard}.new {heard}"]\n'
        f'fetch = ["/bin/sh", "-c", "cat > /dev/null; echo x > {fetched}"]\n'
    )
    with home.running(door) as client:
        client.wait_for_event("listening")
        own_server.deliver(letter(1))
        client.wait_for_event("news")
        until(lambda: heard.exists() and fetched.exists())
    assert json.loads(heard.read_text())["account"] == JOE


def test_a_device_password_that_was_taken_back_ends_it(own_server: Server, home: Home) -> None:
    own_server.start()
    own_server.add_device(JOE, "notebook", scopes=["pop3", "notify"])
    secret = own_server.add_device(JOE, "tablet", scopes=["pop3", "notify"])
    file = home.directory / "secret"
    file.write_text(secret + "\n")
    enrol(home, own_server, JOE, "poll", "--password-file", str(file))
    home.do("doctor")
    own_server.cli("device", "remove", JOE, "tablet", "--yes")
    with home.running() as client:
        assert client.process.wait(PATIENCE) == 77
    assert any(f"mailsuite-notify enrol {JOE}" in each for each in client.complaints)
    assert "POP3" in home.do("doctor", status=4)


def test_nothing_is_kept_of_what_does_not_work(own_server: Server, home: Home) -> None:
    own_server.start()
    wrong = home.directory / "wrong"
    wrong.write_text("not the password\n")
    password = ("--password-file", str(wrong), "--no-keyring", "--stream-port", "1")
    place = ("--server", "localhost", "--pop3-port", str(own_server.ports["pop3s"]))
    trusted = ("--ca-file", str(own_server.certificate))
    assert "refuses the name or the password" in home.do("enrol", JOE, *place, *trusted, *password, status=1)
    assert "signed by nobody" in home.do("enrol", JOE, *place, *password, status=1)
    nowhere = ("--server", "localhost", "--pop3-port", "1", *trusted)
    assert "nothing listens there" in home.do("enrol", JOE, *nowhere, *password, status=1)
    assert "no certificate" in home.do("enrol", JOE, *place, "--ca-file", str(wrong), *password, status=1)
    assert not (home.config / "accounts").exists()
    assert not (home.config / "passwords").exists()


def test_doctor_test_and_forget(own_server: Server, home: Home) -> None:
    own_server.start()
    enrol(home, own_server, JOE, "poll")
    password = home.config / "passwords" / JOE
    assert password.stat().st_mode & 0o777 == 0o600
    found = json.loads(home.do("doctor", "--json"))["findings"]
    assert {each["what"]: each["state"] for each in found if each["of"] == JOE} == {
        f"POP3 localhost:{own_server.ports['pop3s']}": "ok"
    }
    assert "POP3: 0 messages are there" in home.do("test")
    password.chmod(0o644)
    said = home.do("doctor", status=4)
    assert f"chmod 600 {password}" in said
    home.do("run", status=1)
    home.do("forget", JOE)
    assert not password.exists()
    assert "no account is enrolled" in home.do("doctor")
    assert "is not enrolled here" in home.do("forget", JOE, status=1)
