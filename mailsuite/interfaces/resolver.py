"""The domain name system."""

from __future__ import annotations

from zope.interface import Interface

from mailsuite.model.account import IPAddress


class IResolver(Interface):
    """Looks names up. All answers are of limited size; names are A-labels without the last dot.

    Each method answers nothing, as an empty tuple, where there is no such name or no such record, and raises
    TemporaryFailure where that cannot be known now.
    """

    async def addresses(name: str) -> tuple[IPAddress, ...]:
        """A and AAAA (RFC 1035, RFC 3596), IPv6 first."""

    async def names(address: IPAddress) -> tuple[str, ...]:
        """PTR (RFC 1035 section 3.5), in lower case."""

    async def exchanges(name: str) -> tuple[tuple[int, str], ...]:
        """MX (RFC 5321 section 5.1): preference and host, lowest preference first; ``(0, "")`` alone is the
        null MX (RFC 7505)."""

    async def texts(name: str) -> tuple[bytes, ...]:
        """TXT, the strings of each record joined."""
