"""What holds for mail that is left behind (RFC 1939 section 8; rows S-A10, P-17), and LAST (row P-22)."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.response import MESSAGE_TAKEN
from mailsuite.model.retention import Terms
from mailsuite.wire.pop3.session import Disconnected, Quit
from tests.wire.pop3.world import CLEAR, MESSAGES, World, refs

USUAL = Terms()
LEAVES_NOTHING = Terms(expire=0)
WITH_LAST = attrs.evolve(CLEAR, last=True)


def working(terms: Terms = USUAL) -> World:
    return World(attrs.evolve(CLEAR, last=True), terms=terms).log_in()


def update(world: World) -> Quit:
    world.say(b"QUIT\r\n")
    (event,) = [event for event in world.events if isinstance(event, Quit)]
    return event


@pytest.mark.parametrize("terms", [Terms(), Terms(30), Terms(1)])
def test_what_was_retrieved_stays_unless_it_is_deleted(terms: Terms) -> None:
    world = working(terms)
    world.say(b"RETR 2\r\nRETR 1\r\nRETR 2\r\nTOP 3 1\r\nDELE 1\r\nDELE 3\r\n")
    one, two, three = refs()
    assert update(world) == Quit((one, three), (one, two))


def test_where_nobody_leaves_mail_behind_quit_removes_what_was_retrieved() -> None:
    world = working(LEAVES_NOTHING)
    world.say(b"RETR 3\r\nDELE 1\r\nTOP 2 0\r\n")
    one, _, three = refs()
    assert update(world) == Quit((one, three), (three,))
    assert world.removed == ["uid-1", "uid-3"]


def test_rset_takes_marks_away_and_not_what_was_read() -> None:
    """RFC 2449 section 6.7: an implicit DELE for each message which was downloaded, when UPDATE begins."""
    world = working(LEAVES_NOTHING)
    world.say(b"RETR 3\r\nDELE 1\r\nRSET\r\n")
    assert update(world) == Quit((refs()[2],), (refs()[2],))


@pytest.mark.parametrize("lines", [b"0", b"1"])
def test_top_is_limited_to_headers_there(lines: bytes) -> None:
    world = working(LEAVES_NOTHING)
    assert (
        world.say(b"TOP 1 " + lines + b"\r\n") == b"+OK Top of message follows\r\nSubject: one\r\n\r\n.\r\n"
    )
    assert world.say(b"TOP 1 x\r\n") == b"-ERR That is no number of lines\r\n"
    assert update(world) == Quit((), ())


def test_a_message_that_was_not_sent_to_its_end_is_not_retrieved() -> None:
    world = working(LEAVES_NOTHING)
    world.answers = False
    world.say(b"RETR 1\r\n")
    world.session.retrieval_started(23)
    world.session.body_chunk(MESSAGES[0][:5])
    world.session.retrieval_broken()
    world.take()
    assert world.events[-1] == Disconnected("broken-message")
    assert not any(isinstance(event, Quit) for event in world.events)


def test_a_message_that_was_refused_is_not_retrieved() -> None:
    world = working(LEAVES_NOTHING)
    world.answers = False
    world.say(b"RETR 1\r\n")
    world.session.refuse(MESSAGE_TAKEN)
    world.answers = True
    world.say(b"TOP 2 0\r\n")
    assert update(world) == Quit((), ())


def test_a_message_that_went_past_the_session_is_retrieved() -> None:
    world = World(terms=LEAVES_NOTHING, answers=False)
    world.say(b"USER joe\r\nPASS x\r\n")
    plain = attrs.evolve(refs()[0], dot_lines=False)
    world.session.logged_in_as((plain,), terms=LEAVES_NOTHING)
    world.say(b"RETR 1\r\n")
    assert world.session.sent_as_stored
    world.session.retrieval_started(23)
    world.session.body_sent()
    assert update(world) == Quit((plain,), (plain,))


@pytest.mark.parametrize("command", [b"RETR 1\r\n", b"DELE 1\r\nRETR 2\r\n"])
@pytest.mark.parametrize("end", ["lost", "time-out", "drained"])
def test_nothing_is_removed_without_quit(command: bytes, end: str) -> None:
    world = working(LEAVES_NOTHING)
    world.say(command)
    if end == "time-out":
        world.session.timed_out()
    elif end == "drained":
        world.session.drain()
    world.take()
    assert world.removed == []
    assert not any(isinstance(event, Quit) for event in world.events)


def test_the_terms_of_the_account_are_announced() -> None:
    world = World(attrs.evolve(CLEAR, offer=Terms(5, 60), terms_vary=True), terms=Terms(0, 600))
    world.take()
    assert b"\r\nEXPIRE 5 USER\r\nLOGIN-DELAY 60 USER\r\n" in world.say(b"CAPA\r\n")
    world.log_in()
    assert b"\r\nEXPIRE 0\r\nLOGIN-DELAY 600\r\n" in world.say(b"CAPA\r\n")


# LAST


@pytest.mark.parametrize(
    ("before", "number"),
    [
        (b"", 0),
        (b"RETR 1\r\n", 1),
        (b"RETR 3\r\nRETR 1\r\n", 3),
        (b"DELE 2\r\n", 2),
        (b"RETR 1\r\nDELE 3\r\nRETR 3\r\n", 3),
        (b"TOP 3 0\r\nLIST 3\r\nUIDL 3\r\nRETR 4\r\nDELE 9\r\n", 0),
        (b"RETR 3\r\nRSET\r\n", 0),
        (b"RETR 3\r\nRSET\r\nRETR 1\r\n", 1),
    ],
)
def test_last_is_the_highest_number_accessed(before: bytes, number: int) -> None:
    """RFC 1460 section 5: RETR and DELE access, RSET resets."""
    world = working()
    world.say(before)
    assert world.say(b"LAST\r\n") == b"+OK %d\r\n" % number


def test_last_is_a_command_of_transaction_and_takes_nothing() -> None:
    world = World(WITH_LAST)
    world.take()
    assert world.say(b"LAST\r\n") == b"-ERR Log in first\r\n"
    assert world.log_in().say(b"LAST 1\r\n") == b"-ERR The arguments do not fit this command\r\n"


def test_last_is_unknown_unless_it_is_offered() -> None:
    world = World()
    world.take()
    assert world.say(b"LAST\r\n") == b"-ERR Unknown command\r\n"
    assert world.log_in().say(b"LAST 1\r\nLAST\r\n") == b"-ERR Unknown command\r\n" * 2


@pytest.mark.parametrize("terms", [LEAVES_NOTHING, Terms(tops_count=True)])
def test_who_reads_by_top_has_retrieved(terms: Terms) -> None:
    """As fetchmail does, which sends DELE then: the message must have come whole (RFC 1939 section 8)."""
    world = working(terms)
    by_top = world.say(b"TOP 1 99999999\r\n").partition(b"\r\n")
    by_retr = world.say(b"RETR 1\r\n").partition(b"\r\n")
    assert by_top[2] == by_retr[2]
    world = working(terms)
    world.say(b"TOP 1 99999999\r\nTOP 2 0\r\n")
    removed = (refs()[0],) if terms == LEAVES_NOTHING else ()
    assert update(world) == Quit(removed, (refs()[0],))


def test_reading_by_top_is_no_retrieval_elsewhere() -> None:
    world = working(Terms(30))
    world.say(b"TOP 1 99999999\r\n")
    assert update(world) == Quit((), ())
