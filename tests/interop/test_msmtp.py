"""msmtp: submission with STARTTLS and over TLS, each with both mechanisms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.letters import PLAIN, split_trace
from tests.interop.programs import Desk, needs
from tests.system.harness import PASSWORDS, Server

pytestmark = needs("msmtp")

ANN, JOE, BOB = "ann@example.test", "joe@example.test", "bob@example.test"
EX_DATAERR, EX_NOPERM = 65, 77


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
