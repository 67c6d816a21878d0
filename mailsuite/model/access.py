"""An entry of an access list (features row S-M11), and whom an address stands for."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork

IPV6_PREFIX: Final = 64
"""One customer's network, of which every address is as good as any other (RFC 6177 section 2)."""

_MAPPED: Final = 0xFFFF << 32
"""``::ffff:0.0.0.0``, where the IPv4 addresses begin within IPv6 (RFC 4291 section 2.5.5.2)."""
_MAPPED_BITS: Final = 96
_VERDICTS: Final = {"allow": True, "deny": False}


@attrs.frozen
class Entry:
    """A span of addresses, and what is decided about them."""

    text: str
    """As it was written."""
    version: int
    """4 or 6; an IPv4-mapped IPv6 address counts as the IPv4 address it means."""
    first: int
    last: int
    """The last address that belongs to it."""
    allow: bool | None = None
    """None: what being listed means by the policy of the list."""


def parse_entry(text: str) -> Entry:
    """An address, a network in CIDR form or a range (``192.0.2.1-192.0.2.9``), perhaps behind ``allow`` or
    ``deny``.

    Raises ValueError with a sentence that says what is wrong.
    """
    written = text.strip()
    word, *rest = written.split(None, 1) or [""]
    verdict = _VERDICTS.get(word.lower())
    where = written if verdict is None else "".join(rest)
    if not where:
        raise ValueError("no address stands there")
    _refuse_zones(where)
    if "/" in where:
        network = _network(where)
        first, last = int(network.network_address), int(network.broadcast_address)
        return Entry(written, network.version, first, last, verdict)
    if "-" in where:
        version, first, last = _range(where)
        return Entry(written, version, first, last, verdict)
    address = _address(where)
    return Entry(written, address.version, int(address), int(address), verdict)


def parse_network(text: str) -> IPNetwork:
    """An address or a network in CIDR form. Raises ValueError with a sentence that says what is wrong."""
    where = text.strip()
    _refuse_zones(where)
    return _network(where) if "/" in where else unmapped_network(ip_network(_address(where)))


def _refuse_zones(text: str) -> None:
    if "%" in text:
        raise ValueError(f"{text!r} names a zone, which no list can hold")


def _range(text: str) -> tuple[int, int, int]:
    first, last = (_address(end.strip()) for end in text.split("-", 1))
    if first.version != last.version:
        raise ValueError("a range has both its ends in IPv4, or both in IPv6")
    if int(first) > int(last):
        raise ValueError(f"the range ends before it begins; {last}-{first} is meant")
    return first.version, int(first), int(last)


def _address(text: str) -> IPAddress:
    try:
        return unmapped(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None


def _network(text: str) -> IPNetwork:
    try:
        return unmapped_network(ip_network(text))
    except ValueError:
        pass
    try:
        wide = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network in CIDR form") from None
    address = _address(text.partition("/")[0])
    raise ValueError(f"{text} has host bits set; {unmapped_network(wide)} is meant, or {address}")


def unmapped(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv4-mapped IPv6 address means, and every other address as it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def unmapped_network(network: IPNetwork) -> IPNetwork:
    """The same for a network; one that holds more than IPv4-mapped addresses is one of IPv6."""
    first = int(network.network_address)
    if isinstance(network, IPv4Network) or network.prefixlen < _MAPPED_BITS or first >> 32 != _MAPPED >> 32:
        return network
    return IPv4Network((IPv4Address(first - _MAPPED), network.prefixlen - _MAPPED_BITS))


@lru_cache(maxsize=1024)
def site_of(address: IPAddress) -> IPNetwork:
    """Whom limits and bans mean by *address*: itself in IPv4, its /64 in IPv6."""
    plain = unmapped(address)
    if isinstance(plain, IPv4Address):
        return IPv4Network(plain)
    return IPv6Network((int(plain) >> IPV6_PREFIX << IPV6_PREFIX, IPV6_PREFIX))
