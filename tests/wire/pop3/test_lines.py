"""Lines that are too long, and lines that end wrong (features rows P-02 and S-I04)."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.wire.pop3.session import Disconnected, SessionSettings, Violation
from tests.wire.pop3.world import CLEAR, World

TOO_LONG = b"-ERR The command is too long\r\n"
DONE = b"+OK Done\r\n"
TOLERANT = attrs.evolve(CLEAR, overlong="error", sasl_mechanisms=("PLAIN",))
STRICT = attrs.evolve(CLEAR, strict_crlf=True, sasl_mechanisms=("PLAIN", "SCRAM-SHA-256"))


def fresh(settings: SessionSettings = CLEAR) -> World:
    world = World(settings)
    world.take()
    return world


@pytest.mark.parametrize("piece", [0, 1, 100])
@pytest.mark.parametrize("line", [b"A" * 511 + b"\r\n", b"A" * 512 + b"\n", b"A" * 513, b"\0" * 5000])
@pytest.mark.parametrize("working", [False, True])
def test_an_oversize_command_closes(line: bytes, piece: int, working: bool) -> None:
    """Without a line end too."""
    world = fresh().log_in() if working else fresh()
    world.events.clear()
    assert world.say(line + b"\r\nSTAT\r\nQUIT\r\n", piece) == TOO_LONG
    assert world.session.closing
    assert world.events == [Violation("oversize-command")]
    assert world.removed == []


@pytest.mark.parametrize("working", [False, True])
@pytest.mark.parametrize("octet", [b"A", b" ", b"\xff"])
def test_512_octets_are_no_attack_and_the_next_one_is(octet: bytes, working: bool) -> None:
    """It is told at once: no line end has to come."""
    world = fresh().log_in() if working else fresh()
    world.events.clear()
    assert world.say(octet * 512) == b""
    assert not world.events
    assert world.say(octet) == TOO_LONG
    (event,) = world.events
    assert isinstance(event, Violation)
    assert (event.kind, event.detail, event.octets) == ("oversize-command", b"", 513)


@pytest.mark.parametrize(("more", "octets"), [(b"", 5000), (b"\n", 5001), (b"\r\nNOOP\r\n", 5002)])
def test_what_has_arrived_is_counted(more: bytes, octets: int) -> None:
    world = fresh()
    world.say(b"x" * 5000 + more)
    assert [event.octets for event in world.events if isinstance(event, Violation)] == [octets]


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        (b"NOOP ", b"NOOP " + b"x" * 27),
        (b"retr 1", b"retr 1" + b"x" * 26),
        (b"GET / HTTP/1.1", b""),
        (b"PASS secret word", b"PASS"),
        (b"  pass secret word", b"PASS"),
        (b"AUTH PLAIN AGpvZQ", b"AUTH"),
        (b"apop joe", b"APOP"),
        (b"PASSx", b""),
        (b"AGpvZQ", b""),
    ],
)
def test_no_secret_is_in_what_an_attacker_is_known_by(start: bytes, shown: bytes) -> None:
    world = fresh()
    world.say(start + b"x" * 600)
    assert world.events == [Violation("oversize-command", shown)]


@pytest.mark.parametrize("octets", [256, 511, 512])
@pytest.mark.parametrize("piece", [0, 1])
def test_a_long_command_is_refused_and_the_session_lives(octets: int, piece: int) -> None:
    world = World().log_in()
    line = b"NOOP" + b" " * (octets - 6) + b"\r\n"
    assert world.say(line + b"NOOP\r\n", piece) == TOO_LONG + DONE
    assert not world.session.closing


def test_the_longest_command_is_a_setting() -> None:
    world = fresh(SessionSettings("h", max_command=20))
    assert world.say(b"CAPA" + b" " * 14 + b"\r\n").startswith(b"+OK")
    assert world.say(b"CAPA" + b" " * 15 + b"\r\n") == TOO_LONG
    assert world.session.closing


def test_a_response_has_a_limit_of_its_own() -> None:
    world = fresh(attrs.evolve(CLEAR, sasl_mechanisms=("PLAIN",)))
    assert world.say(b"AUTH PLAIN\r\n" + b"A" * 12288) == b"+ \r\n"
    assert world.say(b"A") == TOO_LONG
    (event,) = world.events
    assert event == Violation("oversize-response")
    assert isinstance(event, Violation)
    assert event.octets == 12289


# Where an over-long line is an error alone


@pytest.mark.parametrize("piece", [0, 1, 100])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("octets", [513, 5000, 70_000])
def test_the_rest_of_the_line_is_dropped(octets: int, end: bytes, piece: int) -> None:
    world = fresh(TOLERANT).log_in()
    line = b"DELE 1" + b" " * (octets - 6) + end
    assert world.say(line + b"NOOP\r\nSTAT\r\n", piece) == TOO_LONG + DONE + b"+OK 3 75\r\n"
    assert not world.session.closing


def test_an_endless_line_has_no_answer_and_takes_no_memory() -> None:
    world = fresh(TOLERANT)
    for _ in range(100):
        assert world.say(b"x" * 10_000) == b""
        assert len(world.session._input) <= 1
    assert world.say(b"\r\nQUIT\r\n") == TOO_LONG + b"+OK Goodbye\r\n"


def test_overlong_lines_are_bad_commands() -> None:
    world = fresh(TOLERANT)
    line = b"x" * 600 + b"\r\n"
    assert world.say(line * 4) == TOO_LONG * 3 + b"-ERR Too many bad commands; goodbye\r\n"
    assert world.events == [Disconnected("bad-commands")]


def test_a_response_that_is_too_long_ends_the_exchange_alone() -> None:
    world = fresh(TOLERANT)
    answer = world.say(b"AUTH PLAIN\r\n" + b"A" * 20_000 + b"\r\nUSER joe\r\nPASS secret word\r\n")
    assert answer == (
        b"+ \r\n-ERR That is not what this mechanism defines\r\n+OK Send your password\r\n"
        b"+OK 3 messages (75 octets)\r\n"
    )


# Line ends


@pytest.mark.parametrize("piece", [0, 1])
def test_lines_that_end_with_lf_are_taken(piece: int) -> None:
    world = fresh()
    answer = world.say(b"USER joe\nPASS secret word\nNOOP\n", piece)
    assert answer == b"+OK Send your password\r\n+OK 3 messages (75 octets)\r\n" + DONE


@pytest.mark.parametrize("piece", [0, 1])
def test_where_they_are_not_they_are_answered(piece: int) -> None:
    world = fresh(STRICT).log_in()
    refused = b"-ERR Lines end with CR LF here\r\n"
    assert world.say(b"DELE 1\nSTAT\r\nQUIT\n", piece) == refused + b"+OK 3 75\r\n" + refused
    assert not world.session.closing


def test_a_refused_line_leaves_no_name_behind() -> None:
    world = fresh(STRICT)
    assert world.say(b"USER joe\r\nPASS secret word\n").endswith(b"CR LF here\r\n")
    assert world.say(b"PASS secret word\r\n") == b"-ERR Send USER first\r\n"
    assert not world.events


def test_a_response_that_ends_with_lf_is_none() -> None:
    world = fresh(STRICT)
    answer = world.say(b"AUTH PLAIN\r\nAGpvZQBzZWNyZXQgd29yZA==\nNOOP\r\n")
    assert answer == b"+ \r\n-ERR That is not what this mechanism defines\r\n-ERR Log in first\r\n"
    assert not world.events
