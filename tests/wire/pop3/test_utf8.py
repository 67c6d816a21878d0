"""UTF8, and names and passwords beyond ASCII (RFC 6856 section 2; features rows P-04 and P-21)."""

from __future__ import annotations

import attrs
import pytest

from mailsuite.wire.pop3.session import Login, SessionSettings, StartTls
from mailsuite.wire.sasl.steps import DigestClaim, PasswordClaim
from tests.wire.pop3.world import CLEAR, DIGEST, STAMP, STAMPED, World

ON = b"+OK UTF-8 from here on\r\n"
BAD_CHARACTER = b"-ERR Commands are printable ASCII\r\n"
BAD_TEXT = b"-ERR Names and passwords are UTF-8 without control characters\r\n"
ASCII_ONLY = attrs.evolve(STAMPED, utf8=False)


def fresh(settings: SessionSettings = STAMPED, answers: bool = True) -> World:
    world = World(settings, answers=answers)
    world.take()
    return world


def test_utf8_is_switched_on_once() -> None:
    world = fresh()
    assert not world.session.utf8
    assert world.say(b"UTF8\r\n") == ON
    assert world.session.utf8
    assert world.say(b"utf8\r\n") == b"-ERR UTF-8 is on already\r\n"
    assert world.session.utf8
    assert not world.session.closing


def test_it_holds_for_the_whole_session() -> None:
    world = fresh()
    world.say(b"UTF8\r\n")
    world.log_in()
    assert world.session.utf8
    assert world.say(b"UTF8\r\n") == b"-ERR You are logged in already\r\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"UTF8 USER\r\n", b"-ERR The arguments do not fit this command\r\n"),
        (b"UTF8 \xc3\xa9\r\n", BAD_CHARACTER),
        (b"UTF-8\r\n", b"-ERR Unknown command\r\n"),
    ],
)
def test_it_takes_no_arguments(line: bytes, answer: bytes) -> None:
    world = fresh()
    assert world.say(line) == answer
    assert not world.session.utf8


def test_after_login_it_is_too_late() -> None:
    world = fresh().log_in()
    assert world.say(b"UTF8\r\n") == b"-ERR You are logged in already\r\n"
    assert not world.session.utf8


def test_where_it_is_not_offered() -> None:
    world = fresh(ASCII_ONLY)
    assert world.say(b"UTF8\r\n") == b"-ERR UTF8 is not offered here\r\n"
    assert b"UTF8" not in world.say(b"CAPA\r\n")
    assert not world.session.utf8


def test_user_outlives_it() -> None:
    assert fresh().say(b"USER joe\r\nUTF8\r\nPASS secret word\r\n").endswith(b"octets)\r\n")


# STLS


def test_stls_comes_first() -> None:
    world = fresh(SessionSettings("h", tls_available=True))
    assert world.say(b"UTF8\r\nSTLS\r\n") == ON + b"-ERR STLS comes before UTF8\r\n"
    assert b"STLS" not in world.say(b"CAPA\r\n")
    assert world.events == []


def test_inside_tls_utf8_is_as_good() -> None:
    world = fresh(SessionSettings("h", tls_available=True))
    world.say(b"STLS\r\n")
    assert world.events == [StartTls()]
    assert world.say(b"UTF8\r\nSTLS\r\n") == ON + b"-ERR TLS is active already\r\n"


# Names and passwords


@pytest.mark.parametrize("first", [b"", b"UTF8\r\n"])
@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("jörg", "Straße"),
        ("用户@例子.广告", " 密码 "),
        ("joe", "🙂🙂"),
        ("joe", "a\u00a0b"),
        ("e\u0301", "x"),
    ],
)
def test_they_may_be_utf8_before_and_after_it(name: str, password: str, first: bytes) -> None:
    """RFC 6856 section 2.2: "the client MAY do so before issuing the UTF8 command"."""
    world = fresh(answers=False)
    world.say(first + f"USER {name}\r\nPASS {password}\r\n".encode())
    assert world.events == [Login(PasswordClaim("USER", "", name, password))]


def test_the_name_of_apop_may_be_utf8_and_the_digest_may_not() -> None:
    world = fresh(answers=False)
    assert world.say("APOP jörg ".encode() + DIGEST[:-2] + "ü\r\n".encode()).startswith(b"-ERR The arguments")
    world.say("APOP jörg ".encode() + DIGEST + b"\r\n")
    assert world.events == [Login(DigestClaim("APOP", "jörg", STAMP.encode(), DIGEST.decode()))]


@pytest.mark.parametrize(
    "octets",
    [
        b"jos\xe9",
        b"\xff\xfe",
        b"\xc0\xafroot",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\x80",
        "a\u0085b".encode(),
        "a\u200eb".encode(),
        "\ufffe".encode(),
        "\ue000".encode(),
        "\ufffd".encode(),
        "\u2ff0".encode(),
        "\U000e0041".encode(),
        "é\0".encode(),
        "é\t".encode(),
    ],
)
def test_what_is_no_utf8_or_holds_what_is_prohibited_is_refused(octets: bytes) -> None:
    world = fresh(answers=False)
    digest = b" " + DIGEST
    for line in (b"USER " + octets, b"APOP " + octets + digest):
        assert world.say(line + b"\r\n") == BAD_TEXT
    world.say(b"USER joe\r\n")
    assert world.say(b"PASS " + octets + b"\r\n") == BAD_TEXT
    assert not world.events
    assert b"USER" in world.say(b"CAPA\r\n")


@pytest.mark.parametrize("line", ["USER jörg", "PASS Straße", "APOP jörg " + DIGEST.decode()])
def test_they_are_ascii_where_utf8_is_not_offered(line: str) -> None:
    world = fresh(ASCII_ONLY, answers=False)
    world.say(b"USER joe\r\n")
    assert world.say(line.encode() + b"\r\n") == BAD_CHARACTER
    assert not world.events


@pytest.mark.parametrize("line", [b"AUTH PL\xc3\x84IN", b"NOOP \xc3\xa9", b"LIST \xc2\xb2", b"\xc3\xa9"])
def test_other_commands_are_ascii_always(line: bytes) -> None:
    world = fresh(CLEAR)
    world.say(b"UTF8\r\n")
    assert world.say(line + b"\r\n") == BAD_CHARACTER


def test_a_line_counts_octets_and_not_characters() -> None:
    world = fresh(answers=False)
    world.say(b"USER joe\r\n")
    password = "ü" * 124
    world.say(f"PASS {password}\r\n".encode())
    assert world.events == [Login(PasswordClaim("USER", "", "joe", password))]
    world = fresh(answers=False)
    world.say(b"USER joe\r\n")
    assert world.say(f"PASS {password}ü\r\n".encode()) == b"-ERR The command is too long\r\n"
