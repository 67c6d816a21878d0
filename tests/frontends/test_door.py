"""Who is at the other end."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from mailsuite.frontends.door import address_of


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        (IPv4Address("TCP", "192.0.2.1", 25), "192.0.2.1", 25),
        (IPv6Address("TCP", "2001:db8::1", 25), "2001:db8::1", 25),
        (IPv6Address("TCP", "::ffff:192.0.2.1", 25), "192.0.2.1", 25),
        (IPv6Address("TCP", "fe80::1%eth0", 25), "fe80::1", 25),
        (UNIXAddress("/run/x"), "127.0.0.1", 0),
    ],
)
def test_addresses(given: object, host: str, port: int) -> None:
    address, found = address_of(given)
    assert (str(address), found) == (host, port)
