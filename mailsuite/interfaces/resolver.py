"""The domain name system."""

from __future__ import annotations

from typing import Literal

from zope.interface import Interface

from mailsuite.model.account import IPAddress
from mailsuite.model.dns import Answer, Association


class IResolver(Interface):
    """Looks names up, always from the root: no search list.

    Names are A-labels, in any letter case, with or without the last dot; those in answers are in lower case
    without it. A text that can be no name is a name that does not exist. An answer has a hundred records at
    most, and comes, or fails, within seconds. Each method raises TemporaryFailure where nothing can be
    known now.
    """

    async def addresses(name: str, version: Literal[4, 6] | None = None) -> Answer[IPAddress]:
        """A and AAAA (RFC 1035, RFC 3596), or one of them by the *version* of IP; IPv6 first.

        Where both are wanted and one cannot be known, the other will do if it has addresses.
        """

    async def names(address: IPAddress) -> Answer[str]:
        """PTR (RFC 1035 section 3.5): host names, which the owner of the address chose at will."""

    async def exchanges(name: str) -> Answer[tuple[int, str]]:
        """MX (RFC 5321 section 5.1): preference and host, lowest preference first; ``(0, "")`` alone is the
        null MX (RFC 7505)."""

    async def texts(name: str) -> Answer[bytes]:
        """TXT, the strings of each record joined."""

    async def associations(name: str) -> Answer[Association]:
        """TLSA (RFC 6698), of ``_25._tcp.`` and a host; worth something only where it is authentic."""
