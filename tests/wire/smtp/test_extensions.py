"""Each keyword of EHLO is offered where its parameter is taken, and nowhere else (M-05, M-10 to M-12)."""

from __future__ import annotations

import pytest

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import (
    BodyType,
    MailParameters,
    NotifyOn,
    RecipientParameters,
    Returned,
)
from mailsuite.wire.smtp.events import Mail, Recipient
from mailsuite.wire.smtp.extensions import MAIL_PARAMETERS, RECIPIENT_PARAMETERS
from tests.wire.smtp.conftest import Begin

JOE = Address("joe", "example.net")
SENDER = "MAIL FROM:<>"
RECIPIENT = "RCPT TO:<joe@example.net>"

SAID = [
    # keyword of EHLO, keywords of settings, TLS, line before, line
    ("SIZE", {}, False, "", f"{SENDER} SIZE=1"),
    ("8BITMIME", {}, False, "", f"{SENDER} BODY=8BITMIME"),
    ("SMTPUTF8", {"smtputf8": True}, False, "", f"{SENDER} SMTPUTF8"),
    ("BINARYMIME", {"chunking": True}, False, "", f"{SENDER} BODY=BINARYMIME"),
    ("BINARYMIME", {"chunking": True, "binary": True}, False, "", f"{SENDER} BODY=BINARYMIME"),
    ("DSN", {"dsn": True}, False, "", f"{SENDER} RET=FULL"),
    ("DSN", {"dsn": True}, False, "", f"{SENDER} ENVID=x"),
    ("DSN", {"dsn": True}, False, SENDER, f"{RECIPIENT} NOTIFY=NEVER"),
    ("DSN", {"dsn": True}, False, SENDER, f"{RECIPIENT} ORCPT=rfc822;x"),
    ("REQUIRETLS", {"require_tls": True}, True, "", f"{SENDER} REQUIRETLS"),
    ("AUTH", {"auth_mechanisms": ("PLAIN",)}, True, "", f"{SENDER} AUTH=<>"),
    ("FUTURERELEASE", {"hold_max": 60}, False, "", f"{SENDER} HOLDFOR=60"),
    ("FUTURERELEASE", {"hold_max": 60}, False, "", f"{SENDER} HOLDUNTIL=2023-11-14T22:13:30Z"),
]


def keywords(heard: bytes) -> list[str]:
    return [line[4:].split(" ")[0] for line in heard.decode().split("\r\n")[1:-1]]


@pytest.mark.parametrize("said", SAID, ids=lambda said: said[-1])
@pytest.mark.parametrize("hello", ["EHLO", "HELO"])
def test_a_parameter_is_taken_where_its_keyword_is_offered(begin: Begin, said, hello: str) -> None:
    keyword, settings, tls, before, line = said
    lines = [before, line] if before else [line]
    off = {name: () if name == "auth_mechanisms" else False for name in settings}
    for configured in (settings, off):
        for active in (False, True):
            conversation = begin(active, tls_available=True, **configured)
            offered = keyword in keywords(conversation.send(f"{hello} x\r\n".encode()))
            wanted = bool(configured is settings or not settings) and (active or not tls)
            assert offered == (wanted and hello == "EHLO")
            heard = conversation.say(*lines)
            if offered:
                assert heard.startswith("250")
            elif "BINARYMIME" in line and hello == "EHLO":
                assert heard.startswith("501 5.5.4"), "BODY itself is known"
            else:
                assert heard.startswith("555 5.5.4")


def test_every_parameter_is_looked_at() -> None:
    """The table above forgets none."""
    said = {word.partition("=")[0] for *_, line in SAID for word in line.split(" ")[2:]}
    assert said == {*MAIL_PARAMETERS, *RECIPIENT_PARAMETERS}


def test_require_tls_is_offered_inside_tls_alone(begin: Begin) -> None:
    assert "REQUIRETLS" not in keywords(begin(tls_available=True).send(b"EHLO x\r\n"))
    conversation = begin(True)
    assert "REQUIRETLS" in keywords(conversation.send(b"EHLO x\r\n"))
    assert conversation.say(f"{SENDER} REQUIRETLS=1").startswith("501 5.5.4")
    assert conversation.say(f"{SENDER} REQUIRETLS").startswith("250")
    assert conversation.took(Mail) == [Mail(None, MailParameters(require_tls=True))]


def test_all_parameters_together(begin: Begin) -> None:
    conversation = begin(True)
    conversation.say("EHLO x")
    conversation.say(
        f"{SENDER} SIZE=9 BODY=BINARYMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=a+2Bb",
        f"{RECIPIENT} NOTIFY=SUCCESS,DELAY ORCPT=rfc822;joe+2Bx@example.org",
        "RCPT TO:<j\u00f6e@example.net> ORCPT=utf-8;j\u00f6e@example.org",
    )
    assert conversation.events[1:] == [
        Mail(None, MailParameters(BodyType.BINARY, 9, True, True, Returned.HEADER, "a+b")),
        Recipient(
            JOE,
            RecipientParameters(frozenset({NotifyOn.SUCCESS, NotifyOn.DELAY}), "rfc822;joe+x@example.org"),
        ),
        Recipient(
            Address("j\u00f6e", "example.net"), RecipientParameters(None, "utf-8;j\u00f6e@example.org")
        ),
    ]


@pytest.mark.parametrize(
    "line",
    [
        f"{SENDER} RET=SOME",
        f"{SENDER} RET",
        f"{SENDER} ENVID=",
        f"{SENDER} ENVID=+0A",
        f"{SENDER} ENVID={'x' * 101}",
        f"{SENDER} RET=FULL RET=FULL",
        f"{RECIPIENT} NOTIFY=NEVER,SUCCESS",
        f"{RECIPIENT} NOTIFY",
        f"{RECIPIENT} ORCPT=joe",
        f"{RECIPIENT} ORCPT=rfc822;{'x' * 494}",
        f"{RECIPIENT} ORCPT=utf-8;j\u00f6e",
    ],
)
def test_malformed_values(greeted, line: str) -> None:
    if line.startswith("RCPT"):
        greeted.say(SENDER)
    assert greeted.say(line).startswith("501 5.5.4")


def test_utf8_of_one_transaction_does_not_hold_for_the_next(greeted) -> None:
    beyond = "RCPT TO:<j\u00f6e@example.net>"
    assert greeted.say(f"{SENDER} SMTPUTF8", beyond).startswith("250")
    assert greeted.say("RSET", SENDER, beyond).startswith("553 5.6.7")
    assert greeted.say("RSET", "MAIL FROM:<j\u00f6e@example.net>").startswith("553 5.6.7")


def test_verify_takes_the_parameter_too(greeted) -> None:
    assert greeted.say("VRFY j\u00f6e") == replies.SMTPUTF8_NEEDED.encode().decode()[:-2]
    assert greeted.say("VRFY j\u00f6e SMTPUTF8").startswith("252 2.5.0")
    assert greeted.say("HELO x", "VRFY joe SMTPUTF8").startswith("555 5.5.4")


def test_limits_are_those_that_hold(begin: Begin) -> None:
    heard = begin(max_recipients=7, mail_max=2).send(b"EHLO x\r\n")
    assert b"250-LIMITS RCPTMAX=7 MAILMAX=2\r\n" in heard
    assert b"250-LIMITS RCPTMAX=100\r\n" in begin().send(b"EHLO x\r\n")
    assert b"LIMITS" not in begin(limits=False).send(b"EHLO x\r\n")


def test_no_more_messages_than_were_told(begin: Begin) -> None:
    conversation = begin(mail_max=2)
    conversation.say("EHLO x", SENDER, RECIPIENT, "DATA", ".")
    assert conversation.say(SENDER, "RSET").startswith("250")
    assert conversation.say("EHLO x", SENDER).startswith("421 4.7.0")
    assert conversation.session.closing
    assert len(conversation.took(Mail)) == 2


def test_a_refused_mail_is_no_message(begin: Begin) -> None:
    conversation = begin(mail_max=1, answers={Mail: replies.BAD_SENDER})
    conversation.say("EHLO x", SENDER, SENDER)
    conversation.answers[Mail] = replies.SENDER_OK
    assert conversation.say(SENDER).startswith("250")
