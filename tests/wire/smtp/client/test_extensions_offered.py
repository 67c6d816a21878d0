"""What a server offers: read generously, believed in bounds."""

from __future__ import annotations

import pytest

from mailsuite.wire.smtp.client.extensions import NOTHING_OFFERED, Extensions, parse_extensions
from mailsuite.wire.smtp.client.replies import Answer, ReplyReader
from mailsuite.wire.smtp.session import ServerSession, SessionSettings


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        ([], {}),
        (["SIZE 1000"], {"size": 1000}),
        (["size 1000"], {"size": 1000}),
        (["SIZE"], {"size": 0}),
        (["SIZE 0"], {"size": 0}),
        (["SIZE many"], {"size": 0}),
        (["SIZE -1"], {"size": 0}),
        (["SIZE " + "9" * 21], {"size": 0}),
        (["PIPELINING", "8BITMIME", "SMTPUTF8"], {"pipelining": True, "eight_bit": True, "smtputf8": True}),
        (["CHUNKING", "BINARYMIME", "DSN"], {"chunking": True, "binary": True, "dsn": True}),
        (["STARTTLS", "REQUIRETLS"], {"starttls": True, "require_tls": True}),
        (["Enhancedstatuscodes"], {"enhanced_codes": True}),
        (["AUTH PLAIN Login"], {"mechanisms": ("PLAIN", "LOGIN")}),
        (["AUTH=LOGIN"], {"mechanisms": ("LOGIN",)}),
        (["AUTH=LOGIN PLAIN", "AUTH PLAIN CRAM-MD5"], {"mechanisms": ("LOGIN", "PLAIN", "CRAM-MD5")}),
        (["AUTH"], {}),
        (["LIMITS RCPTMAX=20 MAILMAX=5"], {"max_recipients": 20, "max_mails": 5}),
        (["LIMITS RCPTDOMAINMAX=1 NEW=x"], {"max_domains": 1}),
        (["LIMITS RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX=1000000"], {}),
        (["LIMITS RCPTMAX MAILMAX= =7"], {}),
        (["PIPELINING nonsense", "X-OTHER", "250", ""], {"pipelining": True}),
        ([" PIPELINING", "-DSN", "D\u00fcN", "\0SIZE 3"], {}),
    ],
)
def test_extensions(lines: list[str], offered: dict[str, object]) -> None:
    assert parse_extensions([b"mx.example.net", *(line.encode() for line in lines)]) == Extensions(**offered)


def test_the_first_line_offers_nothing() -> None:
    assert parse_extensions([b"PIPELINING"]) == NOTHING_OFFERED


def test_what_our_own_server_offers() -> None:
    settings = SessionSettings(
        "mx.example.net", max_message=7000, tls_available=True, mail_max=7, auth_mechanisms=("SCRAM-SHA-256",)
    )
    server = ServerSession(settings)
    server.receive(b"EHLO client.example\r\n")
    assert server.next_event() is not None
    reader = ReplyReader()
    reader.feed(server.bytes_to_send())
    answer = reader.next_answer()
    assert isinstance(answer, Answer)
    assert parse_extensions(answer.lines) == Extensions(
        size=7000,
        pipelining=True,
        eight_bit=True,
        smtputf8=True,
        chunking=True,
        binary=True,
        dsn=True,
        starttls=True,
        mechanisms=("SCRAM-SHA-256",),
        enhanced_codes=True,
        max_recipients=100,
        max_mails=7,
    )
