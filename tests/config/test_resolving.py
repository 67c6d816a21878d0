"""Settings of the domain name system."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from mailsuite.config.kinds import BadValue, ListOf
from mailsuite.config.kinds_resolving import ServerAddress
from mailsuite.config.resolving import HelloNames, Resolving
from mailsuite.model.dns import NameServer

BASE = Path("/")


@pytest.mark.parametrize(
    ("text", "address", "port", "written"),
    [
        ("127.0.0.1", "127.0.0.1", 53, "127.0.0.1"),
        ("192.0.2.53:5353", "192.0.2.53", 5353, "192.0.2.53:5353"),
        ("192.0.2.53:53", "192.0.2.53", 53, "192.0.2.53"),
        ("2001:DB8::53", "2001:db8::53", 53, "2001:db8::53"),
        ("[2001:db8::53]", "2001:db8::53", 53, "2001:db8::53"),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353, "[2001:db8::53]:5353"),
        ("fe80::1%eth0", "fe80::1%eth0", 53, "fe80::1%eth0"),
        ("[fe80::1%eth0]:54", "fe80::1%eth0", 54, "[fe80::1%eth0]:54"),
    ],
)
def test_name_servers(text, address, port, written):
    server = ServerAddress().parse(text, BASE)
    assert server == NameServer(ip_address(address), port)
    assert ServerAddress().write(server) == written
    assert ServerAddress().parse(written, BASE) == server


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns.test",
        "192.0.2.53:",
        "192.0.2.53:0",
        "192.0.2.53:70000",
        "192.0.2.53:99999999",
        "192.0.2.256",
        "[192.0.2.1",
        "[2001:db8::53]5353",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        53,
        [],
    ],
)
def test_what_is_no_name_server(text):
    with pytest.raises(BadValue, match="expected an IP address, perhaps with a port"):
        ServerAddress().parse(text, BASE)


def test_the_same_server_twice():
    with pytest.raises(BadValue, match="twice"):
        ListOf(ServerAddress()).parse(["127.0.0.1", "127.0.0.1:53"], BASE)
    assert "name server" in ListOf(ServerAddress()).expects


def test_defaults():
    settings = Resolving()
    assert (settings.servers, settings.timeout, settings.cache) == ((), 5.0, 16 << 20)
    assert not settings.trust_ad
    assert not settings.ask_private
    hello = HelloNames()
    assert (hello.hello_mismatch, hello.reject_own_name) == ("log", True)
