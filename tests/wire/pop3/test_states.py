"""Every command in every state, to the octet (features row P-03)."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.model import response as say
from mailsuite.model.response import Response
from mailsuite.wire.pop3.commands import Keyword
from mailsuite.wire.pop3.session import Login, SessionSettings
from tests.wire.pop3.world import CLEAR, DIGEST, STAMP, World

LISTENER = attrs.evolve(
    CLEAR,
    tls_available=True,
    plaintext_login=False,
    apop_stamp=STAMP,
    sasl_mechanisms=("PLAIN", "LOGIN"),
    last=True,
)
"""A clear door with STLS, and no network to trust."""
TRUSTED = attrs.evolve(LISTENER, plaintext_login=True, sasl_mechanisms=("PLAIN",))
REQUIRED = attrs.evolve(LISTENER, tls_required=True)
BARE = SessionSettings("h", utf8=False, plaintext_login=True)

WAYS: dict[str, tuple[SessionSettings, bool, bytes]] = {
    "clear": (LISTENER, False, b""),
    "clear, TLS required": (REQUIRED, False, b""),
    "clear, after a refused STLS": (attrs.evolve(LISTENER, tls_available=False), False, b"STLS\r\n"),
    "clear, trusted": (TRUSTED, False, b""),
    "clear, trusted, after UTF8": (TRUSTED, False, b"UTF8\r\n"),
    "clear, nothing offered": (BARE, False, b""),
    "TLS": (LISTENER, True, b""),
    "after STLS": (LISTENER, False, b"STLS\r\n"),
    "TLS, after UTF8": (LISTENER, True, b"UTF8\r\n"),
    "in AUTH": (LISTENER, True, b"AUTH PLAIN\r\n"),
    "TRANSACTION, clear": (TRUSTED, False, b"USER joe\r\nPASS secret word\r\n"),
    "TRANSACTION, TLS": (LISTENER, True, b"USER joe\r\nPASS secret word\r\n"),
    "TRANSACTION, after UTF8": (TRUSTED, False, b"UTF8\r\nUSER joe\r\nPASS secret word\r\n"),
    "TRANSACTION, nothing offered": (BARE, False, b"USER joe\r\nPASS secret word\r\n"),
    "UPDATE": (TRUSTED, False, b"USER joe\r\nPASS secret word\r\nQUIT\r\n"),
}
"""How each state is come to."""
WORKING = (
    "TRANSACTION, clear",
    "TRANSACTION, TLS",
    "TRANSACTION, after UTF8",
    "TRANSACTION, nothing offered",
)

UPDATE_SILENCE = b""
MAILDROP = say.maildrop_state(3, 75)
MALFORMED = say.EXCHANGE_MALFORMED
PLAINTEXT = say.CLEAR_TEXT_REFUSED
FOLLOW = say.MECHANISMS_FOLLOW.encode()
TO_LOG_IN: dict[bytes, dict[str, Response | bytes]] = {
    b"USER joe": {
        **dict.fromkeys(("clear", "clear, after a refused STLS"), PLAINTEXT),
        "clear, TLS required": say.TLS_FIRST,
        **dict.fromkeys(("clear, trusted", "clear, trusted, after UTF8"), say.NAME_ACCEPTED),
        "clear, nothing offered": say.NAME_ACCEPTED,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), say.NAME_ACCEPTED),
    },
    b"PASS x": {
        **dict.fromkeys(("clear", "clear, after a refused STLS"), PLAINTEXT),
        "clear, TLS required": say.TLS_FIRST,
        **dict.fromkeys(("clear, trusted", "clear, trusted, after UTF8"), say.NAME_FIRST),
        "clear, nothing offered": say.NAME_FIRST,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), say.NAME_FIRST),
    },
    b"APOP joe " + DIGEST: {
        **dict.fromkeys(("clear", "clear, after a refused STLS"), MAILDROP),
        "clear, TLS required": say.TLS_FIRST,
        **dict.fromkeys(("clear, trusted", "clear, trusted, after UTF8"), MAILDROP),
        "clear, nothing offered": say.APOP_NOT_OFFERED,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), MAILDROP),
    },
    b"AUTH": {
        **dict.fromkeys(("clear", "clear, after a refused STLS"), PLAINTEXT),
        "clear, TLS required": say.TLS_FIRST,
        **dict.fromkeys(("clear, trusted", "clear, trusted, after UTF8"), FOLLOW + b"PLAIN\r\n.\r\n"),
        "clear, nothing offered": say.SASL_NOT_OFFERED,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), FOLLOW + b"PLAIN\r\nLOGIN\r\n.\r\n"),
    },
    b"AUTH LOGIN": {
        **dict.fromkeys(("clear", "clear, after a refused STLS"), PLAINTEXT),
        "clear, TLS required": say.TLS_FIRST,
        **dict.fromkeys(("clear, trusted", "clear, trusted, after UTF8"), say.MECHANISM_UNKNOWN),
        "clear, nothing offered": say.SASL_NOT_OFFERED,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), b"+ VXNlcm5hbWU6\r\n"),
    },
    b"AUTH PLAIN": {
        **dict.fromkeys(("clear", "clear, after a refused STLS"), PLAINTEXT),
        "clear, TLS required": say.TLS_FIRST,
        **dict.fromkeys(("clear, trusted", "clear, trusted, after UTF8"), b"+ \r\n"),
        "clear, nothing offered": say.SASL_NOT_OFFERED,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), b"+ \r\n"),
    },
    b"STLS": {
        **dict.fromkeys(("clear", "clear, TLS required", "clear, trusted"), say.TLS_BEGINS),
        "clear, after a refused STLS": say.TLS_NOT_OFFERED,
        "clear, trusted, after UTF8": say.TLS_AFTER_UTF8,
        "clear, nothing offered": say.TLS_NOT_OFFERED,
        **dict.fromkeys(("TLS", "after STLS", "TLS, after UTF8"), say.TLS_ALREADY),
    },
    b"UTF8": {
        **dict.fromkeys(("clear", "clear, TLS required", "clear, after a refused STLS"), say.UTF8_ON),
        "clear, trusted": say.UTF8_ON,
        **dict.fromkeys(("clear, trusted, after UTF8", "TLS, after UTF8"), say.UTF8_ALREADY),
        "clear, nothing offered": say.UTF8_NOT_OFFERED,
        **dict.fromkeys(("TLS", "after STLS"), say.UTF8_ON),
    },
}
"""What AUTHORIZATION answers in each of its ways; TRANSACTION knows none of these."""

TO_WORK: dict[bytes, Response | bytes] = {
    b"STAT": b"+OK 3 75\r\n",
    b"LIST": b"+OK 3 messages (75 octets)\r\n1 23\r\n2 39\r\n3 13\r\n.\r\n",
    b"LIST 2": b"+OK 2 39\r\n",
    b"UIDL": b"+OK 3 messages (75 octets)\r\n1 uid-1\r\n2 uid-2\r\n3 uid-3\r\n.\r\n",
    b"UIDL 3": b"+OK 3 uid-3\r\n",
    b"RETR 3": b"+OK 13 octets\r\n\r\nno header\r\n.\r\n",
    b"TOP 1 0": b"+OK Top of message follows\r\nSubject: one\r\n\r\n.\r\n",
    b"DELE 1": b"+OK Message 1 is marked as deleted\r\n",
    b"RSET": MAILDROP,
    b"NOOP": say.DONE,
}
"""What TRANSACTION answers; before it nobody is heard."""

ANYWHERE: dict[bytes, Response] = {
    b"LANG": say.UNKNOWN_COMMAND,
    b"XTND XLST": say.UNKNOWN_COMMAND,
    b"XSENDER 1": say.UNKNOWN_COMMAND,
    b"": say.UNKNOWN_COMMAND,
    b" STAT": say.UNKNOWN_COMMAND,
    b"NOOP x": say.BAD_ARGUMENTS,
    b"DELE abc 1": say.BAD_ARGUMENTS,
    b"QUIT now": say.BAD_ARGUMENTS,
    b"STLS now": say.BAD_ARGUMENTS,
    b"UTF8 now": say.BAD_ARGUMENTS,
    b"CAPA all": say.BAD_ARGUMENTS,
    b"USER": say.BAD_ARGUMENTS,
    b"PASS": say.BAD_ARGUMENTS,
    b"NOOP\0": say.BAD_CHARACTER,
    b"STAT \xc3\xa9": say.BAD_CHARACTER,
}
"""What is wrong in each state alike."""


def come_to(state: str) -> World:
    settings, tls_active, way = WAYS[state]
    world = World(settings, tls_active)
    world.take()
    for line in way.splitlines(keepends=True):
        world.say(line)
    return world


def expected(command: bytes, state: str) -> Response | bytes:
    if state == "UPDATE":
        return UPDATE_SILENCE
    if state == "in AUTH":
        return MALFORMED
    if command in ANYWHERE:
        return ANYWHERE[command]
    if command in TO_WORK:
        return TO_WORK[command] if state in WORKING else say.NOT_BEFORE_LOGIN
    if command == b"LAST":
        if "nothing offered" in state:
            return say.UNKNOWN_COMMAND
        return b"+OK 0\r\n" if state in WORKING else say.NOT_BEFORE_LOGIN
    return say.NOT_AFTER_LOGIN if state in WORKING else TO_LOG_IN[command][state]


COMMANDS = (*TO_LOG_IN, *TO_WORK, *ANYWHERE, b"LAST")


@pytest.mark.parametrize("state", WAYS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_every_state(command: bytes, state: str) -> None:
    answer = expected(command, state)
    world = come_to(state)
    before, logins = world.session.logged_in, sum(isinstance(each, Login) for each in world.events)
    assert world.say(command + b"\r\n") == (answer.encode() if isinstance(answer, Response) else answer)
    assert world.session.closing is (state == "UPDATE")
    if answer != MAILDROP or state in WORKING:
        assert world.session.logged_in is before
        assert sum(isinstance(each, Login) for each in world.events) == logins


def test_the_table_has_every_command() -> None:
    """CAPA and QUIT have tests of their own."""
    words = {command.split(b" ")[0].decode("latin-1") for command in COMMANDS}
    assert {keyword.value for keyword in Keyword} <= words | {"CAPA", "QUIT"}


@pytest.mark.parametrize("state", WORKING)
@pytest.mark.parametrize("command", TO_LOG_IN)
def test_a_refused_login_command_leaves_the_maildrop_alone(command: bytes, state: str) -> None:
    world = come_to(state)
    world.say(b"DELE 2\r\n")
    assert world.say(command + b"\r\nSTAT\r\nQUIT\r\n").endswith(b"+OK 2 36\r\n+OK Goodbye\r\n")
    assert world.removed == ["uid-2"]


CAPABILITIES = b"+OK Capabilities follow\r\n"
ALWAYS = b"TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\n"


@pytest.mark.parametrize(
    ("state", "more"),
    [
        ("clear", b"UTF8 USER\r\nSTLS\r\n"),
        ("clear, TLS required", b"UTF8 USER\r\nSTLS\r\n"),
        ("clear, after a refused STLS", b"UTF8 USER\r\n"),
        ("clear, trusted", b"USER\r\nSASL PLAIN\r\nUTF8 USER\r\nSTLS\r\n"),
        ("clear, trusted, after UTF8", b"USER\r\nSASL PLAIN\r\nUTF8 USER\r\n"),
        ("clear, nothing offered", b"USER\r\n"),
        ("TLS", b"USER\r\nSASL PLAIN LOGIN\r\nUTF8 USER\r\n"),
        ("after STLS", b"USER\r\nSASL PLAIN LOGIN\r\nUTF8 USER\r\n"),
        ("TLS, after UTF8", b"USER\r\nSASL PLAIN LOGIN\r\nUTF8 USER\r\n"),
        ("TRANSACTION, clear", b"USER\r\nSASL PLAIN\r\nUTF8 USER\r\n"),
        ("TRANSACTION, TLS", b"USER\r\nSASL PLAIN LOGIN\r\nUTF8 USER\r\n"),
        ("TRANSACTION, after UTF8", b"USER\r\nSASL PLAIN\r\nUTF8 USER\r\n"),
        ("TRANSACTION, nothing offered", b"USER\r\n"),
    ],
)
def test_capa_in_every_state(state: str, more: bytes) -> None:
    assert come_to(state).say(b"CAPA\r\n") == CAPABILITIES + ALWAYS + more + b".\r\n"


@pytest.mark.parametrize("state", [state for state in WAYS if state not in (*WORKING, "in AUTH", "UPDATE")])
def test_quit_before_login(state: str) -> None:
    world = come_to(state)
    assert world.say(b"QUIT\r\nSTAT\r\n") == b"+OK Goodbye\r\n"
    assert world.session.closing
    assert not world.session.logged_in
    assert world.removed == []


def test_quit_and_capa_inside_auth_are_responses() -> None:
    for line in (b"QUIT", b"CAPA"):
        world = come_to("in AUTH")
        assert world.session.exchanging
        assert world.say(line + b"\r\n") == MALFORMED.encode()
        assert not world.session.exchanging
        assert not world.session.closing
    assert come_to("in AUTH").say(b"*\r\n") == say.EXCHANGE_CANCELLED.encode()
