"""The shell around a sans-IO session: sockets, timers, TLS and back-pressure, and nothing about mail.

A subclass knows which core it feeds and whom it asks for answers. The loop is here: octets in, events
out, one answer at a time, octets out. While an answer is being found the core is paused, so pipelined
commands wait in its buffer; when that grows, the socket is no longer read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any, Generic, Protocol, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.frontends.tls import ServerTLS, describe_tls
from mailsuite.model.account import IPAddress
from mailsuite.model.facts import ConnectionFacts
from mailsuite.observe.log import Log

MAX_WAITING_INPUT = 64 * 1024
"""Octets taken from the socket while an answer is being found; then reading pauses."""
HANDSHAKE_TIMEOUT = 60.0
"""Seconds for a whole TLS handshake (features row P-16)."""

Event = TypeVar("Event")
Event_co = TypeVar("Event_co", covariant=True)


class Core(Protocol[Event_co]):
    """What wire/smtp/session.py and wire/pop3/session.py have in common."""

    @property
    def closing(self) -> bool: ...

    def start(self) -> None: ...

    def receive(self, data: bytes, /) -> None: ...

    def next_event(self) -> Event_co | None: ...

    def bytes_to_send(self) -> bytes: ...

    def tls_started(self) -> None: ...

    def drain(self) -> None: ...

    def timed_out(self) -> None: ...


@attrs.frozen
class Door:
    """What the sessions of one listener share."""

    service: str
    listener: str
    clock: IReactorTime
    log: Log
    idle_timeout: float
    """Seconds without any progress."""
    tls: ServerTLS | None = None
    implicit_tls: bool = False
    handshake_timeout: float = HANDSHAKE_TIMEOUT


def address_of(peer: Any) -> tuple[IPAddress, int]:
    """IP address and port of an IAddress; an IPv4-mapped IPv6 address is the IPv4 address it means.

    A peer on a Unix socket is this machine.
    """
    host = getattr(peer, "host", None)
    if host is None:
        return ip_address("127.0.0.1"), 0
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address, peer.port


@implementer(IHandshakeListener, IHalfCloseableProtocol, IPushProducer)
class SessionProtocol(TwistedProtocol, Generic[Event]):
    """One connection. Subclasses set ``core`` in begin() and answer events in dispatch()."""

    core: Core[Event]

    def __init__(self, door: Door) -> None:
        self.door = door
        self.ending: Callable[[], None] = lambda: None
        self.id = secrets.token_hex(4)
        self.log = door.log.bind(session=self.id)
        self._clock = door.clock
        self._tasks = Tasks(self._answer_failed)
        self._timer: IDelayedCall | None = None
        self._progress = 0.0
        self._opened = 0.0
        self._started = False
        self._busy = False
        self._pumping = False
        self._choked = False
        self._reading_paused = False
        self._waiting_input = 0
        self._input_ended = False
        self._lost = False
        self._closing = False
        self._handshaking = door.implicit_tls
        self._draining = False
        self._unchoked: Deferred[None] | None = None
        self._answered: Deferred[None] | None = None
        self.end_reason = ""

    # What a subclass provides

    def begin(self, facts: ConnectionFacts) -> None:
        """Make the core. On an implicit TLS connection the handshake is over."""
        raise TypeError("a subclass makes its core")  # pragma: no cover

    def dispatch(self, event: Event) -> None:
        """Act on *event*: at once, or through answer()."""
        raise TypeError("a subclass answers its events")  # pragma: no cover

    async def ended(self) -> None:
        """The connection is gone and no answer runs any more: let go of everything."""

    # Connection

    def connectionMade(self) -> None:
        self._opened = self._progress = self._clock.seconds()
        self._set_timer(self.door.handshake_timeout if self._handshaking else self.door.idle_timeout)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        if not self._handshaking:
            self._start("")

    def handshakeCompleted(self) -> None:
        facts = describe_tls(self.transport)
        self._handshaking = False
        self._moved()
        if not self._started:
            self._start(facts)
            return
        self.core.tls_started()
        self.secured(facts)
        self._pump()

    def secured(self, tls: str) -> None:
        """TLS runs now on a connection that began in clear."""

    def _start(self, tls: str) -> None:
        self._started = True
        peer, port = address_of(self._transport.getPeer())
        facts = ConnectionFacts(
            self.id, self.door.listener, self.door.service, peer=peer, peer_port=port, tls=tls
        )
        self.log = self.log.bind(peer=peer)
        self.log.debug(f"{self.door.service}.opened", listener=self.door.listener, port=port, tls=tls)
        self._transport.registerProducer(self, True)
        self.begin(facts)
        self.core.start()
        if self._draining:
            self.core.drain()
        self._pump()

    @property
    def _transport(self) -> Any:
        """The transport with all that TCP and TLS transports have beyond ITransport."""
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        self._moved()
        if self._closing or not self._started:
            return
        self.core.receive(data)
        if self._busy or self._choked:
            self._waiting_input += len(data)
            if self._waiting_input > MAX_WAITING_INPUT:
                self.pause_reading()
        self._pump()

    def readConnectionLost(self) -> None:
        """The client sends no more; it may still read (``printf ... | nc -N``)."""
        self._input_ended = True
        self._pump()

    def writeConnectionLost(self) -> None:
        self.abort("the client reads no more")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = self._closing = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._release_choke()
        self.ending()
        self._tasks.start(self._wind_up())

    async def _wind_up(self) -> None:
        """Let what runs come to its end: a commit that began is never cut short."""
        if self._busy:
            self._answered = Deferred()
            await self._answered
        if self._started:
            await self.ended()
            duration = round(self._clock.seconds() - self._opened, 3)
            self.log.debug(
                f"{self.door.service}.closed", reason=self.end_reason or "disconnected", seconds=duration
            )

    # The loop

    def answer(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run *coroutine*, which ends with an answer to the core; until then no further event is taken."""
        self._busy = True
        self._tasks.start(self._answer(coroutine))

    async def _answer(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        finally:
            self._busy = False
            if self._answered is not None:
                self._answered.callback(None)
            elif not self._pumping:
                self._moved()
                self._pump()

    def _answer_failed(self, failure: Failure) -> None:
        """The last resort: subclasses answer the failures that they foresee."""
        self.log.failure(f"{self.door.service}.failed", failure)
        self.abort("internal error")

    def _pump(self) -> None:
        if self._pumping or not self._started:
            return
        self._pumping = True
        try:
            while not (self._busy or self._choked or self._closing):
                event = self.core.next_event()
                if event is None:
                    break
                self.dispatch(event)
        except Exception:  # a mistake of ours must end this connection only
            self._answer_failed(Failure())
        finally:
            self._pumping = False
        self._flush()
        if self._busy or self._choked:
            return
        self._waiting_input = 0
        self.resume_reading()
        if self.core.closing or self._input_ended:
            self.close()

    def _flush(self) -> None:
        if not self._lost and (data := self.core.bytes_to_send()):
            self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Send octets that did not come through the core, behind all that did."""
        if not self._lost:
            self._flush()
            self._transport.write(data)

    def start_tls(self) -> None:
        """Flush, then hand the connection to TLS; the core was told to forget what it knew."""
        if self.door.tls is None:
            raise RuntimeError("the core offered TLS without a certificate")
        self._flush()
        self._handshaking = True
        self._set_timer(self.door.handshake_timeout)
        cast(ITLSTransport, self.transport).startTLS(self.door.tls)

    def close(self) -> None:
        """Send what is waiting, then end the connection."""
        if self._closing:
            return
        self._flush()
        self._closing = True
        self._transport.unregisterProducer()
        self._transport.loseConnection()
        self._set_timer(self.door.handshake_timeout)

    def abort(self, reason: str) -> None:
        """End the connection at once."""
        self.end_reason = self.end_reason or reason
        self._closing = True
        if not self._lost:
            self._transport.abortConnection()

    @property
    def lost(self) -> bool:
        return self._lost

    # Back-pressure

    def pauseProducing(self) -> None:
        """The client does not read as fast as we write: answer nothing more, read nothing more."""
        self._choked = True

    def resumeProducing(self) -> None:
        self._moved()
        self._release_choke()
        self._pump()

    def stopProducing(self) -> None:
        """The transport is going; connectionLost() follows."""

    def _release_choke(self) -> None:
        self._choked = False
        waiting, self._unchoked = self._unchoked, None
        if waiting is not None:
            waiting.callback(None)

    async def writable(self) -> bool:
        """Wait until the client has read what was written; False: the connection is gone."""
        if self._choked and not self._lost:
            if self._unchoked is None:
                self._unchoked = Deferred()
            await self._unchoked
        return not self._lost

    def pause_reading(self) -> None:
        if not self._reading_paused and not self._lost:
            self._reading_paused = True
            self._transport.pauseProducing()

    def resume_reading(self) -> None:
        if self._reading_paused and not self._lost:
            self._reading_paused = False
            self._transport.resumeProducing()

    # Timers

    def _moved(self) -> None:
        self._progress = self._clock.seconds()

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(seconds)
        elif not self._lost:
            self._timer = self._clock.callLater(seconds, self._look_at_clock)

    def _look_at_clock(self) -> None:
        """One timer per connection: it looks how long ago anything moved, and comes back."""
        still = self._progress + self.door.idle_timeout - self._clock.seconds()
        if self._handshaking or self._closing:
            self.abort("time-out")
        elif still > 0:
            self._set_timer(still)
        elif self._busy and not self._choked:
            self._set_timer(self.door.idle_timeout)  # it is we who are slow
        else:
            self._timed_out()

    def _timed_out(self) -> None:
        self.end_reason = "idle time-out"
        self.log.info(f"{self.door.service}.timed_out")
        if self._choked:
            self.abort("stalled")
            return
        self.core.timed_out()
        self._flush()
        self.close()

    # Stop

    def drain(self) -> None:
        """Say goodbye at the next point where nothing is lost."""
        self._draining = True
        if self._started and not self._closing:
            self.end_reason = "service stops"
            self.core.drain()
            self._pump()
