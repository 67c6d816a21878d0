"""From a target to a connection that is where it may be.

A name is looked up and judged in one step with the connection: there is no time in between in which it could
come to mean something else (DNS rebinding). Our own resolver is asked: the system's would take a thread for
each name, which a few slow name servers can have them all waiting in, and it takes ``127.1`` for an address.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from functools import partial
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionRefusedError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory
from zope.interface import implementer

from mailsuite.client_tls import ClientContexts
from mailsuite.interfaces import IResolver
from mailsuite.model.access import site_of, unmapped
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.rate import Rate
from mailsuite.model.reach import IPNetwork
from mailsuite.notify.outgoing.budgets import Budgets
from mailsuite.notify.outgoing.causes import Cause, NotAllowed, Unreached
from mailsuite.notify.outgoing.connection import HttpConnection
from mailsuite.notify.outgoing.targets import UrlRules, WebTarget, objection

T = TypeVar("T")

CONNECT_SECONDS: Final = 5.0
"""For connection and handshake together."""
STAGGER: Final = 0.25
"""Seconds between attempts with two addresses (RFC 8305 section 5)."""
MAX_ADDRESSES: Final = 4
"""Of one name, that are tried."""
PER_SITE: Final = Rate(10, 1.0)
"""New connections to one address (of IPv6 one /64), whatever names lead there: our own limit ..."""
SITE_BURST: Final = 50
"""... and at once."""


@attrs.define(eq=False)
class Dialler:
    """Makes connections. One for each class of owners, as their requests may not share connections."""

    reactor: Any
    """IReactorTCP and IReactorTime."""
    resolver: IResolver
    contexts: ClientContexts
    rules: Callable[[], UrlRules]
    """Those in force."""
    ca_file: Path | None = None
    """Whose certificates are taken; None: the system's authorities."""
    sites: Budgets[IPNetwork] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sites = Budgets(PER_SITE, SITE_BURST, self.reactor.seconds)

    async def dial(
        self, target: WebTarget, until: float, made: Callable[[HttpConnection], object]
    ) -> HttpConnection:
        """A connection with the target's host, TLS and all; *made* is told as soon as there is one that must
        be closed one day. Raises Unreached, also where there is none by *until*, a time of the clock; and
        NotAllowed where none of the host's addresses may be connected to."""
        allowed = await self._within(until, self._allowed(target), "the domain name system is silent")
        by = min(until, self.reactor.seconds() + CONNECT_SECONDS)
        return await self._within(by, self._connected(target, allowed, made), "no connection in time")

    def objection(self, target: WebTarget, address: IPAddress) -> str:
        """Why this address of the target may not be connected to, by the rules in force; empty: it may."""
        return objection(target, address, self.rules())

    async def _within(self, until: float, coroutine: Coroutine[Any, Any, T], sentence: str) -> T:
        running = Deferred.fromCoroutine(coroutine)
        try:
            return await running.addTimeout(max(0.0, until - self.reactor.seconds()), self.reactor)
        except DeferredTimeout:
            raise Unreached(Cause.TIMED_OUT, sentence) from None

    # Addresses

    async def _allowed(self, target: WebTarget) -> tuple[IPAddress, ...]:
        """The host's addresses that may be connected to, in the order in which they are tried."""
        addresses = await self._addresses(target)
        problems = {address: self.objection(target, address) for address in addresses}
        allowed = tuple(address for address, problem in problems.items() if not problem)
        if not allowed:
            raise NotAllowed(next(iter(problems.values())))
        few = allowed[:MAX_ADDRESSES]
        in_budget = tuple(address for address in few if self.sites.take(site_of(address)))
        if not in_budget:
            raise Unreached(Cause.BUSY, f"too many connections to {allowed[0]} in a short time")
        return in_budget

    async def _addresses(self, target: WebTarget) -> tuple[IPAddress, ...]:
        if target.address is not None:
            return (target.address,)
        try:
            answer = await self.resolver.addresses(target.host)
        except TemporaryFailure:
            raise Unreached(Cause.UNRESOLVED, f"{target.host} cannot be looked up now") from None
        if not answer.records:
            there = "has no address" if answer.exists else "does not exist"
            raise Unreached(Cause.NO_HOST, f"{target.host} {there}")
        return _in_turn(dict.fromkeys(map(unmapped, answer.records)))

    # Connections

    async def _connected(
        self,
        target: WebTarget,
        allowed: tuple[IPAddress, ...],
        made: Callable[[HttpConnection], object],
    ) -> HttpConnection:
        reactor = ReactorThatKnows(self.reactor, Known(allowed))
        factory = GuardedFactory(self.reactor, frozenset(allowed), partial(self.objection, target))
        endpoint = HostnameEndpoint(
            reactor, target.host, target.port, timeout=CONNECT_SECONDS, attemptDelay=STAGGER
        )
        connection = await _connect(endpoint, factory)
        made(connection)
        if target.scheme == "https":
            try:
                creator = await self.contexts.creator(target.host, verify=True, ca_file=self.ca_file)
                await connection.start_tls(creator)
            except BaseException as error:
                connection.abort()
                if isinstance(error, TemporaryFailure) and not isinstance(error, Unreached):
                    raise Unreached(Cause.TLS, "certificates cannot be checked here") from None
                raise
        return connection


def _in_turn(addresses: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    """IPv6 and IPv4 in turn, as RFC 8305 section 4 has it."""
    sixth = [address for address in addresses if address.version == 6]
    fourth = [address for address in addresses if address.version == 4]
    mixed = chain.from_iterable(zip_longest(sixth, fourth))
    return tuple(address for address in mixed if address is not None)


async def _connect(endpoint: Any, factory: GuardedFactory) -> HttpConnection:
    try:
        connection: HttpConnection = await endpoint.connect(factory)
    except ConnectingCancelledError:
        raise CancelledError from None  # what Twisted calls it here; whoever cancelled knows the other
    except ConnectionRefusedError:
        raise Unreached(Cause.REFUSED, "nobody listens there") from None
    except ConnectTimeout:
        raise Unreached(Cause.TIMED_OUT, "no connection in time") from None
    except ConnectError:
        raise Unreached(Cause.UNREACHABLE, "there is no way there") from None
    return connection


@attrs.define(eq=False)
class GuardedFactory(Factory):
    """Makes connections with judged addresses; the one that there is in the end is judged once more."""

    clock: Any
    allowed: frozenset[IPAddress]
    objection: Callable[[IPAddress], str]

    noisy = False

    def buildProtocol(self, addr: Any) -> HttpConnection:
        """Raises NotAllowed, and so ends the connection."""
        peer = unmapped(ip_address(addr.host))
        problem = self.objection(peer)
        if peer not in self.allowed or problem:
            raise NotAllowed(problem or f"{peer} is not where the name leads")
        return HttpConnection(self.clock, peer)


# What Twisted's endpoint takes for the reactor's own resolver


@implementer(IHostResolution)
@attrs.frozen
class _Resolution:
    name: str

    def cancel(self) -> None:
        """It is over already."""


@implementer(IHostnameResolver)
@attrs.frozen
class Known:
    """Every name means these addresses, and nobody is asked."""

    addresses: tuple[IPAddress, ...]

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: object = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in self.addresses:
            kind: Any = IPv6Address if address.version == 6 else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", str(address), portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
@attrs.define(eq=False)
class ReactorThatKnows:
    """A reactor, as far as HostnameEndpoint needs one, with another resolver."""

    reactor: Any
    nameResolver: IHostnameResolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def seconds(self) -> float:
        now: float = self.reactor.seconds()
        return now

    def callLater(self, *arguments: Any) -> Any:
        return self.reactor.callLater(*arguments)

    def connectTCP(self, *arguments: Any, **keywords: Any) -> Any:
        return self.reactor.connectTCP(*arguments, **keywords)
