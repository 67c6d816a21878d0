"""LMTP over real sockets, on TCP and on a Unix socket: each recipient has a fate of its own (row M-20)."""

from __future__ import annotations

import grp
import os
import pwd
import smtplib
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.clients import Client, connect
from tests.system.harness import LIMITS, LISTENERS, PATIENCE, Server
from tests.system.sockets import LMTP_DOOR, SMALL, SocketServer, called, letters

JOE, ANN = "joe@example.test", "ann@example.test"
TCP_DOOR = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0
"""
DOORS = LISTENERS + TCP_DOOR + LMTP_DOOR


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketServer]:
    with SocketServer(tmp_path_factory.mktemp("server"), listeners=DOORS, extra=LIMITS) as running:
        running.add_small()
        yield running


@pytest.fixture(params=["tcp", "unix"])
def client(server: SocketServer, request: pytest.FixtureRequest) -> Iterator[Client]:
    with connect(server, "lmtp") if request.param == "tcp" else called(server.lmtp) as opened:
        assert opened.line() == b"220 mail.example.test LMTP"
        yield opened


def hand_over(client: Client, message: bytes, *recipients: str) -> list[bytes]:
    """The answers, one for each recipient."""
    client.say(b"MAIL FROM:<sender@elsewhere.example>", b"250")
    for recipient in recipients:
        client.say(b"RCPT TO:<%s>" % recipient.encode(), b"250")
    client.say(b"DATA", b"354")
    client.send(message + b".\r\n")
    return [client.reply() for _ in recipients]


def test_one_reply_for_each_recipient(server: Server, client: Client) -> None:
    client.say(b"LHLO client.example", b"250")
    before = len(letters(server, JOE)), len(letters(server, ANN))
    answers = hand_over(client, b"Subject: two\r\n\r\nhello\r\n", JOE, ANN)
    assert [answer[:10] for answer in answers] == [b"250 2.0.0 "] * 2
    assert (len(letters(server, JOE)), len(letters(server, ANN))) == (before[0] + 1, before[1] + 1)
    letter = letters(server, ANN)[-1]
    assert b" with LMTP " in letter
    assert letter.startswith(b"Return-Path: <sender@elsewhere.example>\r\n")


def test_a_quota_is_one_recipient_s_own(server: Server, client: Client) -> None:
    """Who has no room is told so, and the others have their copy (M-20)."""
    client.say(b"LHLO client.example", b"250")
    before = len(letters(server, JOE)), len(letters(server, SMALL))
    client.say(b"MAIL FROM:<>", b"250")
    answers = [client.say(b"RCPT TO:<%s>" % each.encode())[:3] for each in (JOE, SMALL)]
    client.say(b"DATA", b"354")
    client.send(b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 2000 + b"\r\n.\r\n")
    fates = [client.reply()[:3] for answer in answers if answer == b"250"]
    assert fates[0] == b"250"
    assert answers[1:] + fates[1:] in ([b"452"], [b"552"], [b"250", b"452"], [b"250", b"552"])
    assert (len(letters(server, JOE)), len(letters(server, SMALL))) == (before[0] + 1, before[1])


def test_no_smtp(client: Client) -> None:
    """RFC 2033 section 4.1: LHLO, and neither EHLO nor HELO."""
    for greeting in (b"EHLO client.example", b"HELO client.example"):
        assert client.say(greeting).startswith(b"500 5.5.1 ")
    client.say(b"MAIL FROM:<>", b"503")
    client.say(b"LHLO client.example", b"250")
    client.say(b"MAIL FROM:<>", b"250")


def test_an_unknown_recipient_and_nobody_left(client: Client) -> None:
    """RFC 2033 section 4.2: without an accepted recipient DATA is 503."""
    client.say(b"LHLO client.example", b"250")
    client.say(b"MAIL FROM:<>", b"250")
    client.say(b"RCPT TO:<nobody@example.test>", b"550 5.1.1")
    client.say(b"DATA", b"503")


def test_it_never_relays(client: Client) -> None:
    client.say(b"LHLO client.example", b"250")
    client.say(b"MAIL FROM:<joe@example.test>", b"250")
    client.say(b"RCPT TO:<x@elsewhere.example>", b"550 5.7.1")


def test_a_broken_message_is_nobody_s(server: Server, client: Client) -> None:
    client.say(b"LHLO client.example", b"250")
    before = len(letters(server, JOE)), len(letters(server, ANN))
    answers = hand_over(client, b"Subject: x\r\n\r\nbare\nline\r\n", JOE, ANN)
    assert [answer[:3] for answer in answers] == [b"550"] * 2
    assert (len(letters(server, JOE)), len(letters(server, ANN))) == before
    client.say(b"NOOP", b"250")


def test_pipelined(server: Server, client: Client) -> None:
    client.send(
        b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.test>\r\nRCPT TO:<nobody@example.test>\r\n"
        b"RCPT TO:<ann@example.test>\r\nDATA\r\n"
    )
    assert [client.reply()[:3] for _ in range(6)] == [b"250", b"250", b"250", b"550", b"250", b"354"]
    client.send(b"Subject: x\r\n\r\n..\r\n.\r\nQUIT\r\n")
    assert [client.reply()[:3] for _ in range(3)] == [b"250", b"250", b"221"]


def test_python_s_own_client(server: SocketServer) -> None:
    with closing(smtplib.LMTP(str(server.lmtp), timeout=PATIENCE)) as client:
        assert client.sendmail(
            "x@elsewhere.example", [JOE, "nobody@example.test"], "Subject: x\r\n\r\nx"
        ) == {"nobody@example.test": (550, b"5.1.1 There is no mailbox of that name here")}


def test_more_connections_than_one_address_may_have_of_smtp(server: SocketServer) -> None:
    """An MTA in front has many; and they come from one place."""
    clients = [connect(server, "lmtp") for _ in range(15)]
    try:
        assert {client.line()[:4] for client in clients} == {b"220 "}
    finally:
        for client in clients:
            client.close()


def test_whose_the_socket_is(server: SocketServer) -> None:
    assert stat.S_IMODE(server.lmtp.stat().st_mode) == 0o600


def test_a_reload_changes_who_may(server: SocketServer) -> None:
    listeners = server.listeners
    try:
        group = grp.getgrgid(os.getegid()).gr_name
        server.listeners = listeners.replace('"0600"', f'"0666"\nsocket_group = "{group}"')
        server.reload()
        assert stat.S_IMODE(server.lmtp.stat().st_mode) == 0o666
    finally:
        server.listeners = listeners
        server.reload()
    assert stat.S_IMODE(server.lmtp.stat().st_mode) == 0o600


def test_it_is_a_service_that_stops_and_starts(server: SocketServer) -> None:
    server.cli("service", "stop", "lmtp")
    assert not server.lmtp.exists()
    with pytest.raises(ConnectionRefusedError):
        connect(server, "lmtp")
    server.cli("service", "start", "lmtp")
    assert server.lmtp.exists()
    server.read_ports()
    with connect(server, "lmtp") as client:
        assert client.line().startswith(b"220 ")


def test_after_a_kill(tmp_path: Path) -> None:
    """What a dead server left is no obstacle; a stop leaves nothing."""
    with SocketServer(tmp_path, listeners=DOORS) as server:
        server.kill()
        assert server.lmtp.is_socket()
        server.start()
        with closing(smtplib.LMTP(str(server.lmtp), timeout=PATIENCE)) as client:
            assert client.ehlo("x")[0] == 250
        server.stop()
        assert not server.lmtp.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_root_that_becomes_another() -> None:
    """The socket is opened as root, and it and its folder belong to who the server becomes."""
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "run" / "lmtp.sock"
        listeners = LISTENERS + LMTP_DOOR.replace("{sockets}/lmtp.sock", str(path))
        nobody = pwd.getpwnam("nobody").pw_uid
        with SocketServer(folder, listeners=listeners, accounts=(), user="nobody"):
            assert (path.stat().st_uid, path.parent.stat().st_uid) == (nobody, nobody)
            called(path).close()
        assert not path.exists()


@pytest.mark.parametrize("there", ["file", "living"])
def test_what_is_in_the_way(tmp_path: Path, there: str) -> None:
    server = SocketServer(tmp_path, listeners=DOORS)
    with socket.socket(socket.AF_UNIX) as other:
        if there == "file":
            server.lmtp.write_text("somebody's")
        else:
            other.bind(str(server.lmtp))
            other.listen()
        with pytest.raises(AssertionError) as failed, server:
            pass
    words = {"file": "something else than a socket is there", "living": "another server listens there"}
    assert words[there] in str(failed.value)
