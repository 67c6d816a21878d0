"""Parts and boundaries."""

from __future__ import annotations

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.dsn_mime import Part, boundary_for, is_plain, joined, quoted_printable, text_part
from tests.delivery.dsn_reader import read_part, split


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"a\r\nb\r\n", True),
        (b"", True),
        (b"\xff\r\n", True),
        (b"x" * 998 + b"\r\n" + b"x" * 998, True),
        (b"x" * 999 + b"\r\n", False),
        (b"a\0b", False),
        (b"a\nb", False),
        (b"a\rb", False),
        (b"a\r", False),
        (b"\n", False),
    ],
)
def test_what_needs_no_encoding(octets: bytes, wanted: bool) -> None:
    assert is_plain(octets) is wanted


@given(st.binary(max_size=400))
def test_quoted_printable_is_read_back(octets: bytes) -> None:
    sent = quoted_printable(octets)
    part = Part("text/plain", "quoted-printable", sent)
    assert read_part(part.octets()).octets == octets
    assert (
        quopri.decodestring(sent.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n") == octets or b"\n" in octets
    )


def test_text() -> None:
    assert text_part("text/plain", "a\r\n", "en") == Part("text/plain", "7bit", b"a\r\n", "en")
    assert text_part("text/plain", "\u00fc\r\n").body == b"=C3=BC\r\n"
    assert text_part("text/plain", "x" * 999).encoding == "quoted-printable"
    assert read_part(text_part("text/plain", "\udc80").octets()).octets == b"?"


def test_the_header_of_a_part() -> None:
    part = text_part("text/plain; charset=us-ascii", "Hi.\r\n", "en")
    assert part.octets() == (
        b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n"
        b"Content-Language: en\r\n\r\nHi.\r\n"
    )
    assert b"Language" not in text_part("text/plain", "Hi.\r\n").octets()


def test_a_boundary_that_stands_in_a_part_is_not_taken() -> None:
    first = boundary_for([b"abc"], "id")
    assert boundary_for([b"abc"], "id") == first
    assert boundary_for([b"abc"], "other") != first
    second = boundary_for([b"abc", b"--" + first.encode()], "id")
    assert second != first
    assert boundary_for([first.encode() + second.encode()], "id") not in {first, second}


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_parts_come_apart_again(parts: list[bytes]) -> None:
    boundary = boundary_for(parts, "id")
    assert split(joined(parts, boundary), boundary.encode()) == parts
