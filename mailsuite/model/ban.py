"""An address that nobody talks to for a while, as a value (features row S-I04)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import attrs


@attrs.frozen
class Ban:
    """Connections from *network* are closed without a word, for all services."""

    network: IPv4Network | IPv6Network
    """One address of IPv4, a /64 of IPv6, or what an administrator named."""
    reason: str
    """A word with hyphens: ``oversize-command``, ``by-hand`` ..."""
    since: float
    """Seconds since the epoch."""
    until: float | None
    """Seconds since the epoch; None: until the server is started again."""
    times: int = 1
    """How often it was banned in a row; each time lasts twice as long."""
    detail: str = ""
    """What led to it, in words for the administrator: service, port, first octets escaped."""
