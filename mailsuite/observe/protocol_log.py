"""Whose protocol is logged, and how much of it (features row S-I07)."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import Final, Literal, Protocol, get_args

import attrs

from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.device import IPNetwork

Level = Literal["off", "sessions", "commands", "raw"]
"""Nothing; a line for each session; each command and each response too; all octets too."""
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
WatchLevel = Literal["commands", "raw"]
CLOSE_LEVELS: Final = frozenset(get_args(WatchLevel))
"""Those for which somebody has to look at what passes."""

WATCH_SECONDS = 900.0
"""How long somebody is watched where nothing else is said (features row S-I07: 15 minutes)."""
MAX_WATCH_SECONDS = 86400.0
"""A watch that is forgotten fills the disk: our own limit."""
MAX_WATCHES = 100
"""Our own limit: this is for finding out what one mail program does."""

Who = Address | IPNetwork


class Tap(Protocol):
    """Sees what passes in one session, in order."""

    def received(self, data: bytes, /) -> None:
        """From the client; the core has not seen it yet."""

    def said(self, data: bytes, /) -> None:
        """Responses to the client."""

    def streamed(self, data: bytes, /) -> None:
        """Messages and long listings to the client."""


class TooManyWatches(Exception):
    """MAX_WATCHES are on; one has to be taken off first."""


@attrs.define(eq=False)
class Watch:
    """Shared with the sessions that it is about: taking it off ends it for them, too."""

    who: Who
    level: WatchLevel
    until: float
    """Seconds since the epoch."""


@attrs.define(eq=False)
class Watches:
    """Whose sessions are logged closely for a while. They are looked for when a session begins and when it
    logs in; one that is logged in already goes on as it did."""

    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    _watches: dict[Who, Watch] = attrs.field(factory=dict, init=False)

    def put_on(self, who: Who, level: WatchLevel, seconds: float = WATCH_SECONDS) -> Watch:
        """Watch *who* from now on, in the place of any watch of the same. Raises TooManyWatches."""
        self._forget_ended()
        if who not in self._watches and len(self._watches) >= MAX_WATCHES:
            raise TooManyWatches(f"{MAX_WATCHES} are watched already")
        self.take_off(who)
        watch = Watch(who, level, self.now() + min(seconds, MAX_WATCH_SECONDS))
        self._watches[who] = watch
        return watch

    def take_off(self, who: Who) -> bool:
        """Watch *who* no more, at once; False where nobody did."""
        watch = self._watches.pop(who, None)
        if watch is None:
            return False
        was_on, watch.until = self.is_on(watch), 0.0
        return was_on

    def is_on(self, watch: Watch) -> bool:
        """Whether a watch lasts."""
        return self.now() < watch.until

    def list(self) -> tuple[Watch, ...]:
        """All that last, in the order they end."""
        self._forget_ended()
        return tuple(sorted(self._watches.values(), key=lambda watch: watch.until))

    def on_peer(self, peer: IPAddress) -> Watch | None:
        """The watch on the narrowest network that *peer* is in."""
        if not self._watches:
            return None
        fitting = [
            (who.prefixlen, watch)
            for who, watch in self._watches.items()
            if not isinstance(who, Address) and peer in who and self.is_on(watch)
        ]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None

    def on_account(self, account: Address) -> Watch | None:
        """The watch on an account."""
        watch = self._watches.get(account) if self._watches else None
        return watch if watch is not None and self.is_on(watch) else None

    def _forget_ended(self) -> None:
        for who in [who for who, watch in self._watches.items() if not self.is_on(watch)]:
            del self._watches[who]


def parse_who(text: str) -> Who:
    """An IP address or network, or an account's address. Raises ValueError."""
    if "@" in text:
        return Address.parse(text).canonical
    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return network if mapped is None else ip_network(f"{mapped}/{max(0, network.prefixlen - 96)}", False)
