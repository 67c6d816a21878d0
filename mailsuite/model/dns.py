"""What the domain name system says, as values."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from mailsuite.model.account import IPAddress

T = TypeVar("T")

DNS_PORT = 53
"""RFC 1035 section 4.2."""


@attrs.frozen
class NameServer:
    """Where questions are sent."""

    address: IPAddress
    port: int = DNS_PORT

    def __str__(self) -> str:
        """As in the configuration: without the port where it is the usual one."""
        if self.port == DNS_PORT:
            return str(self.address)
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@attrs.frozen
class Answer(Generic[T]):
    """What is known of a name: its records of one type, or that there are none."""

    records: tuple[T, ...] = ()
    exists: bool = True
    """False: there is no such name at all (NXDOMAIN, RFC 8020)."""
    authentic: bool = False
    """A validating resolver that we believe has checked the DNSSEC signatures (RFC 4035 section 3.2.3)."""


@attrs.frozen
class Association:
    """A TLSA record (RFC 6698 section 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes
