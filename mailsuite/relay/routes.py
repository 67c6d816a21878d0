"""From an address to its destination, and from that to the way there: by ``[queue]`` and ``[[relay]]``.

A destination is what has one way, one queue and one back-off: a domain, or a next server with all the
domains that go by it. Its key is the domain itself (``example.org``, ``[192.0.2.1]``), or says what the mail
goes to: ``smtp.provider.example:465``, ``lmtp:10.0.0.5:24``, ``mx:example.org:25``, ``(discard)``,
``(error)``. Where two blocks lead to the same place in two ways, the second has ``#2`` behind it.

Mail of senders whose connections come from addresses of their own, or by a version of IP of their own, is
apart: its keys have ``from 192.0.2.11`` behind them. Other servers judge by the address that mail comes from,
and may be reached by one version of IP alone, so each source has its own back-off.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal

import attrs

from mailsuite.config.kinds_next_hops import Place
from mailsuite.config.next_hops import RelayBlock, port_of, retry_times
from mailsuite.config.queue import Queue, RetryTimes
from mailsuite.config.schema import Config
from mailsuite.config.secret import Secret
from mailsuite.model.address import Address
from mailsuite.model.outbound import FROM
from mailsuite.model.reply import Reply, refused_by_rule
from mailsuite.relay.source import Source
from mailsuite.relay.tls import TlsPolicy, policy_of

_NO_DOMAIN: Final = frozenset(":(#")
"""What keys have that are no domains, and no domain has."""


class Way(enum.Enum):
    """Where a destination's mail goes."""

    EXCHANGERS = "mx"
    """To the servers that the DNS names for ``domain``; then to ``places``."""
    PLACES = "places"
    """To these servers, in this order."""
    DISCARD = "discard"
    """Nowhere, and nobody is told."""
    ERROR = "error"
    """Back to its sender, with ``reply``."""


@attrs.frozen
class Login:
    """As whom we log in."""

    username: str
    password: Secret


@attrs.frozen
class Hop:
    """The way to one destination, and how it is gone."""

    destination: str
    way: Way
    times: RetryTimes
    domain: str = ""
    places: tuple[Place, ...] = ()
    port: int = 25
    """Of exchangers, and of places that have none."""
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: TlsPolicy = attrs.field(factory=TlsPolicy)
    login: Login | None = None
    per_destination: int = 20
    """Messages on their way there at the same time, at most."""
    reply: Reply | None = None
    ignored: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where the DNS names no server for us (as ignore_target_hosts of Exim); ``places`` may be there."""


@attrs.frozen
class Routes:
    """All ways, by one configuration. routes() makes it."""

    _queue: Queue
    _relays: tuple[tuple[RelayBlock, str], ...]
    """Those that are used, in their order, each with its key; empty where that is the domain itself."""
    _hops: Mapping[str, Hop]
    _source: Source
    _sources: Mapping[str, Source]

    def destination_of(self, sender: Address | None, recipient: Address) -> str:
        """The key of the destination of a recipient. Pure, and quick; for any thread."""
        key = self._first(recipient.domain)[1] or recipient.domain
        source = self.source(sender)
        if source == self._source or not self._connects(key):
            return key
        return f"{key}{FROM}{source}"

    def hop(self, destination: str) -> Hop | None:
        """The way to a destination, from wherever; None where this configuration knows none by that key, so
        that its recipients must be routed again."""
        place = destination.partition(FROM)[0]
        if place in self._hops:
            return self._hops[place]
        if not _is_domain(place):
            return None
        relay, key = self._first(place)
        return self._hops[key] if key else _by_exchangers(self._queue, relay, place)

    @property
    def usual_times(self) -> RetryTimes:
        """Those of mail that no way says anything about."""
        return retry_times(self._queue)

    def source(self, sender: Address | None) -> Source:
        """Where connections for mail of this sender come from."""
        return self._sources.get(sender.domain, self._source) if sender is not None else self._source

    def _connects(self, key: str) -> bool:
        return key not in self._hops or self._hops[key].way in {Way.EXCHANGERS, Way.PLACES}

    def _first(self, domain: str) -> tuple[RelayBlock | None, str]:
        for relay, key in self._relays:
            if relay.match.covers(domain):
                return relay, key
        return None, ""


def routes(config: Config) -> Routes:
    """The ways of a configuration."""
    hops: dict[str, Hop] = {}
    relays = []
    for relay in config.relays:
        if not relay.enabled:
            continue
        hop = _by_relay(config.queue, relay)
        if hop is not None:
            hop = _kept(hop, hops)
        relays.append((relay, hop.destination if hop is not None else ""))
    queue = config.queue
    usual = Source(queue.source_address, queue.ip_version)
    sources = {
        domain.name: Source(
            queue.source_address if domain.source_address is None else domain.source_address,
            domain.ip_version or queue.ip_version,
        )
        for domain in config.domains
        if domain.source_address is not None or domain.ip_version is not None
    }
    return Routes(queue, tuple(relays), hops, usual, sources)


def _kept(hop: Hop, hops: dict[str, Hop]) -> Hop:
    """The way under a key of its own; blocks that say the same share one."""
    base, number = hop.destination, 1
    while hops.setdefault(hop.destination, hop) != hop:
        number += 1
        hop = attrs.evolve(hop, destination=f"{base}#{number}")
    return hop


def _is_domain(destination: str) -> bool:
    """Whether the key is a domain or an address literal, and not the one of a next server."""
    if destination.startswith("["):
        return destination.endswith("]")
    return destination != "" and _NO_DOMAIN.isdisjoint(destination)


def _by_exchangers(queue: Queue, relay: RelayBlock | None, domain: str, key: str = "") -> Hop:
    """Straight to the servers of the domain, by what a block says, if there is one."""
    fallback: tuple[Place, ...] = ()
    port, most = queue.port, queue.per_destination
    if relay is not None:
        fallback, port = relay.fallback, port_of(relay, queue.port)
        most = relay.per_destination or most
    return Hop(
        destination=key or domain,
        way=Way.EXCHANGERS,
        times=retry_times(queue, relay),
        domain=domain,
        places=fallback,
        port=port,
        tls=policy_of(queue.tls.default, relay),
        per_destination=most,
        ignored=queue.ignore_target_hosts,
    )


def _by_relay(queue: Queue, relay: RelayBlock) -> Hop | None:
    """The way that is the same for all domains of a block; None where each has its own."""
    transport = relay.transport
    if transport.kind == "discard":
        return Hop(f"({transport.kind})", Way.DISCARD, retry_times(queue))
    if transport.kind == "error":
        return Hop(
            f"({transport.kind})",
            Way.ERROR,
            retry_times(queue),
            reply=refused_by_rule(transport.enhanced, transport.text),
        )
    if relay.host is None:
        return None
    port = port_of(relay, queue.port)
    if relay.mx:
        return _by_exchangers(queue, relay, relay.host, f"mx:{relay.host}:{port}")
    mark = "lmtp:" if transport.kind == "lmtp" else ""
    return Hop(
        destination=f"{mark}{Place(relay.host, port)}",
        way=Way.PLACES,
        times=retry_times(queue, relay),
        places=(Place(relay.host), *relay.fallback),
        port=port,
        protocol="lmtp" if transport.kind == "lmtp" else "smtp",
        tls=policy_of(queue.tls.default, relay),
        login=Login(relay.username, relay.password) if relay.username else None,
        per_destination=relay.per_destination or queue.per_destination,
    )
