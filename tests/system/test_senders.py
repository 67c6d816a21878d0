"""Senders that accounts and domains block and accept (features row S-I09), over real sockets."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.system.boxes import ANN, BOB, JOE
from tests.system.clients import Client, connect, within
from tests.system.harness import LIMITS, LISTENERS, PATIENCE, Server, password_of
from tests.system.sockets import LMTP_DOOR, SocketServer, called, letters

OK, BLOCKED = "250 2.1.5", "550 5.7.1"
TEAM, FEW = "team@example.test", "few@example.test"
NEW = "new@other.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    server = SocketServer(tmp_path_factory.mktemp("senders"))
    server.listeners = LISTENERS + LMTP_DOOR
    server.extra = LIMITS.replace(
        "[smtp]", '[smtp]\nblock_senders = ["door.example"]\naccept_senders = ["good@door.example"]'
    )
    server.domain = f"""
block_senders  = ["domain.example", "*.domain.example"]
accept_senders = ["friend@door.example"]
aliases = {{ team = ["{JOE}", "{ANN}", "{BOB}"], few = ["{JOE}", "{ANN}"] }}
"""
    server.settings = {
        JOE: """
block_senders  = ["eve@example.org", "friend@door.example"]
accept_senders = ["domain.example"]
""",
        ANN: 'block_senders = ["eve@example.org"]\naccept_senders = ["door.example"]',
    }
    with server:
        server.cli("account", "add", NEW, "--generate", "--quiet")
        yield server


def rcpt(client: Client, sender: str, *recipients: str) -> list[str]:
    client.say(b"MAIL FROM:<%s>" % sender.encode(), b"250")
    answers = [client.say(b"RCPT TO:<%s>" % recipient.encode())[:9].decode() for recipient in recipients]
    client.say(b"RSET", b"250")
    return answers


@pytest.mark.parametrize(
    ("sender", "answers"),
    [
        ("eve@example.org", (BLOCKED, BLOCKED, OK, OK)),
        ("Eve@EXAMPLE.org", (BLOCKED, BLOCKED, OK, OK)),
        ("other@example.org", (OK, OK, OK, OK)),
        ("x@domain.example", (OK, BLOCKED, BLOCKED, OK)),
        ("x@below.domain.example", (BLOCKED, BLOCKED, BLOCKED, OK)),
        ("x@door.example", (BLOCKED, OK, BLOCKED, BLOCKED)),
        ("good@door.example", (OK, OK, OK, OK)),
        ("friend@door.example", (BLOCKED, OK, OK, BLOCKED)),
        ("", (OK, OK, OK, OK)),
    ],
)
def test_the_nearest_to_the_owner_has_the_word(
    server: SocketServer, sender: str, answers: tuple[str, str, str, str]
) -> None:
    with connect(server, "mx") as client:
        client.line()
        client.say(b"EHLO client.example", b"250")
        assert rcpt(client, sender, JOE, ANN, BOB, NEW) == list(answers)
        (unknown,) = rcpt(client, sender, "nobody@other.test")
        assert unknown == (BLOCKED if answers[3] == BLOCKED else "550 5.1.1")


def test_by_lmtp_too(server: SocketServer) -> None:
    with called(server.lmtp) as client:
        client.line()
        client.say(b"LHLO x", b"250")
        assert rcpt(client, "eve@example.org", JOE, ANN, BOB) == [BLOCKED, BLOCKED, OK]
        assert rcpt(client, "x@door.example", JOE, BOB) == [OK, OK], "that list is another door's"


def test_who_logs_in_is_no_stranger(server: SocketServer) -> None:
    server.cli("sender", "block", NEW, BOB)
    assert f"{BOB}" in server.cli("sender", "list", NEW)
    with connect(server, "mx") as client:
        client.line()
        client.say(b"EHLO client.example", b"250")
        assert rcpt(client, BOB, NEW) == [BLOCKED]
    with submitting(server) as client:
        assert rcpt(client, BOB, NEW) == [OK]


def submitting(server: Server) -> Client:
    """Bob, logged in."""
    client = connect(server, "submissions")
    client.socket = server.tls().wrap_socket(client.socket, server_hostname="localhost")
    client.line()
    client.say(b"EHLO client.example", b"250")
    proof = base64.b64encode(f"\0{BOB}\0{password_of(BOB)}".encode())
    client.say(b"AUTH PLAIN " + proof, b"235")
    return client


def test_the_others_have_their_copies(server: SocketServer) -> None:
    before = {account: len(letters(server, account)) for account in (JOE, ANN, BOB)}
    with connect(server, "mx") as client:
        client.line()
        client.say(b"EHLO client.example", b"250")
        client.say(b"MAIL FROM:<eve@example.org>", b"250")
        client.say(b"RCPT TO:<%s>" % FEW.encode(), b"550 5.7.1 "), "nobody is left"
        client.say(b"RCPT TO:<%s>" % TEAM.encode(), b"250")
        client.say(b"RCPT TO:<%s>" % JOE.encode(), b"550 5.7.1 ")
        client.say(b"DATA", b"354")
        client.send(b"Subject: to the team\r\n\r\nx\r\n.\r\n")
        assert client.reply().startswith(b"250 2.0.0 ")
    after = {account: len(letters(server, account)) for account in (JOE, ANN, BOB)}
    assert after == {**before, BOB: before[BOB] + 1}
    said = f"sender=eve@example.org recipient={TEAM} "
    within(PATIENCE, lambda: server.logged().index(said), ValueError)
    (line,) = (each for each in server.logged().splitlines() if said in each)
    assert " senders.left_out " in line
    assert f'accounts="{JOE} {ANN}" count=2' in line


def test_lists_are_changed_while_the_server_runs(server: SocketServer) -> None:
    with connect(server, "mx") as client:
        client.line()
        client.say(b"EHLO client.example", b"250")
        assert rcpt(client, "x@spam.example", NEW) == [OK]
        server.cli("sender", "block", "other.test", "*.spam.example", "spam.example")
        assert rcpt(client, "x@spam.example", NEW) == [BLOCKED]
        assert rcpt(client, "x@a.spam.example", NEW) == [BLOCKED]
        server.cli("sender", "accept", NEW, "x@spam.example")
        assert rcpt(client, "x@spam.example", NEW) == [OK]
        server.cli("sender", "forget", NEW, "x@spam.example")
        server.cli("sender", "forget", "other.test", "spam.example")
        assert rcpt(client, "x@spam.example", NEW) == [OK]
        assert rcpt(client, "x@a.spam.example", NEW) == [BLOCKED]
    assert "keep" not in server.cli("sender", "list", "other.test", "--json")
    assert "change it there" in server.cli("sender", "block", "example.test", "a@b.example", status=1)
