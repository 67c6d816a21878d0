"""From settings to the rule of HELO."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import ifaddr

from mailsuite.config.resolving import HelloNames
from mailsuite.policy.hello import HelloRules
from mailsuite.policy.hello_settings import hello_rules, machine_addresses

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
RELAY = ip_network("192.0.2.0/24")


def test_rules():
    assert hello_rules(HelloNames(), "mail.test") == HelloRules(
        "log", True, frozenset({"mail.test"}), LOOPBACK
    )
    strict = HelloNames(hello_mismatch="reject", reject_own_name=False, hello_trusted=())
    assert hello_rules(strict, "mail.test", [RELAY]) == HelloRules(
        "reject", False, frozenset({"mail.test"}), (RELAY,)
    )


def test_the_addresses_of_this_machine(monkeypatch):
    assert ip_address("127.0.0.1") in machine_addresses()
    four = ifaddr.IP("192.0.2.7", 24, "eth0")
    six = ifaddr.IP(("2001:db8::7", 0, 0), 64, "eth0")
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", [four, six])])
    assert machine_addresses() == {ip_address("192.0.2.7"), ip_address("2001:db8::7")}
