"""What strangers have said stays on its line, and can be seen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery.dsn_safe import plain, readable


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("  a \t b\r\nc\u2028d\x85e ", "a b c d e"),
        ("J\u00fcrgen", "J?rgen"),
        ("=?utf-8?q?=0d=0aX:_y?=", "= ?utf-8?q?=0d=0aX:_y?="),
        ("\x00\x1b[31m", "[31m"),
        ("", ""),
    ],
)
def test_plain(text: str, wanted: str) -> None:
    assert plain(text, 100) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("J\u00fcrgen  \u65e5\u672c", "J\u00fcrgen \u65e5\u672c"),
        ("a\u202eb\udc80c\u200b", "a?b?c?"),
        ("ab", "ab"),
    ],
)
def test_readable(text: str, wanted: str) -> None:
    assert readable(text, 100) == wanted


def test_both_are_cut() -> None:
    assert plain("x" * 50, 10) == readable("x" * 50, 10) == "x" * 10
    assert plain("=?" * 50, 10) == "= ?= ?= ?="
    assert readable("abc   def", 4) == "abc"


@given(text=st.text(), limit=st.integers(1, 40))
def test_whatever_comes(text: str, limit: int) -> None:
    safe = plain(text, limit)
    assert safe.isascii()
    assert safe.isprintable()
    assert len(safe) <= limit
    assert "=?" not in safe
    seen = readable(text, limit)
    assert len(seen.splitlines()) <= 1
    assert len(seen) <= limit
    assert not any(unicodedata.category(each)[0] == "C" for each in seen)
