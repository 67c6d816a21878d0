"""Names and addresses that nobody else is asked for."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, Literal

import attrs
from zope.interface import implementer

from mailsuite.interfaces import IResolver
from mailsuite.model.account import IPAddress
from mailsuite.model.dns import Answer, Association
from mailsuite.resolver.question import plain
from mailsuite.resolver.system import Hosts

LOCALHOST: Final = "localhost"
_LOOPBACK: Final[tuple[IPAddress, ...]] = (IPv6Address("::1"), IPv4Address("127.0.0.1"))
_NOT_IN_DNS: Final = frozenset({"invalid", "onion"})
"""RFC 6761 section 6.4, RFC 7686 section 2: told to nobody."""

_PRIVATE: Final[tuple[IPv4Network | IPv6Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/127",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 6303 section 4 and RFC 7793: the world knows no names of these."""


def is_private(address: IPAddress) -> bool:
    """Whether an address means something else on every network."""
    return any(address in network for network in _PRIVATE)


@implementer(IResolver)
@attrs.define(eq=False)
class LocalNames:
    """What this machine knows itself; all else is left to *beyond*.

    That is "localhost" (RFC 6761 section 6.3), and what the hosts file says of addresses and of names, as
    the C library has it: where a name stands there, the domain name system is not asked for its addresses.
    Private addresses have no names but those, unless *ask_private*.
    """

    beyond: IResolver
    hosts: Callable[[], Hosts]
    """The hosts file as it is now."""
    ask_private: bool = False

    async def addresses(self, name: str, version: Literal[4, 6] | None = None) -> Answer[IPAddress]:
        name = plain(name) or ""
        known = self.hosts().addresses.get(name)
        if known is None and LOCALHOST in (name, name.rpartition(".")[2]):
            known = _LOOPBACK
        if known is not None:
            return Answer(tuple(each for each in known if version in (None, each.version)))
        if _is_nowhere(name):
            return Answer(exists=False)
        return await self.beyond.addresses(name, version)

    async def names(self, address: IPAddress) -> Answer[str]:
        known = self.hosts().names.get(address)
        if known is None and address in _LOOPBACK:
            known = (LOCALHOST,)
        if known is not None:
            return Answer(known)
        if is_private(address) and not self.ask_private:
            return Answer(exists=False)
        return await self.beyond.names(address)

    async def exchanges(self, name: str) -> Answer[tuple[int, str]]:
        return Answer(exists=False) if _is_nowhere(name) else await self.beyond.exchanges(name)

    async def texts(self, name: str) -> Answer[bytes]:
        return Answer(exists=False) if _is_nowhere(name) else await self.beyond.texts(name)

    async def associations(self, name: str) -> Answer[Association]:
        return Answer(exists=False) if _is_nowhere(name) else await self.beyond.associations(name)


def _is_nowhere(name: str) -> bool:
    return (plain(name) or "invalid").rpartition(".")[2] in _NOT_IN_DNS
