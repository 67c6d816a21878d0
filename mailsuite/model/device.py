"""Device passwords as values: one password for each mail program, which may do less than its owner."""

from __future__ import annotations

import datetime
import enum
from ipaddress import IPv4Network, IPv6Network

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.origin import Origin

IPNetwork = IPv4Network | IPv6Network


class Scope(enum.Enum):
    """What a device password may be used for."""

    POP3 = "pop3"
    SUBMISSION = "submission"
    NOTIFY = "notify"
    CONSOLE = "console"


RECOVERABLE = frozenset({"apop", "cram-md5", "ntlm"})
"""Mechanisms that need the password itself: it is sealed, not hashed, for a device that names one of them."""


@attrs.frozen
class Device:
    """A named password of an account. What it is checked by is sealed (accounts/vault.py); nobody can read
    it without the key, which is not where this is kept."""

    id: str
    """Unique for all time; in the log and in sessions."""
    name: str
    """As its owner calls it; unique within the account, whatever the case."""
    sealed: bytes = attrs.field(repr=False)
    scopes: frozenset[Scope] = frozenset({Scope.POP3, Scope.SUBMISSION})
    mechanisms: frozenset[str] = frozenset()
    """Those of RECOVERABLE that this password can do, beyond the usual ones."""
    networks: tuple[IPNetwork, ...] = ()
    """From where it may be used; empty: from anywhere."""
    expires: float | None = None
    """Seconds since the epoch, from when on it is refused."""
    created: float = 0.0
    """Seconds since the epoch."""
    origin: Origin = Origin.DATABASE
    view: bool = False
    """It sees the maildrop as its own: what it deletes stays there for the other devices (row B-01)."""
    sender: Address | None = None
    """The one address that it may send from; canonical. None: what the account may (row U-10)."""
    recipients: tuple[Address, ...] = ()
    """Whom it may send to; canonical, ``*@example.net`` is all of a domain. Empty: anybody."""

    @property
    def folded(self) -> str:
        """The name without its letter case: two devices of an account differ in this."""
        return self.name.casefold()

    def allows(self, peer: IPAddress) -> bool:
        """Whether it may be used from there."""
        return not self.networks or any(peer in network for network in self.networks)

    def serves(self, service: str) -> bool:
        """Whether it may be used for *service*, as listeners call it."""
        return service in {scope.value for scope in self.scopes}

    def sends_to(self, recipient: Address) -> bool:
        """Whether it may send to a canonical address."""
        if not self.recipients:
            return True
        return not {recipient, Address("*", recipient.domain)}.isdisjoint(self.recipients)

    def has_expired(self, now: float) -> bool:
        """Whether it is refused by now, in seconds since the epoch."""
        return self.expires is not None and now >= self.expires


def beginning(day: datetime.date) -> float:
    """When *day* begins in UTC, in seconds since the epoch; a device that expires then is refused from then
    on."""
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp()
