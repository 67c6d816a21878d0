"""How far an IP address reaches: our own frozen table, for whatever is told by others where to connect to.

``ipaddress.is_global`` takes multicast, NAT64 and 6to4 forms of private addresses for global ones and
changes between releases of Python, so it is not asked. The ranges are those of the IANA IPv4 and IPv6
Special-Purpose Address Registries (RFC 6890); of IPv6 only the global unicast space that IANA hands out
(2000::/3) is open at all.
"""

from __future__ import annotations

import enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress

IPNetwork = IPv4Network | IPv6Network


class Reach(enum.Enum):
    """How far an address reaches."""

    GLOBAL = "global"
    LOCAL = "local"
    """Private, shared or loopback: only by leave of somebody who may give it."""
    NEVER = "never"
    """Nobody's computer: multicast, documentation, reserved, link-local, metadata services ..."""


def reach(address: IPAddress) -> Reach:
    """Judge one address.

    A form that carries an IPv4 address through a translator or a tunnel (NAT64, 6to4, Teredo) reaches no
    further than what it carries, and never something local.
    """
    address = unmapped(address)
    if isinstance(address, IPv4Address):
        return _look_up(address, _IPV4, Reach.GLOBAL)
    if address.scope_id is not None:
        return Reach.NEVER
    carried = _carried(address)
    if carried:
        all_global = all(reach(inner) is Reach.GLOBAL for inner in carried)
        return Reach.GLOBAL if all_global else Reach.NEVER
    return _look_up(address, _IPV6, Reach.NEVER)


def _look_up(address: IPAddress, table: tuple[tuple[IPNetwork, Reach], ...], otherwise: Reach) -> Reach:
    for network, verdict in table:
        if address in network:
            return verdict
    return otherwise


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses inside an IPv6 one; none for an ordinary address."""
    number = int(address)
    if address in _TEREDO:
        return address.teredo or ()
    if address in _SIX_TO_FOUR:
        return (IPv4Address(number >> 80 & 0xFFFFFFFF),)
    if address in _NAT64:
        return (IPv4Address(number & 0xFFFFFFFF),)
    return ()


_TEREDO = IPv6Network("2001::/32")
"""RFC 4380."""
_SIX_TO_FOUR = IPv6Network("2002::/16")
"""RFC 3056."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052 section 2.1."""

# The first network that holds the address decides.
_IPV4: tuple[tuple[IPNetwork, Reach], ...] = tuple(
    (IPv4Network(text), verdict)
    for text, verdict in (
        ("100.100.100.200/32", Reach.NEVER),  # metadata service of a hoster
        ("168.63.129.16/32", Reach.NEVER),  # metadata service of a hoster
        ("0.0.0.0/8", Reach.NEVER),  # "this network", RFC 791
        ("10.0.0.0/8", Reach.LOCAL),  # RFC 1918
        ("100.64.0.0/10", Reach.LOCAL),  # shared by a provider's customers, RFC 6598
        ("127.0.0.0/8", Reach.LOCAL),  # RFC 1122 section 3.2.1.3
        ("169.254.0.0/16", Reach.NEVER),  # link-local, RFC 3927; metadata services too
        ("172.16.0.0/12", Reach.LOCAL),  # RFC 1918
        ("192.0.0.0/24", Reach.NEVER),  # IETF protocol assignments, RFC 6890
        ("192.0.2.0/24", Reach.NEVER),  # documentation, RFC 5737
        ("192.31.196.0/24", Reach.NEVER),  # AS112, RFC 7535
        ("192.52.193.0/24", Reach.NEVER),  # AMT, RFC 7450
        ("192.88.99.0/24", Reach.NEVER),  # 6to4 relays, RFC 7526
        ("192.168.0.0/16", Reach.LOCAL),  # RFC 1918
        ("192.175.48.0/24", Reach.NEVER),  # AS112, RFC 7534
        ("198.18.0.0/15", Reach.NEVER),  # benchmarking, RFC 2544
        ("198.51.100.0/24", Reach.NEVER),  # documentation, RFC 5737
        ("203.0.113.0/24", Reach.NEVER),  # documentation, RFC 5737
        ("224.0.0.0/4", Reach.NEVER),  # multicast, RFC 5771
        ("240.0.0.0/4", Reach.NEVER),  # reserved, RFC 1112; broadcast at its end, RFC 8190
    )
)
_IPV6: tuple[tuple[IPNetwork, Reach], ...] = tuple(
    (IPv6Network(text), verdict)
    for text, verdict in (
        ("::1/128", Reach.LOCAL),  # loopback, RFC 4291 section 2.5.3
        ("64:ff9b:1::/48", Reach.LOCAL),  # a site's own NAT64, in a form of its choice, RFC 8215
        ("fd00:ec2::254/128", Reach.NEVER),  # metadata service of a hoster
        ("fd20:ce::254/128", Reach.NEVER),  # metadata service of a hoster
        ("fc00::/7", Reach.LOCAL),  # unique local, RFC 4193
        ("2001::/23", Reach.NEVER),  # IETF protocol assignments, RFC 2928
        ("2001:db8::/32", Reach.NEVER),  # documentation, RFC 3849
        ("2620:4f:8000::/48", Reach.NEVER),  # AS112, RFC 7534
        ("3fff::/20", Reach.NEVER),  # documentation, RFC 9637
        ("2000::/3", Reach.GLOBAL),  # RFC 4291 section 2.4
    )
)
