"""The session as a whole: order of answers, ends of all kinds, answers out of turn."""

from __future__ import annotations

import pytest

from mailsuite.wire.pop3.session import (
    Disconnected,
)
from tests.wire.pop3.world import World

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


def at_work() -> World:
    return World().log_in()


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
