"""msmtp: submission with STARTTLS and over TLS, each with both mechanisms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.hall import JOERG, MAX_MESSAGE
from tests.interop.letters import PLAIN, split_trace
from tests.interop.programs import Desk, needs
from tests.system.harness import PASSWORDS, Server
from tests.system.sockets import SocketServer, letters

pytestmark = needs("msmtp")

ANN, JOE, BOB = "ann@example.test", "joe@example.test", "bob@example.test"
EX_DATAERR, EX_UNAVAILABLE, EX_NOPERM = 65, 69, 77


def settings(
    desk: Desk, server: Server, listener: str, mechanism: str, password: str = PASSWORDS[ANN]
) -> Path:
    return desk.file(
        "msmtprc",
        f"""
        account default
        host 127.0.0.1
        port {server.ports[listener]}
        tls on
        tls_starttls {"on" if listener == "submission" else "off"}
        tls_trust_file {server.certificate}
        auth {mechanism}
        user {ANN}
        password {password}
        from {ANN}
        domain client.example
        timeout 25
        """,
    )


@pytest.mark.parametrize("mechanism", ["plain", "login", "on"])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_submission(server: Server, desk: Desk, listener: str, mechanism: str) -> None:
    config = settings(desk, server, listener, mechanism)
    desk.run("msmtp", "-C", config, JOE, BOB, stdin=PLAIN.replace(b"\r\n", b"\n"))
    for account in (JOE, BOB):
        [message] = server.messages(account)
        trace, letter = split_trace(message)
        assert letter == PLAIN
        assert trace.startswith(b"Return-Path: <ann@example.test>\r\n")
        assert b" with ESMTPSA id " in trace


def test_a_wrong_password(server: Server, desk: Desk) -> None:
    config = settings(desk, server, "submissions", "plain", "wrong")
    done = desk.run("msmtp", "-C", config, JOE, stdin=PLAIN, status=EX_NOPERM)
    assert "535" in done.said
    assert server.messages() == []


def test_somebody_elses_address(server: Server, desk: Desk) -> None:
    config = settings(desk, server, "submissions", "plain")
    done = desk.run("msmtp", "-C", config, "--from", JOE, BOB, stdin=PLAIN, status=EX_DATAERR)
    assert "550 5.7.1" in done.said
    assert server.messages(BOB) == []


def test_what_the_server_says(server: Server, desk: Desk) -> None:
    """``--serverinfo`` reads the answer to EHLO as msmtp understands it."""
    said = desk.run("msmtp", "-C", settings(desk, server, "submission", "plain"), "--serverinfo").said
    assert "Support for command grouping" in said
    assert f"{50 * 1024 * 1024} bytes" in said
    assert "PLAIN SCRAM-SHA-256 LOGIN" in said


@pytest.mark.parametrize("notify", ["never", "success,failure,delay", "failure"])
@pytest.mark.parametrize("amount", ["headers", "full"])
def test_what_the_sender_wants_to_be_told(server: Server, desk: Desk, notify: str, amount: str) -> None:
    """DSN's NOTIFY and RET (RFC 3461)."""
    config = settings(desk, server, "submission", "plain")
    wishes = (f"--dsn-notify={notify}", f"--dsn-return={amount}", "--debug")
    said = desk.run("msmtp", "-C", config, *wishes, JOE, BOB, stdin=PLAIN).said
    assert f" RET={'HDRS' if amount == 'headers' else 'FULL'}" in said
    assert said.count(f" NOTIFY={notify.upper()}") == 2
    for account in (JOE, BOB):
        [message] = server.messages(account)
        assert split_trace(message)[1] == PLAIN


@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_lmtp(hall: SocketServer, desk: Desk, way: str) -> None:
    where = ("--host=127.0.0.1", f"--port={hall.ports['lmtp']}")
    where = where if way == "tcp" else ("--host=localhost", "--port=24", f"--socket={hall.lmtp}")
    options = ("--protocol=lmtp", "--domain=client.example", "--from=x@elsewhere.example", "--tls=off")
    desk.run("msmtp", *options, *where, JOE, BOB, stdin=PLAIN)
    for account in (JOE, BOB):
        [message] = letters(hall, account)
        trace, letter = split_trace(message)
        assert letter == PLAIN
        assert b" with LMTP id " in trace


def test_a_recipient_nobody_has_by_lmtp(hall: SocketServer, desk: Desk) -> None:
    options = ("--protocol=lmtp", "--host=127.0.0.1", f"--port={hall.ports['lmtp']}", "--tls=off")
    options += ("--from=x@elsewhere.example",)
    done = desk.run("msmtp", *options, JOE, "nobody@example.test", stdin=PLAIN, status=EX_DATAERR)
    assert "550 5.1.1" in done.said
    assert letters(hall, JOE) == [], "msmtp gives up"


def test_an_address_in_utf_8_is_refused_where_the_client_does_not_say_so(
    hall: SocketServer, desk: Desk
) -> None:
    config = settings(desk, hall, "submissions", "plain")
    done = desk.run("msmtp", "-C", config, JOERG, stdin=PLAIN, status=EX_DATAERR)
    assert "553 5.6.7" in done.said
    assert letters(hall, JOERG) == []


def test_too_large(hall: SocketServer, desk: Desk) -> None:
    config = settings(desk, hall, "submissions", "plain")
    large = PLAIN + (b"x" * 76 + b"\r\n") * (MAX_MESSAGE // 78)
    done = desk.run("msmtp", "-C", config, JOE, stdin=large, status=EX_UNAVAILABLE)
    assert "552 5.3.4" in done.said
    assert letters(hall, JOE) == []
