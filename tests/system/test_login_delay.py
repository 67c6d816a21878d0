"""LOGIN-DELAY (RFC 2449 section 6.5), and the knock that opens the door before it is over (row B-09)."""

from __future__ import annotations

import contextlib
import poplib
import time
from collections.abc import Iterator

import pytest

from tests.system.harness import DEVICE, PATIENCE, Server, password_of
from tests.system.test_notify import Finger, letter, notify

JOE = "joe@example.test"
ANN = "ann@example.test"
HOUR = 3600


@pytest.fixture
def finger() -> Iterator[Finger]:
    listener = Finger()
    yield listener
    with contextlib.suppress(OSError):  # a test may have closed it
        listener.close()


@pytest.fixture
def server(own_server: Server, finger: Finger) -> Server:
    """An hour from one login to the next; joe has a device, and hears of mail."""
    own_server.extra = notify(finger.port).replace("[pop3]", f'[pop3]\nlogin_delay = "{HOUR}s"')
    knock = f'notifymail = {{ state = "static", address = "127.0.0.1", port = {finger.port} }}\n'
    own_server.settings = {JOE: knock + own_server.device("phone")}
    return own_server.start()


def connect(server: Server) -> poplib.POP3_SSL:
    return poplib.POP3_SSL("127.0.0.1", server.ports["pop3s"], timeout=PATIENCE, context=server.tls())


def log_in(server: Server, account: str = JOE, password: str = "") -> int:
    """How many messages are there."""
    client = connect(server)
    try:
        client.user(account)
        client.pass_(password or password_of(account))
        messages, _ = client.stat()
        return messages
    finally:
        client.quit()


def comes_too_soon(server: Server, account: str = JOE, password: str = "") -> None:
    with pytest.raises(poplib.error_proto, match=r"-ERR \[LOGIN-DELAY\]"):
        log_in(server, account, password)


def test_who_comes_back_too_soon_is_told_so(server: Server) -> None:
    client = connect(server)
    assert client.capa()["LOGIN-DELAY"] == [str(HOUR)]
    client.quit()
    assert log_in(server) == 0
    comes_too_soon(server)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):  # a stranger learns nothing of it
        log_in(server, password="wrong-password")
    assert log_in(server, password=DEVICE) == 0, "each password by itself"
    assert log_in(server, ANN) == 0
    assert "login.too_soon" in server.logged()


def test_a_knock_opens_the_door_once_to_each_password(server: Server, finger: Finger) -> None:
    for password in ("", DEVICE):
        assert log_in(server, password=password) == 0
        comes_too_soon(server, password=password)
    log_in(server, ANN)
    server.deliver(letter(1), JOE, ANN)
    finger.wait_for(1)
    for password in ("", DEVICE):
        assert log_in(server, password=password) == 1
        comes_too_soon(server, password=password)
    comes_too_soon(server, ANN)  # whom nobody has told


def test_mail_that_nobody_was_told_of_opens_nothing(server: Server, finger: Finger) -> None:
    assert log_in(server) == 0
    finger.close()
    server.deliver(letter(1), JOE)
    deadline = time.monotonic() + PATIENCE
    while server.control.get("/v1/status")["notifier"]["refused"] == 0:
        assert time.monotonic() < deadline, server.logged()
    comes_too_soon(server)


def test_a_reload_ends_the_wait(server: Server) -> None:
    assert log_in(server) == 0
    comes_too_soon(server)
    server.extra = server.extra.replace(f'login_delay = "{HOUR}s"', "")
    server.reload()
    assert log_in(server) == 0
    client = connect(server)
    assert "LOGIN-DELAY" not in client.capa()
    client.quit()
