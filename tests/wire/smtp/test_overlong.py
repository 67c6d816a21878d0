"""Commands beyond 512 octets, of those that no extension makes longer (features row S-I04)."""

from __future__ import annotations

import pytest

from mailsuite.wire.smtp.events import OVERSIZE_COMMAND, BodyEnd, Violation

from .conftest import Begin, Conversation

TOO_LONG = b"500 5.5.2 This line is too long\r\n"


@pytest.fixture
def strict(begin: Begin) -> Conversation:
    """A session that ends upon such a command, after EHLO."""
    conversation = begin(overlong="close", auth_mechanisms=("PLAIN",), plaintext_auth=True)
    conversation.say("EHLO client.example")
    conversation.events.clear()
    return conversation


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 100, 1000])
@pytest.mark.parametrize("end", [b"\r\n", b"", b"\n"], ids=["CRLF", "unfinished", "LF"])
def test_one_octet_too_many_ends_the_session(strict: Conversation, size: int, end: bytes) -> None:
    line = (b"NOOP " + b"a" * 508)[: 513 - len(end)] + end
    heard = strict.send(*in_pieces(line, size))
    assert heard == TOO_LONG
    assert strict.session.closing
    (event,) = strict.events
    assert event == Violation(OVERSIZE_COMMAND, "a command beyond 512 octets", start=b"NOOP " + b"a" * 27)
    assert isinstance(event, Violation)
    assert event.octets == 513


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_exactly_512_octets_do_not(strict: Conversation, size: int) -> None:
    assert strict.send(*in_pieces(b"NOOP " + b"a" * 505 + b"\r\n", size)).startswith(b"250 ")
    assert strict.send(*in_pieces(b"x" * 512, size)) == b"", "the end may still come"
    assert not strict.session.closing
    assert strict.events == []


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["unfinished", "CRLF"])
def test_it_ends_at_any_length(strict: Conversation, end: bytes) -> None:
    assert strict.send(b"HELO " + b"x" * (100_000 - len(end)) + end) == TOO_LONG
    (event,) = strict.took(Violation)
    assert isinstance(event, Violation)
    assert (event.octets, event.start) == (100_005, b"HELO " + b"x" * 27)


@pytest.mark.parametrize("size", [1, 700, 5000])
def test_beyond_2048_octets_mail_is_an_error_and_no_more(strict: Conversation, size: int) -> None:
    line = b"MAIL FROM:<a@example.net>".ljust(4000) + b"\r\n"
    assert strict.send(*in_pieces(line, size)) == TOO_LONG
    assert strict.events == []
    assert not strict.session.closing
    assert strict.send(b"NOOP\r\n").startswith(b"250 ")


@pytest.mark.parametrize("verb", ["MAIL FROM:<a@example.net>", "rcpt TO:<b@example.net>", "AUTH PLAIN "])
def test_what_extensions_make_longer_is_spared(strict: Conversation, verb: str) -> None:
    heard = strict.send((verb + "x" * 700).encode() + b"\r\n")
    assert heard[:1] == b"5"
    assert strict.took(Violation) == []
    assert not strict.session.closing


@pytest.mark.parametrize("start", [b"secret" * 6, b"\xff\r" * 20, b"MAILX FROM:<a@example.net>      "])
def test_only_commands_of_ours_are_shown(strict: Conversation, start: bytes) -> None:
    """It may be the response behind an AUTH that was refused."""
    assert strict.send(start.ljust(600, b"x")) == TOO_LONG
    (event,) = strict.took(Violation)
    assert isinstance(event, Violation)
    assert event.start == b""


def test_a_response_of_a_login_is_no_command(strict: Conversation) -> None:
    assert strict.send(b"AUTH PLAIN\r\n").startswith(b"334 ")
    assert strict.send(b"A" * 600) == b""
    assert strict.send(b"\r\n")[:1] == b"5"
    assert strict.took(Violation) == []
    assert not strict.session.closing


def test_a_line_of_the_message_is_no_command(strict: Conversation) -> None:
    strict.say("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.net>", "DATA")
    assert strict.send(b"x" * 900) == b""
    assert strict.send(b"\r\n.\r\n").startswith(b"250 ")
    assert len(strict.took(BodyEnd)) == 1
    assert strict.took(Violation) == []


def test_a_command_behind_others_answers_them_first(strict: Conversation) -> None:
    heard = strict.send(b"RSET\r\nNOOP\r\nNOOP " + b"x" * 508 + b"\r\nQUIT\r\n")
    assert heard == b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n" + TOO_LONG


def test_a_tolerant_session_lives_on(greeted: Conversation) -> None:
    assert greeted.send(b"NOOP " + b"x" * 505 + b"\r\n").startswith(b"250 ")
    for octets in (508, 4000, 50_000):
        assert greeted.send(b"NOOP " + b"x" * octets) == b""
        assert greeted.send(b"\r\n") == TOO_LONG
    assert greeted.send(b"NOOP\r\n").startswith(b"250 ")
    assert greeted.took(Violation) == []
