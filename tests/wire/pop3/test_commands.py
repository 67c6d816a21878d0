"""Command lines (features row P-02)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.response import (
    BAD_ARGUMENTS,
    BAD_CHARACTER,
    LINE_TOO_LONG,
    UNKNOWN_COMMAND,
    Response,
)
from mailsuite.wire.pop3.commands import Command, Keyword, is_digest, parse, parse_number

GOOD = [
    (b"STAT\r\n", Command(Keyword.STAT)),
    (b"stat\r\n", Command(Keyword.STAT)),
    (b"sTaT\n", Command(Keyword.STAT)),
    (b"STAT   \r\n", Command(Keyword.STAT)),
    (b"LIST\r\n", Command(Keyword.LIST)),
    (b"LIST 1\r\n", Command(Keyword.LIST, (b"1",))),
    (b"LIST   1  \r\n", Command(Keyword.LIST, (b"1",))),
    (b"uidl 2\n", Command(Keyword.UIDL, (b"2",))),
    (b"RETR x\r\n", Command(Keyword.RETR, (b"x",))),
    (b"TOP 1 0\r\n", Command(Keyword.TOP, (b"1", b"0"))),
    (b"Top  1   10 \r\n", Command(Keyword.TOP, (b"1", b"10"))),
    (b"DELE 1\r\n", Command(Keyword.DELE, (b"1",))),
    (b"USER joe@example.net\r\n", Command(Keyword.USER, (b"joe@example.net",))),
    (b"USER  joe  \r\n", Command(Keyword.USER, (b"joe",))),
    (b"PASS secret\r\n", Command(Keyword.PASS, (b"secret",))),
    (b"PASS  two  words \r\n", Command(Keyword.PASS, (b" two  words ",))),
    (b"pass  \n", Command(Keyword.PASS, (b" ",))),
    (b"APOP joe 0123\r\n", Command(Keyword.APOP, (b"joe", b"0123"))),
    (b"AUTH\r\n", Command(Keyword.AUTH)),
    (b"AUTH PLAIN\r\n", Command(Keyword.AUTH, (b"PLAIN",))),
    (b"auth plain =\r\n", Command(Keyword.AUTH, (b"plain", b"="))),
    (b"STLS\r\n", Command(Keyword.STLS)),
    (b"CAPA\r\n", Command(Keyword.CAPA)),
    (b"QUIT\r\n", Command(Keyword.QUIT)),
    (b"RSET\r\n", Command(Keyword.RSET)),
    (b"NOOP\r\n", Command(Keyword.NOOP)),
    (b"USER " + b"x" * 248 + b"\r\n", Command(Keyword.USER, (b"x" * 248,))),
    (b"USER " + b"x" * 249 + b"\n", Command(Keyword.USER, (b"x" * 249,))),
]

BAD = [
    (b"\r\n", UNKNOWN_COMMAND),
    (b"\n", UNKNOWN_COMMAND),
    (b" STAT\r\n", UNKNOWN_COMMAND),
    (b"STATUS\r\n", UNKNOWN_COMMAND),
    (b"LAST\r\n", UNKNOWN_COMMAND),
    (b"XTND XLST\r\n", UNKNOWN_COMMAND),
    (b"GET / HTTP/1.1\r\n", UNKNOWN_COMMAND),
    (b"STAT 1\r\n", BAD_ARGUMENTS),
    (b"NOOP x\r\n", BAD_ARGUMENTS),
    (b"QUIT now\r\n", BAD_ARGUMENTS),
    (b"CAPA all\r\n", BAD_ARGUMENTS),
    (b"STLS now\r\n", BAD_ARGUMENTS),
    (b"RSET 1\r\n", BAD_ARGUMENTS),
    (b"LIST 1 2\r\n", BAD_ARGUMENTS),
    (b"UIDL 1 2\r\n", BAD_ARGUMENTS),
    (b"RETR\r\n", BAD_ARGUMENTS),
    (b"RETR 1 2\r\n", BAD_ARGUMENTS),
    (b"DELE\r\n", BAD_ARGUMENTS),
    (b"TOP 1\r\n", BAD_ARGUMENTS),
    (b"TOP 1 2 3\r\n", BAD_ARGUMENTS),
    (b"USER\r\n", BAD_ARGUMENTS),
    (b"USER two words\r\n", BAD_ARGUMENTS),
    (b"PASS\r\n", BAD_ARGUMENTS),
    (b"PASS \r\n", BAD_ARGUMENTS),
    (b"APOP joe\r\n", BAD_ARGUMENTS),
    (b"APOP joe digest more\r\n", BAD_ARGUMENTS),
    (b"AUTH PLAIN = =\r\n", BAD_ARGUMENTS),
    (b"NOOP\0\r\n", BAD_CHARACTER),
    (b"LIST\t1\r\n", BAD_CHARACTER),
    (b"QUIT\r\r\n", BAD_CHARACTER),
    (b"STAT\rSTAT\r\n", BAD_CHARACTER),
    (b"USER jos\xe9\r\n", BAD_CHARACTER),
    (b"PASS pa\xc3\x9f\r\n", BAD_CHARACTER),
    (b"\xff\xfe\r\n", BAD_CHARACTER),
    (b"USER " + b"x" * 249 + b"\r\n", LINE_TOO_LONG),
    (b"NOOP" + b" " * 300 + b"\r\n", LINE_TOO_LONG),
]


@pytest.mark.parametrize(("line", "command"), GOOD)
def test_commands(line: bytes, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(("line", "answer"), BAD)
def test_what_is_no_command(line: bytes, answer: Response) -> None:
    assert parse(line) == answer


@given(st.one_of(st.binary(max_size=300), st.text("STALIUDRETOPNQCH 019-+.\r\0\xff").map(str.encode)))
def test_any_line_is_a_command_or_gets_an_answer(line: bytes) -> None:
    outcome = parse(line + b"\r\n")
    assert isinstance(outcome, Command) or (isinstance(outcome, Response) and not outcome.ok)


@pytest.mark.parametrize("keyword", [Keyword.PASS, Keyword.APOP, Keyword.AUTH])
def test_arguments_stay_out_of_logs(keyword: Keyword) -> None:
    assert "hush" not in repr(Command(keyword, (b"joe", b"hush")))


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"0", 0),
        (b"1", 1),
        (b"007", 7),
        (b"9223372036854775808", 2**63),
        (b"9" * 240, 10**240 - 1),
        (b"", None),
        (b"-1", None),
        (b"+1", None),
        (b"1x", None),
        (b"1.0", None),
        (b"1_0", None),
        (b"0x1", None),
        (b"\xb2", None),
    ],
)
def test_numbers(word: bytes, number: int | None) -> None:
    assert parse_number(word) == number


@pytest.mark.parametrize(
    ("word", "right"),
    [
        (b"c4c9334bac560ecc979e58001b3e22fb", True),
        (b"C4C9334BAC560ECC979E58001B3E22FB", False),
        (b"c4c9334bac560ecc979e58001b3e22f", False),
        (b"c4c9334bac560ecc979e58001b3e22fb0", False),
        (b"g4c9334bac560ecc979e58001b3e22fb", False),
    ],
)
def test_digests(word: bytes, right: bool) -> None:
    assert is_digest(word) is right
