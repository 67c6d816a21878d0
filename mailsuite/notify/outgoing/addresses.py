"""Which addresses may be connected to, for targets that users name.

A user's webhook must not reach into the network that the server stands in (server-side request forgery), and
so what a name leads to is judged by our own table, address by address, when it is connected to.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.reach import IPNetwork, Reach, reach
from mailsuite.notify.addresses import is_own_address


@attrs.frozen
class AddressRules:
    """Judges addresses. At a reload it is replaced by another one."""

    allow_networks: tuple[IPNetwork, ...] = ()
    """``notify.allow_networks``: local ones where notices may go."""
    is_own: Callable[[IPAddress], bool] = is_own_address
    """Whether an address is this machine's, which is as local as any."""

    def objection(self, address: IPAddress) -> str:
        """Why no notice may go to this address, in words for whoever named it; empty: it may."""
        plain = unmapped(address)
        verdict = reach(plain)
        if verdict is Reach.NEVER:
            return f"{address} is never connected to: it is no address of anybody's server"
        if self.is_by_leave(plain):
            return ""
        if verdict is Reach.LOCAL:
            return f"{address} is local; for notices to go there, add its network to notify.allow_networks"
        if self.is_own(plain):
            return f"{address} is this server; for notices to go there, add it to notify.allow_networks"
        return ""

    def is_by_leave(self, address: IPAddress) -> bool:
        """Whether an administrator has named a network that holds it."""
        plain = unmapped(address)
        return any(plain in network for network in self.allow_networks)
