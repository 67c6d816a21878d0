"""The relay matrix against a running server: every trick, by each door, from listed hosts and others, with a
login and without. Nothing is taken, and nothing is delivered anywhere (features rows S-B02, S-M16)."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.delivery.test_no_relay import LOCAL, TRICKS
from tests.system.clients import Client
from tests.system.harness import PASSWORDS, PATIENCE, Server

LISTED, UNLISTED = "127.0.0.1", "127.0.0.9"
JOE = "joe@example.test"

LISTENERS = """
[[listener]]
name    = "mx"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"

[[listener]]
name    = "mx-listing"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "starttls"
relay   = "addresses"
relay_networks = ["127.0.0.0/30", "2001:db8::/32"]

[[listener]]
name    = "submissions"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"

[[listener]]
name    = "submissions-listing"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
relay_networks = ["::ffff:127.0.0.0/126"]

[[listener]]
name    = "pop3s"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
"""

OF_THIS_SERVER = (("mail.example.net", "mail.example.test"), ("example.net", "example.test"))


def here(text: str) -> bytes:
    """A trick with the names of this server; those that only hide ours are left as they are."""
    for theirs, ours in OF_THIS_SERVER:
        text = text.replace(theirs, ours)
    return text.encode()


REFUSED = [here(text) for text, outcome in TRICKS if outcome != LOCAL]
"""What is ours among them is another matter."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("relay"), listeners=LISTENERS) as running:
        yield running


@contextlib.contextmanager
def session(server: Server, listener: str, peer: str, login: bool) -> Iterator[Client]:
    """Greeted, EHLO said, and logged in where that is wanted."""
    connection = socket.create_connection(
        ("127.0.0.1", server.ports[listener]), PATIENCE, source_address=(peer, 0)
    )
    with Client(connection) as client:
        if listener.startswith("submissions"):
            client.socket = server.tls().wrap_socket(connection, server_hostname="127.0.0.1")
        assert client.reply().startswith(b"220 ")
        client.say(b"EHLO client.example", b"250")
        if login:
            secret = base64.b64encode(f"\0{JOE}\0{PASSWORDS[JOE]}".encode())
            client.say(b"AUTH PLAIN " + secret, b"235")
        yield client


def stored(server: Server) -> list[str]:
    """Every message that anybody has, and every file that a queue would keep."""
    kept = [*server.state.glob("mail/*/*/new/*"), *server.state.glob("mail/*/*/cur/*")]
    return sorted(str(path) for path in (*kept, *server.state.glob("spool/**/*")) if path.is_file())


@pytest.mark.parametrize("sender", [b"eve@example.org", b"joe@example.test", b""])
@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("peer", [LISTED, UNLISTED])
@pytest.mark.parametrize("listener", ["mx", "mx-listing", "submissions", "submissions-listing"])
def test_nothing_comes_of_any_trick(
    server: Server, listener: str, peer: str, login: bool, sender: bytes
) -> None:
    assert len(REFUSED) > 80
    if login and not listener.startswith("submissions"):
        with session(server, listener, peer, False) as client:
            assert client.say(b"AUTH PLAIN AGpvZQBzZWNyZXQ=").startswith(b"50"), "no login is offered"
        return
    for batch in range(0, len(REFUSED), 8):  # a client with too many errors is turned away
        with session(server, listener, peer, login) as client:
            client.say(b"MAIL FROM:<" + sender + b">")
            for recipient in REFUSED[batch : batch + 8]:
                reply = client.say(b"RCPT TO:" + recipient)
                assert reply[:1] == b"5", (recipient, reply)
            assert client.say(b"DATA")[:1] == b"5"
    assert stored(server) == []


def test_local_recipients_need_no_login_from_anywhere(server: Server) -> None:
    for listener in ("mx", "mx-listing"):
        for peer in (LISTED, UNLISTED):
            with session(server, listener, peer, False) as client:
                client.say(b"MAIL FROM:<>", b"250")
                client.say(b"RCPT TO:<joe@example.test>", b"250")
    assert stored(server) == []


def test_many_recipients(server: Server) -> None:
    """Row M-16: the hundred of RFC 5321 section 4.5.3.1.8 are taken, and the message reaches them."""
    with session(server, "mx", UNLISTED, False) as client:
        client.say(b"MAIL FROM:<>", b"250")
        named = [b"RCPT TO:<ann@example.test>", b"RCPT TO:<joe@example.test>"] * 50
        taken = [client.say(line) for line in named]
        assert {reply[:3] for reply in taken} == {b"250"}
        assert client.say(b"RCPT TO:<bob@example.test>").startswith(b"452 4.5.3 ")
        assert client.say(b"RCPT TO:<joe+1@example.test>").startswith(b"452 4.5.3 ")
        client.say(b"DATA", b"354")
        client.say(b"Subject: to many\r\n\r\nHello.\r\n.", b"250")
    counts = {who: len(server.messages(who)) for who in PASSWORDS}
    assert counts == {JOE: 1, "ann@example.test": 1, "bob@example.test": 0}
