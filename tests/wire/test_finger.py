"""The fifteen octets of RFC 4146 and the reader that recognises them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.finger import KNOCK, PORT, Heard, KnockReader

NAME = b"nm_notifyuser"


def test_the_knock_is_what_the_rfc_says() -> None:
    assert KNOCK.hex() == "6e6d5f6e6f74696679757365720d0a"
    assert len(KNOCK) == 15
    assert PORT == 79


def judge(pieces: list[bytes]) -> Heard:
    reader = KnockReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.end()


TABLE = [
    (NAME + b"\r\n", Heard.KNOCK),
    (NAME + b"\n", Heard.KNOCK),
    (NAME, Heard.KNOCK),
    (NAME + b"\r\nmore", Heard.KNOCK),
    (NAME + b"\nmore" + b"x" * 100_000, Heard.KNOCK),
    (b"", Heard.NOISE),
    (b"\r\n", Heard.NOISE),
    (b"\n", Heard.NOISE),
    (NAME[:-1], Heard.NOISE),
    (NAME[:-1] + b"\r\n", Heard.NOISE),
    (NAME + b"\r", Heard.NOISE),
    (NAME + b"\rx", Heard.NOISE),
    (NAME + b"\r\r\n", Heard.NOISE),
    (NAME + b" \r\n", Heard.NOISE),
    (NAME + b" joe\r\n", Heard.NOISE),
    (NAME + b"\0\r\n", Heard.NOISE),
    (b" " + KNOCK, Heard.NOISE),
    (b"\r\n" + KNOCK, Heard.NOISE),
    (KNOCK.upper(), Heard.NOISE),
    (b"Nm_notifyuser\r\n", Heard.NOISE),
    (b"/W joe\r\n", Heard.NOISE),
    (b"GET / HTTP/1.1\r\n\r\n", Heard.NOISE),
    (b"\x16\x03\x01\x02\x00", Heard.NOISE),
    (b"n" * 1_000_000, Heard.NOISE),
]


@pytest.mark.parametrize(("octets", "heard"), TABLE)
def test_judgement_fed_whole(octets: bytes, heard: Heard) -> None:
    assert judge([octets]) is heard


@pytest.mark.parametrize(("octets", "heard"), TABLE)
def test_judgement_fed_byte_by_byte(octets: bytes, heard: Heard) -> None:
    assert judge([octets[index : index + 1] for index in range(min(len(octets), 200))]) is heard


def test_a_knock_is_heard_with_its_last_octet_and_not_before() -> None:
    reader = KnockReader()
    said = [reader.feed(KNOCK[index : index + 1]) for index in range(len(KNOCK))]
    assert said == [None] * 14 + [Heard.KNOCK]


def test_noise_is_heard_at_the_first_wrong_octet() -> None:
    reader = KnockReader()
    assert reader.feed(b"nm_") is None
    assert reader.feed(b"x") is Heard.NOISE


@pytest.mark.parametrize("line", [KNOCK, b"noise"])
def test_the_judgement_stands(line: bytes) -> None:
    reader = KnockReader()
    first = reader.feed(line)
    assert reader.feed(KNOCK) is first
    assert reader.feed(b"x") is first
    assert reader.end() is first


def test_no_more_than_a_line_is_kept() -> None:
    reader = KnockReader()
    reader.feed(NAME + b"\r" + b"x" * 1_000_000)
    assert len(reader._octets) == 15


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(octets)]
    return [octets[start:end] for start, end in itertools.pairwise(edges)]


@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(lambda tail: NAME + tail, st.text("\r\n x", max_size=6).map(str.encode)),
    ),
    st.lists(st.integers(0, 80), max_size=8),
)
def test_cuts_change_nothing(octets: bytes, places: list[int]) -> None:
    expected = octets.startswith((KNOCK, NAME + b"\n")) or octets == NAME
    assert judge(cut(octets, places)) is judge([octets])
    assert (judge([octets]) is Heard.KNOCK) == expected
