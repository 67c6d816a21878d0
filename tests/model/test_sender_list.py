"""Entries of a list of senders."""

from __future__ import annotations

import pytest

from mailsuite.model.address import AddressSyntaxError
from mailsuite.model.sender_list import SenderEntry, parse_sender


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (" Eve@Example.ORG ", SenderEntry("Eve@Example.ORG", "example.org", "eve")),
        ("example.org", SenderEntry("example.org", "example.org")),
        ("*@example.org", SenderEntry("*@example.org", "example.org")),
        ("*.Example.org", SenderEntry("*.Example.org", "example.org", below=True)),
        ("b\xfccher.example", SenderEntry("b\xfccher.example", "xn--bcher-kva.example")),
    ],
)
def test_what_is_meant(text: str, entry: SenderEntry) -> None:
    assert parse_sender(text) == entry


@pytest.mark.parametrize(
    "text", ["", "org", "*", "*.org", "@example.org", "a b", "eve@", "*.*.org", "[192.0.2.1]"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(AddressSyntaxError):
        parse_sender(text)
