"""mpop and the GNU SASL library in it: every mechanism that they share with us, and APOP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.doors import JOE, SCRAM, Doors
from tests.interop.letters import PLAIN, crlf, split_trace
from tests.interop.programs import Desk, arrived, needs

pytestmark = needs("mpop")

MECHANISMS = ("USER", "APOP", "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")
IN_CLEAR = ("APOP", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5")
REASONS = dict.fromkeys(("APOP", "CRAM-MD5"), "wrong-digest") | dict.fromkeys(SCRAM, "wrong-proof")
EX_UNAVAILABLE, EX_NOPERM = 69, 77


def settings(desk: Desk, doors: Doors, port: int, mechanism: str, password: str, *, tls: str = "") -> Path:
    implicit = f"tls_starttls off\ntls_trust_file {doors.server.certificate}"
    stls = implicit.replace(" off", " on")
    return desk.file(
        "mpoprc",
        f"""
        account default
        host 127.0.0.1
        port {port}
        tls {"off" if tls == "clear" else "on"}
        {"" if tls == "clear" else stls if tls == "STLS" else implicit}
        auth {mechanism.lower()}
        user {JOE}
        password {password}
        received_header off
        uidls_file {desk.home / "uidls"}
        delivery maildir {desk.home / "mail"}
        timeout 25
        """,
    )


def fetch(doors: Doors, desk: Desk, listener: str, mechanism: str, tls: str) -> None:
    mail = desk.maildir()
    doors.server.deliver(PLAIN)
    secret = doors.secret(JOE, mechanism)
    config = settings(desk, doors, doors.server.ports[listener], mechanism, secret, tls=tls)
    with doors.lets_in("pop3", JOE, mechanism):
        desk.run("mpop", "-C", config)
    [message] = arrived(mail)
    assert split_trace(crlf(message))[1] == PLAIN


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(("listener", "tls"), [("pop3", "STLS"), ("pop3s", "")])
def test_fetching(doors: Doors, desk: Desk, listener: str, tls: str, mechanism: str) -> None:
    fetch(doors, desk, listener, mechanism, tls)


@pytest.mark.parametrize("mechanism", IN_CLEAR)
def test_fetching_in_clear(doors: Doors, desk: Desk, mechanism: str) -> None:
    """What hides the password is offered without TLS, from anywhere."""
    fetch(doors, desk, "pop3", mechanism, "clear")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    """GNU SASL would take SCRAM's "e=invalid-proof" for broken software, and never come to see the -ERR."""
    config = settings(desk, doors, doors.server.ports["pop3s"], mechanism, "wrong")
    with doors.refuses(REASONS.get(mechanism, "wrong-password")):
        done = desk.run("mpop", "-C", config, status=EX_NOPERM)
    assert f"authentication failed (method {mechanism})" in done.said


def test_user_where_apop_is_required(doors: Doors, desk: Desk) -> None:
    """mpop does not look for USER in CAPA, and shows what it is told."""
    config = settings(desk, doors, doors.refusing("pop3", "USER"), "USER", doors.secret(JOE, "USER"))
    with doors.hears_nothing():
        done = desk.run("mpop", "-C", config, status=EX_NOPERM)
    assert "-ERR [AUTH] No password is taken in the open here" in done.said


@pytest.mark.parametrize("mechanism", MECHANISMS[1:])
def test_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    config = settings(desk, doors, doors.refusing("pop3", mechanism), mechanism, doors.secret(JOE, mechanism))
    with doors.hears_nothing():
        done = desk.run("mpop", "-C", config, status=EX_UNAVAILABLE)
    assert "does not support" in done.said


def test_ntlm_of_version_1(doors: Doors, desk: Desk) -> None:
    """libntlm answers by version 1 alone, which is refused without a look at the password, which is right."""
    config = settings(desk, doors, doors.server.ports["pop3s"], "NTLM", doors.secret(JOE, "NTLM"))
    with doors.refuses("ntlm-version-1"):
        done = desk.run("mpop", "-C", config, status=EX_NOPERM)
    assert "authentication failed (method NTLM)" in done.said
