"""Greeting and capabilities (features rows P-01, P-13)."""

from __future__ import annotations

import pytest

from mailsuite.model.response import MAX_RESPONSE_OCTETS
from mailsuite.wire.pop3.settings import SessionSettings

ALWAYS = ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER")
BOTH = ("PLAIN", "LOGIN")


@pytest.mark.parametrize(
    ("settings", "greeting"),
    [
        (SessionSettings("mail.example.net"), b"+OK mail.example.net POP3 ready\r\n"),
        (SessionSettings("mail.example.net", ""), b"+OK mail.example.net\r\n"),
        (SessionSettings("", ""), b"+OK\r\n"),
        (
            SessionSettings("mail.example.net", "Hello", apop_stamp="<17.42@mail.example.net>"),
            b"+OK mail.example.net Hello <17.42@mail.example.net>\r\n",
        ),
    ],
)
def test_greeting(settings: SessionSettings, greeting: bytes) -> None:
    assert settings.greeting.encode() == greeting


@pytest.mark.parametrize("text", ["a\r\n-ERR", "a\nb", "a\0", "caf\xe9", "a\x7f", "<1@x>", "1 > 0", "\t"])
def test_no_greeting_breaks_the_protocol_or_looks_like_a_stamp(text: str) -> None:
    with pytest.raises(ValueError, match="banner has a character"):
        SessionSettings("mail.example.net", text)
    with pytest.raises(ValueError, match="response_name has a character"):
        SessionSettings(text)


@pytest.mark.parametrize(
    "stamp", ["1@x", "<1>", "<1@x", "<a b@x>", "<1@x>\r\n", "<1@\xe9>", "<<1@x>>", "<@x>"]
)
def test_a_stamp_is_a_message_id(stamp: str) -> None:
    with pytest.raises(ValueError, match="stamp"):
        SessionSettings("mail.example.net", apop_stamp=stamp)


def test_the_greeting_is_one_line_of_512_octets_at_most() -> None:
    room = MAX_RESPONSE_OCTETS - len(b"+OK h \r\n")
    assert len(SessionSettings("h", "x" * room).greeting.encode()) == MAX_RESPONSE_OCTETS
    with pytest.raises(ValueError, match="longer than 512"):
        SessionSettings("h", "x" * (room + 1))


def test_only_known_mechanisms() -> None:
    with pytest.raises(ValueError, match="unknown SASL mechanisms: CRAM-MD6, plain"):
        SessionSettings("h", sasl_mechanisms=("PLAIN", "CRAM-MD6", "plain"))


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize(
    ("settings", "tls", "more"),
    [
        (SessionSettings("h"), False, ()),
        (SessionSettings("h"), True, ("USER",)),
        (SessionSettings("h", plaintext_login=True), False, ("USER",)),
        (SessionSettings("h", tls_available=True), True, ("USER",)),
        (SessionSettings("h", sasl_mechanisms=BOTH), False, ()),
        (SessionSettings("h", sasl_mechanisms=BOTH), True, ("USER", "SASL PLAIN LOGIN")),
        (SessionSettings("h", sasl_mechanisms=("PLAIN",)), True, ("USER", "SASL PLAIN")),
        (
            SessionSettings("h", plaintext_login=True, sasl_mechanisms=BOTH),
            False,
            ("USER", "SASL PLAIN LOGIN"),
        ),
    ],
)
def test_capabilities(settings: SessionSettings, tls: bool, more: tuple[str, ...], logged_in: bool) -> None:
    """RFC 2449 section 5: what AUTHORIZATION announces stays announced after login."""
    assert settings.capabilities(tls, logged_in, {}) == ALWAYS + more


def test_binding_is_offered_where_there_is_something_to_bind_to() -> None:
    settings = SessionSettings("h", sasl_mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
    assert "SASL SCRAM-SHA-256" in settings.capabilities(True, False, {})
    bound = settings.capabilities(True, False, {"tls-exporter": b"x"})
    assert "SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256" in bound


def test_nobody_logs_in_before_the_tls_that_is_required() -> None:
    settings = SessionSettings(
        "h", tls_available=True, tls_required=True, sasl_mechanisms=("SCRAM-SHA-256", "PLAIN")
    )
    assert settings.capabilities(False, False, {}) == (*ALWAYS, "STLS")
    assert settings.capabilities(True, False, {}) == (*ALWAYS, "USER", "SASL SCRAM-SHA-256 PLAIN")


@pytest.mark.parametrize(
    ("tls", "logged_in", "shown"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_stls_is_announced_where_it_can_be_given(tls: bool, logged_in: bool, shown: bool) -> None:
    settings = SessionSettings("h", tls_available=True)
    assert ("STLS" in settings.capabilities(tls, logged_in, {})) is shown
