"""What the configuration and the machine say of HELO, as the rule takes it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import ifaddr

from mailsuite.config.resolving import HelloNames
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork
from mailsuite.policy.hello import HelloRules


def hello_rules(settings: HelloNames, own_name: str, relays: Iterable[IPNetwork] = ()) -> HelloRules:
    """How *settings* judge; *relays* are networks that we relay for, which may say anything, too."""
    return HelloRules(
        on_mismatch=settings.hello_mismatch,
        reject_own_name=settings.reject_own_name,
        own_names=frozenset({own_name}),
        trusted=(*settings.hello_trusted, *relays),
    )


def machine_addresses() -> frozenset[IPAddress]:
    """The addresses that the interfaces of this machine have now."""
    return frozenset(
        ip_address(each.ip if isinstance(each.ip, str) else each.ip[0])
        for adapter in ifaddr.get_adapters()
        for each in adapter.ips
    )
