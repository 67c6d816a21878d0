"""gsasl, the command line of GNU SASL: SMTP alone, and the only foreign client here with channel binding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.doors import ANN, Doors
from tests.interop.programs import Desk, Done, needs

pytestmark = needs("gsasl")

MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")
BOUND = "SCRAM-SHA-256-PLUS"
TLS_1_2 = ("--priority", "NORMAL:-VERS-TLS1.3")
NO_BINDING = ("--no-cb",)
FAILED = 1


def unbound(mechanism: str) -> tuple[str, ...]:
    """gsasl does no SCRAM that binds to no channel where it could bind, unless it is told not to."""
    return NO_BINDING if mechanism in {"SCRAM-SHA-1", "SCRAM-SHA-256"} else ()


def gsasl(
    desk: Desk,
    doors: Doors,
    mechanism: str,
    password: str,
    *more: str | Path,
    listener: str = "submission",
    status: int = 0,
) -> Done:
    """It says EHLO and STARTTLS, for which it looks in the answer to EHLO."""
    return desk.run(
        *("gsasl", "--smtp", "--verbose", "--connect", f"localhost:{doors.server.ports[listener]}"),
        *("--x509-ca-file", doors.server.certificate),
        *("--mechanism", mechanism, "--authentication-id", ANN, "--password", password),
        *more,
        status=status,
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_logging_in(doors: Doors, desk: Desk, mechanism: str) -> None:
    with doors.lets_in("submission", ANN, mechanism):
        gsasl(desk, doors, mechanism, doors.secret(ANN, mechanism), *unbound(mechanism))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_an_empty_authorization_identity(doors: Doors, desk: Desk, mechanism: str) -> None:
    """With SCRAM it writes ``a=`` and nothing behind it, which is no name of RFC 5802 section 7."""
    with doors.lets_in("submission", ANN, mechanism):
        secret = doors.secret(ANN, mechanism)
        gsasl(desk, doors, mechanism, secret, *unbound(mechanism), "--authorization-id", "")


def test_channel_binding_of_tls_1_3(doors: Doors, desk: Desk) -> None:
    """It binds by tls-exporter (RFC 9266), and the server's signature satisfies it."""
    with doors.lets_in("submission", ANN, BOUND):
        said = gsasl(desk, doors, BOUND, doors.secret(ANN, BOUND)).said
    assert "AUTH SCRAM-SHA-256-PLUS" in said


def test_channel_binding_by_the_best_mechanism(doors: Doors, desk: Desk) -> None:
    """Left to choose, it takes the bound mechanism."""
    with doors.lets_in("submission", ANN, BOUND):
        desk.run(
            *("gsasl", "--smtp", "--verbose", "--connect", f"localhost:{doors.server.ports['submission']}"),
            *("--x509-ca-file", doors.server.certificate),
            *("--authentication-id", ANN, "--password", doors.secret(ANN, BOUND)),
        )


def test_channel_binding_of_tls_1_2(doors: Doors, desk: Desk) -> None:
    """On TLS 1.2 it has nothing but tls-unique, which RFC 9266 retires and we do not do."""
    with doors.refuses("channel-binding"):
        gsasl(desk, doors, BOUND, doors.secret(ANN, BOUND), *TLS_1_2, status=FAILED)


@pytest.mark.parametrize("mechanism", [*MECHANISMS, BOUND])
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    reason = "wrong-proof" if mechanism.startswith("SCRAM") else "wrong-password"
    with doors.refuses("wrong-digest" if mechanism == "CRAM-MD5" else reason):
        gsasl(desk, doors, mechanism, "wrong", *unbound(mechanism), status=FAILED)
