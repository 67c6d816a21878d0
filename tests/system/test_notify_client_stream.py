"""``mailsuite-notify`` and all of the real server: from the 250 of SMTP to a line on the user's computer."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.system.harness import AT_ONCE, LISTENERS, Server, password_of
from tests.system.notify_clients import Home
from tests.system.test_notify import notify

JOE = "joe@example.test"
NOTIFY = """
[[listener]]
name    = "notify"
service = "notify"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
"""


def letter(number: int) -> bytes:
    return (
        b"From: =?utf-8?q?B=C3=B6b?= <bob@elsewhere.example>\r\nTo: joe@example.test\r\n"
        b"Subject: Lunch %d?\r\nMessage-ID: <%d@elsewhere.example>\r\n\r\nAt noon.\r\n"
    ) % (number, number)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.directory.mkdir()
    made.prefer()
    return made


def enrol(home: Home, server: Server, *more: str) -> str:
    password = server.directory / "joe.password"
    password.write_text(password_of(JOE) + "\n")
    ports = ("--pop3-port", str(server.ports["pop3s"]), "--stream-port", str(server.ports["notify"]))
    place = ("--server", "localhost", *ports, "--ca-file", str(server.certificate))
    return home.do("enrol", JOE, *place, "--no-keyring", "--password-file", str(password), *more)


def test_from_smtp_to_the_screen(own_server: Server, home: Home) -> None:
    own_server.listeners = LISTENERS + NOTIFY
    own_server.start()
    said = enrol(home, own_server)
    assert "stream: a test notice was seen after " in said
    kept = (home.config / "passwords" / JOE).read_text().strip()
    assert kept != password_of(JOE)  # one of its own
    assert "mailsuite-notify on" in own_server.cli("device", "list", JOE)
    with home.running() as client:
        assert client.wait_for_event("following")["by"] == "stream"
        begun = time.monotonic()
        own_server.deliver(letter(1))
        shown = client.wait_for_event("news")
        took = time.monotonic() - begun
        assert (shown["source"], shown["count"], shown["account"]) == ("stream", 1, JOE)
        assert shown["from"] == {"name": "B\u00f6b", "addr": "bob@elsewhere.example"}
        assert shown["subject"] == "Lunch 1?"
        assert took < AT_ONCE
    own_server.deliver(letter(2))
    own_server.deliver(letter(3))
    with home.running() as client:  # it goes on where it was
        missed = [client.wait_for_event("news", number)["subject"] for number in (1, 2)]
        assert missed == ["Lunch 2?", "Lunch 3?"]
        assert len(own_server.messages()) == 3
        client.wait_for(lambda said: said.get("type") == "mail.cleared")  # fetched elsewhere


def test_knocks_that_enrolling_asked_for(own_server: Server, home: Home) -> None:
    """The server knows where to by the login of this very computer (RFC 4146 section 3)."""
    port = free_port()
    own_server.listeners = LISTENERS + NOTIFY
    own_server.extra = notify(port, more='learn_from = ["pop3", "stream"]\n')
    own_server.start()
    home.prefer(f'popup = "off"\n[listener]\nport = {port}\nbind = "127.0.0.1"\n')
    said = enrol(home, own_server, "--transport", "listener")
    assert f"knocks: the server sends them to port {port} of this computer" in said
    with home.running() as client:
        client.wait_for_event("listening")
        own_server.deliver(letter(1))
        shown = client.wait_for_event("news")
        assert (shown["source"], shown["count"]) == ("pop3", 1)
        assert "subject" not in shown
        found = json.loads(home.do("doctor", "--json"))["findings"]
        assert {each["state"] for each in found if each["what"] == "knocks"} == {"ok"}, found
