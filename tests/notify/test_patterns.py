"""Patterns of senders, lists, subjects and labels."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.notify.patterns import matches


def slowly(pattern: str, text: str) -> bool:
    """The same by what a pattern means."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return slowly(pattern[1:], text) or (bool(text) and slowly(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and slowly(pattern[1:], text[1:])


@given(st.text("ab*?.", max_size=8), st.text("ab.\n", max_size=8))
def test_it_means_what_it_says(pattern: str, text: str) -> None:
    assert matches((pattern,), text) == slowly(pattern, text)


@pytest.mark.parametrize("pattern", ["*a" * 100 + "b", "a*" * 100 + "b", "*?" * 100 + "b", "*" * 200 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.process_time()
    assert not matches((pattern,), "a" * 5000)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("pattern", "text"), [("STRASSE", "Straße"), ("*[x]*", "a [X] b"), ("a?c", "a\nc"), ("", ""), ("*", "")]
)
def test_letters_and_characters(pattern: str, text: str) -> None:
    assert matches(("nothing", pattern), text)
    assert not matches((), text)
