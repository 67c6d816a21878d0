"""How people write where a listener is."""

from ipaddress import ip_address

import pytest

from mailsuite.notify.listeners import Listener, read_listener


@pytest.mark.parametrize(
    ("text", "address", "port", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1", 79, "192.0.2.1:79"),
        ("192.0.2.1:79", "192.0.2.1", 79, "192.0.2.1:79"),
        ("192.0.2.1:10079", "192.0.2.1", 10079, "192.0.2.1:10079"),
        (" [192.0.2.1] ", "192.0.2.1", 79, "192.0.2.1:79"),
        ("[192.0.2.1]:1079", "192.0.2.1", 1079, "192.0.2.1:1079"),
        ("2001:db8::1", "2001:db8::1", 79, "[2001:db8::1]:79"),
        ("::1", "::1", 79, "[::1]:79"),
        ("[2001:DB8::1]:1079", "2001:db8::1", 1079, "[2001:db8::1]:1079"),
        ("[IPv6:2001:db8::1]", "2001:db8::1", 79, "[2001:db8::1]:79"),
        ("[ipv6:2001:db8::1]:79", "2001:db8::1", 79, "[2001:db8::1]:79"),
        ("[::ffff:192.0.2.1]:79", "192.0.2.1", 79, "192.0.2.1:79"),
        ("last-ip", None, 79, "last-ip:79"),
        ("Last-IP:1079", None, 1079, "last-ip:1079"),
    ],
)
def test_what_is_understood(text, address, port, canonical):
    listener = read_listener(text)
    assert listener == Listener(None if address is None else ip_address(address), port)
    assert str(listener) == canonical
    assert read_listener(canonical) == listener


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no listener"),
        ("host.example.net", "names are not looked up"),
        ("host.example.net:79", "names are not looked up"),
        ("2130706433", "is no IP address"),
        ("127.1", "is no IP address"),
        ("0x7f.1", "is no IP address"),
        ("192.0.2.01", "is no IP address"),
        ("192.0.2.1:0", "0 is no port"),
        ("192.0.2.1:65536", "65536 is no port"),
        ("192.0.2.1:79x", "is no listener"),
        ("192.0.2.1:123456", "is no listener"),
        ("[192.0.2.1", "is no listener"),
        ("[192.0.2.1]79", "is no listener"),
        ("fe80::1%eth0", "has a zone"),
        ("[fe80::1%eth0]:79", "has a zone"),
        ("2001:db8::1:79:what", "is no IP address"),
        ("[last-ip]", "is no IP address"),
        ("192.0.2.1:٧٩", "is no listener"),
    ],
)
def test_what_is_not(text, said):
    with pytest.raises(ValueError, match=said):
        read_listener(text)
