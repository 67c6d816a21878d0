"""fetchmail: with and without ``keep``, with STLS and over TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.letters import crlf, numbered, split_trace
from tests.interop.programs import Desk, arrived, needs
from tests.system.harness import PASSWORDS, Server

pytestmark = needs("fetchmail")

JOE = "joe@example.test"
FETCHED, NO_MAIL, AUTHENTICATION_FAILED = 0, 1, 3
WAYS = {"STLS": ("pop3", ""), "TLS": ("pop3s", "ssl")}


def settings(desk: Desk, server: Server, way: str, keep: str, password: str = PASSWORDS[JOE]) -> Path:
    """fetchmail knows no IP addresses in certificates, so here the server is called localhost."""
    listener, implicit = WAYS[way]
    return desk.file(
        "fetchmailrc",
        f"""
        set no syslog
        set invisible
        set idfile "{desk.home / "uidls"}"
        set pidfile "{desk.home / "pid"}"
        poll localhost service {server.ports[listener]} protocol pop3 uidl timeout 25 auth password
            user "{JOE}" password "{password}"
            {implicit} sslproto "TLS1.2+" sslcertck sslcertfile "{server.certificate}"
            {keep} no rewrite
            mda "cat > $(mktemp {desk.home}/mail/new/XXXXXXXXXX)"
        """,
    )


def letters(mail: Path) -> list[bytes]:
    return sorted(split_trace(crlf(message))[1] for message in arrived(mail))


@pytest.mark.parametrize("way", WAYS)
def test_keep(server: Server, desk: Desk, way: str) -> None:
    mail, config = desk.maildir(), settings(desk, server, way, "keep")
    for number in range(3):
        server.deliver(numbered(number))
    desk.run("fetchmail", "-f", config, status=FETCHED)
    assert letters(mail) == [numbered(number) for number in range(3)]

    said = desk.run("fetchmail", "-f", config, status=NO_MAIL).said
    assert "3 messages (3 seen)" in said
    assert len(letters(mail)) == 3, "nothing is downloaded twice"

    server.deliver(numbered(3))
    desk.run("fetchmail", "-f", config, status=FETCHED)
    assert letters(mail) == [numbered(number) for number in range(4)]
    assert len(server.messages()) == 4


@pytest.mark.parametrize("way", WAYS)
def test_no_keep(server: Server, desk: Desk, way: str) -> None:
    mail, config = desk.maildir(), settings(desk, server, way, "no keep")
    for number in range(3):
        server.deliver(numbered(number))
    desk.run("fetchmail", "-f", config, status=FETCHED)
    assert letters(mail) == [numbered(number) for number in range(3)]
    assert server.messages() == []
    desk.run("fetchmail", "-f", config, status=NO_MAIL)


def test_nothing_is_deleted_that_was_not_delivered(server: Server, desk: Desk) -> None:
    config = settings(desk, server, "TLS", "no keep")  # there is no maildir: the delivery agent fails
    server.deliver(numbered(0))
    said = desk.run("fetchmail", "-f", config, status=FETCHED).said
    assert "MDA returned nonzero status" in said
    assert len(server.messages()) == 1


def test_a_wrong_password(server: Server, desk: Desk) -> None:
    config = settings(desk, server, "TLS", "keep", "wrong")
    done = desk.run("fetchmail", "-f", config, status=AUTHENTICATION_FAILED)
    assert "Authorization failure" in done.said
