"""Clients that ask for too much, too early, or for something else: each is cut off, or nothing comes of it
(features rows M-01, M-13, M-16 to M-18, U-01, and reliability.md section 2)."""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import Iterator

import pytest

from tests.system.clients import (
    Client,
    Refused,
    connect,
    cpu_seconds,
    greeted,
    pid_of,
    resident_octets,
    smtp,
    within,
)
from tests.system.harness import LIMITS, LISTENERS, PASSWORDS, Server
from tests.system.letters import ANN, JOE, TAKEN, data, envelope, files, start_tls, submitting

MAX_GROWTH = 24 << 20
"""What an attack may cost in memory (reliability.md section 2)."""
DOORS = """
[[listener]]
name    = "patient"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
greet_delay = "300ms"
"""
MESSAGE = (
    b"MAIL FROM:<joe@example.test>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\nSubject: slipped\r\n\r\n.\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("floods"), LIMITS, LISTENERS + DOORS) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_came_of_it(server: Server) -> Iterator[None]:
    """The server lives, nothing was a mistake of ours, and no file was made."""
    process, before = pid_of(server), files(server)
    yield

    def look() -> None:
        assert files(server) == before

    within(5, look, AssertionError)
    with smtp(server) as client:
        client.say(b"NOOP", b"250")
    assert pid_of(server) == process
    assert [line for line in server.logged().splitlines() if " error " in line] == []


def until_cut(client: Client, command: bytes, most: int) -> list[bytes]:
    """The replies to the same command, again and again, until the session ends."""
    said: list[bytes] = []
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while len(said) < most:
            client.send(command)
            for _ in range(command.count(b"\r\n")):
                said.append(client.reply())
                if said[-1].startswith(b"421") or not said[-1]:
                    return said
    return said


# Commands


@pytest.mark.parametrize("listener", ["mx", "submission", "submissions"])
@pytest.mark.parametrize(
    "command",
    [
        b"NOOP\r\n",
        b"RSET\r\n",
        b"HELP\r\n",
        b"VRFY joe\r\n",
        b"EXPN joe\r\n",
        b"EHLO again.example\r\n",
        b"HELO again.example\r\n",
        b"MAIL FROM:<>\r\nRSET\r\n",
        b"MAIL FROM:<joe@example.test>\r\nEHLO x.example\r\n",
        b"MAIL FROM:<>\r\nMAIL FROM:<>\r\n",
        b"RCPT TO:<joe@example.test>\r\n",
        b"DATA x\r\n",
        b"STARTTLS now\r\n",
        b"AUTH\r\n",
        b"AUTH NOTHING\r\n",
        b"AUTH PLAIN =\r\n",
        b"\0\r\n",
        b"\r\n",
        b"QUIT now\r\n",
        b"TURN\r\n",
    ],
)
def test_nothing_can_be_said_for_ever(server: Server, listener: str, command: bytes) -> None:
    """By nobody who has not logged in: 300 commands without a message end every session (row M-18)."""
    with greeted(server, listener) as client:
        said = until_cut(client, command, 600)
    assert len(said) < 300
    assert said[-1].startswith(b"421 4.7.0 "), said[-3:]


@pytest.mark.parametrize(
    "command",
    [
        b"NOOP\r\n",
        b"MAIL FROM:<joe@example.test>\r\nRSET\r\n",
        b"MAIL FROM:<eve@elsewhere.example>\r\n",
        b"MAIL FROM:<joe@example.test>\r\nRCPT TO:<x@elsewhere.example>\r\nRSET\r\n",
        b"AUTH PLAIN AGpvZQBqb2U=\r\n",
    ],
)
def test_who_has_logged_in_is_cut_off_as_well(server: Server, command: bytes) -> None:
    with submitting(server) as client:
        said = until_cut(client, command, 600)
    assert len(said) < 310
    assert said[-1].startswith(b"421 4.7.0 "), said[-3:]


def test_guesses_of_passwords(server: Server) -> None:
    """Three on a connection, by any mechanism, mixed with what is no guess."""
    wrong = base64.b64encode(b"\0joe@example.test\0wrong")
    for interlude in (b"", b"RSET\r\n", b"EHLO x.example\r\n"):
        with greeted(server, "submissions") as client:
            said = until_cut(client, b"AUTH PLAIN " + wrong + b"\r\n" + interlude, 50)
        assert [each[:3] for each in said].count(b"535") == 3
        assert said[-1][:4] in {b"421 ", b""}


def test_a_flood_in_one_segment_is_answered_no_further_than_its_end(server: Server) -> None:
    """A hundred thousand commands: the first answers, 421, and nothing is kept of the others."""
    process = pid_of(server)
    before, spent = resident_octets(process), cpu_seconds(process)
    for command in (b"NOOP\r\n", b"XYZZY\r\n", b"RCPT TO:<joe@example.test>\r\n"):
        with smtp(server) as client, contextlib.suppress(ConnectionError):
            client.send(command * 100_000)
            assert len(client.rest().splitlines()) < 300
    assert resident_octets(process) - before < MAX_GROWTH
    assert cpu_seconds(process) - spent < 5


# Another protocol


@pytest.mark.parametrize("listener", ["mx", "submission", "submissions", "patient"])
@pytest.mark.parametrize("verb", [b"GET", b"POST", b"CONNECT", b"PUT", b"OPTIONS", b"get", b"Post"])
def test_http_is_over_at_its_first_line(server: Server, listener: str, verb: bytes) -> None:
    """Before and after EHLO, under TLS as well; the SMTP that is its body is not run (row M-18)."""
    smuggled = b"EHLO x.example\r\n" + MESSAGE + b"QUIT\r\n"
    request = b"%s http://mail.example.test:25/ HTTP/1.1\r\nHost: x\r\n\r\n" % verb
    opened = smtp(server, listener) if listener == "patient" else greeted(server, listener)
    with opened as client, contextlib.suppress(ConnectionError, ssl.SSLError):
        client.send(request + smuggled)
        said = client.rest().splitlines()
        assert len(said) == 1
        assert said[0].startswith(b"421 4.7.0 ")
    if listener != "submissions":
        with connect(server, listener) as client, contextlib.suppress(ConnectionError):
            client.send(request + smuggled)  # before the greeting: a browser waits for none
            said = [line for line in client.rest().splitlines() if not line.startswith(b"220 ")]
            assert len(said) == 1
            assert said[0].startswith((b"421 4.7.0 ", b"554 5.5.0 "))


# Too early


@pytest.mark.parametrize("words", [b"E", b"EHLO x.example\r\n", b"\r\n", b"QUIT\r\n", b"\x16\x03\x01\x02"])
def test_who_speaks_before_the_greeting(server: Server, words: bytes) -> None:
    """Where the greeting waits it is no mail server; elsewhere it is borne (row M-04)."""
    with connect(server, "patient") as client, contextlib.suppress(ConnectionError):
        client.send(words)
        assert client.rest().startswith(b"554 5.5.0 ")
    with connect(server, "mx") as client:
        client.send(b"EHLO x.example\r\nNOOP\r\n")
        assert client.line().startswith(b"220 ")
        assert client.reply().startswith(b"250")
        assert client.reply().startswith(b"250 2.0.0 ")


def test_who_waits_is_greeted_and_served(server: Server) -> None:
    with connect(server, "patient") as client:
        assert client.line().startswith(b"220 ")
        client.say(b"EHLO x.example", b"250")
        client.say(b"MAIL FROM:<>", b"250")


def test_who_goes_away_before_the_greeting(server: Server) -> None:
    for _ in range(20):
        connect(server, "patient").reset()
        connect(server, "patient").close()
        with connect(server, "patient") as client:
            client.half_close()


# TLS on command

MESSAGE = (
    b"MAIL FROM:<joe@example.test>\r\nRCPT TO:<joe@example.test>\r\nDATA\r\nSubject: slipped\r\n\r\n.\r\n"
)


@pytest.mark.parametrize("listener", ["mx", "submission"])
@pytest.mark.parametrize(
    "behind",
    [
        b"\r\n",
        b"\0",
        b"EHLO x.example\r\n",
        b"AUTH PLAIN AGFAYgBj\r\n",
        MESSAGE,
        b"STARTTLS\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_nothing_slips_in_behind_starttls(server: Server, listener: str, behind: bytes, apart: bool) -> None:
    """CVE-2011-0411: neither in the same segment nor in the next one, before the handshake; it is told to the
    log."""
    with greeted(server, listener) as client, contextlib.suppress(ConnectionError):
        if apart:
            client.say(b"STARTTLS", b"220 2.0.0 ")
            client.send(behind)
        else:
            client.send(b"STARTTLS\r\n" + behind)
        client.half_close()
        said = client.rest()
        assert b"250" not in said
        assert b"235" not in said
        assert b"334" not in said
        if not apart:
            assert b"220" not in said


def test_an_injection_is_told_to_the_log(server: Server) -> None:
    with smtp(server) as client:
        client.send(b"STARTTLS\r\nNOOP\r\n")
        client.rest()

    def told() -> None:
        assert "kind=starttls-injection" in server.logged()

    within(5, told, AssertionError)


@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_starttls_where_it_has_no_place(server: Server, listener: str) -> None:
    """With arguments, twice, in a transaction, after a login, after HELO (row M-13, RFC 3207 section 4)."""
    with greeted(server, listener) as client:
        client.say(b"STARTTLS now", b"501 5.5.4 ")
        if listener == "mx":
            client.say(b"MAIL FROM:<>", b"250")
            client.say(b"STARTTLS", b"503 5.5.1 ")
            client.say(b"RCPT TO:<joe@example.test>", b"250")
            client.say(b"STARTTLS", b"503 5.5.1 ")
            client.say(b"RSET", b"250")
        start_tls(server, client)
        client.say(b"STARTTLS", b"503 5.5.1 ")
        if listener == "submission":
            claim = base64.b64encode(f"\0{JOE}\0{PASSWORDS[JOE]}".encode())
            client.say(b"AUTH PLAIN " + claim, b"235")
            client.say(b"STARTTLS", b"503 5.5.1 ")
            client.say(b"AUTH PLAIN " + claim, b"503 5.5.1 ")
            client.say(b"MAIL FROM:<joe@example.test>", b"250")
            client.say(b"AUTH PLAIN " + claim, b"503 5.5.1 ")
    with connect(server, listener) as client:
        client.line()
        client.say(b"HELO x.example", b"250")
        client.say(b"STARTTLS", b"503 5.5.1 ")


def test_tls_makes_everything_new(server: Server) -> None:
    """Neither EHLO nor the list of extensions from before counts, and the first words under TLS are the
    client's."""
    with connect(server, "submission") as client:
        client.line()
        client.send(b"EHLO before.example\r\n")
        client.reply()
        before = [line[4:] for line in client.read if line[:3] == b"250"]
        client.say(b"STARTTLS", b"220")
        client.socket = server.tls().wrap_socket(client.socket, server_hostname="127.0.0.1")
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.line()
        client.socket.settimeout(10)
        client.say(b"MAIL FROM:<joe@example.test>", b"503 5.5.1 ")
        client.say(b"AUTH PLAIN", b"503 5.5.1 ")
        client.read.clear()
        client.send(b"EHLO after.example\r\n")
        client.reply()
        after = [line[4:] for line in client.read if line[:3] == b"250"]
    assert not any(line.startswith(b"AUTH") for line in before)
    assert b"STARTTLS" in before
    assert b"STARTTLS" not in after
    assert any(line.startswith(b"AUTH ") and b"PLAIN" in line for line in after)
    assert {line.split()[0] for line in after} >= {line.split()[0] for line in before[1:]} - {b"STARTTLS"}


@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_no_mail_before_a_login(server: Server, listener: str) -> None:
    """Row U-01: 530 5.7.0 to MAIL, and no password is taken, nor asked for, in clear."""
    with greeted(server, listener) as client:
        client.say(b"MAIL FROM:<joe@example.test>", b"530 5.7.0 ")
        client.say(b"RCPT TO:<ann@example.test>", b"530" if listener == "submission" else b"503")
        if listener == "submission":
            client.say(b"AUTH PLAIN AGEAYg==", b"530 5.7.0 ")
            client.say(b"AUTH LOGIN", b"530 5.7.0 ")
    with smtp(server) as client:
        client.say(b"AUTH PLAIN AGEAYg==", b"502 5.5.1 ")


# Gone, or somewhere else, in the middle


@pytest.mark.parametrize("tail", [b"", b"\r", b"\r\n", b"\r\n.", b"\r\n.\r"])
@pytest.mark.parametrize("octets", [10, 400_000])
@pytest.mark.parametrize("listener", ["mx", "submissions"])
def test_a_message_without_its_dot_is_none(server: Server, listener: str, octets: int, tail: bytes) -> None:
    """Not at the end of the connection, nor when it is broken; the file is gone."""
    before = files(server)
    for end in (Client.close, Client.reset):
        opened = smtp(server) if listener == "mx" else submitting(server)
        with opened as client:
            envelope(client, JOE, ANN, sender=JOE)
            client.say(b"DATA", b"354")
            client.send(
                b"Subject: undone\r\n\r\n" + b"x" * 62 + b"\r\n" + (b"y" * 62 + b"\r\n") * (octets // 64)
            )
            client.send(b"last" + tail)
            with smtp(server) as other:  # what was sent before is with the server when this is answered
                other.say(b"NOOP", b"250")
            end(client)

    def gone() -> None:
        assert files(server) == before

    within(5, gone, AssertionError)


def test_a_session_that_is_kicked_out_in_the_middle(server: Server) -> None:
    """Too many errors between two messages: the first is kept, and nothing of a second."""
    with smtp(server) as client:
        envelope(client, ANN)
        assert data(client, b"Subject: first\r\n\r\n").startswith(TAKEN)
        envelope(client, JOE)
        with contextlib.suppress(ConnectionError, Refused):
            for _ in range(30):
                client.say(b"XYZZY", b"500")
        assert any(line.startswith(b"421 4.7.0 ") for line in (*client.read, *client.rest().splitlines()))
    (found,) = (server.maildir(ANN) / "new").iterdir()
    found.unlink()
