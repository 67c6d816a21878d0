"""Which servers are this one: where it listens itself, by address and port."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress

_EVERY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
"""A socket on ``::`` takes IPv4, too, unless somebody has said otherwise; then nobody is harmed by this."""


@attrs.frozen
class Listening:
    """Whether this server listens on an address and port. Another port of the same address is somebody
    else's, and so is the same port of another address: all of 127.0.0.0/8 is this machine, and not this
    server."""

    bound: Callable[[], Iterable[tuple[str, int]]]
    """The address and port of each socket that is open now and that mail is taken on."""
    is_own: Callable[[IPAddress], bool]
    """Whether this machine has an address; it is asked where a socket is bound to every address."""

    def __call__(self, address: IPAddress, port: int) -> bool:
        plain = unmapped(address)
        for host, number in self.bound():
            if number != port:
                continue
            if host in _EVERY:
                if plain.is_unspecified or self.is_own(plain):
                    return True
            elif unmapped(ipaddress.ip_address(host)) == plain:
                return True
        return False
