"""NotifyMail (RFC 4146) from the SMTP 250 to the octets on the user's computer, with real processes."""

from __future__ import annotations

import poplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailsuite.cli.control import Refused
from tests.system.harness import LIMITS, PATIENCE, Server

KNOCK = b"nm_notifyuser\r\n"
JOE = "joe@example.test"


class Finger:
    """A listener that keeps what each connection said, up to its end."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.heard: list[bytes] = []
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE)
                said = b""
                while data := connection.recv(64):
                    said += data
            with self.news:
                self.heard.append(said)
                self.news.notify_all()

    def wait_for(self, knocks: int) -> list[bytes]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) >= knocks, PATIENCE), self.heard
            return list(self.heard)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(PATIENCE)


@pytest.fixture
def finger() -> Iterator[Finger]:
    listener = Finger()
    yield listener
    listener.close()


def notify(port: int, coalesce: str = "0s", more: str = "") -> str:
    return (
        f'{LIMITS}\n[notify]\ncoalesce = "{coalesce}"\nallow_networks = ["127.0.0.0/8"]\n'
        f"[notify.notifymail]\nports = [{port}]\n{more}"
    )


def static(server: Server, finger: Finger, coalesce: str = "0s") -> Server:
    server.extra = notify(finger.port, coalesce)
    server.notifymail = f'{{ state = "static", address = "127.0.0.1", port = {finger.port} }}'
    return server.start()


def letter(number: int) -> bytes:
    return b"Subject: letter %d\r\n\r\nfor the knock\r\n" % number


def test_the_fifteen_octets_come_when_the_message_can_be_fetched(own_server: Server, finger: Finger) -> None:
    static(own_server, finger)
    own_server.deliver(letter(1))
    assert finger.wait_for(1) == [KNOCK]
    [message] = own_server.messages()
    assert message.endswith(letter(1))


def test_many_messages_make_two_knocks_the_last_after_the_last(own_server: Server, finger: Finger) -> None:
    static(own_server, finger, "2s")
    with own_server.smtp() as client:
        for number in range(100):
            client.sendmail("a@elsewhere.example", [JOE], letter(number))
    finger.wait_for(2)
    sent = len(finger.heard)
    own_server.stop()
    assert set(finger.heard) == {KNOCK}
    assert sent <= 6, "one for each window of two seconds, and this machine may be slow"


def test_the_last_login_is_where_the_knock_goes(own_server: Server, finger: Finger) -> None:
    own_server.extra = notify(finger.port)
    own_server.notifymail = f'{{ state = "last-ip", port = {finger.port} }}'
    own_server.start()
    own_server.deliver(letter(1))  # nobody was seen yet
    stranger = poplib.POP3_SSL("127.0.0.1", own_server.ports["pop3s"], context=own_server.tls())
    stranger.user(JOE)
    with pytest.raises(poplib.error_proto, match="AUTH"):
        stranger.pass_("not the password")
    stranger.close()
    own_server.deliver(letter(1))  # nobody who could log in was seen yet
    with own_server.pop3(JOE) as client:
        assert client.stat()[0] == 2
    own_server.deliver(letter(2))
    assert finger.wait_for(1) == [KNOCK]
    own_server.stop()
    own_server.start()  # the address survives a restart
    own_server.deliver(letter(3))
    assert finger.wait_for(2) == [KNOCK, KNOCK]


def test_off_is_off(own_server: Server, finger: Finger) -> None:
    """The switch of the server, and of the account; proved by a third account that is on."""
    own_server.extra = notify(finger.port)
    own_server.notifymail = '{ state = "off" }'
    own_server.start()
    own_server.deliver(letter(1))
    own_server.deliver(letter(2), "ann@example.test")
    body = {"notifymail": {"state": "static", "address": "127.0.0.1", "port": finger.port}}
    own_server.control.post("/v1/accounts", {"address": "eve@example.test", "password": None, **body})
    own_server.deliver(letter(3), "eve@example.test")
    assert finger.wait_for(1) == [KNOCK]
    status = own_server.control.get("/v1/status")["notifier"]
    assert status["sent"] == 1
    own_server.extra = notify(finger.port, more="enabled = false\n")
    own_server.write_config()
    own_server.control.post("/v1/reload", {})
    own_server.deliver(letter(4), "eve@example.test")
    own_server.extra = notify(finger.port)
    own_server.write_config()
    own_server.control.post("/v1/reload", {})
    own_server.deliver(letter(5), "eve@example.test")
    assert finger.wait_for(2) == [KNOCK, KNOCK]


def test_nobody_listens_and_mail_goes_on(own_server: Server, finger: Finger) -> None:
    static(own_server, finger)
    finger.socket.shutdown(socket.SHUT_RDWR)
    finger.socket.close()
    for number in range(5):
        own_server.deliver(letter(number))
    assert len(own_server.messages()) == 5
    finger.socket = socket.create_server(("127.0.0.1", 0))


def test_our_own_receiver_hears_it(own_server: Server, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "mailsuite", "notify", "listen", "--port", "0", "--once"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        first = listening.stdout.readline()
        port = int(first.rpartition(":")[2])
        own_server.extra = notify(port)
        own_server.notifymail = f'{{ state = "static", address = "127.0.0.1", port = {port} }}'
        own_server.start()
        own_server.deliver(letter(1))
        assert "127.0.0.1" in listening.stdout.readline()
        assert listening.wait(PATIENCE) == 0


def test_a_target_that_would_never_be_knocked_at_is_refused(own_server: Server, finger: Finger) -> None:
    own_server.extra = notify(finger.port)
    own_server.start()
    wanted = {"address": "eve@example.test", "password": None}
    for address, port in (("10.0.0.1", finger.port), ("224.0.0.1", finger.port), ("127.0.0.1", 79)):
        body = {"notifymail": {"state": "static", "address": address, "port": port}}
        with pytest.raises(Refused, match="notifymail"):
            own_server.control.post("/v1/accounts", wanted | body)
    own_server.control.post("/v1/accounts", wanted)
    body = {"notifymail": {"state": "static", "address": "192.168.7.7", "port": finger.port}}
    with pytest.raises(Refused, match=r"192\.168\.7\.7 is local"):
        own_server.control.patch("/v1/accounts/eve@example.test", body)
