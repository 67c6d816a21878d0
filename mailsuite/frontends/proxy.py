"""Listeners behind a proxy: whose connection it is, before anybody talks (features row M-22).

From a listed proxy the header comes first, before TLS, too; what follows is the client's, with the client's
address. From everybody else there is no header to believe: who sends one all the same is cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.frontends.door import address_of
from mailsuite.frontends.flood import Flood
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork
from mailsuite.observe.log import Log
from mailsuite.wire.proxy import SIGNATURES, BadHeader, HeaderReader, Proxied

HEADER_TIMEOUT: Final = 5.0
"""Seconds until the whole header must have come (features row M-22)."""
MAX_WAITING: Final = 1000
"""Connections of one listener whose header has not come yet; further ones are closed."""

Enter = Callable[[IAddress], Protocol | None]
"""Makes what talks to a client from there; None: nobody talks to it."""


class Forecourt:
    """In front of one socket: lets connections in as soon as it is known whose they are."""

    def __init__(self, clock: IReactorTime, log: Log, enter: Enter) -> None:
        self.clock = clock
        self.log = log
        self._enter = enter
        self._waiting: set[AwaitedHeader] = set()
        self._refused = Flood(clock)
        self._spoofed = Flood(clock)

    def meet(self, peer: IAddress, proxies: Sequence[IPNetwork]) -> Protocol | None:
        """What talks to a new connection from *peer*; None: nobody."""
        address, _ = address_of(peer)
        if not any(address in network for network in proxies):
            session = self._enter(peer)
            return None if session is None else Stranger(session, partial(self.spoofed, address))
        if len(self._waiting) >= MAX_WAITING:
            self.refused(address, "too many wait for their header")
            return None
        waiting = AwaitedHeader(self, peer)
        self._waiting.add(waiting)
        return waiting

    def enter(self, waiting: AwaitedHeader, header: Proxied) -> tuple[IAddress, Protocol | None]:
        """The header has come: who the client is, and what talks to it."""
        self._waiting.discard(waiting)
        client = client_of(header, waiting.proxy)
        address, port = address_of(client)
        self.log.debug(
            "proxy.header",
            proxy=address_of(waiting.proxy)[0],
            peer=address,
            port=port,
            version=header.version,
            local=header.local,
            authority=header.authority,
            id=header.unique_id.decode("latin-1"),
            tls="" if header.tls is None else f"{header.tls.version} {header.tls.cipher}".strip(),
            name="" if header.tls is None or not header.tls.verified else header.tls.common_name,
        )
        return client, self._enter(client)

    def gone(self, waiting: AwaitedHeader) -> None:
        """It waits no more."""
        self._waiting.discard(waiting)

    def clear(self) -> None:
        """Nobody is let in any more."""
        for waiting in list(self._waiting):
            waiting.cut()

    def refused(self, proxy: IPAddress, reason: str) -> None:
        """A proxy did not say whose connection it is."""
        if count := self._refused.one_more():
            self.log.warning("proxy.refused", proxy=proxy, reason=reason, refused=count)

    def spoofed(self, peer: IPAddress) -> None:
        """Somebody who is no proxy of ours said what only a proxy says."""
        if count := self._spoofed.one_more():
            self.log.warning("proxy.spoofed", peer=peer, spoofed=count)


def client_of(header: Proxied, proxy: IAddress) -> IAddress:
    """Who is at the other end: whom the header names, or the proxy itself.

    What calls itself loopback on a proxy elsewhere is on that machine, not on ours.
    """
    peer, own = header.peer, address_of(proxy)[0]
    if peer is None or (peer.is_loopback and not own.is_loopback):
        return proxy
    kind = IPv6Address if peer.version == 6 else IPv4Address
    return kind("TCP", str(peer), header.port)


class AwaitedHeader(Protocol):
    """A connection of a proxy until its header has come. Then the session takes its place at the transport,
    which from then on says that it comes from the client."""

    def __init__(self, forecourt: Forecourt, proxy: IAddress) -> None:
        self.proxy = proxy
        self._forecourt = forecourt
        self._reader = HeaderReader()
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._timer = self._forecourt.clock.callLater(HEADER_TIMEOUT, self._refuse, "no header came in time")

    def dataReceived(self, data: bytes) -> None:
        try:
            header = self._reader.receive(data)
        except BadHeader as error:
            self._refuse(str(error))
            return
        if header is not None:
            self._stop()
            self._make_room(header)

    def _make_room(self, header: Proxied) -> None:
        transport: Any = self.transport
        client, session = self._forecourt.enter(self, header)
        if session is None:
            transport.abortConnection()
            return
        # As Twisted's own startTLS puts getHandle there: what asks the transport has to hear of the client.
        transport.getPeer = lambda: client
        transport.protocol = session
        session.makeConnection(transport)
        if self._reader.rest:
            session.dataReceived(self._reader.rest)

    def _refuse(self, reason: str) -> None:
        self._forecourt.refused(address_of(self.proxy)[0], reason)
        self.cut()

    def cut(self) -> None:
        """End the connection."""
        self._stop()
        self._forecourt.gone(self)
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop()
        self._forecourt.gone(self)

    def _stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class Stranger(Protocol):
    """Looks at how a client begins that is no proxy of ours, then leaves it alone with the session."""

    def __init__(self, session: Protocol, on_spoof: Callable[[], None]) -> None:
        self._session = session
        self._on_spoof = on_spoof
        self._seen = b""

    def connectionMade(self) -> None:
        assert self.transport is not None  # noqa: S101 - makeConnection() has just set it
        self._session.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        self._seen += data
        if self._seen.startswith(SIGNATURES):
            self._on_spoof()
            transport.abortConnection()
            return
        if not any(each.startswith(self._seen) for each in SIGNATURES):
            transport.protocol = self._session
        self._session.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._session.connectionLost(reason)
