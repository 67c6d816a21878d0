"""The session at work: order of answers, messages, listings."""

from __future__ import annotations

import pytest

from mailsuite.model import response
from mailsuite.wire.pop3.session import (
    MAX_WAITING_OUTPUT,
    Disconnected,
    Login,
    Multiline,
    OutOfTurn,
    Quit,
    Retrieve,
)
from tests.wire.pop3.world import World, logged_in_with, many, plain_retrieval, refs

WHOLE_SESSION = [
    (b"CAPA\r\n", b"+OK ", b".\r\n"),
    (b"USER joe\r\n", b"+OK ", b"\r\n"),
    (b"PASS secret word\r\n", b"+OK 3 messages (75 octets)\r\n", b""),
    (b"STAT\r\n", b"+OK 3 75\r\n", b""),
    (b"LIST\r\n", b"+OK 3 messages (75 octets)\r\n1 23\r\n2 39\r\n3 13\r\n.\r\n", b""),
    (b"UIDL\r\n", b"+OK 3 messages (75 octets)\r\n1 uid-1\r\n2 uid-2\r\n3 uid-3\r\n.\r\n", b""),
    (b"RETR 1\r\n", b"+OK 23 octets\r\nSubject: one\r\n\r\nfirst\r\n.\r\n", b""),
    (b"RETR 2\r\n", b"+OK 39 octets\r\n..Subject: two\r\n\r\n..\r\n...dots\r\nlast line\r\n.\r\n", b""),
    (b"RETR 3\r\n", b"+OK 13 octets\r\n\r\nno header\r\n.\r\n", b""),
    (b"TOP 2 1\r\n", b"+OK Top of message follows\r\n..Subject: two\r\n\r\n..\r\n.\r\n", b""),
    (b"DELE 2\r\n", b"+OK ", b"\r\n"),
    (b"STAT\r\n", b"+OK 2 36\r\n", b""),
    (b"LIST\r\n", b"+OK 2 messages (36 octets)\r\n1 23\r\n3 13\r\n.\r\n", b""),
    (b"QUIT\r\n", b"+OK ", b"\r\n"),
]
"""Commands, and how the answers begin and end."""


def test_a_whole_session_in_lockstep() -> None:
    world = World()
    assert world.take() == b"+OK mail.example.net POP3 ready\r\n"
    for command, begin, end in WHOLE_SESSION:
        answer = world.say(command)
        assert answer.startswith(begin)
        assert answer.endswith(end)
    assert world.session.closing
    assert world.removed == ["uid-2"]
    assert world.events[-1] == Disconnected("quit")


@pytest.mark.parametrize("piece", [0, 1, 2, 3, 5, 17])
def test_the_same_answers_however_the_input_is_cut(piece: int) -> None:
    lockstep = World()
    expected = lockstep.take() + b"".join(lockstep.say(command) for command, _, _ in WHOLE_SESSION)
    world = World()
    assert world.say(b"".join(command for command, _, _ in WHOLE_SESSION), piece) == expected
    assert world.removed == ["uid-2"]


# Pipelining


def test_a_thousand_commands_wait_for_the_password() -> None:
    """features row P-15: in one segment, in order, and nothing before the answer to PASS."""
    numbers = [number % 3 + 1 for number in range(996)]
    world = World(answers=False)
    world.take()
    answer = world.say(
        b"USER joe\r\nPASS secret word\r\nSTAT\r\n"
        + b"".join(b"LIST %d\r\n" % number for number in numbers)
        + b"QUIT\r\n"
    )
    assert answer == b"+OK Send your password\r\n"
    assert len(world.events) == 1
    assert world.session.waiting
    world.run()
    assert world.take() == b""
    world.answers = True
    world.answer(world.events[0])
    sizes = [None, 23, 39, 13]
    assert world.take() == (
        b"+OK 3 messages (75 octets)\r\n+OK 3 75\r\n"
        + b"".join(b"+OK %d %d\r\n" % (number, sizes[number] or 0) for number in numbers)
        + b"+OK Goodbye\r\n"
    )


def test_messages_are_pipelined_too() -> None:
    world = World().log_in()
    lockstep = World().log_in()
    commands = [b"RETR 1\r\n", b"TOP 2 0\r\n", b"DELE 1\r\n", b"RETR 1\r\n", b"NOOP\r\n", b"RETR 2\r\n"]
    assert world.say(b"".join(commands)) == b"".join(lockstep.say(command) for command in commands)


def test_nothing_is_read_behind_the_end() -> None:
    world = World().log_in()
    assert world.say(b"QUIT\r\nDELE 1\r\nQUIT\r\n") == b"+OK Goodbye\r\n"
    assert world.say(b"STAT\r\n") == b""
    assert [type(event) for event in world.events] == [Login, Quit, Disconnected]


# Messages


@pytest.mark.parametrize("command", [b"LIST", b"UIDL", b"RETR", b"DELE", b"TOP"])
@pytest.mark.parametrize(
    "number",
    [
        *(b"0", b"-1", b"+1", b"1x", b"1.0", b"9223372036854775807", b"9223372036854775808", b"4", b"99"),
        *(b"18446744073709551617", b"9" * 200, b"abc", b"0x1", b"1e0", b"1_0", b"*", b"00", b"2"),
    ],
)
def test_bad_numbers_touch_nothing(command: bytes, number: bytes) -> None:
    """features row P-08; number 2 is deleted. Twisted's POP3 dies of some of these (section 13)."""
    world = World().log_in()
    world.say(b"DELE 2\r\n")
    events = len(world.events)
    more = b" 5" if command == b"TOP" else b""
    answer = world.say(command + b" " + number + more + b"\r\n")
    assert answer.startswith(b"-ERR ")
    assert answer.count(b"\r\n") == 1
    assert len(world.events) == events
    assert world.say(b"STAT\r\n") == b"+OK 2 36\r\n"


@pytest.mark.parametrize("command", [b"RETR", b"DELE", b"TOP"])
@pytest.mark.parametrize("empty", [b"", b" ", b"   "])
def test_no_number_is_no_number(command: bytes, empty: bytes) -> None:
    """LIST and UIDL of nothing are those of all: trailing spaces mean nothing (features row P-02)."""
    world = World().log_in()
    assert world.say(command + empty + b"\r\n") == b"-ERR The arguments do not fit this command\r\n"
    assert (
        world.say(b"LIST" + empty + b"\r\n") == b"+OK 3 messages (75 octets)\r\n1 23\r\n2 39\r\n3 13\r\n.\r\n"
    )
    assert world.say(b"STAT\r\n") == b"+OK 3 75\r\n"


@pytest.mark.parametrize("lines", [b"-1", b"+1", b"x", b"1.5"])
def test_top_needs_a_number_of_lines(lines: bytes) -> None:
    world = World().log_in()
    assert world.say(b"TOP 1 " + lines + b"\r\n") == b"-ERR That is no number of lines\r\n"


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("lines", [b"0", b"1", b"2", b"3", b"99999999999999999999"])
def test_top(lines: bytes, chunk: int) -> None:
    body = [b"one\r\n", b".\r\n", b"end"]
    world = World(messages=(b"A: 1\r\n.B: 2\r\n\r\n" + b"".join(body),), chunk=chunk).log_in()
    expected = b"A: 1\r\n..B: 2\r\n\r\n" + b"".join([b"one\r\n", b"..\r\n", b"end\r\n"][: int(lines)])
    assert world.say(b"TOP 1 " + lines + b"\r\n") == b"+OK Top of message follows\r\n" + expected + b".\r\n"


def test_a_top_stops_the_reader_when_it_has_enough() -> None:
    world = World(answers=False)
    world.session.receive(b"USER joe\r\nPASS x\r\nTOP 1 1\r\n")
    world.session.next_event()
    world.session.logged_in_as(refs())
    assert world.session.next_event() == Retrieve(refs()[0], 1)
    world.session.retrieval_started(100)
    assert not world.session.body_complete
    world.session.body_chunk(b"A: 1\r\n\r\none\r\n")
    assert world.session.body_complete


def test_dele_twice_and_rset() -> None:
    world = World().log_in()
    assert world.say(b"DELE 1\r\nDELE 1\r\nSTAT\r\n") == (
        b"+OK Message 1 is marked as deleted\r\n-ERR This message is marked as deleted\r\n+OK 2 52\r\n"
    )
    assert world.say(b"RSET\r\nSTAT\r\nQUIT\r\n") == (
        b"+OK 3 messages (75 octets)\r\n+OK 3 75\r\n+OK Goodbye\r\n"
    )
    assert world.removed == []


def test_an_empty_maildrop() -> None:
    world = World(messages=()).log_in()
    assert world.say(b"STAT\r\nLIST\r\nUIDL\r\nLIST 1\r\n") == (
        b"+OK 0 0\r\n" + b"+OK 0 messages (0 octets)\r\n.\r\n" * 2 + b"-ERR There is no such message\r\n"
    )


def test_a_message_of_no_octets() -> None:
    world = World().log_in()
    world.answers = False
    world.say(b"RETR 1\r\nNOOP\r\n")
    assert world.session.retrieval_started(0) + world.session.retrieval_ended() == b"+OK 0 octets\r\n.\r\n"
    assert world.take() == b"+OK Done\r\n"


def test_a_message_that_is_gone_refuses_itself_only() -> None:
    """features row P-06."""
    world = World().log_in()
    world.answers = False
    world.say(b"RETR 1\r\nSTAT\r\n")
    world.session.refuse(response.MESSAGE_TAKEN)
    assert world.take() == b"-ERR [SYS/TEMP] Another program has taken this message\r\n+OK 3 75\r\n"


def test_a_message_that_breaks_closes_without_a_word() -> None:
    """features row P-09: no line follows a broken file."""
    world = World().log_in()
    world.answers = False
    world.say(b"RETR 1\r\nSTAT\r\n")
    assert world.session.retrieval_started(23) == b"+OK 23 octets\r\n"
    assert world.session.body_chunk(b"Subject: one\r\n.") == b"Subject: one\r\n.."
    world.session.retrieval_broken()
    assert world.session.closing
    assert world.take() == b""
    assert world.events[-1] == Disconnected("broken-message")
    assert world.session.body_chunk(b"more") == b""
    assert world.session.retrieval_ended() == b""
    world.session.retrieval_broken()


def test_octets_that_wait_go_out_before_the_message() -> None:
    world = World().log_in()
    world.session.receive(b"NOOP\r\nRETR 1\r\n")
    world.session.next_event()
    assert world.session.retrieval_started(23) == b"+OK Done\r\n+OK 23 octets\r\n"


@pytest.mark.parametrize(
    ("ends_with_crlf", "octets"), [(True, b".\r\n"), (False, b"\r\n.\r\n")], ids=["whole", "open"]
)
def test_a_body_sent_past_the_session_needs_its_terminator(ends_with_crlf: bool, octets: bytes) -> None:
    session = plain_retrieval()
    assert session.body_sent(ends_with_crlf) == octets
    assert session.next_event() is None
    assert session.bytes_to_send() == b"+OK Done\r\n"


def test_most_bodies_end_with_a_line_end() -> None:
    assert plain_retrieval().body_sent() == b".\r\n"


@pytest.mark.parametrize(("line", "dot_lines"), [(b"RETR 1\r\n", True), (b"TOP 1 5\r\n", False)])
def test_no_message_that_needs_a_change_goes_past_the_session(line: bytes, dot_lines: bool) -> None:
    with pytest.raises(OutOfTurn, match="body_chunk"):
        plain_retrieval(line, dot_lines).body_sent()


# Listings


@pytest.mark.parametrize(("command", "word"), [(b"LIST", b"7"), (b"UIDL", b"uid1001")])
def test_a_long_listing_is_streamed(command: bytes, word: bytes) -> None:
    world = logged_in_with(many(1001))
    assert world.say(command + b"\r\nNOOP\r\n") == b"+OK 1001 messages (7007 octets)\r\n"
    event = world.events[-1]
    assert isinstance(event, Multiline)
    chunks = list(event.chunks)
    assert len(chunks) == 3
    assert chunks[1:] == [b"1001 " + word + b"\r\n", b".\r\n"]
    world.session.multiline_sent()
    assert world.take() == b"+OK Done\r\n"


def test_a_short_listing_is_sent_at_once() -> None:
    world = logged_in_with(many(1000))
    assert world.say(b"LIST\r\n").endswith(b"\r\n1000 7\r\n.\r\n")
    assert len(world.events) == 1


@pytest.mark.parametrize("command", [b"LIST\r\n", b"UIDL\r\n", b"CAPA\r\n"])
def test_a_segment_full_of_listings_does_not_fill_the_memory(command: bytes) -> None:
    world = logged_in_with(many(1000))
    world.session.receive(command * 13_000)
    assert isinstance(world.session.next_event(), Multiline)
    assert MAX_WAITING_OUTPUT < len(world.session.bytes_to_send()) < 2 * MAX_WAITING_OUTPUT
    world.session.multiline_sent()
    assert isinstance(world.session.next_event(), Multiline)
