"""swaks: deliveries and submissions step by step, and what must be refused."""

from __future__ import annotations

import pytest

from tests.interop.letters import PLAIN, split_trace
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import PASSWORDS, Server

pytestmark = needs("swaks")

ANN, JOE, BOB = "ann@example.test", "joe@example.test", "bob@example.test"
RECIPIENT_REFUSED, AUTHENTICATION_FAILED, TLS_FAILED = 24, 28, 29


def swaks(desk: Desk, server: Server, listener: str, *arguments: str, status: int = 0) -> Done:
    return desk.run(
        *("swaks", "--server", "127.0.0.1", "--port", str(server.ports[listener])),
        *("--helo", "client.example", "--timeout", "25s"),
        *("--tls-verify", "--tls-ca-path", server.certificate),
        *("--data", f"@{desk.file('letter', PLAIN)}"),
        *arguments,
        status=status,
    )


def login(password: str = PASSWORDS[ANN]) -> tuple[str, ...]:
    return ("--auth-user", ANN, "--auth-password", password)


def only_letter(server: Server, account: str) -> bytes:
    """The trace of the one letter that *account* has; swaks ends what it sends with an empty line."""
    [message] = server.messages(account)
    trace, letter = split_trace(message)
    assert letter == PLAIN + b"\r\n"
    return trace


@pytest.mark.parametrize("pipelining", [(), ("--pipeline",)], ids=["step by step", "pipelined"])
@pytest.mark.parametrize("encryption", [(), ("--tls",)], ids=["clear", "STARTTLS"])
def test_mx(server: Server, desk: Desk, encryption: tuple[str, ...], pipelining: tuple[str, ...]) -> None:
    envelope = ("--from", "x@elsewhere.example", "--to", f"{JOE},{BOB}")
    done = swaks(desk, server, "mx", *envelope, *encryption, *pipelining)
    assert "250 2.0.0 OK, queued as " in done.said
    for account in (JOE, BOB):
        trace = only_letter(server, account)
        assert (b" with ESMTPS id " if encryption else b" with ESMTP id ") in trace


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(
    ("listener", "way"),
    [
        ("submission", ("--tls",)),
        ("submission", ("--tls", "--pipeline")),
        ("submissions", ("--tls-on-connect",)),
        ("submissions", ("--tls-on-connect", "--pipeline")),
    ],
)
def test_submission(server: Server, desk: Desk, listener: str, way: tuple[str, ...], mechanism: str) -> None:
    envelope = ("--from", ANN, "--to", JOE)
    swaks(desk, server, listener, *way, "--auth", mechanism, *login(), *envelope)
    assert b" with ESMTPSA id " in only_letter(server, JOE)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_wrong_password(server: Server, desk: Desk, mechanism: str) -> None:
    arguments = ("--tls", "--auth", mechanism, *login("wrong"), "--from", ANN, "--to", JOE)
    done = swaks(desk, server, "submission", *arguments, status=AUTHENTICATION_FAILED)
    assert "535 5.7.8" in done.said
    assert server.messages(JOE) == []


def test_no_login_in_clear(server: Server, desk: Desk) -> None:
    arguments = ("--auth", "PLAIN", *login(), "--from", ANN, "--to", JOE)
    done = swaks(desk, server, "submission", *arguments, status=AUTHENTICATION_FAILED)
    assert "AUTH PLAIN" not in done.said, "the server must not have offered it"


@pytest.mark.parametrize("pipelining", [(), ("--pipeline",)], ids=["step by step", "pipelined"])
def test_no_relay(server: Server, desk: Desk, pipelining: tuple[str, ...]) -> None:
    envelope = ("--from", "x@elsewhere.example", "--to", "y@elsewhere.example")
    done = swaks(desk, server, "mx", *envelope, *pipelining, status=RECIPIENT_REFUSED)
    assert "550 5.7.1" in done.said


def test_a_recipient_nobody_has(server: Server, desk: Desk) -> None:
    """The others get theirs."""
    envelope = ("--from", "x@elsewhere.example", "--to", f"nobody@example.test,{JOE}")
    done = swaks(desk, server, "mx", *envelope)
    assert "550 5.1.1" in done.said
    only_letter(server, JOE)


def test_the_null_sender(server: Server, desk: Desk) -> None:
    swaks(desk, server, "mx", "--from", "<>", "--to", JOE)
    assert only_letter(server, JOE).startswith(b"Return-Path: <>\r\n")


def test_helo_without_extensions(server: Server, desk: Desk) -> None:
    swaks(desk, server, "mx", "--protocol", "SMTP", "--from", "x@elsewhere.example", "--to", JOE)
    assert b" with SMTP id " in only_letter(server, JOE)


def test_a_strangers_certificate_is_noticed(server: Server, desk: Desk) -> None:
    """The check of the certificate in the other tests means something."""
    (desk.home / "nobody").mkdir()
    arguments = ("--tls", "--tls-ca-path", str(desk.home / "nobody"), "--from", ANN, "--to", JOE)
    done = swaks(desk, server, "mx", *arguments, status=TLS_FAILED)
    assert "certificate verify failed" in done.said
