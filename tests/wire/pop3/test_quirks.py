"""Allowances for old programs, each with what such a program says (features row P-23)."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model.message import MessageRef
from mailsuite.wire.pop3.session import SessionSettings
from tests.wire.pop3.world import CLEAR, World, wire_size

NO_NULS = attrs.evolve(CLEAR, quirks=frozenset({"outlook-no-nuls"}))
WHOLE_HEADERS = attrs.evolve(CLEAR, quirks=frozenset({"oe-ns-eoh"}))
BOTH = attrs.evolve(CLEAR, quirks=frozenset({"oe-ns-eoh", "outlook-no-nuls"}))
AUTH_LIST = SessionSettings("h", tls_available=True, quirks=frozenset({"auth-list"}))
SIZES = range(1, 12)


def listed(world: World, number: int) -> int:
    return int(world.say(b"LIST %d\r\n" % number).split()[2])


@pytest.mark.parametrize("chunk", SIZES)
def test_outlook_gets_no_nul(chunk: int) -> None:
    """It hangs at one. The size stays: one octet for another."""
    message = b"\0A: 1\r\n\r\n\0\0.\0\r\n.\0\r\n"
    world = World(NO_NULS, messages=(message,), chunk=chunk).log_in()
    answer = world.say(b"RETR 1\r\n")
    text = b"\x80A: 1\r\n\r\n\x80\x80.\x80\r\n..\x80\r\n"
    assert answer == b"+OK %d octets\r\n" % len(message) + text + b".\r\n"
    assert listed(world, 1) == len(message) == len(text) - 1
    assert world.say(b"TOP 1 1\r\n").endswith(b"\x80A: 1\r\n\r\n\x80\x80.\x80\r\n.\r\n")


def test_others_get_what_was_sent() -> None:
    world = World(WHOLE_HEADERS, messages=(b"A: 1\r\n\r\n\0\r\n",)).log_in()
    assert world.say(b"RETR 1\r\n").endswith(b"\r\n\r\n\0\r\n.\r\n")


@pytest.mark.parametrize("chunk", SIZES)
@pytest.mark.parametrize("command", [b"RETR 1", b"TOP 1 0", b"TOP 1 7"])
@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"A: 1\r\nB: 2\r\n", b"A: 1\r\nB: 2\r\n\r\n"),
        (b"A: 1\r\nB: 2", b"A: 1\r\nB: 2\r\n\r\n"),
        (b".A: 1", b"..A: 1\r\n\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_outlook_express_sees_the_end_of_a_header(
    message: bytes, text: bytes, command: bytes, chunk: int
) -> None:
    """It and Netscape wait for the empty line. STAT, LIST and RETR go on to say the same size."""
    world = World(WHOLE_HEADERS, messages=(message,), chunk=chunk).log_in()
    first, _, rest = world.say(command + b"\r\n").partition(b"\r\n")
    assert rest == text + b".\r\n"
    if command.startswith(b"RETR"):
        assert first == b"+OK %d octets" % listed(world, 1)


@pytest.mark.parametrize("chunk", SIZES)
@pytest.mark.parametrize("settings", [CLEAR, WHOLE_HEADERS, BOTH])
@pytest.mark.parametrize("message", [b"A: 1\r\n\r\n", b"A: 1\r\n\r\nx\r\n", b"\r\nx\r\n", b"\r\n"])
def test_a_message_with_an_empty_line_stays_as_it_is(
    message: bytes, settings: SessionSettings, chunk: int
) -> None:
    world = World(settings, messages=(message,), chunk=chunk).log_in()
    assert world.say(b"RETR 1\r\n").partition(b"\r\n")[2] == message + b".\r\n"


def test_without_the_quirk_a_header_ends_as_it_does() -> None:
    world = World(NO_NULS, messages=(b"A: 1\r\n",)).log_in()
    assert world.say(b"RETR 1\r\n") == b"+OK 6 octets\r\nA: 1\r\n.\r\n"


@pytest.mark.parametrize(
    ("settings", "as_stored"),
    [
        (CLEAR, True),
        (attrs.evolve(CLEAR, quirks=frozenset({"auth-list"})), True),
        (NO_NULS, False),
        (WHOLE_HEADERS, False),
    ],
)
def test_text_that_changes_does_not_go_past_the_session(settings: SessionSettings, as_stored: bool) -> None:
    world = World(settings, answers=False)
    world.say(b"USER joe\r\nPASS x\r\n")
    message = b"A: 1\r\n\r\nx\r\n"
    world.session.logged_in_as((MessageRef("u", wire_size(message), "k", dot_lines=False),))
    assert not world.session.sent_as_stored
    world.say(b"RETR 1\r\n")
    assert world.session.sent_as_stored is as_stored


OLD_CLIENT = [
    (b"AUTH\r\n", b"+OK Mechanisms follow\r\n.\r\n"),
    (b"STLS\r\n", b"+OK Begin TLS now\r\n"),
    (b"AUTH\r\n", b"+OK Mechanisms follow\r\n.\r\n"),
    (b"USER joe\r\n", b"+OK Send your password\r\n"),
    (b"PASS secret word\r\n", b"+OK 3 messages (75 octets)\r\n"),
    (b"STAT\r\n", b"+OK 3 75\r\n"),
]
"""One that asks for the mechanisms before anything else, and goes on where it finds none that it knows."""


def test_a_client_that_wants_a_list_gets_one_though_nothing_is_offered() -> None:
    world = World(AUTH_LIST)
    world.take()
    for line, answer in OLD_CLIENT:
        assert world.say(line) == answer
    assert world.session.logged_in


def test_what_is_offered_is_in_the_list() -> None:
    world = World(attrs.evolve(AUTH_LIST, sasl_mechanisms=("PLAIN", "SCRAM-SHA-256")))
    world.take()
    assert world.say(b"AUTH\r\n") == b"+OK Mechanisms follow\r\nSCRAM-SHA-256\r\n.\r\n"
    assert world.say(b"AUTH LOGIN\r\n") == b"-ERR This mechanism is not offered here\r\n"


def test_without_the_quirk_an_empty_list_is_an_error() -> None:
    world = World(attrs.evolve(AUTH_LIST, quirks=frozenset()))
    world.take()
    assert world.say(b"AUTH\r\n") == b"-ERR AUTH is not offered here\r\n"
