"""How many connections a service takes, in all and from one address, over all its listeners."""

from __future__ import annotations

from collections import Counter

import attrs

from mailsuite.frontends.unix import Caller
from mailsuite.model.access import site_of
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork


@attrs.define
class Admission:
    """Exact counts; a changed limit holds for new connections and ends none (features row S-M01).

    0 means no limit. What enters here has to pass *within* too: a listener's own limits within the service's.
    An address of IPv6 counts with its whole /64, which is one customer's (RFC 6177 section 2); a user who
    calls on a Unix socket counts as an address does.
    """

    total: int
    per_address: int
    within: Admission | None = None
    reserve: int = 0
    """So many connections beyond *total* are kept for those of *reserved_for*."""
    reserved_for: tuple[IPNetwork, ...] = ()
    """Administrators' networks: no limit of one address counts there."""
    _open: Counter[IPNetwork | Caller] = attrs.field(factory=Counter, init=False)
    _count: int = attrs.field(default=0, init=False)

    def enter(self, peer: IPAddress | Caller, many: bool = False) -> bool:
        """Whether one more connection from *peer* may come in; if so it is counted. Of *many*, who speak for
        others, no limit of one address holds."""
        site = _site(peer)
        if not self._has_room(peer, site, many):
            return False
        if self.within is not None and not self.within.enter(peer, many):
            return False
        self._open[site] += 1
        self._count += 1
        return True

    def _has_room(self, peer: IPAddress | Caller, site: IPNetwork | Caller, many: bool) -> bool:
        if not isinstance(peer, Caller) and any(peer in network for network in self.reserved_for):
            return not self.total or self._count < self.total + self.reserve
        if self.total and self._count >= self.total:
            return False
        return many or not self.per_address or self._open[site] < self.per_address

    def leave(self, peer: IPAddress | Caller) -> None:
        """A counted connection has ended."""
        site = _site(peer)
        self._count -= 1
        self._open[site] -= 1
        if self._open[site] <= 0:
            del self._open[site]
        if self.within is not None:
            self.within.leave(peer)

    @property
    def count(self) -> int:
        return self._count


def _site(peer: IPAddress | Caller) -> IPNetwork | Caller:
    return peer if isinstance(peer, Caller) else site_of(peer)
