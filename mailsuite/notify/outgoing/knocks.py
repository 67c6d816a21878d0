"""How often may be knocked: at one listener, in one network, and by this server at all.

A knock is a connection to an address that a stranger may hold by now, and so none of these may be a weapon,
however many accounts lead to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Final

import attrs

from mailsuite.model.access import site_of, unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.rate import Rate
from mailsuite.model.reach import IPNetwork
from mailsuite.notify.outgoing.budgets import Budgets

PER_LISTENER: Final = Rate(1, 10.0)
"""At one address and port ..."""
LISTENER_BURST: Final = 2
PER_NETWORK: Final = Rate(60, 60.0)
"""... in one /24 of IPv4 or /64 of IPv6 ..."""
NETWORK_BURST: Final = 60
ALL: Final = Rate(500, 1.0)
"""... and anywhere."""
ALL_BURST: Final = 500
MAX_IN_FLIGHT: Final = 256
IPV4_PREFIX: Final = 24


def network_of(address: IPAddress) -> IPNetwork:
    """The neighbourhood that shares a budget."""
    plain = unmapped(address)
    if isinstance(plain, IPv4Address):
        return IPv4Network((int(plain) >> 8 << 8, IPV4_PREFIX))
    return site_of(plain)


@attrs.define(eq=False)
class KnockBudget:
    """Leave to knock. One for a server, over all accounts. One thread."""

    seconds: Callable[[], float]
    max_in_flight: int = MAX_IN_FLIGHT
    """``notify.notifymail.max_in_flight``; may be changed at any time."""
    in_flight: int = attrs.field(default=0, init=False)
    _listeners: Budgets[tuple[IPAddress, int]] = attrs.field(init=False)
    _networks: Budgets[IPNetwork] = attrs.field(init=False)
    _all: Budgets[None] = attrs.field(init=False)
    _busy: set[tuple[IPAddress, int]] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._listeners = Budgets(PER_LISTENER, LISTENER_BURST, self.seconds)
        self._networks = Budgets(PER_NETWORK, NETWORK_BURST, self.seconds)
        self._all = Budgets(ALL, ALL_BURST, self.seconds)

    def ready_at(self, address: IPAddress, port: int) -> float:
        """From when on begin() may answer True; infinite: not before another knock has ended()."""
        plain = unmapped(address)
        if (plain, port) in self._busy or self.in_flight >= self.max_in_flight:
            return math.inf
        return max(
            self._listeners.ready_at((plain, port)),
            self._networks.ready_at(network_of(plain)),
            self._all.ready_at(None),
        )

    def begin(self, address: IPAddress, port: int) -> bool:
        """Whether a knock may go out now; then ended() must follow."""
        if self.ready_at(address, port) > self.seconds():
            return False
        plain = unmapped(address)
        self._listeners.take((plain, port))
        self._networks.take(network_of(plain))
        self._all.take(None)
        self._busy.add((plain, port))
        self.in_flight += 1
        return True

    def ended(self, address: IPAddress, port: int) -> None:
        """A knock that began is over, one way or the other."""
        self._busy.remove((unmapped(address), port))
        self.in_flight -= 1
