"""From a way to hosts with addresses, by the DNS (RFC 5321 section 5.1, RFC 7505).

Hosts come in the order in which they are to be tried, those of one preference at random, and are looked up
when it is their turn: whoever reaches the first asks for no other. No more than ten addresses come in all.

Mail never comes back to us: where one of the hosts is this server, it and all that are no better are left
out. This server is our own name, and each address and port that it listens on; not all of 127.0.0.0/8.

What the DNS says of a stranger's domain is the stranger's: addresses in the networks that the way ignores,
which by default are loopback and link-local ones, are as if they were not there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, FirstError, gatherResults

from mailsuite.interfaces import IResolver
from mailsuite.model.access import unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.address import AddressSyntaxError, normalise_domain
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import DOMAIN_UNKNOWN, NO_ROUTE, NULL_MX, ROUTED_TO_US
from mailsuite.observe.log import Log
from mailsuite.relay.routes import Hop, Way
from mailsuite.relay.source import Source

MAX_ADDRESSES: Final = 10
"""Addresses that a message is tried at, at a time (features row Q-04)."""
MAX_ADDRESSES_OF_HOST: Final = 5
"""So that a host with many does not keep the mail from the next one."""
MAX_HOSTS: Final = 20
"""Hosts that are looked up at most."""


@attrs.frozen
class Host:
    """A server to connect to."""

    name: str
    """What its certificate must be for: a host name, or an IP address."""
    addresses: tuple[IPAddress, ...]
    """In the order in which they are to be tried."""
    port: int


@attrs.frozen
class _Candidate:
    """A host that is still to be looked up."""

    rank: int
    """Those of one rank are equal."""
    name: str
    port: int
    is_exchanger: bool = True


@attrs.define
class _Found:
    """What a search has come to."""

    addresses: int = 0
    hosts: int = 0
    unknown: TemporaryFailure | None = None
    """Why the addresses of a host cannot be known."""
    is_ours: bool = False


@attrs.frozen(eq=False)
class HostFinder:
    """Finds the hosts of a way."""

    resolver: IResolver
    is_ours: Callable[[IPAddress, int], bool]
    """Whether this server listens on an address and port."""
    hostname: str
    """Our own name; an exchanger of that name is this server."""
    shuffle: Callable[[list[Any]], None]
    """Puts a list into random order."""
    log: Log

    async def find(self, hop: Hop, source: Source) -> AsyncIterator[Host]:
        """The hosts of a way to servers, one after the other.

        Before the first, raises PermanentFailure where there is none and never will be, and TemporaryFailure
        where none can be known now. At least one comes, or one of these.
        """
        found = _Found()
        candidates = await self._candidates(hop, found)
        for rank in _by_rank(candidates):
            if found.is_ours and rank[0].is_exchanger:
                continue
            for host in await self._look_up(rank, hop, source, found):
                yield host
        if not found.addresses:
            raise self._none(hop, found)

    def _none(self, hop: Hop, found: _Found) -> PermanentFailure | TemporaryFailure:
        if found.unknown is not None:
            return found.unknown
        if found.is_ours:
            return PermanentFailure(ROUTED_TO_US, f"{hop.destination}: this server is the best one itself")
        return PermanentFailure(NO_ROUTE, f"{hop.destination}: no server has an address that could be used")

    async def _candidates(self, hop: Hop, found: _Found) -> list[_Candidate]:
        """All hosts by their rank, nobody's address known yet."""
        places = [
            _Candidate(rank, place.host, place.port or hop.port, is_exchanger=False)
            for rank, place in enumerate(hop.places)
        ]
        if hop.way is Way.PLACES:
            return places
        if hop.domain.startswith("["):
            literal = hop.domain[1:-1].removeprefix("IPv6:")
            return [_Candidate(-1, literal, hop.port), *places]
        try:
            exchangers = await self._exchangers(hop, found)
        except TemporaryFailure as failure:
            if not places:
                raise
            found.unknown, exchangers = failure, []
        return [*exchangers, *places]

    async def _exchangers(self, hop: Hop, found: _Found) -> list[_Candidate]:
        """What the DNS says of a domain, the best first, equals at random. Ranks are negative, for they come
        before all places. Raises PermanentFailure where the domain takes no mail."""
        answer = await self.resolver.exchanges(hop.domain)
        if not answer.exists:
            raise PermanentFailure(DOMAIN_UNKNOWN, f"{hop.domain}: there is no such domain")
        if not answer.records:  # RFC 5321 section 5.1: then the domain is its own host
            return [_Candidate(-1, hop.domain, hop.port)]
        if answer.records == ((0, ""),):
            raise PermanentFailure(NULL_MX, f"{hop.domain}: has a null MX (RFC 7505)")
        own = [preference for preference, name in answer.records if name == self.hostname]
        records = [record for record in answer.records if not own or record[0] < min(own)]
        found.is_ours = bool(own) and not records
        usable = [(preference, name) for preference, name in records if self._is_usable(name, hop)]
        self.shuffle(usable)
        usable.sort(key=lambda record: record[0])
        return [_Candidate(preference - (1 << 16), name, hop.port) for preference, name in usable]

    def _is_usable(self, name: str, hop: Hop) -> bool:
        """Whether an exchanger has a name that can be a host's; an address in its place is none (RFC 1035
        section 3.3.9). An underscore is forgiven: there are such servers, and they take mail."""
        try:
            if not normalise_domain(name.replace("_", "x")).rpartition(".")[2].isdigit():
                return True
        except AddressSyntaxError:
            pass
        self.log.info("relay.exchanger_unusable", destination=hop.destination, exchanger=name)
        return False

    async def _look_up(
        self, rank: Sequence[_Candidate], hop: Hop, source: Source, found: _Found
    ) -> list[Host]:
        """Those of one rank with their addresses; none where one of them is this server."""
        rank = rank[: MAX_HOSTS - found.hosts]
        found.hosts += len(rank)
        asking = [Deferred.fromCoroutine(self._addresses(each, source, found)) for each in rank]
        answers: list[list[IPAddress]] = []
        try:
            answers = await gatherResults(asking, consumeErrors=True)
        except FirstError as error:  # which hides what it is, a cancellation for one
            error.subFailure.raiseException()
        hosts = []
        for candidate, all_addresses in zip(rank, answers, strict=True):
            if any(self.is_ours(address, candidate.port) for address in all_addresses):
                found.is_ours = True
                if candidate.is_exchanger:
                    return []
                continue
            addresses = self._without_ignored(all_addresses, candidate, hop)
            taken = addresses[: min(MAX_ADDRESSES_OF_HOST, MAX_ADDRESSES - found.addresses)]
            if taken:
                found.addresses += len(taken)
                hosts.append(Host(candidate.name, tuple(taken), candidate.port))
        return hosts

    def _without_ignored(
        self, addresses: list[IPAddress], candidate: _Candidate, hop: Hop
    ) -> list[IPAddress]:
        if not candidate.is_exchanger:
            return addresses
        left = [each for each in addresses if not any(unmapped(each) in network for network in hop.ignored)]
        if len(left) < len(addresses):
            self.log.info("relay.exchanger_unusable", destination=hop.destination, exchanger=candidate.name)
        return left

    async def _addresses(self, candidate: _Candidate, source: Source, found: _Found) -> list[IPAddress]:
        """Where a host is, IPv6 and IPv4 in turn; nowhere where that cannot be known now."""
        try:
            address = ipaddress.ip_address(candidate.name)
        except ValueError:
            pass
        else:
            return [address] if source.reaches(address) and _is_of_a_host(address) else []
        try:
            answer = await self.resolver.addresses(candidate.name, source.only)
        except TemporaryFailure as failure:
            found.unknown = failure
            return []
        addresses = [address for address in answer.records if _is_of_a_host(address)]
        self.shuffle(addresses)
        return list(interleaved(addresses))


def _is_of_a_host(address: IPAddress) -> bool:
    """Whether one machine can have it. Nobody's is a group's, and 0.0.0.0, which the system takes for this
    machine (RFC 1122 section 3.2.1.3); private ones are, for names of one's own network."""
    plain = unmapped(address)
    if plain.is_multicast or plain.is_unspecified:
        return False
    return plain.version == 6 or not (plain.is_reserved or plain.packed[0] == 0)


def _by_rank(candidates: Sequence[_Candidate]) -> Iterator[list[_Candidate]]:
    for _, rank in groupby(candidates, attrgetter("rank", "is_exchanger")):
        yield list(rank)


def interleaved(addresses: Sequence[IPAddress]) -> Iterator[IPAddress]:
    """IPv6 first, then the two kinds in turn, each in its order (RFC 8305 section 4)."""
    six = [address for address in addresses if address.version == 6]
    four = [address for address in addresses if address.version == 4]
    for pair in zip_longest(six, four):
        yield from (address for address in pair if address is not None)
