"""Addresses that nobody talks to for a while (features rows S-I04, F-06).

Exact, in memory, and written through to IBans behind the answer. A ban keeps out new connections; sessions
that are open go on, but for the one that led to it, because many people may share an address.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from ipaddress import IPv4Network, IPv6Network
from typing import Final

import attrs

from mailsuite.interfaces import IBans
from mailsuite.model.access import site_of, unmapped, unmapped_network
from mailsuite.model.account import IPAddress
from mailsuite.model.ban import Ban
from mailsuite.model.device import IPNetwork
from mailsuite.observe.log import Log
from mailsuite.policy.kept_bans import KeptBans
from mailsuite.wire.pop3.masking import masked_start

MAX_BANS: Final = 100_000
"""About 50 MB; beyond, the one that ends first makes room."""
BY_HAND: Final = "by-hand"
BANNED_FOR: Final = frozenset({"oversize-command"})
"""What no honest program does. Other violations end a session, and come from programs with mistakes, too."""
FIRST_OCTETS: Final = 32
"""So many octets of an over-long command are told (features row S-I04)."""

Report = Callable[[IPAddress, int, str, int, bytes], None]
"""Called with the peer's address and port, what it did in a word, how many octets, and the first of them."""


@attrs.frozen
class BanRules:
    """How long bans last, in seconds, and whom they never meet."""

    first: float | None = 900.0
    """Each further one lasts twice as long; None: all last until the server is started again."""
    maximum: float = 86400.0
    """The longest; and so long after its end a ban still counts for the next one."""
    exempt: tuple[IPNetwork, ...] = ()


class Exempt(ValueError):
    """The network is never banned; the message says why."""


@attrs.define(eq=False)
class Bans:
    """All bans, those that have ended included until they are forgotten. *now* is in seconds since the epoch;
    *rules* may be replaced while it runs."""

    store: IBans
    now: Callable[[], float]
    log: Log
    rules: BanRules = BanRules()
    _bans: dict[IPNetwork, Ban] = attrs.field(factory=dict, init=False)
    _lengths: Counter[tuple[int, int]] = attrs.field(factory=Counter, init=False)
    """How many networks have this version and prefix length."""
    _ends: list[tuple[float, int, Ban]] = attrs.field(factory=list, init=False)
    """A heap: who ends first; what is there no more is passed over."""
    _pushed: int = attrs.field(default=0, init=False)
    """Tells apart those that end at the same moment."""
    _kept: KeptBans = attrs.field(init=False)

    @_kept.default
    def _make_kept(self) -> KeptBans:
        return KeptBans(self.store, self.log)

    async def load(self) -> None:
        """Take over what was kept, once, at the start. Raises MailFailure."""
        for ban in await self.store.bans():
            self._put(ban)
        self._forget_old()
        self._make_room(0)

    async def stop(self) -> None:
        """Return when all that was to be written has been tried."""
        await self._kept.finished()

    # Questions

    def find(self, address: IPAddress) -> Ban | None:
        """The ban that keeps *address* out now; the widest where there are several."""
        plain = unmapped(address)
        value, bits, now = int(plain), plain.max_prefixlen, self.now()
        kind = IPv4Network if plain.version == 4 else IPv6Network
        for version, length in sorted(self._lengths):
            if version != plain.version:
                continue
            ban = self._bans.get(kind((value >> (bits - length) << (bits - length), length)))
            if ban is not None and _holds(ban, now):
                return None if self._exempting(plain) else ban
        return None

    def is_banned(self, address: IPAddress) -> bool:
        """Whether nobody talks to *address*."""
        return self.find(address) is not None

    def list(self) -> tuple[Ban, ...]:
        """All that hold now, the newest first."""
        now = self.now()
        return tuple(sorted((ban for ban in self._bans.values() if _holds(ban, now)), key=_newest_first))

    # Changes

    def reporter(self, service: str, listener: str) -> Report:
        """Whom the sessions of a listener tell of violations; those of BANNED_FOR lead to a ban.

        Who is banned already is not banned anew, and it is logged once.
        """

        def report(peer: IPAddress, port: int, kind: str, octets: int, first: bytes) -> None:
            if kind not in BANNED_FOR:
                return
            seen = _shown(first)
            detail = f"{service} (listener {listener}) from port {port}: {octets} octets"
            if seen:
                detail += f", beginning with {seen}"
            ban = self.ban(peer, kind, detail)
            if ban is None:
                return
            self.log.warning(
                "guard.banned",
                peer=peer,
                network=ban.network,
                service=service,
                listener=listener,
                port=port,
                reason=kind,
                octets=octets,
                first=seen,
                until=_until_text(ban),
                times=ban.times,
            )

        return report

    def ban(self, address: IPAddress, reason: str, detail: str = "") -> Ban | None:
        """Ban whom *address* stands for, the longer the oftener; None where that is so already, or never."""
        network = site_of(address)
        if self._exempting(address) or self.is_banned(address):
            return None
        now, rules = self.now(), self.rules
        self._forget_old()
        before = self._bans.get(network)
        times = before.times + 1 if before is not None else 1
        until = None if rules.first is None else now + _length(rules.first, rules.maximum, times)
        return self._keep(Ban(network, reason, now, until, times, detail))

    def add(self, network: IPNetwork, seconds: float | None, detail: str = "", reason: str = BY_HAND) -> Ban:
        """Ban a network by hand, None: until the server is started again. Raises Exempt."""
        network = unmapped_network(network)
        for exempt in self.rules.exempt:
            if _within(network, exempt):
                raise Exempt(
                    f"{network} is never banned: {exempt} stands in guard.never_ban, admin_networks or the "
                    "proxy_from of a listener"
                )
        now = self.now()
        ban = self._keep(Ban(network, reason, now, None if seconds is None else now + seconds, 1, detail))
        self.log.warning("guard.banned", network=network, reason=reason, until=_until_text(ban), times=1)
        return ban

    async def lift(self, network: IPNetwork) -> Ban | None:
        """End the ban of exactly this network, or of whom this one address stands for, and forget it; None
        where there is none. Raises MailFailure where it could come back; then it still holds."""
        ban = self._of(unmapped_network(network))
        if ban is None:
            return None
        await self._kept.drop_now(ban)
        if self._bans.get(ban.network) is ban:
            self._remove(ban)
        self.log.info("guard.lifted", network=ban.network, reason=ban.reason)
        return ban

    def _of(self, network: IPNetwork) -> Ban | None:
        names = [network]
        if network.prefixlen == network.max_prefixlen:
            names.append(site_of(network.network_address))
        now = self.now()
        return next((ban for name in names if (ban := self._bans.get(name)) and _holds(ban, now)), None)

    def _exempting(self, address: IPAddress) -> bool:
        return any(unmapped(address) in network for network in self.rules.exempt)

    # Upkeep

    def _keep(self, ban: Ban) -> Ban:
        self._make_room(ban.network not in self._bans)
        self._put(ban)
        self._kept.write(ban.network, ban)
        return ban

    def _make_room(self, places: int) -> None:
        while len(self._bans) + places > MAX_BANS:
            self._drop(self._next_to_end())

    def _put(self, ban: Ban) -> None:
        before = self._bans.get(ban.network)
        if before is not None:
            self._remove(before)
        self._bans[ban.network] = ban
        self._lengths[ban.network.version, ban.network.prefixlen] += 1
        self._pushed += 1
        heappush(self._ends, (_end(ban), self._pushed, ban))
        if len(self._ends) > 2 * len(self._bans) + 64:
            self._ends = [entry for entry in self._ends if self._bans.get(entry[2].network) is entry[2]]
            heapify(self._ends)

    def _remove(self, ban: Ban) -> None:
        del self._bans[ban.network]
        kind = ban.network.version, ban.network.prefixlen
        self._lengths[kind] -= 1
        if not self._lengths[kind]:
            del self._lengths[kind]

    def _drop(self, ban: Ban) -> None:
        self._remove(ban)
        self._kept.write(ban.network, None)

    def _next_to_end(self) -> Ban:
        while True:
            ban = self._ends[0][2]
            if self._bans.get(ban.network) is ban:
                return ban
            heappop(self._ends)

    def _forget_old(self) -> None:
        """Drop those that ended so long ago that they count for nothing any more."""
        while self._bans:
            ban = self._next_to_end()
            if _end(ban) + self.rules.maximum > self.now():
                return
            self._drop(ban)


def _length(first: float, maximum: float, times: int) -> float:
    return min(math.ldexp(first, min(times - 1, 60)), max(first, maximum))


def _within(inner: IPNetwork, outer: IPNetwork) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def _end(ban: Ban) -> float:
    return math.inf if ban.until is None else ban.until


def _holds(ban: Ban, now: float) -> bool:
    return now < _end(ban)


def _newest_first(ban: Ban) -> tuple[float, str]:
    return -ban.since, str(ban.network)


def _until_text(ban: Ban) -> str:
    if ban.until is None:
        return "restart"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ban.until))


def _shown(first: bytes) -> str:
    """The first octets of a command on one line, without the secret that may be in them; empty where it is
    no command."""
    octets = masked_start(first[:FIRST_OCTETS])
    return octets.decode("latin-1").encode("unicode_escape").decode("ascii")
