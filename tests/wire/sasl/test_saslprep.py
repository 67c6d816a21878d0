"""RFC 4013, with the examples of its section 3."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.sasl.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("", ""),
        ("\u00ad\u200d\ufe0f", ""),
        ("a\u00a0b\u3000c", "a b c"),
        ("\u200b", " "),
        ("e\u0301", "é"),
        ("\u2126", "Ω"),
        ("\u05d0\u05d1", "\u05d0\u05d1"),
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_preparation(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        "\x07",
        "a\0",
        "\x7f",
        "\u0080",
        "\u06dd",
        "\u2028",
        "\ue000",
        "\U000f0000",
        "\ufdd0",
        "\uffff",
        chr(0xD800),
        "\ufffd",
        "\u2ff0",
        "\u200e",
        "\u202a",
        "\U000e0001",
    ],
)
def test_what_is_prohibited(text: str) -> None:
    with pytest.raises(ValueError, match="prohibits"):
        saslprep(text)


@pytest.mark.parametrize(
    "text", ["\u0627\u0031", "1\u0627", "\u0627a\u0628", "\u05d0b", "\u05d0 b \u05d0", "\u05d0!"]
)
def test_text_of_two_directions(text: str) -> None:
    with pytest.raises(ValueError, match=r"directions|right-to-left"):
        saslprep(text)


@pytest.mark.parametrize("text", ["\u0221", "a\U0001f600"])
def test_what_is_stored_holds_nothing_unassigned(text: str) -> None:
    assert saslprep(text) == text
    with pytest.raises(ValueError, match=r"Unicode 3\.2"):
        saslprep(text, stored=True)


def test_stored_text_of_known_characters() -> None:
    assert saslprep("I\u00adX", stored=True) == "IX"


@given(st.text())
def test_what_is_prepared_stays_as_it_is(text: str) -> None:
    with contextlib.suppress(ValueError):
        prepared = saslprep(text)
        assert saslprep(prepared) == prepared


def test_an_error_keeps_the_secret() -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        saslprep("open\x07sesame")
    assert "sesame" not in str(refused.value)
