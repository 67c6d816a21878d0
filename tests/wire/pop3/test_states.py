"""Every command in every state, with and without TLS (features row P-03)."""

from __future__ import annotations

import pytest

from mailsuite.wire.pop3.session import SessionSettings
from tests.wire.pop3.world import World

LISTENER = SessionSettings("h", tls_available=True, sasl_mechanisms=("PLAIN", "LOGIN"))
"""A clear door with STLS, and no network to trust."""
TRUSTED = SessionSettings("h", tls_available=True, plaintext_login=True, sasl_mechanisms=("PLAIN",))

LOGIN_FIRST = b"-ERR Log in first\r\n"
TOO_LATE = b"-ERR You are logged in already\r\n"
NO_CLEAR = b"-ERR [SYS/PERM] No password is taken on a clear connection; use TLS\r\n"
CAPABILITIES = b"+OK Capabilities follow\r\n"
IN_TRANSACTION = {
    b"STAT": b"+OK 3 75\r\n",
    b"LIST": b"+OK 3 messages (75 octets)\r\n1 23\r\n2 39\r\n3 13\r\n.\r\n",
    b"LIST 2": b"+OK 2 39\r\n",
    b"UIDL": b"+OK 3 messages (75 octets)\r\n1 uid-1\r\n2 uid-2\r\n3 uid-3\r\n.\r\n",
    b"UIDL 3": b"+OK 3 uid-3\r\n",
    b"RETR 3": b"+OK 13 octets\r\n\r\nno header\r\n.\r\n",
    b"TOP 1 0": b"+OK Top of message follows\r\nSubject: one\r\n\r\n.\r\n",
    b"DELE 1": b"+OK Message 1 is marked as deleted\r\n",
    b"RSET": b"+OK 3 messages (75 octets)\r\n",
    b"NOOP": b"+OK Done\r\n",
}
BEFORE_LOGIN = {
    b"USER joe": (NO_CLEAR, b"+OK Send your password\r\n", b"+OK Send your password\r\n"),
    b"PASS x": (NO_CLEAR, b"-ERR Send USER first\r\n", b"-ERR Send USER first\r\n"),
    b"APOP joe c4c9334bac560ecc979e58001b3e22fb": (b"-ERR APOP is not offered here\r\n",) * 3,
    b"AUTH": (
        NO_CLEAR,
        b"+OK Mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n",
        b"+OK Mechanisms follow\r\nPLAIN\r\n.\r\n",
    ),
    b"AUTH LOGIN": (NO_CLEAR, b"+ VXNlcm5hbWU6\r\n", b"-ERR This mechanism is not offered here\r\n"),
    b"AUTH PLAIN": (NO_CLEAR, b"+ \r\n", b"+ \r\n"),
    b"STLS": (b"+OK Begin TLS now\r\n", b"-ERR TLS is active already\r\n", b"+OK Begin TLS now\r\n"),
}
"""On the clear connection, inside TLS, and on a clear connection from a trusted network."""
NEVER = {
    b"LAST": b"-ERR Unknown command\r\n",
    b"UTF8": b"-ERR Unknown command\r\n",
    b"LANG": b"-ERR Unknown command\r\n",
    b"NOOP x": b"-ERR The arguments do not fit this command\r\n",
    b"DELE abc 1": b"-ERR The arguments do not fit this command\r\n",
}
DOORS = [(LISTENER, False), (LISTENER, True), (TRUSTED, False)]


def before_login(door: int) -> World:
    settings, tls_active = DOORS[door]
    world = World(settings, tls_active)
    world.take()
    return world


@pytest.mark.parametrize("door", range(3))
@pytest.mark.parametrize("command", IN_TRANSACTION)
def test_message_commands_before_login(command: bytes, door: int) -> None:
    world = before_login(door)
    assert world.say(command + b"\r\n") == LOGIN_FIRST
    assert not world.events
    assert not world.session.closing


@pytest.mark.parametrize("door", range(3))
@pytest.mark.parametrize("command", BEFORE_LOGIN)
def test_login_commands_before_login(command: bytes, door: int) -> None:
    world = before_login(door)
    assert world.say(command + b"\r\n") == BEFORE_LOGIN[command][door]
    assert not world.session.logged_in


@pytest.mark.parametrize("door", [1, 2])
@pytest.mark.parametrize("command", IN_TRANSACTION)
def test_message_commands_after_login(command: bytes, door: int) -> None:
    world = before_login(door).log_in()
    assert world.say(command + b"\r\n") == IN_TRANSACTION[command]


@pytest.mark.parametrize("door", [1, 2])
@pytest.mark.parametrize("command", BEFORE_LOGIN)
def test_login_commands_after_login(command: bytes, door: int) -> None:
    world = before_login(door).log_in()
    events = len(world.events)
    assert world.say(command + b"\r\n") == TOO_LATE
    assert len(world.events) == events
    assert world.say(b"STAT\r\n") == b"+OK 3 75\r\n"


@pytest.mark.parametrize("logged_in", [False, True])
@pytest.mark.parametrize("door", range(3))
@pytest.mark.parametrize("command", NEVER)
def test_what_no_state_knows(command: bytes, door: int, logged_in: bool) -> None:
    world = before_login(door)
    if logged_in and door:
        world.log_in()
    assert world.say(command + b"\r\n") == NEVER[command]
    assert not world.session.closing


@pytest.mark.parametrize(
    ("door", "logged_in", "more"),
    [
        (0, False, b"STLS\r\n"),
        (1, False, b"USER\r\nSASL PLAIN LOGIN\r\n"),
        (1, True, b"USER\r\nSASL PLAIN LOGIN\r\n"),
        (2, False, b"USER\r\nSASL PLAIN\r\nSTLS\r\n"),
        (2, True, b"USER\r\nSASL PLAIN\r\n"),
    ],
)
def test_capa_in_both_states(door: int, logged_in: bool, more: bytes) -> None:
    world = before_login(door)
    if logged_in:
        world.log_in()
    always = b"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"
    assert world.say(b"CAPA\r\n") == CAPABILITIES + always + more + b".\r\n"


@pytest.mark.parametrize("door", range(3))
def test_quit_before_login(door: int) -> None:
    world = before_login(door)
    assert world.say(b"QUIT\r\nSTAT\r\n") == b"+OK Goodbye\r\n"
    assert world.session.closing
    assert world.removed == []
