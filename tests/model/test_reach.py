"""The address table: every range at its edges, every form that hides an IPv4 address."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.access import unmapped
from mailsuite.model.reach import Reach, reach

G, L, N = Reach.GLOBAL, Reach.LOCAL, Reach.NEVER

# network, verdict inside, verdict just before, verdict just after (None: there is nothing there)
RANGES = [
    ("0.0.0.0/8", N, None, G),
    ("10.0.0.0/8", L, G, G),
    ("100.64.0.0/10", L, G, G),
    ("100.100.100.200/32", N, L, L),
    ("127.0.0.0/8", L, G, G),
    ("168.63.129.16/32", N, G, G),
    ("169.254.0.0/16", N, G, G),
    ("172.16.0.0/12", L, G, G),
    ("192.0.0.0/24", N, G, G),
    ("192.0.0.0/29", N, G, N),
    ("192.0.0.8/32", N, N, N),
    ("192.0.0.9/32", N, N, N),
    ("192.0.0.10/32", N, N, N),
    ("192.0.0.170/31", N, N, N),
    ("192.0.2.0/24", N, G, G),
    ("192.31.196.0/24", N, G, G),
    ("192.52.193.0/24", N, G, G),
    ("192.88.99.0/24", N, G, G),
    ("192.168.0.0/16", L, G, G),
    ("192.175.48.0/24", N, G, G),
    ("198.18.0.0/15", N, G, G),
    ("198.51.100.0/24", N, G, G),
    ("203.0.113.0/24", N, G, G),
    ("224.0.0.0/4", N, G, N),
    ("240.0.0.0/4", N, N, None),
    ("::/128", N, None, L),
    ("::1/128", L, N, N),
    ("64:ff9b::/96", N, N, N),  # its first and last carry 0.0.0.0 and 255.255.255.255
    ("64:ff9b:1::/48", L, N, N),
    ("100::/64", N, N, N),
    ("100:0:0:1::/64", N, N, N),
    ("2000::/16", G, N, N),
    ("3ffe::/16", G, G, N),  # 3fff::/20 comes next
    ("2001::/32", N, G, N),
    ("2001:1::/32", N, N, N),
    ("2001:1::1/128", N, N, N),
    ("2001:1::2/128", N, N, N),
    ("2001:1::3/128", N, N, N),
    ("2001:2::/48", N, N, N),
    ("2001:3::/32", N, N, N),
    ("2001:4:112::/48", N, N, N),
    ("2001:10::/28", N, N, N),
    ("2001:20::/28", N, N, N),
    ("2001:30::/28", N, N, N),
    ("2001:100::/24", N, N, G),  # the second half of 2001::/23; the first begins with Teredo
    ("2001:db8::/32", N, G, G),
    ("2002::/16", N, G, G),  # its first and last carry 0.0.0.0 and 255.255.255.255
    ("2620:4f:8000::/48", N, G, G),
    ("3fff::/20", N, G, G),
    ("4000::/3", N, G, N),
    ("5f00::/16", N, N, N),
    ("fc00::/7", L, N, N),
    ("fd00:ec2::254/128", N, L, L),
    ("fd20:ce::254/128", N, L, L),
    ("fe80::/10", N, N, N),
    ("fec0::/10", N, N, N),
    ("ff00::/8", N, N, None),
]


def edges() -> list[tuple[str, Reach]]:
    cases: list[tuple[str, Reach]] = []
    for text, inside, before, after in RANGES:
        network = ip_network(text)
        kind, first, last = (
            type(network.network_address),
            int(network.network_address),
            int(network.broadcast_address),
        )
        cases += [(str(kind(first)), inside), (str(kind(last)), inside)]
        if before is not None:
            cases.append((str(kind(first - 1)), before))
        if after is not None:
            cases.append((str(kind(last + 1)), after))
    return cases


@pytest.mark.parametrize(("text", "verdict"), edges())
def test_edges_of_every_range(text: str, verdict: Reach) -> None:
    assert reach(ip_address(text)) is verdict


NAMED = [
    # what is_global gets wrong, notifications.md section 9
    ("224.0.0.1", N),
    ("239.255.255.255", N),
    ("ff02::1", N),
    ("ff0e::1", N),
    ("::127.0.0.1", N),
    ("64:ff9b::7f00:1", N),
    ("64:ff9b::a00:1", N),
    ("64:ff9b:1::a00:1", L),  # refused where it is named; whoever came from it may be knocked at
    ("2002:7f00:1::", N),
    ("2002:a00:1::1", N),
    ("fec0::1", N),
    ("3fff::1", N),
    ("5f00::1", N),
    ("192.88.99.1", N),
    ("255.255.255.255", N),
    ("169.254.169.254", N),
    ("fe80::1", N),
    ("fe80::1%eth0", N),
    ("fc00::1%eth0", N),
    ("2a00::1%eth0", N),
    ("0.0.0.0", N),
    ("::", N),
    # IPv4-mapped is the IPv4 address
    ("::ffff:127.0.0.1", L),
    ("::ffff:10.0.0.1", L),
    ("::ffff:192.0.2.1", N),
    ("::ffff:169.254.169.254", N),
    ("::ffff:8.8.8.8", G),
    # carried addresses: global ones pass
    ("64:ff9b::808:808", G),
    ("64:ff9b:2::808:808", N),
    ("64:ff9b::1:808:808", N),
    ("2002:808:808::1", G),
    ("2002:c0a8:1::1", N),
    ("2002:e000:1::1", N),
    ("2003::1", G),
    ("::8.8.8.8", N),
    ("::2", N),
    ("::ffff:0:8.8.8.8", N),
    # Teredo: server 65.54.227.120 in clear, client in complement
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", N),  # client 192.0.2.45
    ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", G),  # client 8.8.8.8
    ("2001:0:4136:e378:8000:63bf:f5ff:fffe", N),  # client 10.0.0.1
    ("2001:0:a00:1:8000:63bf:f7f7:f7f7", N),  # server 10.0.0.1
    # ordinary neighbours
    ("1.1.1.1", G),
    ("8.8.8.8", G),
    ("223.255.255.255", G),
    ("2a00:1450::1", G),
    ("2606:4700::1111", G),
    ("127.0.0.1", L),
    ("192.168.1.10", L),
    ("fd12:3456::1", L),
    ("::1", L),
]


@pytest.mark.parametrize(("text", "verdict"), NAMED)
def test_named_addresses(text: str, verdict: Reach) -> None:
    assert reach(ip_address(text)) is verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::8.8.8.8", "::8.8.8.8"),
        ("2002:808:808::1", "2002:808:808::1"),
        ("64:ff9b::808:808", "64:ff9b::808:808"),
        ("8.8.8.8", "8.8.8.8"),
    ],
)
def test_only_the_mapped_form_is_rewritten(text: str, expected: str) -> None:
    assert unmapped(ip_address(text)) == ip_address(expected)


@given(st.ip_addresses(v=4))
def test_ipv4_is_never_more_generous_than_the_standard_library(address: IPv4Address) -> None:
    if reach(address) is G:
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_ipv6_is_never_more_generous_than_global_unicast_and_nat64(address: IPv6Address) -> None:
    if reach(address) is G:
        wide = ("2000::/3", "64:ff9b::/96", "::ffff:0:0/96")
        assert any(address in IPv6Network(network) for network in wide)


SPECIAL_IPV4 = [text for text, *_ in RANGES if isinstance(ip_network(text), IPv4Network)]


@pytest.mark.parametrize("text", SPECIAL_IPV4)
def test_no_translator_or_tunnel_carries_into_a_special_range(text: str) -> None:
    inner = int(ip_network(text).broadcast_address)
    forms = [
        inner,  # IPv4-compatible
        int(IPv6Address("64:ff9b::")) | inner,
        int(IPv6Address("2002::")) | inner << 80,
        int(IPv6Address("2001:0:808:808::")) | inner ^ 0xFFFFFFFF,
        int(IPv6Address("2001::f7f7:f7f7")) | inner << 64,
    ]
    for number in forms:
        assert reach(ipaddress.IPv6Address(number)) is N
