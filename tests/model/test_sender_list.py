"""Entries of a list of senders."""

from __future__ import annotations

import pytest

from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.sender_list import NO_SENDERS, OwnSenders, SenderEntry, parse_sender


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


@pytest.mark.parametrize(
    ("sender", "blocked"),
    [
        ("eve@example.org", True),
        ("Eve@example.org", True),
        ("ann@example.org", None),
        ("joe@shop.example.com", True),
        ("good@shop.example.com", False),
        ("joe@example.com", None),
    ],
)
def test_the_lists_of_somebody(sender: str, blocked: bool | None) -> None:
    own = OwnSenders(
        (parse_sender("eve@example.org"), parse_sender("*.example.com")),
        (parse_sender("good@shop.example.com"),),
    )
    assert own.blocks(Address.parse(sender)) is blocked
    assert NO_SENDERS.blocks(Address.parse(sender)) is None
    assert own == OwnSenders(own.block, own.accept) != NO_SENDERS
