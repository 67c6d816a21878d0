"""The shell around a sans-IO session: socket, timer, TLS and back-pressure, and nothing about mail.

A subclass knows which core it feeds and whom it asks for answers. The loop is here: octets in, events
out, one answer at a time, octets out. While an answer is being found the core is paused, so pipelined
commands wait in its buffer; when that grows, the socket is no longer read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Generic, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, ITLSTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.tasks import Tasks
from mailsuite.frontends import tcp
from mailsuite.frontends.door import CLOSE_TIMEOUT, Core, Door, address_of
from mailsuite.frontends.flow import Flow
from mailsuite.frontends.sendfile import send_file
from mailsuite.frontends.timer import Timer
from mailsuite.frontends.tls import channel_bindings, describe_failure, describe_tls, is_shut
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.view import View
from mailsuite.observe.protocol_log import Tap

Event = TypeVar("Event")

SERVICE_STOPS = "service stops"
"""Why a session ended."""


def _nobody_waits() -> None:
    """What a session calls that belongs to no factory."""


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class SessionProtocol(Protocol, Generic[Event]):
    """One connection. Subclasses set ``core`` in begin() and answer events in dispatch().

    ``disconnected`` is called when the connection is gone, ``finished`` when the last answer has ended too.
    """

    needs_login: ClassVar[bool] = False
    """Whether a client that does not log in has no business here."""

    core: Core[Event]
    peer: IPAddress
    """Where the client is; from connectionMade() on."""
    peer_port: int
    account: Address | None = None
    """Who logged in."""
    device: str = ""
    """The id of the device whose password it was; empty: the account's own."""
    mechanism: str = ""
    """By what they logged in."""
    view: View | None = None
    """What of a maildrop they see, where they opened one."""
    tls: str = ""
    """Version and cipher, empty in clear."""
    opened_at: float = 0.0
    """Seconds since the epoch."""
    octets_in: int = 0
    """Inside TLS; so with ``octets_out``."""
    octets_out: int = 0

    def __init__(self, door: Door) -> None:
        self.door = door
        self.disconnected: Callable[[], None] = _nobody_waits
        self.finished: Callable[[], None] = _nobody_waits
        self.id = secrets.token_hex(4)
        self.log = door.log.bind(session=self.id)
        self.bindings: Mapping[str, bytes] = {}
        """Channel bindings of the TLS connection, where the door wants them."""
        self.end_reason = ""
        self._tasks = Tasks(self._failed)
        self._for_the_client = Tasks(self._failed)
        """Answers that are worth nothing once the client has gone."""
        self._tap: Tap | None = None
        self._timer = Timer(door.clock, self._expired)
        self._flow = Flow(self._unchoked)
        self._began = 0.0
        self._handshaking = door.implicit_tls
        self._begun = False
        self._busy = False
        self._answered: Deferred[None] | None = None
        self._pumping = False
        self._input_ended = False
        self._closing = False
        self._draining = False
        self._sending = False
        self._taken = 0
        """Octets that the client had taken when we looked last, after the last words."""
        self._lost = False

    def tap(self, tap: Tap | None) -> None:
        """Let *tap*, or nobody, see what passes from now on."""
        self._tap = tap

    @property
    def is_tapped(self) -> bool:
        """Somebody wants to see what passes."""
        return self._tap is not None

    @property
    def idle(self) -> float:
        """Seconds since anything moved."""
        return self._timer.idle

    @property
    def seconds(self) -> float:
        """How long the connection has lasted."""
        return self.door.clock.seconds() - self._began

    # What a subclass provides

    def begin(self, facts: ConnectionFacts) -> None:
        """Make the core. On an implicit TLS connection the handshake is over, and ``bindings`` is set."""
        raise TypeError("a subclass makes its core")  # pragma: no cover

    def dispatch(self, event: Event) -> None:
        """Act on *event*: at once, or through answer()."""
        raise TypeError("a subclass answers its events")  # pragma: no cover

    def secured(self, tls: str) -> None:
        """TLS runs now on a connection that began in clear."""

    async def ended(self) -> None:
        """The connection is gone and no answer runs any more: let go of everything."""

    # Connection

    def connectionMade(self) -> None:
        self._began = self.door.clock.seconds()
        self.opened_at = self.door.now()
        self.peer, self.peer_port = address_of(self._transport.getPeer())
        self.log = self.log.bind(peer=self.peer)
        self.door.meter.opened()
        tcp.set_up(self.transport)
        if self._handshaking:
            self._timer.limit(self.door.handshake_timeout)
        else:
            self._start("")

    def handshakeCompleted(self) -> None:
        self._handshaking = False
        self._try(self._secured)

    def _secured(self) -> None:
        """TLS runs, since the connection began or on command."""
        tls = describe_tls(self.transport)
        if self.door.channel_binding:
            self.bindings = channel_bindings(self.transport)
        self.tls = tls
        if not self._begun:
            self._start(tls)
            return
        self._watch()
        self._flow.attach(self.transport)
        self._try(self.core.tls_started, self.bindings)
        self._try(self.secured, tls)
        self._pump()

    def _start(self, tls: str) -> None:
        door, peer, port = self.door, self.peer, self.peer_port
        self.log.debug(f"{door.service}.opened", listener=door.listener, port=port, tls=tls)
        self._watch()
        self._flow.attach(self.transport)
        facts = ConnectionFacts(self.id, door.listener, door.service, peer=peer, peer_port=port, tls=tls)
        self._try(self._begin, facts)
        self._pump()

    def _begin(self, facts: ConnectionFacts) -> None:
        self.begin(facts)
        self._begun = True
        self.core.start()

    def known_as(
        self, account: Address | None, device: str, mechanism: str, view: View | None = None
    ) -> None:
        """Somebody has logged in, and may from now on be idle as long as the door says; None: nobody after
        all."""
        self.account, self.device, self.mechanism, self.view = account, device, mechanism, view
        if not self._closing:
            self._watch()

    def _watch(self) -> None:
        """Expire when nothing moves; before a login that is needed, also when that does not come."""
        door = self.door
        if self.needs_login and self.account is None:
            self._timer.watch(door.idle_timeout, door.login_timeout)
        else:
            self._timer.watch(door.idle_timeout)

    @property
    def _transport(self) -> Any:
        """The transport with all that TCP and TLS transports have beyond ITransport."""
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self._timer.moved()
        self.octets_in += len(data)
        if self._tap is not None:
            self._try(self._tap.received, data)
        self._try(self.core.receive, data)
        if self._busy or self._flow.choked:
            self._flow.took(len(data))
        self._pump()

    def readConnectionLost(self) -> None:
        """The client sends no more; it may still read (``printf ... | nc -N``)."""
        self._input_ended = True
        self._pump()

    def writeConnectionLost(self) -> None:
        self.abort("the client reads no more")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = self._closing = True
        self._timer.stop()
        if self._handshaking:
            why = self.end_reason or describe_failure(reason)
            self.log.info(f"{self.door.service}.tls_failed", listener=self.door.listener, reason=why)
        self._flow.release()
        self.disconnected()
        self._tasks.start(self._wind_up())
        self._for_the_client.cancel()

    async def _wind_up(self) -> None:
        """Let what runs come to its end: a commit that began is never cut short."""
        try:
            if self._busy:
                self._answered = Deferred()
                await self._answered
            if self._begun:
                await self.ended()
        finally:
            seconds, reason = self.seconds, self.end_reason or "disconnected"
            self.log.debug(f"{self.door.service}.closed", reason=reason, seconds=round(seconds, 3))
            self.door.meter.closed(seconds, self.octets_in, self.octets_out)
            self.finished()

    # The loop

    def answer(self, coroutine: Coroutine[Any, Any, None], for_the_client: bool = False) -> None:
        """Run *coroutine*, which ends with an answer to the core; until then no further event is taken.

        It runs to its end though the client goes away meanwhile; unless it is *for_the_client* alone and
        changes nothing that others see: then it is cancelled at that moment.
        """
        self._busy = True
        (self._for_the_client if for_the_client else self._tasks).start(self._answer(coroutine))

    async def _answer(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except CancelledError:
            if not self._lost:
                self._failed(Failure())
        except Exception:  # subclasses answer the failures that they foresee
            self._failed(Failure())
        self._busy = False
        if self._answered is not None:
            self._answered.callback(None)
        elif not self._pumping:
            self._timer.moved()
            self._pump()

    def _try(self, act: Callable[..., None], *arguments: object) -> None:
        """Call the core or the subclass: a mistake there must end this connection, and no other."""
        try:
            act(*arguments)
        except Exception:
            self._failed(Failure())

    def _failed(self, failure: Failure) -> None:
        self.log.failure(f"{self.door.service}.failed", failure)
        self.abort("internal error")

    def _pump(self) -> None:
        """Take events until there is none, or one has to be waited for."""
        if self._pumping or not self._begun:
            return
        self._pumping = True
        self._try(self._take_events)
        self._pumping = False
        self._flush()
        if self._busy or self._flow.choked or self._closing:
            return
        self._flow.caught_up()
        if self.core.closing or self._input_ended:
            if self._draining:
                self.end_reason = self.end_reason or SERVICE_STOPS
            self.close()

    def _take_events(self) -> None:
        while not (self._busy or self._flow.choked or self._closing):
            self._look_for_the_end()
            event = None if self._closing else self.core.next_event()
            if event is None:
                return
            self.dispatch(event)

    def _look_for_the_end(self) -> None:
        """A client that ends TLS behind its commands gets no further answer, and TCP tells it late: what was
        not begun by then is not done, and what was written before goes its way."""
        if self.tls and not self._closing and is_shut(self.transport):
            self.end_reason = self.end_reason or "disconnected"
            self.close()

    def _flush(self) -> None:
        if not self._closing and (data := self.core.bytes_to_send()):
            self.say(data)

    def say(self, data: bytes) -> None:
        """Send responses, which the core gave."""
        if self._closing:
            return
        if self._tap is not None:
            self._try(self._tap.said, data)
        self.octets_out += len(data)
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Send octets of a message or a listing, behind all that the core has said."""
        if self._closing:
            return
        self._flush()
        if self._tap is not None:
            self._try(self._tap.streamed, data)
        self.octets_out += len(data)
        self._transport.write(data)

    async def send_file(self, descriptor: int, size: int) -> bool:
        """Let the kernel send so many octets of a file, behind all that was written; only where can_send()
        says so. False: the client went away before the end. Raises as send_file() does; then, too, nothing
        more can be said."""
        self._flush()
        self._flow.step_aside()
        self._sending = True
        try:
            whole = await send_file(self.transport, descriptor, size, self._sent)
        finally:
            self._sending = False
        if whole and not self._closing:
            self._flow.attach(self.transport)
        return whole

    def _sent(self, octets: int) -> None:
        self.octets_out += octets
        self._timer.moved()

    async def writable(self) -> bool:
        """Wait until the client has read what was written; False: nothing can be written any more."""
        await self._flow.written()
        self._look_for_the_end()
        return not self._closing

    def _unchoked(self) -> None:
        self._timer.moved()
        self._pump()

    @property
    def lost(self) -> bool:
        """Nobody is there any more."""
        return self._lost

    # TLS

    def start_tls(self) -> None:
        """Flush, then hand the connection to TLS; the core was told to forget what it knew."""
        if self.door.tls is None:
            raise RuntimeError("the core offered TLS without a certificate")
        self._flush()
        self._handshaking = True
        self._timer.limit(self.door.handshake_timeout)
        self._flow.detach()
        cast(ITLSTransport, self.transport).startTLS(self.door.tls)

    # End

    def close(self) -> None:
        """Send what is waiting, then end the connection."""
        if self._closing:
            return
        self._flush()
        self._closing = True
        self._flow.detach()
        self._timer.limit(CLOSE_TIMEOUT)
        self._taken = tcp.acknowledged(self.transport)
        self._transport.loseConnection()

    def abort(self, reason: str) -> None:
        """End the connection at once."""
        self.end_reason = self.end_reason or reason
        self._closing = True
        if not self._lost:
            self._transport.abortConnection()

    def _expired(self) -> None:
        """The timer: nothing moved, or the handshake or the last words took too long."""
        if self._closing and not self._handshaking and self._reads_on():
            self._timer.limit(CLOSE_TIMEOUT)
        elif self._handshaking or self._closing:
            self.abort("time-out")
        elif self._busy and not self._waits_for_reader:
            self._watch()  # it is we who are slow
        else:
            self.log.info(f"{self.door.service}.timed_out")
            self._give_up()

    def _reads_on(self) -> bool:
        """Whether the client has taken some more of our last words since we looked before."""
        before, self._taken = self._taken, tcp.acknowledged(self.transport)
        return self._taken > before

    @property
    def _waits_for_reader(self) -> bool:
        return self._flow.choked or self._sending

    def _give_up(self) -> None:
        if self._waits_for_reader:
            self.abort("stalled")
            return
        waits_for_login = self.needs_login and self.account is None
        self.end_reason = "login time-out" if waits_for_login else "idle time-out"
        self._try(self.core.timed_out)
        self.close()

    def drain(self) -> None:
        """Say goodbye at the next point where nothing is lost.

        During a TLS handshake nothing can be said, and nothing was begun that could be lost.
        """
        if self._closing:
            return
        self._draining = True
        if self._handshaking:
            self.abort(SERVICE_STOPS)
        else:
            self._try(self.core.drain)
            self._pump()
