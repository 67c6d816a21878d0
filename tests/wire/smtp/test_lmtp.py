"""LMTP: LHLO, and a reply for each recipient (RFC 2033; features row M-20)."""

from __future__ import annotations

import pytest

from mailsuite.model import reply as replies
from mailsuite.wire.smtp.events import BodyChunk, BodyEnd, DataStart, Hello, Pause, Recipient
from tests.wire.smtp.conftest import Begin, Conversation

OK = replies.message_accepted("id")
FULL = replies.DISK_FULL
GONE = replies.MAILBOX_DISABLED
ENVELOPE = b"MAIL FROM:<ann@example.org>\r\n" + b"RCPT TO:<joe@example.net>\r\n" * 3


def codes(heard: bytes) -> list[str]:
    return [line[:9] for line in heard.decode().split("\r\n")[:-1] if line[3:4] == " "]


@pytest.fixture
def lmtp(begin: Begin) -> Conversation:
    """After LHLO; nobody answers the end of a message but the test."""
    conversation = begin(protocol="lmtp")
    conversation.say("LHLO client.example")
    conversation.events.clear()
    del conversation.answers[BodyEnd]
    return conversation


def test_lhlo(begin: Begin) -> None:
    conversation = begin(protocol="lmtp")
    heard = conversation.send(b"LHLO client.example\r\n")
    assert heard.startswith(b"250-mx.example.net\r\n250-PIPELINING\r\n")
    assert heard.endswith(b"250 ENHANCEDSTATUSCODES\r\n")
    assert conversation.events == [Hello("client.example", True)]
    assert codes(conversation.send(b"LHLO\r\n")) == ["501 5.5.4"]


@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
def test_neither_ehlo_nor_helo(begin: Begin, verb: str) -> None:
    conversation = begin(protocol="lmtp")
    assert conversation.say(f"{verb} x").startswith("500 5.5.1")
    for line in ("MAIL FROM:<>", "BDAT 0 LAST", "STARTTLS"):
        assert conversation.say(line) == "503 5.5.1 Send LHLO first"
    assert conversation.events == []


def test_no_lhlo_in_smtp(begin: Begin) -> None:
    assert begin().say("LHLO x").startswith("500 5.5.1")


def test_help_is_that_of_lmtp(begin: Begin) -> None:
    assert b"LHLO" in begin(protocol="lmtp").send(b"HELP\r\n")
    heard = begin().send(b"HELP\r\n")
    assert b"LHLO" not in heard
    assert b"BDAT" in heard


@pytest.mark.parametrize(
    "message", [b"DATA\r\nx\r\n.\r\n", b"BDAT 3 LAST\r\nx\r\n", b"BDAT 1\r\nxBDAT 2 LAST\r\n\r\n"]
)
def test_one_reply_for_each_recipient_in_their_order(lmtp: Conversation, message: bytes) -> None:
    lmtp.send(ENVELOPE + message)
    assert b"".join(chunk.data for chunk in lmtp.took(BodyChunk)) == b"x\r\n"
    lmtp.session.reply_each((OK, FULL, GONE))
    assert lmtp.session.bytes_to_send() == OK.encode() + FULL.encode() + GONE.encode()
    assert not lmtp.session.in_transaction
    assert codes(lmtp.send(ENVELOPE)) == ["250 2.1.0", *["250 2.1.5"] * 3]


def test_refused_recipients_have_no_reply(lmtp: Conversation) -> None:
    lmtp.send(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\n")
    lmtp.answers[Recipient] = replies.UNKNOWN_RECIPIENT
    lmtp.send(b"RCPT TO:<nobody@example.net>\r\nDATA\r\n.\r\nNOOP\r\n")
    lmtp.session.reply_each((FULL,))
    lmtp.run()
    assert codes(lmtp.session.bytes_to_send()) == ["452 4.3.1", "250 2.0.0"]


def test_one_answer_is_that_to_all(lmtp: Conversation) -> None:
    lmtp.send(ENVELOPE + b"DATA\r\n.\r\n")
    lmtp.session.reply(FULL)
    assert codes(lmtp.session.bytes_to_send()) == ["452 4.3.1"] * 3


def test_a_broken_message_is_refused_for_all(lmtp: Conversation) -> None:
    lmtp.send(ENVELOPE + b"DATA\r\na\nb\r\n.\r\n")
    lmtp.session.reply_each((OK, FULL, OK))
    assert codes(lmtp.session.bytes_to_send()) == ["550 5.5.2", "452 4.3.1", "550 5.5.2"]


def test_a_chunk_that_is_not_the_last_has_one_reply(lmtp: Conversation) -> None:
    lmtp.send(ENVELOPE + b"BDAT 3\r\na\nbBDAT 0 LAST\r\n")
    assert len(lmtp.took(BodyEnd)) == 1
    lmtp.session.reply_each((replies.BARE_NEWLINE,) * 3)
    lmtp.run()
    assert codes(lmtp.session.bytes_to_send()) == ["550 5.5.2", "503 5.5.1"]


@pytest.mark.parametrize("data", [b"DATA\r\n", b"BDAT 2 LAST\r\n\r\n"])
def test_without_recipients_that_were_taken(lmtp: Conversation, data: bytes) -> None:
    """RFC 2033 section 4.2 says 503 where SMTP says 554."""
    lmtp.answers[Recipient] = replies.UNKNOWN_RECIPIENT
    heard = lmtp.send(ENVELOPE, data)
    assert codes(heard)[-1] == "503 5.5.1"
    assert lmtp.took(DataStart) == []
    assert codes(lmtp.send(b"RSET\r\nMAIL FROM:<>\r\n", data))[-1] == "503 5.5.1"


@pytest.mark.parametrize("answers", [(), (OK,), (OK, OK)])
def test_too_few_replies_are_a_mistake_of_ours(
    lmtp: Conversation, answers: tuple[replies.Reply, ...]
) -> None:
    lmtp.send(ENVELOPE + b"DATA\r\n.\r\n")
    with pytest.raises(RuntimeError):
        lmtp.session.reply_each(answers)


def test_replies_that_nobody_wants_are_too(lmtp: Conversation) -> None:
    with pytest.raises(RuntimeError):
        lmtp.session.reply_each((OK,))


def test_replies_that_come_too_late_are_dropped(lmtp: Conversation) -> None:
    lmtp.send(ENVELOPE + b"DATA\r\n.\r\n")
    lmtp.session.timed_out()
    lmtp.session.bytes_to_send()
    lmtp.session.reply_each((OK, OK, OK))
    assert lmtp.session.bytes_to_send() == b""


def test_one_taken_is_a_message_taken(begin: Begin) -> None:
    """For the count of errors; and replies of one message wait together."""
    conversation = begin(protocol="lmtp", error_delay=1.0, soft_errors=1)
    del conversation.answers[BodyEnd]
    conversation.say("LHLO x", "XYZZY")
    session = conversation.session
    conversation.send(ENVELOPE + b"DATA\r\n.\r\n")
    session.reply_each((OK, GONE, FULL))
    assert codes(session.bytes_to_send()) == ["250 2.0.0", "550 5.2.1", "452 4.3.1"]
    conversation.send(ENVELOPE + b"DATA\r\n.\r\n")
    session.reply_each((FULL, GONE, FULL))
    conversation.run()
    assert session.bytes_to_send() == b""
    assert conversation.took(Pause) == [Pause(1.0)]
    session.resumed()
    assert codes(session.bytes_to_send()) == ["452 4.3.1", "550 5.2.1", "452 4.3.1"]


def test_the_service_may_stop_behind_the_replies(lmtp: Conversation) -> None:
    lmtp.send(ENVELOPE + b"DATA\r\n.\r\n")
    lmtp.session.drain()
    assert not lmtp.session.closing
    lmtp.session.reply_each((OK, OK, OK))
    assert codes(lmtp.session.bytes_to_send()) == ["250 2.0.0"] * 3 + ["421 4.3.2"]


def test_smtp_has_one_reply(begin: Begin) -> None:
    conversation = begin()
    del conversation.answers[BodyEnd]
    conversation.say("EHLO x")
    conversation.send(ENVELOPE + b"DATA\r\n.\r\n")
    conversation.session.reply_each((OK,))
    assert codes(conversation.session.bytes_to_send()) == ["250 2.0.0"]
