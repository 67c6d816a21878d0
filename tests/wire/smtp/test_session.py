"""Commands, order of commands, pipelining, bodies, limits and the end of a session."""

import re

import pytest

from mailsuite.model import reply as replies
from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, MailParameters
from mailsuite.model.reply import Reply
from mailsuite.wire.smtp.events import (
    FOREIGN_PROTOCOL,
    PIPELINED_DATA,
    TOO_MANY_COMMANDS,
    TOO_MANY_ERRORS,
    BodyChunk,
    BodyEnd,
    DataStart,
    Hello,
    Mail,
    Quit,
    Recipient,
    Reset,
    Violation,
)

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.org")
ENVELOPE = ("MAIL FROM:<ann@example.org>", "RCPT TO:<joe@example.net>")
BATCH = b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
NO = Reply(550, "5.1.1", ("No",))
LATER = Reply(451, "4.3.0", ("Later",))


def codes(heard: bytes) -> list[str]:
    """Code and enhanced code of each reply."""
    lines = heard.decode().split("\r\n")[:-1]
    return [re.sub(r"^(\d{3} (\d\.\d+\.\d+)?).*", r"\1", line).strip() for line in lines if line[3] == " "]


def test_ehlo_lists_extensions(begin) -> None:
    conversation = begin(tls_available=True, auth_mechanisms=("PLAIN",), max_message=1234)
    assert conversation.send(b"EHLO client.example\r\n") == (
        b"250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 1234\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
        b"250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n250-LIMITS RCPTMAX=100\r\n"
        b"250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n"
    )
    assert conversation.events == [Hello("client.example", True)]


def test_ehlo_inside_tls_lists_mechanisms(begin) -> None:
    conversation = begin(True, tls_available=True, auth_mechanisms=("PLAIN", "SCRAM-SHA-256", "LOGIN"))
    heard = conversation.send(b"EHLO x\r\n")
    assert b"250-AUTH PLAIN SCRAM-SHA-256 LOGIN\r\n" in heard
    assert b"STARTTLS" not in heard
    assert b"AUTH" not in begin(True).send(b"EHLO x\r\n")
    assert b"250-AUTH LOGIN\r\n" in begin(auth_mechanisms=("LOGIN",), plaintext_auth=True).send(b"EHLO x\r\n")


@pytest.mark.parametrize("tls", [False, True])
def test_what_simple_clients_look_for_is_not_the_last_line(begin, tls: bool) -> None:
    """gsasl 2.2.0 finds ``250-STARTTLS`` and nothing else."""
    conversation = begin(tls, tls_available=True, plaintext_auth=True, auth_mechanisms=("PLAIN", "CRAM-MD5"))
    heard = conversation.send(b"EHLO x\r\n")
    assert b"250-AUTH PLAIN CRAM-MD5\r\n" in heard
    assert tls or b"250-STARTTLS\r\n" in heard
    assert heard.endswith(b"\r\n250 ENHANCEDSTATUSCODES\r\n")


def test_helo_has_no_extensions(begin) -> None:
    conversation = begin()
    assert conversation.send(b"HELO client.example\r\n") == b"250 mx.example.net\r\n"
    assert conversation.events == [Hello("client.example", False)]
    assert conversation.say("MAIL FROM:<> SIZE=1").startswith("555 5.5.4")
    assert conversation.say("MAIL FROM:<>").startswith("250 2.1.0")


def test_a_whole_message(greeted) -> None:
    assert greeted.say("MAIL FROM:<ann@example.org> SIZE=20 BODY=8BITMIME") == "250 2.1.0 Sender OK"
    assert greeted.session.in_transaction
    assert greeted.say("RCPT TO:<joe@example.net>") == "250 2.1.5 Recipient OK"
    assert not greeted.session.in_body
    assert greeted.say("DATA").startswith("354 ")
    assert greeted.session.in_body
    assert greeted.say("Subject: caf\u00e9", "", "..dot") == ""
    assert greeted.say(".") == "250 2.0.0 OK, queued as id"
    assert not greeted.session.in_body
    assert not greeted.session.in_transaction
    message = "Subject: caf\u00e9\r\n\r\n.dot\r\n".encode()
    assert greeted.events == [
        Mail(ANN, MailParameters(BodyType.EIGHT_BIT, 20)),
        Recipient(JOE),
        DataStart(),
        BodyChunk(message),
        BodyEnd(len(message), None, True),
    ]
    assert greeted.say("RCPT TO:<joe@example.net>").startswith("503 5.5.1")


def test_an_empty_message(greeted) -> None:
    greeted.say(*ENVELOPE, "DATA", ".")
    assert greeted.events[2:] == [DataStart(), BodyEnd(0, None, False)]


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (("NOOP",), "250 2.0.0"),
        (("NOOP anything at all",), "250 2.0.0"),
        (("noop",), "250 2.0.0"),
        (("RSET",), "250 2.0.0"),
        (("RSET x",), "501 5.5.4"),
        (("VRFY joe",), "252 2.5.0"),
        (("VRFY",), "501 5.5.4"),
        (("EXPN list",), "502 5.5.1"),
        (("BDAT 0 LAST",), "503 5.5.1"),
        (("ETRN x",), "502 5.5.1"),
        (("TURN",), "502 5.5.1"),
        (("FOO",), "500 5.5.1"),
        (("",), "500 5.5.1"),
        ((" NOOP",), "500 5.5.1"),
        (("MAILFROM:<>",), "500 5.5.1"),
        (("NOOP\x00",), "500 5.5.2"),
        (("EHLO",), "501 5.5.4"),
        (("HELO",), "501 5.5.4"),
        (("EHLO a b",), "501 5.5.4"),
        (("MAIL",), "501 5.5.4"),
        (("MAIL FROM:joe@example.net",), "501 5.5.4"),
        (("MAIL FROM:<joe>",), "501 5.1.7"),
        (("MAIL FROM:<jo\u00e9@example.net>",), "553 5.6.7"),
        (("MAIL FROM:<> FOO=BAR",), "555 5.5.4"),
        (("MAIL FROM:<> AUTH=<>",), "555 5.5.4"),
        (("MAIL FROM:<> SIZE=x",), "501 5.5.4"),
        (("MAIL FROM:<> SIZE=99999999999",), "552 5.3.4"),
        (("MAIL FROM:<>", "MAIL FROM:<>"), "503 5.5.1"),
        (("RCPT TO:<joe@example.net>",), "503 5.5.1"),
        (("MAIL FROM:<>", "RCPT TO:<>"), "501 5.1.3"),
        (("MAIL FROM:<>", "RCPT TO:<joe@example.net> X=1"), "555 5.5.4"),
        (("MAIL FROM:<>", "RCPT TO:<postmaster>"), "250 2.1.5"),
        (("DATA",), "503 5.5.1"),
        (("MAIL FROM:<>", "DATA"), "503 5.5.1"),
        ((*ENVELOPE, "DATA x"), "501 5.5.4"),
        ((*ENVELOPE, "RSET", "DATA"), "503 5.5.1"),
        ((*ENVELOPE, "EHLO x", "DATA"), "503 5.5.1"),
        ((*ENVELOPE, "NOOP", "VRFY x", "HELP", "DATA"), "354 "),
        (("STARTTLS",), "454 4.7.0"),
        (("STARTTLS x",), "501 5.5.4"),
        (("AUTH PLAIN",), "502 5.5.1"),
        (("QUIT",), "221 2.0.0"),
        (("QUIT x",), "501 5.5.4"),
        (("GET / HTTP/1.1",), "421 4.7.0"),
        (("EHLO " + "x" * 2100,), "500 5.5.2"),
        (("EHLO " + "x" * 20000,), "500 5.5.2"),
    ],
)
def test_commands(greeted, lines: tuple[str, ...], answer: str) -> None:
    assert greeted.say(*lines).startswith(answer)


@pytest.mark.parametrize("line", ["MAIL FROM:<>", "STARTTLS", "AUTH PLAIN"])
def test_what_needs_a_hello(begin, line: str) -> None:
    assert begin(tls_available=True, auth_mechanisms=("PLAIN",)).say(line).startswith("503 5.5.1")


@pytest.mark.parametrize(
    ("line", "code"), [("NOOP", 250), ("HELP", 214), ("RSET", 250), ("VRFY x", 252), ("QUIT", 221)]
)
def test_what_needs_no_hello(begin, line: str, code: int) -> None:
    assert begin().say(line).startswith(str(code))


def test_help_has_several_lines(greeted) -> None:
    assert codes(greeted.send(b"HELP MAIL\r\n")) == ["214 2.0.0"]


@pytest.mark.parametrize("end", ["RSET", "EHLO x", "HELO x"])
def test_a_transaction_that_is_given_up_is_told(greeted, end: str) -> None:
    greeted.say(*ENVELOPE, end)
    assert greeted.events[2] == Reset()
    assert not greeted.session.in_transaction
    greeted.events.clear()
    greeted.say(end)
    assert greeted.took(Reset) == []


def test_quit(greeted) -> None:
    assert (
        greeted.send(b"MAIL FROM:<>\r\nQUIT\r\nNOOP\r\n") == b"250 2.1.0 Sender OK\r\n221 2.0.0 Goodbye\r\n"
    )
    assert greeted.events == [Mail(None), Reset(), Quit()]
    assert greeted.session.closing
    assert greeted.send(b"NOOP\r\n") == b""


def test_a_refused_sender_begins_nothing(begin) -> None:
    conversation = begin(answers={Mail: NO})
    assert conversation.say("EHLO x", "MAIL FROM:<>") == "550 5.1.1 No"
    assert not conversation.session.in_transaction
    assert conversation.say("RCPT TO:<joe@example.net>").startswith("503")
    assert conversation.took(Reset) == []


def test_data_where_all_recipients_were_refused(begin) -> None:
    conversation = begin(answers={Recipient: NO})
    assert conversation.say("EHLO x", *ENVELOPE, "DATA").startswith("554 5.5.1")
    assert conversation.took(DataStart) == []
    assert conversation.session.in_transaction


def test_a_refused_data_keeps_the_transaction(begin) -> None:
    conversation = begin(answers={DataStart: LATER})
    assert conversation.say("EHLO x", *ENVELOPE, "DATA") == "451 4.3.0 Later"
    assert conversation.session.in_transaction
    conversation.answers[DataStart] = replies.START_MAIL_INPUT
    assert conversation.say("DATA").startswith("354")


def test_a_refused_message_ends_the_transaction(begin) -> None:
    conversation = begin(answers={BodyEnd: LATER})
    assert conversation.say("EHLO x", *ENVELOPE, "DATA", ".") == "451 4.3.0 Later"
    assert not conversation.session.in_transaction


def test_nothing_is_parsed_while_an_answer_is_wanted(greeted) -> None:
    session = greeted.session
    session.receive(BATCH + b"..x\r\n.\r\nQUIT\r\n")
    answers = [replies.SENDER_OK, replies.RECIPIENT_OK, replies.START_MAIL_INPUT]
    for kind, answer in zip([Mail, Recipient, DataStart], answers, strict=True):
        assert isinstance(session.next_event(), kind)
        assert session.waiting_for_reply
        assert session.next_event() is None
        assert session.bytes_to_send() == b""
        session.reply(answer)
        assert not session.waiting_for_reply
        assert session.bytes_to_send() == answer.encode()
    assert session.next_event() == BodyChunk(b".x\r\n")
    assert session.next_event() == BodyEnd(4, None, True)
    assert session.next_event() is None
    session.reply(LATER)
    assert session.next_event() == Quit()
    assert session.bytes_to_send() == LATER.encode() + replies.CLOSING.encode()


def test_replies_to_pipelined_commands_come_joined(greeted) -> None:
    heard = greeted.send(BATCH + b"hello\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n")
    assert codes(heard) == [
        "250 2.1.0",
        "250 2.1.5",
        "354",
        "250 2.0.0",
        "250 2.1.0",
        "250 2.0.0",
        "221 2.0.0",
    ]


def test_two_messages_at_once(greeted) -> None:
    greeted.send((BATCH + b"one\r\n.\r\n") * 2)
    assert [chunk.data for chunk in greeted.took(BodyChunk)] == [b"one\r\n"] * 2


def test_input_that_comes_between_two_pieces_of_a_body_keeps_its_place(greeted) -> None:
    """The first piece goes past the buffer, the second waits in it, the end is in the first."""
    greeted.send(BATCH)
    greeted.session.receive(b"one\r\n.\r\nNO")
    greeted.session.receive(b"OP\r\nQUIT\r\n")
    greeted.run()
    assert codes(greeted.session.bytes_to_send()) == ["250 2.0.0", "250 2.0.0", "221 2.0.0"]


@pytest.mark.parametrize("answers", [{DataStart: NO}, {Recipient: NO}, {Mail: NO}])
def test_a_message_behind_a_refused_data_is_never_run(begin, answers: dict[type, Reply]) -> None:
    conversation = begin(answers=answers)
    conversation.say("EHLO x")
    heard = conversation.send(BATCH + b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<joe@example.net>\r\n")
    assert codes(heard)[-1] == "554 5.5.0"
    assert conversation.session.closing
    assert len(conversation.took(Mail)) == 1
    assert conversation.took(Violation)[0].kind == PIPELINED_DATA


def test_bare_line_feeds_in_commands_run_nothing(greeted) -> None:
    heard = greeted.send(b"NOOP x\nMAIL FROM:<>\nRSET\r\nNOOP\r\nNOOP\n")
    assert codes(heard) == ["500 5.5.2"] * 3 + ["250 2.0.0", "500 5.5.2"]
    assert greeted.events == []
    assert codes(greeted.send(b"x" * 20000 + b"\nMAIL FROM:<>\r\nNOOP\r\n")) == ["500 5.5.2"] * 2 + [
        "250 2.0.0"
    ]
    assert greeted.events == []


def test_bare_carriage_returns_in_commands_run_nothing(greeted) -> None:
    assert codes(greeted.send(b"NOOP\rMAIL FROM:<>\r\nNOOP\r\n")) == ["500 5.5.2", "250 2.0.0"]
    assert greeted.events == []


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"a\nb\r\n", "550 5.5.2"),
        (b"a\rb\r\n", "550 5.5.2"),
        (b"a\n.\nMAIL FROM:<evil@example.net>\r\n", "550 5.5.2"),
        (b"a\r\n.\nMAIL FROM:<evil@example.net>\r\n", "550 5.5.2"),
        (b"a\n.\r\nMAIL FROM:<evil@example.net>\r\n", "550 5.5.2"),
        (b"a\r.\rMAIL FROM:<evil@example.net>\r\n", "550 5.5.2"),
        (b"a\r\n.\r\r\nMAIL FROM:<evil@example.net>\r\n", "550 5.5.2"),
        (b"x" * 70000 + b"\r\nMAIL FROM:<evil@example.net>\r\n", "500 5.6.0"),
        (b"xxxxxxxx\r\n" * 20000, "552 5.3.4"),
    ],
)
def test_broken_messages_are_refused_at_their_true_end(begin, body: bytes, answer: str) -> None:
    for careless in (False, True):
        conversation = begin(max_message=150_000)
        conversation.say("EHLO x", *ENVELOPE, "DATA")
        session = conversation.session
        session.receive(body + b".\r\nNOOP\r\n")
        while isinstance(event := session.next_event(), BodyChunk):
            pass
        assert isinstance(event, BodyEnd)
        assert event.defect is not None
        session.reply(replies.OK if careless else event.defect)
        conversation.run()
        assert codes(session.bytes_to_send()) == [answer, "250 2.0.0"]
        assert len(conversation.took(Mail)) == 1
        assert conversation.say("MAIL FROM:<>").startswith("250")


def test_recipients_over_the_limit(begin) -> None:
    conversation = begin(max_recipients=2)
    conversation.say("EHLO x", "MAIL FROM:<>")
    for _ in range(2):
        assert conversation.say("RCPT TO:<joe@example.net>").startswith("250")
    for _ in range(50):  # no error of theirs, so it may go on
        assert conversation.say("RCPT TO:<joe@example.net>").startswith("452 4.5.3")
    assert len(conversation.took(Recipient)) == 2
    assert conversation.say("DATA").startswith("354")


def test_refused_recipients_do_not_count(begin) -> None:
    conversation = begin(max_recipients=1, answers={Recipient: NO})
    conversation.say("EHLO x", "MAIL FROM:<>", *["RCPT TO:<joe@example.net>"] * 5)
    conversation.answers[Recipient] = replies.RECIPIENT_OK
    assert conversation.say("RCPT TO:<joe@example.net>").startswith("250")


def test_size_limit_itself_is_allowed(begin) -> None:
    assert begin(max_message=100).say("EHLO x", "MAIL FROM:<> SIZE=100").startswith("250")
    assert begin(max_message=100).say("EHLO x", "MAIL FROM:<> SIZE=101").startswith("552")


def test_too_many_errors(greeted) -> None:
    heard = greeted.send(b"FOO\r\n" * 30)
    assert codes(heard) == ["500 5.5.1"] * 20 + ["421 4.7.0"]
    assert greeted.session.closing
    assert [event.kind for event in greeted.events] == [TOO_MANY_ERRORS]


def test_an_accepted_message_wipes_the_slate(greeted) -> None:
    for _ in range(3):
        greeted.say(*["FOO"] * 15, *["NOOP"] * 60, *ENVELOPE, "DATA", ".")
    assert not greeted.session.closing


def test_recipients_beyond_the_limit_are_not_borne_for_ever(begin) -> None:
    conversation = begin(max_recipients=2)
    recipient = b"RCPT TO:<joe@example.net>\r\n"
    for _ in range(2):  # an accepted message wipes this slate, too
        conversation.say("EHLO x", "MAIL FROM:<>")
        heard = codes(conversation.send(recipient * 1002))
        assert heard == ["250 2.1.5"] * 2 + ["452 4.5.3"] * 1000
        assert conversation.say("DATA", ".").startswith("250")
    conversation.say("MAIL FROM:<>")
    heard = codes(conversation.send(recipient * 1100))
    assert heard[-2:] == ["452 4.5.3", "421 4.7.0"]
    assert len(heard) == 1004
    assert conversation.took(Violation)[0].kind == TOO_MANY_ERRORS


@pytest.mark.parametrize("junk", [b"NOOP", b"RSET", b"VRFY x", b"HELP", b"EHLO x"])
def test_too_many_empty_commands(begin, junk: bytes) -> None:
    conversation = begin()
    heard = codes(conversation.send((junk + b"\r\n") * 150))
    assert len(heard) == 102
    assert heard[-1] == "421 4.7.0"
    assert conversation.took(Violation)[0].kind == TOO_MANY_COMMANDS


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_http_is_shown_the_door(begin, line_end: bytes) -> None:
    conversation = begin()
    heard = conversation.send(b"POST / HTTP/1.1" + line_end + b"Host: x\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n")
    assert codes(heard) == ["421 4.7.0"]
    assert conversation.session.closing
    assert [event.kind for event in conversation.events] == [FOREIGN_PROTOCOL]


def test_a_reply_that_closes(begin) -> None:
    conversation = begin(answers={Recipient: replies.STOPPING})
    conversation.say("EHLO x")
    assert codes(conversation.send(BATCH)) == ["250 2.1.0", "421 4.3.2"]
    assert conversation.session.closing
    assert conversation.events[-1] == Reset()


def test_an_endless_command_line_takes_no_memory(greeted) -> None:
    for _ in range(20):
        assert greeted.send(b"x" * 65536) == b""
        assert len(greeted.session._intake) <= 1
    assert codes(greeted.send(b"\r\nNOOP\r\n")) == ["500 5.5.2", "250 2.0.0"]


def test_a_body_is_not_kept(greeted) -> None:
    greeted.say(*ENVELOPE, "DATA")
    session = greeted.session
    session.receive(b"x" * 1000)
    assert session.next_event() == BodyChunk(b"x" * 1000)
    assert not len(session._intake)
    assert session.next_event() is None


# The end


def test_drain_between_commands_is_at_once(greeted) -> None:
    greeted.session.drain()
    assert greeted.session.closing
    assert greeted.session.bytes_to_send() == replies.STOPPING.encode()
    greeted.session.drain()
    assert greeted.session.bytes_to_send() == b""


def test_drain_waits_for_the_answer_that_is_under_way(greeted) -> None:
    session = greeted.session
    session.receive(b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\n")
    session.next_event()
    session.drain()
    assert not session.closing
    session.reply(replies.SENDER_OK)
    assert session.closing
    assert codes(session.bytes_to_send()) == ["250 2.1.0", "421 4.3.2"]
    assert session.next_event() == Reset()
    assert session.next_event() is None


def test_drain_waits_for_the_message_that_is_under_way(greeted) -> None:
    greeted.say(*ENVELOPE, "DATA")
    greeted.session.drain()
    assert not greeted.session.closing
    heard = greeted.send(b"hello\r\n", b".\r\nMAIL FROM:<>\r\n")
    assert codes(heard) == ["250 2.0.0", "421 4.3.2"]
    assert greeted.session.closing
    assert len(greeted.took(Mail)) == 1


def test_time_out(greeted) -> None:
    greeted.say(*ENVELOPE)
    greeted.session.timed_out()
    assert greeted.session.closing
    assert codes(greeted.session.bytes_to_send()) == ["421 4.4.2"]
    assert greeted.session.next_event() == Reset()


def test_time_out_within_a_message(greeted) -> None:
    greeted.say(*ENVELOPE, "DATA", "half a mess")
    greeted.session.timed_out()
    assert codes(greeted.session.bytes_to_send()) == ["421 4.4.2"]
    assert not greeted.session.in_body
    assert greeted.session.next_event() == Reset()


def test_an_answer_that_comes_too_late_is_dropped(greeted) -> None:
    greeted.session.receive(b"MAIL FROM:<>\r\n")
    greeted.session.next_event()
    greeted.session.timed_out()
    greeted.session.bytes_to_send()
    greeted.session.reply(replies.SENDER_OK)
    assert greeted.session.bytes_to_send() == b""
    assert not greeted.session.in_transaction


def test_an_answer_that_nobody_wants_is_a_mistake_of_ours(greeted) -> None:
    with pytest.raises(RuntimeError):
        greeted.session.reply(replies.OK)
