"""TLS towards other mail servers: what it must be, and who could not do it lately.

Opportunistic TLS (RFC 7435) takes any certificate, for the other way is no TLS at all; where a policy asks
for a right one, it is checked (``mailsuite/client_tls.py``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from mailsuite.config.next_hops import RelayBlock, verifies
from mailsuite.config.queue import TlsLevel

CLEAR_AGE: Final = 3600.0
"""Seconds for which a host whose TLS fails is not asked for it again, where it need not be."""
MAX_HOSTS: Final = 1000
"""So many such hosts are remembered."""


class Level(enum.IntEnum):
    """What TLS must be, the later the more."""

    NONE = 0
    """It is not used."""
    MAY = 1
    """Where the other side offers it; in the clear where it does not, or where it fails."""
    ENCRYPT = 2
    """Always; whoever the other side is."""
    VERIFY = 3
    """Always, with a right certificate."""


@attrs.frozen
class TlsPolicy:
    """What TLS with a next server must be."""

    level: Level = Level.MAY
    implicit: bool = False
    """It begins with the connection (RFC 8314), not by STARTTLS."""
    ca_file: Path | None = None
    """Who must have signed a right certificate; None: whom the system trusts."""

    def requiring(self, least: Level) -> TlsPolicy:
        """At least this: what REQUIRETLS of a message asks for is VERIFY (RFC 8689 section 4.2.1)."""
        return self if self.level >= least else attrs.evolve(self, level=least)


def policy_of(default: TlsLevel, relay: RelayBlock | None = None) -> TlsPolicy:
    """What the configuration says; *default* is ``queue.tls.default``."""
    level = Level[default.upper()]
    if relay is None:
        return TlsPolicy(level)
    if relay.tls == "off":
        level = Level.NONE
    elif relay.tls == "starttls":
        level = Level.MAY
    elif verifies(default, relay):
        level = Level.VERIFY
    elif relay.tls is not None or relay.username or level is Level.VERIFY:
        level = Level.ENCRYPT
    return TlsPolicy(level, relay.tls == "implicit", relay.ca_file)


@attrs.define
class ClearHosts:
    """Hosts whose TLS has failed lately, and who get their mail in the clear for a time, where it may be.

    Whoever can break a handshake can break each of them, so that this tells nobody more than MAY does.
    """

    seconds: Callable[[], float]
    _until: dict[str, float] = attrs.field(factory=dict, init=False)

    def failed(self, policy: TlsPolicy, host: str) -> bool:
        """The handshake with *host* came to nothing; whether to come again without TLS."""
        if policy.level is not Level.MAY or policy.implicit:
            return False
        self._until.pop(host, None)
        while len(self._until) >= MAX_HOSTS:
            del self._until[next(iter(self._until))]
        self._until[host] = self.seconds() + CLEAR_AGE
        return True

    def policy(self, policy: TlsPolicy, host: str) -> TlsPolicy:
        """What TLS with *host* is now, where the configuration says *policy*."""
        if policy.level is not Level.MAY or policy.implicit or self._until.get(host, 0.0) <= self.seconds():
            return policy
        return attrs.evolve(policy, level=Level.NONE)
