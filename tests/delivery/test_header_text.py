"""Text of header fields: encoded words, broken ones too."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.header_text import decoded, text_of
from mailsuite.wire.pop3.encoded_words import encode_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"Offer", "Offer"),
        (b"=?utf-8?B?R3LDvMOfZQ==?= 2026", "Gr\u00fc\u00dfe 2026"),
        (b"=?UTF-8?b?R3LDvMOfZQ?=", "Gr\u00fc\u00dfe"),  # without its padding
        (b"=?iso-8859-1?Q?Gr=FC=DFe?=", "Gr\u00fc\u00dfe"),
        (b"=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Gr\u00fc\u00dfe"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?= and =?utf-8?q?b?=", "a and b"),
        (b"a =?utf-8?q?b?=", "a b"),
        (b"=?utf-8?q?Gr=C3?= =?utf-8?q?=BC?=", "Gr\u00fc"),  # a character in two halves
        (b"=?utf-8?q?Gr=C3?= =?iso-8859-1?q?=BC?=", "Gr\ufffd\u00bc"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\u65e5\u672c"),
        (b"=?utf-8?q?a b_c?=", "a b c"),
        (b"=?utf-8?q?=zz=4?=", "=zz=4"),
        (b"=?utf-8?b?a?=", "=?utf-8?b?a?="),
        (b"=?utf-8?b?a?= =?utf-8?q?b?=", "=?utf-8?b?a?= b"),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q?never closed", "=?utf-8?q?never closed"),
        (b"=?unicode_escape?q?\\u0041?=", "\\u0041"),
        (b"\\u0041 =?utf-8?q?b?=", "\\u0041 b"),
        (b"=?iso-8859-99?q?abc?=", "abc"),
        (b"=?utf-7?q?+ADw-?=", "+ADw-"),
        (b"\xff", "\ufffd"),
        (b"two\r\n\tlines", "two\tlines"),
        (b"", ""),
    ],
)
def test_what_people_read(value: bytes, text: str) -> None:
    assert decoded(value) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_what_was_encoded_is_read_again(text: str) -> None:
    assert decoded(" ".join(encode_text(text)).encode()) == text


FRAGMENTS = st.sampled_from(
    [
        b"=?",
        b"?=",
        b"utf-8",
        b"?q?",
        b"?B?",
        b"=",
        b"?",
        b" ",
        b"\r\n ",
        b"=C3",
        b"iso-2022-jp",
        b"\xff",
        b"YQ==",
    ]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=4)).map(b"".join))
def test_nothing_fails_and_all_of_it_can_be_written(value: bytes) -> None:
    decoded(value).encode("utf-8")


@pytest.mark.parametrize("piece", [b"=?utf-8?q?", b"=?", b"=?utf-8?q?a?=", b"?=", b"=?utf-8*", b" \t"])
def test_ten_kilobytes_of_anything_take_no_time(piece: bytes) -> None:
    began = time.process_time()
    decoded(piece * (10 * 1024 // len(piece)))
    assert time.process_time() - began < 0.2


def test_no_charset_brings_surrogates() -> None:
    assert text_of(b"\xed\xa0\x80", "utf-8").encode("utf-8")
