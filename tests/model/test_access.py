"""Entries of access lists: what is read, and what is refused in which words."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailsuite.model.access import parse_entry, parse_network, site_of, unmapped_network


def span(text: str) -> tuple[int, str, str]:
    entry = parse_entry(text)
    of = IPv4Address if entry.version == 4 else IPv6Address
    return entry.version, str(of(entry.first)), str(of(entry.last))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", (4, "192.0.2.7", "192.0.2.7")),
        ("  192.0.2.7\t", (4, "192.0.2.7", "192.0.2.7")),
        ("192.0.2.0/24", (4, "192.0.2.0", "192.0.2.255")),
        ("192.0.2.7/32", (4, "192.0.2.7", "192.0.2.7")),
        ("0.0.0.0/0", (4, "0.0.0.0", "255.255.255.255")),
        ("192.0.2.0/255.255.255.0", (4, "192.0.2.0", "192.0.2.255")),
        ("192.0.2.1-192.0.2.9", (4, "192.0.2.1", "192.0.2.9")),
        ("192.0.2.1 - 192.0.2.9", (4, "192.0.2.1", "192.0.2.9")),
        ("192.0.2.1-192.0.2.1", (4, "192.0.2.1", "192.0.2.1")),
        ("2001:db8::7", (6, "2001:db8::7", "2001:db8::7")),
        ("2001:db8::/126", (6, "2001:db8::", "2001:db8::3")),
        ("::/0", (6, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
        ("2001:db8::1-2001:db8::a", (6, "2001:db8::1", "2001:db8::a")),
        ("::ffff:192.0.2.7", (4, "192.0.2.7", "192.0.2.7")),
        ("::ffff:192.0.2.0/120", (4, "192.0.2.0", "192.0.2.255")),
        ("::ffff:0:0/96", (4, "0.0.0.0", "255.255.255.255")),
        ("::fffe:0:0/95", (6, "::fffe:0:0", "::ffff:ffff:ffff")),
        ("::fffe:0:0/96", (6, "::fffe:0:0", "::fffe:ffff:ffff")),
        ("::ffff:192.0.2.1-192.0.2.9", (4, "192.0.2.1", "192.0.2.9")),
    ],
)
def test_spans(text: str, expected: tuple[int, str, str]) -> None:
    assert span(text) == expected
    assert parse_entry(text).allow is None


@pytest.mark.parametrize(
    ("text", "allow"),
    [("allow 192.0.2.7", True), ("deny 192.0.2.7", False), ("Allow   192.0.2.7", True), ("192.0.2.7", None)],
)
def test_verdicts(text: str, allow: bool | None) -> None:
    entry = parse_entry(text)
    assert (entry.allow, entry.text) == (allow, text)
    assert span(text) == (4, "192.0.2.7", "192.0.2.7")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no address stands there"),
        ("allow ", "no address stands there"),
        ("192.0.2.1/24", "192.0.2.1/24 has host bits set; 192.0.2.0/24 is meant, or 192.0.2.1"),
        ("2001:db8::1/64", "2001:db8::1/64 has host bits set; 2001:db8::/64 is meant, or 2001:db8::1"),
        (
            "::ffff:192.0.2.1/120",
            "::ffff:192.0.2.1/120 has host bits set; 192.0.2.0/24 is meant, or 192.0.2.1",
        ),
        ("192.0.2.0/33", "'192.0.2.0/33' is no network in CIDR form"),
        ("192.0.2.0/", "'192.0.2.0/' is no network in CIDR form"),
        ("192.0.2.9-192.0.2.1", "the range ends before it begins; 192.0.2.1-192.0.2.9 is meant"),
        ("192.0.2.1-2001:db8::1", "a range has both its ends in IPv4, or both in IPv6"),
        ("192.0.2.1-9", "'9' is no IP address"),
        ("192.0.2.1-", "'' is no IP address"),
        ("mail.example.net", "'mail.example.net' is no IP address"),
        ("permit 192.0.2.1", "'permit 192.0.2.1' is no IP address"),
        ("192.0.2.1 192.0.2.2", "'192.0.2.1 192.0.2.2' is no IP address"),
        ("192.0.2.01", "'192.0.2.01' is no IP address"),
        ("fe80::1%eth0", "'fe80::1%eth0' names a zone, which no list can hold"),
        ("fe80::%eth0/64", "'fe80::%eth0/64' names a zone, which no list can hold"),
    ],
)
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        parse_entry(text)


@given(some.ip_addresses())
def test_every_address_is_an_entry(address: object) -> None:
    entry = parse_entry(str(address))
    assert entry.first == entry.last


@given(some.text(max_size=40))
def test_nothing_else_than_a_value_error_comes_out(text: str) -> None:
    try:
        entry = parse_entry(text)
    except ValueError:
        return
    assert entry.first <= entry.last


def test_whom_an_address_stands_for() -> None:
    assert site_of(ip_address("192.0.2.7")) == ip_network("192.0.2.7/32")
    assert site_of(ip_address("::ffff:192.0.2.7")) == ip_network("192.0.2.7/32")
    assert site_of(ip_address("2001:db8:1:2:3:4:5:6")) == ip_network("2001:db8:1:2::/64")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("2001:db8::7", "2001:db8::7/128"),
    ],
)
def test_networks(text: str, network: str) -> None:
    assert parse_network(text) == ip_network(network)


@pytest.mark.parametrize(
    "text", ["", "192.0.2.1/24", "192.0.2.1-192.0.2.9", "fe80::1%eth0", "allow 192.0.2.1"]
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no IP address|has host bits set|names a zone"):
        parse_network(text)


def test_networks_are_unmapped() -> None:
    assert unmapped_network(ip_network("192.0.2.0/24")) == ip_network("192.0.2.0/24")
    assert unmapped_network(ip_network("2001:db8::/64")) == ip_network("2001:db8::/64")
    assert unmapped_network(ip_network("::ffff:192.0.2.0/120")) == ip_network("192.0.2.0/24")
