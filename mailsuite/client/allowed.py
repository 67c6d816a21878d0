"""Who may knock: the addresses of the servers that mail is fetched from, asked for again every hour."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.access import unmapped
from mailsuite.model.device import IPNetwork

REFRESH_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 60.0
"""Where a name could not be looked up; what was known stays."""


@implementer(IResolutionReceiver)
@attrs.define(eq=False)
class _Found:
    """Collects the addresses of one name."""

    done: Deferred[frozenset[str]] = attrs.field(factory=Deferred)
    addresses: set[str] = attrs.field(factory=set)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Twisted tells it; there is nothing to do."""

    def addressResolved(self, address: IAddress) -> None:
        host = getattr(address, "host", None)
        if host is not None:
            self.addresses.add(str(unmapped(ip_address(host))))

    def resolutionComplete(self) -> None:
        self.done.callback(frozenset(self.addresses))


async def addresses_of(reactor: Any, host: str) -> frozenset[str]:
    """All addresses of *host*, IPv4 and IPv6; none where it has none or nobody can say."""
    found = _Found()
    reactor.nameResolver.resolveHostName(found, host)
    return await found.done


@attrs.define(eq=False)
class AllowList:
    """The addresses of each server by its name, and the user's own *networks* besides."""

    reactor: Any
    tasks: Tasks
    hosts: frozenset[str]
    networks: tuple[IPNetwork, ...] = ()
    _known: dict[str, frozenset[str]] = attrs.field(factory=dict, init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)

    async def refresh(self) -> None:
        """Ask now, and then every hour until stop()."""
        self.stop()
        for host in sorted(self.hosts):
            found = await addresses_of(self.reactor, host)
            if found:
                self._known[host] = found
        wait = REFRESH_SECONDS if len(self._known) == len(self.hosts) else RETRY_SECONDS
        self._timer = self.reactor.callLater(wait, self._again)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def allows(self, peer: str) -> bool:
        return self._listed(peer) or any(peer in known for known in self._known.values())

    def hosts_at(self, peer: str) -> frozenset[str]:
        """The servers that a knock from *peer* may come from; all where only a network lets it in."""
        at = frozenset(host for host, known in self._known.items() if peer in known)
        return at or (self.hosts if self._listed(peer) else frozenset())

    def _listed(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def _again(self) -> None:
        self.tasks.start(self.refresh())
