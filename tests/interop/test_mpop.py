"""mpop: with and without ``keep``, with STLS and over TLS; it pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.letters import crlf, numbered, split_trace
from tests.interop.programs import Desk, arrived, needs
from tests.system.harness import PASSWORDS, Server

pytestmark = needs("mpop")

JOE = "joe@example.test"
EX_NOPERM = 77


def settings(
    desk: Desk, server: Server, listener: str, keep: str, *, password: str = PASSWORDS[JOE], more: str = ""
) -> Path:
    return desk.file(
        "mpoprc",
        f"""
        account default
        host 127.0.0.1
        port {server.ports[listener]}
        tls on
        tls_starttls {"on" if listener == "pop3" else "off"}
        tls_trust_file {server.certificate}
        auth user
        user {JOE}
        password {password}
        keep {keep}
        received_header off
        uidls_file {desk.home / "uidls"}
        delivery maildir {desk.home / "mail"}
        timeout 25
        {more}
        """,
    )


def letters(mail: Path) -> list[bytes]:
    return sorted(split_trace(crlf(message))[1] for message in arrived(mail))


@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
def test_keep(server: Server, desk: Desk, listener: str) -> None:
    mail, config = desk.maildir(), settings(desk, server, listener, "on")
    for number in range(5):
        server.deliver(numbered(number))
    said = desk.run("mpop", "-C", config).said
    assert "new: 5 messages" in said
    assert letters(mail) == [numbered(number) for number in range(5)]

    said = desk.run("mpop", "-C", config).said
    assert "new: no messages, total: 5 messages" in said
    assert len(letters(mail)) == 5, "nothing is downloaded twice"

    server.deliver(numbered(5))
    desk.run("mpop", "-C", config)
    assert letters(mail) == [numbered(number) for number in range(6)]


@pytest.mark.parametrize("pipelining", ["on", "off"])
@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
def test_no_keep(server: Server, desk: Desk, listener: str, pipelining: str) -> None:
    mail = desk.maildir()
    config = settings(desk, server, listener, "off", more=f"pipelining {pipelining}")
    for number in range(5):
        server.deliver(numbered(number))
    desk.run("mpop", "-C", config)
    assert letters(mail) == [numbered(number) for number in range(5)]
    assert server.messages() == []
    assert "no messages" in desk.run("mpop", "-C", config).said


def test_only_the_head_of_a_large_message(server: Server, desk: Desk) -> None:
    """``skipsize`` believes LIST."""
    mail, config = desk.maildir(), settings(desk, server, "pop3s", "on", more="skipsize 2048")
    server.deliver(numbered(0) + b"x" * 70 + b"\r\n" + b"y" * 3000 + b"\r\n")
    server.deliver(numbered(1))
    desk.run("mpop", "-C", config)
    assert letters(mail) == [numbered(1)]


def test_a_wrong_password(server: Server, desk: Desk) -> None:
    config = settings(desk, server, "pop3s", "on", password="wrong")
    done = desk.run("mpop", "-C", config, status=EX_NOPERM)
    assert "[AUTH]" in done.said


def test_what_the_server_says(server: Server, desk: Desk) -> None:
    """``--serverinfo`` reads CAPA as mpop understands it."""
    said = desk.run("mpop", "-C", settings(desk, server, "pop3", "on"), "--serverinfo").said
    for capability in ("PIPELINING", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE"):
        assert capability in said
