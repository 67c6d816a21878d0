"""The greeting (features row P-01), and settings that would break the protocol."""

from __future__ import annotations

import pytest

from mailsuite.model.response import MAX_RESPONSE_OCTETS
from mailsuite.wire.pop3.settings import QUIRKS, SessionSettings


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


@pytest.mark.parametrize("text", ["a b", "mailsuite", "mailsuite 1.0 (Twisted)"])
def test_an_implementation_is_words(text: str) -> None:
    assert SessionSettings("h", implementation=text).implementation == text


@pytest.mark.parametrize("text", [" a", "a ", "a  b", "a\r\nUSER", "caf\xe9", "\t", "x" * 496])
def test_no_implementation_breaks_a_listing(text: str) -> None:
    with pytest.raises(ValueError, match="implementation"):
        SessionSettings("h", implementation=text)


def test_only_known_quirks() -> None:
    assert SessionSettings("h", quirks=QUIRKS).quirks == {"outlook-no-nuls", "oe-ns-eoh", "auth-list"}
    with pytest.raises(ValueError, match="unknown quirks: netscape-eoh, nuls"):
        SessionSettings("h", quirks={"oe-ns-eoh", "nuls", "netscape-eoh"})
