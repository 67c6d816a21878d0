"""Mail with a UTF-8 header for programs that have said UTF8, and for those that have not (row P-21)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.clients import Client, connect
from tests.system.harness import LIMITS, PASSWORDS, Server

JOE = "joe@example.test"
HEADER = "From: Jörg <joerg@example.test>\r\nSubject: Grüße aus Köln\r\n".encode()
BODY = "\r\n.Grüße\r\n".encode()


@pytest.fixture(scope="module", params=["downgrade", "refuse", "as-is"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = LIMITS + f'utf8_mail = "{request.param}"\n'
    with Server(tmp_path_factory.mktemp("server"), extra=extra) as running:
        running.deliver(b"Subject: plain\r\n\r\nbody\r\n")
        running.deliver(HEADER + BODY)
        yield running


def log_in(server: Server, utf8: bool) -> Client:
    client = connect(server, "pop3-trusted")
    client.line()
    if utf8:
        client.say(b"UTF8", b"+OK")
    client.say(f"USER {JOE}".encode(), b"+OK")
    client.say(f"PASS {PASSWORDS[JOE]}".encode(), b"+OK")
    return client


def text(client: Client, number: int) -> bytes:
    """The message, which has the size that LIST tells."""
    size = int(client.say(f"LIST {number}".encode(), b"+OK").split()[2])
    lines = client.multiline(f"RETR {number}".encode())
    whole = b"".join(line + b"\r\n" for line in lines)
    assert len(whole) == size
    return whole


def policy(server: Server) -> str:
    return server.extra.partition('utf8_mail = "')[2].partition('"')[0]


def test_a_program_that_has_said_utf8_gets_it_as_it_came(server: Server) -> None:
    with log_in(server, utf8=True) as client:
        assert text(client, 2).endswith(HEADER + BODY)


def test_a_program_that_has_not(server: Server) -> None:
    with log_in(server, utf8=False) as client:
        assert text(client, 1).endswith(b"Subject: plain\r\n\r\nbody\r\n")
        if policy(server) == "refuse":
            client.say(b"RETR 2", b"-ERR [UTF8]")
            client.say(b"TOP 2 0", b"-ERR [UTF8]")
            client.say(b"NOOP", b"+OK")
            return
        header, end, body = text(client, 2).partition(b"\r\n\r\n")
        assert end[2:] + body == BODY
        if policy(server) == "as-is":
            assert (header + b"\r\n").endswith(HEADER)
        else:
            assert header.isascii()
            assert b"=?utf-8?" in header.lower()
            assert b"joerg@example.test" in header


def test_uidls_are_the_same_for_all(server: Server) -> None:
    with log_in(server, utf8=True) as one:
        names = one.multiline(b"UIDL")
    with log_in(server, utf8=False) as other:
        assert other.multiline(b"UIDL") == names
