"""msmtp and the GNU SASL library in it: every mechanism that they share with us."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.doors import ANN, JOE, SCRAM, Doors
from tests.interop.letters import PLAIN, split_trace
from tests.interop.programs import Desk, needs

pytestmark = needs("msmtp")

MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")
REASONS = {"CRAM-MD5": "wrong-digest"} | dict.fromkeys(SCRAM, "wrong-proof")
EX_UNAVAILABLE, EX_NOPERM = 69, 77


def settings(desk: Desk, doors: Doors, port: int, mechanism: str, password: str) -> Path:
    return desk.file(
        "msmtprc",
        f"""
        account default
        host 127.0.0.1
        port {port}
        tls on
        tls_starttls {"on" if port == doors.server.ports["submission"] else "off"}
        tls_trust_file {doors.server.certificate}
        auth {mechanism.lower()}
        user {ANN}
        password {password}
        from {ANN}
        domain client.example
        timeout 25
        """,
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_sending(doors: Doors, desk: Desk, listener: str, mechanism: str) -> None:
    port = doors.server.ports[listener]
    config = settings(desk, doors, port, mechanism, doors.secret(ANN, mechanism))
    with doors.lets_in("submission", ANN, mechanism):
        desk.run("msmtp", "-C", config, JOE, stdin=PLAIN.replace(b"\r\n", b"\n"))
    [message] = doors.server.messages()
    trace, letter = split_trace(message)
    assert letter == PLAIN
    assert b" with ESMTPSA id " in trace


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    """GNU SASL would take SCRAM's "e=invalid-proof" for broken software, and never come to see the 535."""
    config = settings(desk, doors, doors.server.ports["submissions"], mechanism, "wrong")
    with doors.refuses(REASONS.get(mechanism, "wrong-password")):
        done = desk.run("msmtp", "-C", config, JOE, stdin=PLAIN, status=EX_NOPERM)
    assert "535 5.7.8" in done.said
    assert doors.server.messages() == []


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    port = doors.refusing("submission", mechanism)
    config = settings(desk, doors, port, mechanism, doors.secret(ANN, mechanism))
    with doors.hears_nothing():
        done = desk.run("msmtp", "-C", config, JOE, stdin=PLAIN, status=EX_UNAVAILABLE)
    assert f"the server does not support authentication method {mechanism}" in done.said


def test_ntlm_of_version_1(doors: Doors, desk: Desk) -> None:
    """libntlm answers by version 1 alone, which is refused without a look at the password, which is right."""
    config = settings(desk, doors, doors.server.ports["submissions"], "NTLM", doors.secret(ANN, "NTLM"))
    with doors.refuses("ntlm-version-1"):
        done = desk.run("msmtp", "-C", config, JOE, stdin=PLAIN, status=EX_NOPERM)
    assert "535 5.7.8" in done.said
