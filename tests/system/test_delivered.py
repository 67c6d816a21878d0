"""Notices of success for mail that stays here: who may ask for them, and what they say (RFC 3461)."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email import message_from_bytes

import pytest

from tests.delivery.dsn_reader import read_dsn
from tests.system.clients import PATIENCE, smtp, within
from tests.system.harness import PASSWORDS, Server

JOE, ANN, BOB = PASSWORDS
LETTER = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\nX-Mark: here\r\n\r\nHello\r\n"
DOMAINS = 'aliases = { team = ["ann", "bob"] }\n'
AS_IT_COMES = '[guard]\nfailure_delay = "0s"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, extra=AS_IT_COMES, domain=DOMAINS) as running:
        yield running


def submit(server: Server, *recipients: tuple[str, str], mail: str = "") -> None:
    with smtplib.SMTP_SSL("127.0.0.1", server.ports["submissions"], context=server.tls()) as client:
        client.login(JOE, PASSWORDS[JOE])
        assert client.has_extn("dsn")
        assert client.docmd(f"MAIL FROM:<{JOE}> BODY=8BITMIME {mail}")[0] == 250
        for recipient, said in recipients:
            assert client.docmd(f"RCPT TO:<{recipient}> {said}")[0] == 250
        assert client.data(LETTER)[0] == 250


def notices(server: Server) -> list[bytes]:
    return [file.read_bytes() for file in (server.maildir(JOE) / "new").glob("*")]


def test_who_submits_is_told(server: Server) -> None:
    submit(
        server,
        (ANN, "NOTIFY=SUCCESS ORCPT=rfc822;a+2Bn@example.test"),
        ("team@example.test", "NOTIFY=SUCCESS,FAILURE"),
        (BOB, "NOTIFY=FAILURE"),
        mail="RET=FULL ENVID=e+2B1",
    )
    (content,) = within(PATIENCE, lambda: _some(notices(server)), LookupError)
    assert message_from_bytes(content)["Auto-Submitted"] == "auto-replied"
    dsn = read_dsn(content[content.index(b"\r\n", content.index(b"Delivered-To:")) + 2 :])
    assert dsn.message["Original-Envelope-Id"] == "e+1"
    assert [(each["Final-Recipient"], each["Action"], each["Status"]) for each in dsn.recipients] == [
        (f"rfc822; {ANN}", "delivered", "2.1.5"),
        ("rfc822; team@example.test", "expanded", "2.1.5"),
    ]
    assert dsn.recipients[0]["Original-Recipient"] == "rfc822; a+n@example.test"
    assert b"X-Mark: here" in content


def test_strangers_cannot_ask(server: Server) -> None:
    """A forged sender would get the notice (row Q-08)."""
    with smtplib.SMTP("127.0.0.1", server.ports["mx"]) as client:
        client.ehlo()
        assert not client.has_extn("dsn")
    with smtp(server) as client:
        client.say(f"MAIL FROM:<{JOE}>".encode(), b"250")
        client.say(f"RCPT TO:<{ANN}> NOTIFY=SUCCESS".encode(), b"555")


def _some(found: list[bytes]) -> list[bytes]:
    if not found:
        raise LookupError
    return found
