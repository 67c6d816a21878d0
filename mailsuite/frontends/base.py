"""The shell around a sans-IO session: socket, timer, TLS and back-pressure, and nothing about mail.

A subclass knows which core it feeds and whom it asks for answers. The loop is here: octets in, events
out, one answer at a time, octets out. While an answer is being found the core is paused, so pipelined
commands wait in its buffer; when that grows, the socket is no longer read.

What stands where: the connection in connection.py, the answers in answers.py, the clock in timer.py.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from math import inf
from typing import Any, ClassVar, Generic, TypeVar, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, ITLSTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.concurrent.timer import Timer
from mailsuite.frontends import tcp
from mailsuite.frontends.answers import Answers
from mailsuite.frontends.connection import Connection
from mailsuite.frontends.door import Core, Door, address_of
from mailsuite.frontends.tls import channel_bindings, describe_failure, describe_tls
from mailsuite.model.account import IPAddress
from mailsuite.model.address import Address
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.view import View

Event = TypeVar("Event")

SERVICE_STOPS = "service stops"
"""Why a session ended."""


def _nobody_waits() -> None:
    """What a session calls that belongs to no factory."""


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class SessionProtocol(Connection, Generic[Event]):
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
    opened_at: float = 0.0
    """Seconds since the epoch."""
    in_message: bool = False
    """Each octet that comes is progress; else the commands are that they make."""

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.disconnected: Callable[[], None] = _nobody_waits
        self.finished: Callable[[], None] = _nobody_waits
        self.bindings: Mapping[str, bytes] = {}
        """Channel bindings of the TLS connection, where the door wants them."""
        self._answers = Answers(self._failed, self._answered)
        self._handshaking = door.implicit_tls
        self._begun = False
        self._pumping = False
        self._input_ended = False
        self._draining = False
        self._put_off = False
        """The time was over, and it was we who were slow."""

    # What a subclass provides

    def begin(self, facts: ConnectionFacts) -> None:
        """Make the core. On an implicit TLS connection the handshake is over, and ``bindings`` is set."""
        raise TypeError("a subclass makes its core")  # pragma: no cover

    def greet(self) -> None:
        """Say the first words."""
        self.core.start()

    def receive(self, data: bytes) -> None:
        """Take octets from the client."""
        self.core.receive(data)

    def dispatch(self, event: Event) -> None:
        """Act on *event*: at once, or through answer()."""
        raise TypeError("a subclass answers its events")  # pragma: no cover

    def secured(self, tls: str) -> None:
        """TLS runs now on a connection that began in clear."""

    def set_timer(self, timer: Timer) -> None:
        """Let it expire when nothing moves; before a login that is needed, also when that does not come."""
        door = self.door
        by = door.clock.seconds() + door.login_timeout if self._waits_for_login else inf
        timer.watch(door.idle_timeout, by)

    def overdue(self) -> str:
        """What took too long, for the log."""
        return "login time-out" if self._waits_for_login else "idle time-out"

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
        self.watch()
        self._flow.attach(self.transport)
        self._try(self.core.tls_started, self.bindings)
        self._try(self.secured, tls)
        self._pump()

    def _start(self, tls: str) -> None:
        door, peer, port = self.door, self.peer, self.peer_port
        self.log.debug(f"{door.service}.opened", listener=door.listener, port=port, tls=tls)
        self.watch()
        self._flow.attach(self.transport)
        facts = ConnectionFacts(self.id, door.listener, door.service, peer=peer, peer_port=port, tls=tls)
        self._try(self._begin, facts)
        self._pump()

    def _begin(self, facts: ConnectionFacts) -> None:
        self.begin(facts)
        self._begun = True
        self.greet()

    def known_as(
        self, account: Address | None, device: str, mechanism: str, view: View | None = None
    ) -> None:
        """Somebody has logged in, and may from now on be idle as long as the door says; None: nobody after
        all."""
        self.account, self.device, self.mechanism, self.view = account, device, mechanism, view
        self.watch()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self.octets_in += len(data)
        if self.in_message:
            self._timer.moved()
        if self._tap is not None:
            self._try(self._tap.received, data)
        self._try(self.receive, data)
        if self._answers.busy or self._flow.choked:
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
        self._answers.abandon(self._wind_up)

    async def _wind_up(self) -> None:
        try:
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
        *for_the_client*: as Answers.find() has it."""
        self._answers.find(coroutine, for_the_client)

    def _answered(self) -> None:
        if self._put_off:
            self._put_off = False
            self.watch()
        if not self._pumping:
            self._timer.moved()
            self._pump()

    def _pump(self) -> None:
        """Take events until there is none, or one has to be waited for."""
        if self._pumping or not self._begun:
            return
        self._pumping = True
        self._try(self._take_events)
        self._pumping = False
        self._flush()
        if self._answers.busy or self._flow.choked or self._closing:
            return
        self._flow.caught_up()
        if self.core.closing or self._input_ended:
            if self._draining:
                self.end_reason = self.end_reason or SERVICE_STOPS
            self.close()

    def _take_events(self) -> None:
        while not (self._answers.busy or self._flow.choked or self._closing):
            self._look_for_the_end()
            event = None if self._closing else self.core.next_event()
            if event is None:
                return
            self.dispatch(event)

    def unsaid(self) -> bytes:
        return self.core.bytes_to_send() if self._begun else b""

    def _unchoked(self) -> None:
        self._timer.moved()
        self._pump()

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

    def watch(self) -> None:
        """The session waits for something else now: set the timer for that."""
        if not (self._closing or self._handshaking):
            self.set_timer(self._timer)

    @property
    def _waits_for_login(self) -> bool:
        return self.needs_login and self.account is None

    def _expired(self) -> None:
        """The timer: nothing moved, or the handshake or the last words took too long."""
        if self._handshaking:
            self.abort("time-out")
        elif self._closing:
            self._last_words_expired()
        elif self._answers.busy and not self._waits_for_reader:
            self._put_off = True
            self._timer.watch(self.door.idle_timeout)
        else:
            self._give_up()

    def _give_up(self) -> None:
        reason = "stalled" if self._waits_for_reader else self.overdue()
        self.log.info(f"{self.door.service}.timed_out", reason=reason)
        if self._waits_for_reader:
            self.abort(reason)
            return
        self._try(self.core.timed_out)
        self._pump()  # what was open is let go of now, however long the last words take
        self.end_reason = reason
        self.close()

    def drain(self) -> None:
        """Say goodbye at the next point where nothing is lost.

        During a TLS handshake nothing can be said, and nothing was begun that could be lost.
        """
        self.hurry()
        if self._closing:
            return
        self._draining = True
        if self._handshaking:
            self.abort(SERVICE_STOPS)
        else:
            self._try(self.core.drain)
            self._pump()
