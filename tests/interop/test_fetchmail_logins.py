"""fetchmail: APOP, CRAM-MD5, USER and PASS; its NTLM is of version 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.doors import JOE, Doors
from tests.interop.letters import PLAIN, crlf, split_trace
from tests.interop.programs import Desk, arrived, needs

pytestmark = needs("fetchmail")

WAYS = {
    "USER": "protocol pop3 auth password",
    "APOP": "protocol apop",
    "CRAM-MD5": "protocol pop3 auth cram-md5",
    "NTLM": "protocol pop3 auth ntlm",
}
MECHANISMS = ("USER", "APOP", "CRAM-MD5")
FETCHED, AUTHENTICATION_FAILED = 0, 3


def settings(desk: Desk, doors: Doors, port: int, way: str, password: str, *, implicit: str = "ssl") -> Path:
    return desk.file(
        "fetchmailrc",
        f"""
        set no syslog
        set invisible
        set idfile "{desk.home / "uidls"}"
        set pidfile "{desk.home / "pid"}"
        poll localhost service {port} {WAYS[way]} timeout 25
            user "{JOE}" password "{password}"
            {implicit} sslproto "TLS1.2+" sslcertck sslcertfile "{doors.server.certificate}"
            no rewrite
            mda "cat > $(mktemp {desk.home}/mail/new/XXXXXXXXXX)"
        """,
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(("listener", "implicit"), [("pop3", ""), ("pop3s", "ssl")])
def test_fetching(doors: Doors, desk: Desk, listener: str, implicit: str, mechanism: str) -> None:
    mail, port, secret = desk.maildir(), doors.server.ports[listener], doors.secret(JOE, mechanism)
    doors.server.deliver(PLAIN)
    config = settings(desk, doors, port, mechanism, secret, implicit=implicit)
    with doors.lets_in("pop3", JOE, mechanism):
        desk.run("fetchmail", "-f", config, status=FETCHED)
    [message] = arrived(mail)
    assert split_trace(crlf(message))[1] == PLAIN


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(doors: Doors, desk: Desk, mechanism: str) -> None:
    config = settings(desk, doors, doors.server.ports["pop3s"], mechanism, "wrong")
    with doors.refuses("wrong-password" if mechanism == "USER" else "wrong-digest"):
        said = desk.run("fetchmail", "-v", "-f", config, status=AUTHENTICATION_FAILED).said
    assert "-ERR [AUTH]" in said


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_not_offered(doors: Doors, desk: Desk, mechanism: str) -> None:
    config = settings(desk, doors, doors.refusing("pop3", mechanism), mechanism, doors.secret(JOE, mechanism))
    with doors.hears_nothing():
        desk.run("fetchmail", "-v", "-f", config, status=AUTHENTICATION_FAILED)


def test_ntlm_of_version_1(doors: Doors, desk: Desk) -> None:
    config = settings(desk, doors, doors.server.ports["pop3s"], "NTLM", doors.secret(JOE, "NTLM"))
    with doors.refuses("ntlm-version-1"):
        said = desk.run("fetchmail", "-v", "-f", config, status=AUTHENTICATION_FAILED).said
    assert "AUTH NTLM" in said
    assert "-ERR [AUTH]" in said
