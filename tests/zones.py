"""An Internet of names on loopback: domains whose mail servers are addresses of this machine.

All of 127.0.0.0/8 is this machine, so that 127.0.0.2 and 127.0.0.3 are two hosts with one port number, as
hosts elsewhere have port 25. That port is one that the kernel chose, and so another one for each test.
"""

from __future__ import annotations

import functools
import socket
from types import TracebackType

import attrs

from tests.dns_server import DnsServer, Fault, Zone


@attrs.frozen
class Exchanger:
    """One host in the MX records of a domain."""

    preference: int
    name: str
    addresses: tuple[str, ...]


@attrs.define(eq=False)
class Net:
    """A name server with such names; a context manager."""

    dns: DnsServer = attrs.field(factory=DnsServer)

    @property
    def zone(self) -> Zone:
        """For records and faults that have no word here."""
        return self.dns.zone

    @property
    def settings(self) -> str:
        """``[resolver]``, so that it is asked and nobody else."""
        return f'[resolver]\nservers = {self.dns.setting}\ntimeout = "2s"\n'

    def domain(self, name: str, *exchangers: Exchanger | str) -> None:
        """A domain with mail servers: the addresses are ``mx1``, ``mx2`` ... in it, in this order of
        preference. None: there is the domain, and it has no MX record."""
        for number, each in enumerate(exchangers, 1):
            usual = Exchanger(10 * number, f"mx{number}.{name}", (str(each),))
            exchanger = usual if isinstance(each, str) else each
            self.zone.add(name, "MX", f"{exchanger.preference} {exchanger.name}.")
            self.zone.host(exchanger.name, *exchanger.addresses)
        if not exchangers:
            self.zone.add(name, "TXT", '"nothing of interest"')

    def host(self, name: str, *addresses: str) -> None:
        """A name with these addresses; the mail of a domain without MX goes there (RFC 5321 section 5.1)."""
        self.zone.host(name, *addresses)

    def no_mail(self, name: str) -> None:
        """A domain that takes no mail at all (RFC 7505)."""
        self.zone.add(name, "MX", "0 .")

    def alias(self, name: str, target: str) -> None:
        """CNAME."""
        self.zone.add(name, "CNAME", f"{target}.")

    def trouble(self, name: str, fault: Fault) -> None:
        """Whoever asks for it gets that, until mended()."""
        self.zone.faults[name] = fault

    def mended(self, name: str) -> None:
        self.zone.faults.pop(name, None)

    def __enter__(self) -> Net:
        self.dns.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dns.__exit__(kind, error, trace)


@functools.cache
def has_ipv6() -> bool:
    """Whether there is ::1 here."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
