"""What a client may waste, and what it waits for when it has (features row M-18)."""

from __future__ import annotations

import pytest

from mailsuite.model import reply as replies
from mailsuite.wire.smtp.events import (
    EARLY_TALKER,
    FOREIGN_PROTOCOL,
    INPUT_FLOOD,
    PIPELINED_DATA,
    TOO_MANY_COMMANDS,
    TOO_MANY_ERRORS,
    DataStart,
    Mail,
    Pause,
    Recipient,
    Violation,
)
from mailsuite.wire.smtp.session import MAX_WAITING_INPUT, ServerSession, SessionSettings
from tests.wire.smtp.conftest import Begin, Conversation


def codes(heard: bytes) -> list[str]:
    return [line[:9] for line in heard.decode().split("\r\n")[:-1] if line[3:4] == " "]


@pytest.fixture
def weary(begin: Begin) -> Conversation:
    """A session after EHLO in which ten errors have been answered, and each further one waits."""
    conversation = begin(error_delay=1.0)
    conversation.say("EHLO x", *["XYZZY"] * 10)
    conversation.events.clear()
    return conversation


def test_ten_errors_are_answered_at_once(begin: Begin) -> None:
    conversation = begin(error_delay=1.0)
    assert codes(conversation.send(b"XYZZY\r\n" * 10 + b"NOOP\r\n")) == ["500 5.5.1"] * 10 + ["250 2.0.0"]
    assert conversation.events == []


def test_the_next_one_waits_and_so_does_all_behind_it(weary: Conversation) -> None:
    session = weary.session
    assert codes(weary.send(b"NOOP\r\nXYZZY\r\nMAIL FROM:<>\r\nNOOP\r\n")) == ["250 2.0.0"]
    assert weary.events == [Pause(1.0)]
    assert session.waiting_for_reply
    assert session.next_event() is None
    assert weary.send(b"NOOP\r\n") == b""
    session.resumed()
    assert codes(session.bytes_to_send()) == ["500 5.5.1"]
    weary.run()
    assert codes(session.bytes_to_send()) == ["250 2.1.0", "250 2.0.0", "250 2.0.0"]
    assert weary.took(Mail) == [Mail(None)]


def test_positive_and_temporary_replies_do_not_wait(weary: Conversation) -> None:
    weary.answers[Mail] = replies.INTERNAL_ERROR
    assert codes(weary.send(b"NOOP\r\nMAIL FROM:<>\r\nVRFY x\r\n")) == ["250 2.0.0", "451 4.3.0", "252 2.5.0"]


def test_refusals_of_the_service_wait_too(weary: Conversation) -> None:
    weary.answers[Recipient] = replies.UNKNOWN_RECIPIENT
    assert codes(weary.send(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nNOOP\r\n")) == ["250 2.1.0"]
    assert weary.events[-1] == Pause(1.0)
    weary.session.resumed()
    weary.run()
    assert codes(weary.session.bytes_to_send()) == ["550 5.1.1", "250 2.0.0"]


def test_with_the_twentieth_it_is_over(weary: Conversation) -> None:
    session = weary.session
    session.receive(b"XYZZY\r\n" * 30)
    heard = []
    for _ in range(10):
        assert session.next_event() == Pause(1.0)
        assert session.next_event() is None
        session.resumed()
        heard += codes(session.bytes_to_send())
    assert heard == ["500 5.5.1"] * 10 + ["421 4.7.0"]
    assert session.closing
    assert session.next_event() == Violation(TOO_MANY_ERRORS, "20 errors without a message")
    session.resumed()
    assert session.bytes_to_send() == b""


@pytest.mark.parametrize(("soft", "hard"), [(0, 3), (2, 3), (5, 3)])
def test_both_limits_are_settings(begin: Begin, soft: int, hard: int) -> None:
    conversation = begin(soft_errors=soft, hard_errors=hard, error_delay=0.5)
    heard, session = [], conversation.session
    session.receive(b"XYZZY\r\n" * 10)
    while not session.closing:
        if session.next_event() == Pause(0.5):
            session.resumed()
        heard += codes(session.bytes_to_send())
    assert heard == ["500 5.5.1"] * hard + ["421 4.7.0"]


def test_an_accepted_message_begins_a_new_count(weary: Conversation) -> None:
    weary.say("MAIL FROM:<>", "RCPT TO:<joe@example.net>", "DATA", ".")
    assert codes(weary.send(b"XYZZY\r\n" * 10)) == ["500 5.5.1"] * 10
    assert weary.took(Pause) == []


def test_no_pause_is_ended_that_was_not_begun(greeted: Conversation) -> None:
    with pytest.raises(RuntimeError):
        greeted.session.resumed()


def test_the_pause_is_no_question(weary: Conversation) -> None:
    weary.send(b"XYZZY\r\n")
    with pytest.raises(RuntimeError):
        weary.session.reply(replies.OK)


def test_the_end_comes_behind_what_was_held_back(weary: Conversation) -> None:
    weary.send(b"XYZZY\r\n")
    weary.session.timed_out()
    assert codes(weary.session.bytes_to_send()) == ["500 5.5.1", "421 4.4.2"]


def test_drain_waits_for_the_pause(weary: Conversation) -> None:
    weary.send(b"XYZZY\r\n")
    weary.session.drain()
    assert not weary.session.closing
    weary.session.resumed()
    assert codes(weary.session.bytes_to_send()) == ["500 5.5.1", "421 4.3.2"]


def test_input_during_a_pause_is_bounded(weary: Conversation) -> None:
    weary.send(b"XYZZY\r\n")
    piece = b"NOOP\r\n" * 10_000
    received = 0
    while not weary.session.closing:
        weary.session.receive(piece)
        received += len(piece)
        assert len(weary.session._intake) <= MAX_WAITING_INPUT
    assert received > MAX_WAITING_INPUT
    assert codes(weary.session.bytes_to_send()) == ["500 5.5.1", "554 5.5.0"]
    weary.run()
    assert weary.took(Violation) == [Violation(INPUT_FLOOD, "too much input before a reply")]


def test_input_while_a_reply_is_wanted_is_bounded(greeted: Conversation) -> None:
    greeted.session.receive(b"MAIL FROM:<>\r\n")
    assert greeted.session.next_event() == Mail(None)
    greeted.session.receive(b"x" * MAX_WAITING_INPUT)
    assert not greeted.session.closing
    greeted.session.receive(b"x")
    assert greeted.session.closing


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_message_behind_a_refused_data_is_not_run_after_a_pause(weary: Conversation, when: str) -> None:
    weary.answers[DataStart] = replies.RELAYING_DENIED
    message = b"MAIL FROM:<evil@example.net>\r\n"
    stream = b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
    heard = weary.send(stream + message if when == "before" else stream)
    weary.session.receive(message)
    weary.session.resumed()
    weary.run()
    assert codes(heard + weary.session.bytes_to_send()) == [
        "250 2.1.0",
        "250 2.1.5",
        "550 5.7.1",
        "554 5.5.0",
    ]
    assert weary.took(Violation)[0].kind == PIPELINED_DATA
    assert len(weary.took(Mail)) == 1


def test_what_follows_a_later_pause_is_no_message(weary: Conversation) -> None:
    weary.answers[DataStart] = replies.RELAYING_DENIED
    weary.send(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n")
    weary.session.resumed()
    weary.session.bytes_to_send()
    weary.send(b"XYZZY\r\nNOOP\r\n")
    weary.session.resumed()
    weary.run()
    assert codes(weary.session.bytes_to_send()) == ["500 5.5.1", "250 2.0.0"]


@pytest.mark.parametrize("junk", [b"NOOP", b"RSET", b"VRFY x", b"EXPN x", b"HELP", b"EHLO x", b"HELO x"])
def test_a_hundred_empty_commands(begin: Begin, junk: bytes) -> None:
    conversation = begin(hard_errors=1000)
    heard = codes(conversation.send((junk + b"\r\n") * 150))
    assert len(heard) == 102
    assert heard[-1] == "421 4.7.0"
    assert conversation.took(Violation)[0].kind == TOO_MANY_COMMANDS


HTTP = ["GET", "POST", "CONNECT", "PUT", "HEAD", "OPTIONS"]


@pytest.mark.parametrize("verb", HTTP)
@pytest.mark.parametrize("rest", [b" / HTTP/1.1\r\n", b" /\n", b" /" + b"x" * 13_000 + b"\r\n"], ids=len)
def test_browsers_are_shown_the_door(begin: Begin, verb: str, rest: bytes) -> None:
    stream = verb.encode() + rest + b"Host: x\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n"
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        conversation = begin()
        assert codes(conversation.send(*pieces)) == ["421 4.7.0"]
        assert [event.kind for event in conversation.events] == [FOREIGN_PROTOCOL]


HELLO_RECORD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2


@pytest.mark.parametrize("overlong", ["error", "close"])
@pytest.mark.parametrize("before", [b"", b"EHLO x\r\n"])
def test_tls_where_none_was_agreed_upon_is_the_end(begin: Begin, overlong: str, before: bytes) -> None:
    for pieces in ([HELLO_RECORD], [HELLO_RECORD[at : at + 1] for at in range(300)], [HELLO_RECORD[:2]]):
        conversation = begin(tls_available=True, overlong=overlong)
        assert codes(conversation.send(before, *pieces))[-1] == "421 4.7.0"
        assert conversation.session.closing
        assert [event.kind for event in conversation.took(Violation)] == [FOREIGN_PROTOCOL]


def test_a_lone_control_character_may_still_be_a_command(begin: Begin) -> None:
    conversation = begin()
    assert conversation.send(b"\x16") == b""
    assert codes(conversation.send(b"\x02\r\n")) == ["500 5.5.2"]


def test_who_speaks_before_the_greeting_is_refused() -> None:
    session = ServerSession(SessionSettings("mx.example.net"))
    session.too_early()
    assert codes(session.bytes_to_send()) == ["554 5.5.0"]
    assert session.closing
    assert session.next_event() == Violation(EARLY_TALKER, "input before the greeting")
    session.receive(b"EHLO x\r\n")
    assert session.next_event() is None


@pytest.mark.parametrize(
    "line", [b"EHLO x", b"VRFY x", b"NOOP", b"HELP", b"EXPN x", b"RSET", b"AUTH PLAIN AGEAYg==", b"DATA"]
)
def test_no_reply_waits_for_those_of_later_commands(begin: Begin, line: bytes) -> None:
    """RFC 2920 section 3.2: what ends a group is answered before anything behind it is waited for."""
    conversation = begin(True, auth_mechanisms=("PLAIN",))
    conversation.say("EHLO x")
    del conversation.answers[Mail]
    heard = conversation.send(line + b"\r\nMAIL FROM:<>\r\nQUIT\r\n")
    if line == b"DATA":
        assert codes(heard) == ["503 5.5.1", "554 5.5.0"], "for a message may follow"
        return
    assert conversation.session.waiting_for_reply
    assert len(codes(heard)) == 1
    assert codes(heard)[0][0] in "25"
    conversation.session.reply(replies.SENDER_OK)
    conversation.run()
    assert codes(conversation.session.bytes_to_send()) == ["250 2.1.0", "221 2.0.0"]


@pytest.mark.parametrize(
    ("command", "reply"), [(b"RCPT TO:<joe@example.net>\r\n", "452 4.2.2"), (b"BDAT 0\r\n", "250 2.0.0")]
)
def test_what_is_no_error_does_not_go_on_for_ever(begin: Begin, command: bytes, reply: str) -> None:
    """A thousand recipients that are put off, or chunks with nothing in them; a chunk with octets is another
    matter, and a message that is taken is worth it."""
    conversation = begin()
    conversation.say("EHLO x", "MAIL FROM:<>", "RCPT TO:<joe@example.net>")
    if command.startswith(b"RCPT"):
        conversation.answers[Recipient] = replies.OVER_QUOTA
    assert codes(conversation.send(command * 1000)) == [reply] * 1000
    assert codes(conversation.send(b"BDAT 2\r\n\r\n" if b"BDAT" in command else b"NOOP\r\n")) == ["250 2.0.0"]
    conversation.events.clear()
    assert codes(conversation.send(command * 2)) == [reply, "421 4.7.0"]
    assert conversation.took(Violation)[0].kind == TOO_MANY_ERRORS


def test_a_message_begins_a_new_count_of_what_is_put_off(begin: Begin) -> None:
    conversation = begin()
    conversation.say("EHLO x")
    for _ in range(3):
        conversation.say("MAIL FROM:<>", "RCPT TO:<joe@example.net>")
        assert codes(conversation.send(b"BDAT 0\r\n" * 900)) == ["250 2.0.0"] * 900
        assert codes(conversation.send(b"BDAT 2 LAST\r\n\r\n"))[0].startswith("250")
