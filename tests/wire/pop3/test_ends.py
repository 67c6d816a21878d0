"""How sessions end, and answers that no event asked for."""

from __future__ import annotations

import pytest

from mailsuite.model import response
from mailsuite.wire.pop3.session import (
    Disconnected,
    OutOfTurn,
    Quit,
    SessionSettings,
    StartTls,
)
from tests.wire.pop3.world import DIGEST, STAMPED, World, logged_in_with, many, plain_retrieval, refs


@pytest.mark.parametrize(("working", "borne"), [(False, 3), (True, 20)])
def test_bad_commands_in_a_row_close(working: bool, borne: int) -> None:
    world = World().log_in() if working else World()
    world.take()
    assert world.say(b"HELP\r\n" * borne + b"CAPA\r\n").endswith(b".\r\n")
    answer = world.say(b"HELP\r\n" * (borne + 2))
    assert answer == b"-ERR Unknown command\r\n" * borne + b"-ERR Too many bad commands; goodbye\r\n"
    assert world.session.closing
    assert world.events[-1] == Disconnected("bad-commands")
    assert world.removed == []


def test_a_login_begins_a_new_row() -> None:
    world = World(STAMPED)
    world.say(b"HELP\r\n" * 3 + b"APOP joe " + DIGEST + b"\r\n" + b"HELP\r\n" * 20)
    assert world.session.logged_in
    assert not world.session.closing


def test_messages_that_are_not_there_are_no_bad_commands() -> None:
    world = World().log_in()
    world.say(b"DELE 1\r\n" * 30 + b"RETR 9\r\n" * 30)
    assert not world.session.closing


@pytest.mark.parametrize(
    ("not_removed", "answer"),
    [
        (0, b"+OK Goodbye\r\n"),
        (2, b"-ERR [SYS/TEMP] 2 messages marked as deleted were not removed\r\n"),
    ],
)
def test_quit_tells_how_the_update_went(not_removed: int, answer: bytes) -> None:
    world = World().log_in()
    world.answers = False
    assert world.say(b"DELE 3\r\nDELE 1\r\nQUIT\r\nNOOP\r\n").endswith(b"deleted\r\n")
    assert world.events[1:] == [Quit((refs()[0], refs()[2]))]
    assert world.session.waiting
    world.session.quit_done(not_removed)
    assert world.session.closing
    assert world.take() == answer
    assert world.events[2:] == [Disconnected("quit")]
    assert world.session.logged_in


def test_an_update_that_fails_closes_too() -> None:
    world = World().log_in()
    world.answers = False
    world.say(b"QUIT\r\n")
    world.session.refuse(response.TEMPORARY_TROUBLE)
    assert world.session.closing
    assert world.take() == response.TEMPORARY_TROUBLE.encode()


TAKES_LEAVE = b"-ERR [SYS/TEMP] The service is stopping; please come back in a minute\r\n"


@pytest.mark.parametrize("working", [False, True])
def test_drain_takes_leave_at_once_where_nothing_is_under_way(working: bool) -> None:
    world = World().log_in() if working else World()
    world.take()
    world.say(b"DELE 1\r\nDEL")
    world.session.drain()
    world.session.drain()
    assert world.session.closing
    assert world.take() == TAKES_LEAVE
    assert world.say(b"E 2\r\nQUIT\r\n") == b""
    assert world.events[-1] == Disconnected("drained")
    assert world.removed == []


def test_drain_waits_for_the_command_that_is_being_answered() -> None:
    world = World(answers=False)
    world.take()
    world.say(b"USER joe\r\nPASS x\r\nDELE 1\r\nQUIT\r\n")
    world.session.drain()
    assert not world.session.closing
    assert world.take() == b""
    world.session.logged_in_as(refs())
    assert world.take() == b"+OK 3 messages (75 octets)\r\n" + TAKES_LEAVE
    assert world.removed == []


def test_drain_waits_for_a_message_to_be_sent() -> None:
    session = plain_retrieval(dot_lines=True)
    session.drain()
    assert session.body_chunk(b"text\r\n") == b"text\r\n"
    assert session.retrieval_ended() == b".\r\n" + TAKES_LEAVE
    assert session.closing


def test_drain_waits_for_listing_refusal_and_handshake() -> None:
    listing = logged_in_with(many(1001))
    listing.say(b"LIST\r\n")
    listing.session.drain()
    listing.session.multiline_sent()
    assert listing.take() == TAKES_LEAVE
    refused = World(answers=False)
    refused.say(b"USER joe\r\nPASS x\r\n")
    refused.session.drain()
    refused.session.refuse(response.MAILDROP_IN_USE)
    assert refused.take() == response.MAILDROP_IN_USE.encode() + TAKES_LEAVE
    secured = World(SessionSettings("h", tls_available=True), answers=False)
    secured.say(b"STLS\r\n")
    secured.session.drain()
    assert not secured.session.closing
    secured.session.tls_started()
    assert secured.take() == TAKES_LEAVE


def test_drain_lets_an_update_end() -> None:
    world = World().log_in()
    world.answers = False
    world.say(b"QUIT\r\n")
    world.session.drain()
    world.session.quit_done(0)
    assert world.take() == b"+OK Goodbye\r\n"


def test_drain_lets_the_last_wrong_password_end() -> None:
    world = World()
    world.say(b"USER joe\r\nPASS x\r\n" * 2)
    world.answers = False
    world.say(b"USER joe\r\nPASS x\r\n")
    world.session.drain()
    world.session.refuse(response.WRONG_CREDENTIALS)
    assert world.take() == response.WRONG_CREDENTIALS.encode()


@pytest.mark.parametrize("line", [b"", b"STAT\r\nSTA", b"RETR 1\r\n", b"QUIT\r\n"])
def test_a_time_out_closes_without_a_word_and_without_update(line: bytes) -> None:
    """RFC 1939 section 3; features row P-16."""
    world = World().log_in()
    world.say(b"DELE 2\r\n")
    world.answers = False
    world.say(line)
    world.session.timed_out()
    world.session.timed_out()
    assert world.session.closing
    assert not world.session.waiting
    assert world.take() == b""
    assert world.events.count(Disconnected("time-out")) == 1
    assert world.removed == []


def test_answers_that_come_too_late_change_nothing() -> None:
    world = World(answers=False)
    world.say(b"USER joe\r\nPASS x\r\n")
    session = world.session
    session.timed_out()
    session.logged_in_as(refs())
    session.refuse(response.TEMPORARY_TROUBLE)
    session.quit_done(0)
    session.multiline_sent()
    session.tls_started()
    assert session.retrieval_started(1) == session.body_chunk(b"x") == session.retrieval_ended() == b""
    assert session.body_sent() == session.bytes_to_send() == b""
    assert not session.logged_in


# Answers out of turn


def test_answers_that_no_event_asked_for_are_mistakes() -> None:
    session = World().log_in().session
    for answer in (
        lambda: session.logged_in_as(()),
        lambda: session.refuse(response.TEMPORARY_TROUBLE),
        lambda: session.quit_done(0),
        session.multiline_sent,
        session.tls_started,
        lambda: session.retrieval_started(1),
        lambda: session.body_chunk(b"x"),
        session.retrieval_ended,
        session.body_sent,
        session.retrieval_broken,
    ):
        with pytest.raises(OutOfTurn):
            answer()
    assert not session.body_complete


def test_a_body_has_its_beginning_and_its_end() -> None:
    world = World().log_in()
    world.answers = False
    world.say(b"RETR 1\r\n")
    with pytest.raises(OutOfTurn, match="awaits MESSAGE"):
        world.session.body_chunk(b"x")
    world.session.retrieval_started(1)
    with pytest.raises(OutOfTurn, match="awaits BODY"):
        world.session.retrieval_started(1)
    world.session.retrieval_ended()
    with pytest.raises(OutOfTurn, match="awaits NOTHING"):
        world.session.retrieval_ended()


def test_an_answer_to_another_event_is_a_mistake() -> None:
    world = World(SessionSettings("h", tls_available=True), answers=False)
    world.say(b"STLS\r\n")
    assert isinstance(world.events[0], StartTls)
    with pytest.raises(OutOfTurn, match="awaits TLS"):
        world.session.refuse(response.TEMPORARY_TROUBLE)


def test_a_refusal_is_negative() -> None:
    world = World(answers=False)
    world.say(b"USER joe\r\nPASS x\r\n")
    with pytest.raises(ValueError, match="no refusal"):
        world.session.refuse(response.GOODBYE)
    assert world.session.waiting
