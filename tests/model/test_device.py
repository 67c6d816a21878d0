"""Device passwords as values."""

from ipaddress import ip_address, ip_network

import attrs
import pytest

from mailsuite.model.device import Device

PHONE = Device("d1", "Phone", b"canary")


@pytest.mark.parametrize(
    ("networks", "peer", "allowed"),
    [
        ((), "203.0.113.9", True),
        ((), "2001:db8::1", True),
        (("192.0.2.0/24",), "192.0.2.255", True),
        (("192.0.2.0/24",), "192.0.3.0", False),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", False),
        (("192.0.2.0/24",), "2001:db8::1", False),
        (("192.0.2.0/24", "2001:db8::/32"), "2001:db8::1", True),
        (("192.0.2.1/32",), "192.0.2.1", True),
    ],
)
def test_it_may_be_used_from_its_networks(networks, peer, allowed):
    device = attrs.evolve(PHONE, networks=tuple(map(ip_network, networks)))
    assert device.allows(ip_address(peer)) is allowed


@pytest.mark.parametrize(
    ("name", "other"), [("Phone", "pHONE"), ("Straße", "STRASSE"), ("ΣΑΣ", "σας"), ("É", "é")]
)
def test_names_are_the_same_whatever_the_case(name, other):
    assert attrs.evolve(PHONE, name=name).folded == attrs.evolve(PHONE, name=other).folded


def test_what_is_sealed_is_not_shown():
    assert "canary" not in repr(PHONE)
