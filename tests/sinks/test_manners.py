"""The sinks are strict: what a client may not do has words."""

from __future__ import annotations

import pytest

from tests.sinks import manners

ALL = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "AUTH", "REQUIRETLS", "BINARYMIME"}


@pytest.mark.parametrize(
    ("line", "verb", "fault"),
    [
        (b"NOOP\r\n", "NOOP", ""),
        (b"NOOP\n", "NOOP", "bare CR or LF in b'NOOP\\n'"),
        (b"NO\rOP\r\n", "NOOP", "bare CR or LF in b'NO\\rOP\\r\\n'"),
        (b"NO\0OP\r\n", "NOOP", "NUL in b'NO\\x00OP\\r\\n'"),
        (b"NOOP %s\r\n" % (b"x" * 505), "NOOP", ""),
        (b"NOOP %s\r\n" % (b"x" * 506), "NOOP", "NOOP with 513 octets"),
        (b"RCPT %s\r\n" % (b"x" * 1005), "RCPT", ""),
        (b"RCPT %s\r\n" % (b"x" * 1006), "RCPT", "RCPT with 1013 octets"),
    ],
)
def test_lines(line: bytes, verb: str, fault: str) -> None:
    assert [*manners.of_line(line, verb)] == [fault] * bool(fault)


@pytest.mark.parametrize(
    ("verb", "offered", "more", "fault"),
    [
        ("RCPT", ALL, True, ""),
        ("RCPT", set(), False, ""),
        ("RCPT", set(), True, "pipelining behind RCPT, which was not offered"),
        ("BDAT", set(), True, ""),
        ("DATA", ALL, False, ""),
        ("DATA", ALL, True, "does not wait for the answer to DATA"),
        ("EHLO", set(), True, "does not wait for the answer to EHLO"),
    ],
)
def test_order(verb: str, offered: set[str], more: bool, fault: str) -> None:
    assert [*manners.of_order(verb, offered, more)] == [fault] * bool(fault)


@pytest.mark.parametrize(
    "word",
    [
        "SIZE=1",
        "BODY=8BITMIME",
        "BODY=BINARYMIME",
        "SMTPUTF8",
        "RET=FULL",
        "ENVID=x",
        "NOTIFY=NEVER",
        "AUTH=<>",
    ],
)
def test_parameters(word: str) -> None:
    assert [*manners.of_parameters([word], ALL)] == []
    assert f"{word}, which was not offered" in manners.of_parameters([word], {"ELSE"})
    assert [*manners.of_parameters(["BODY=BINARYMIME"], {"8BITMIME"})] == [
        "BODY=BINARYMIME, which was not offered"
    ]
    assert [*manners.of_parameters(["X=1"], ALL)] == ["X=1, which was not offered"]


@pytest.mark.parametrize(
    ("wire", "words", "fault"),
    [
        (b"..a\r\n..\r\n..b.\r\n", [], ""),
        (b"", [], ""),
        (b".a\r\n", [], "a line with a single dot in front"),
        (b"a\r\n.b\r\n", [], "a line with a single dot in front"),
        (b"a\nb\r\n", [], "bare CR or LF in the content"),
        (b"a\rb\r\n", [], "bare CR or LF in the content"),
        (b"\xc3\xbc\r\n", ["BODY=8bitmime"], ""),
        (b"\xc3\xbc\r\n", [], "8-bit content without BODY=8BITMIME"),
        (b"\xc3\n\r", ["BODY=BINARYMIME"], ""),
    ],
)
def test_content(wire: bytes, words: list[str], fault: str) -> None:
    assert [*manners.of_content(wire, words, dots=True)] == [fault] * bool(fault)


def test_chunks_have_no_dots_to_stuff() -> None:
    assert [*manners.of_content(b".a\r\n", [], dots=False)] == []
