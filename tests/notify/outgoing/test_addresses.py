"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from mailsuite.notify.outgoing.addresses import AddressRules
from tests.model.test_reach import NAMED, Reach, edges

OWN = ip_address("8.8.4.4")
RULES = AddressRules(is_own=lambda address: address == OWN)
LENIENT = AddressRules(
    tuple(map(ip_network, ("127.0.0.0/8", "10.0.0.0/8", "::1/128", "8.8.4.4/32", "169.254.0.0/16"))),
    is_own=lambda address: address == OWN,
)


@pytest.mark.parametrize(("text", "verdict"), [*edges(), *NAMED])
def test_only_what_is_global_is_connected_to(text: str, verdict: Reach) -> None:
    """The whole table, at the edges of its ranges."""
    assert (RULES.objection(ip_address(text)) == "") == (verdict is Reach.GLOBAL)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.1", "10.0.0.1 is local; for notices to go there, add its network to notify.allow_networks"),
        ("127.0.0.1", "127.0.0.1 is local"),
        ("169.254.169.254", "169.254.169.254 is never connected to"),
        ("fe80::1", "fe80::1 is never connected to"),
        ("8.8.4.4", "8.8.4.4 is this server; for notices to go there, add it to notify.allow_networks"),
        ("::ffff:8.8.4.4", "is this server"),
    ],
)
def test_in_words(text: str, words: str) -> None:
    assert words in RULES.objection(ip_address(text))


@pytest.mark.parametrize("text", ["127.0.0.1", "::ffff:127.0.0.1", "::1", "10.1.2.3", "8.8.4.4", "8.8.8.8"])
def test_by_leave(text: str) -> None:
    assert LENIENT.objection(ip_address(text)) == ""


@pytest.mark.parametrize("text", ["169.254.169.254", "192.168.0.1", "0.0.0.0", "64:ff9b::a00:1"])
def test_leave_is_for_those_networks_and_for_no_trick(text: str) -> None:
    assert LENIENT.objection(ip_address(text))


def test_the_addresses_of_this_machine_are_its_own() -> None:
    """As the system says."""
    assert "local" in AddressRules().objection(ip_address("127.0.0.1"))
    assert AddressRules().is_own(ip_address("127.0.0.1"))
    assert AddressRules().objection(ip_address("8.8.8.8")) == ""
