"""Where connections to other servers come from."""

from __future__ import annotations

from typing import Literal

import attrs

from mailsuite.config.queue import IpVersions
from mailsuite.model.account import IPAddress


@attrs.frozen
class Source:
    """Addresses of this machine, one of each version of IP at most, and which versions are used."""

    addresses: tuple[IPAddress, ...] = ()
    version: IpVersions = "any"

    def __str__(self) -> str:
        """As it stands in the key of a destination: ``192.0.2.11``, ``any address by IPv6``."""
        addresses = ", ".join(str(own) for own in self.addresses if self.reaches(own)) or "any address"
        return addresses if self.only is None else f"{addresses} by IPv{self.only}"

    @property
    def only(self) -> Literal[4, 6] | None:
        """The one version of IP that is used; None: both."""
        return 4 if self.version == "4" else 6 if self.version == "6" else None

    def towards(self, address: IPAddress) -> str | None:
        """What a connection to *address* is bound to; None: as the system chooses."""
        return next((str(own) for own in self.addresses if own.version == address.version), None)

    def reaches(self, address: IPAddress) -> bool:
        """Whether it is of a version that is used."""
        return self.only in {None, address.version}
