"""SMTP on a socket: feeds wire/smtp/session.py and carries its events to delivery/reception.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailsuite.concurrent.timer import Timer
from mailsuite.delivery.reception import Reception
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.frontends.pace import Arrival, Pace
from mailsuite.model.account import IPAddress
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import About
from mailsuite.wire.sasl.steps import ScramParameters
from mailsuite.wire.smtp.events import (
    Ask,
    Authenticate,
    BodyChunk,
    BodyEnd,
    DataStart,
    Event,
    Hello,
    Mail,
    Pause,
    Quit,
    Recipient,
    Reset,
    StartTls,
    Violation,
)
from mailsuite.wire.smtp.session import ServerSession, SessionSettings


def _nobody(peer: IPAddress) -> bool:
    """Everybody logs in where it is asked for."""
    return False


@attrs.frozen
class SmtpServices:
    """What the sessions of one listener need beside their Door."""

    settings: SessionSettings
    receive: Callable[[ConnectionFacts, Log], Reception]
    pace: Pace = attrs.field(factory=Pace)
    unasked: Callable[[IPAddress], bool] = _nobody
    """Who need not log in where all others have to."""


class SmtpSession(SessionProtocol[Event]):
    """One connection of SMTP, submission or LMTP."""

    core: ServerSession

    def __init__(self, door: Door, services: SmtpServices) -> None:
        super().__init__(door)
        self._services = services
        self._reception: Reception
        self._introduced = False
        """EHLO or HELO has been said."""
        self._arrival: Arrival | None = None
        """The message that is coming."""
        self._silence: Deferred[bool] | None = None
        """Before the greeting: whether the client has broken it."""

    def begin(self, facts: ConnectionFacts) -> None:
        settings = self._services.settings
        if settings.auth_required and self._services.unasked(facts.peer):
            settings = attrs.evolve(settings, auth_required=False)
        self.core = ServerSession(settings, bool(facts.tls), self.bindings)
        self._reception = self._services.receive(facts, self.log)

    def greet(self) -> None:
        if self._services.pace.greeting:
            self.answer(self.greeting(), for_the_client=True)
        else:
            self.core.start()

    async def greeting(self) -> None:
        """Say the first words, when the client has kept silence as long as it is asked to."""
        if self._services.pace.greeting and await self._is_early():
            self.core.too_early()
        elif not self.core.closing:
            self.core.start()

    async def _is_early(self) -> bool:
        silence = self._silence = Deferred()
        call = self.door.clock.callLater(self._services.pace.greeting, silence.callback, False)
        try:
            return await silence
        finally:
            self._silence = None
            if call.active():
                call.cancel()

    def receive(self, data: bytes) -> None:
        if self._silence is None:
            self.core.receive(data)
        else:
            self._silence.callback(True)

    def secured(self, tls: str) -> None:
        self._reception.tls_started(tls)

    def dispatch(self, event: Event) -> None:
        reception = self._reception
        match event:
            case BodyChunk():
                reception.take(event.data)
                if reception.congested:
                    self.answer(self._drained())
            case Recipient():
                self.answer(self._reply(reception.recipient(event), "recipient"))
            case Mail():
                self.answer(self._reply(reception.mail(event), "sender"))
            case DataStart():
                self.answer(self._start_data())
            case BodyEnd():
                self._message_ended()
                self.answer(self._end(event))
            case Reset():
                self._message_ended()
                reception.reset()
            case _:
                self._dispatch_no_mail(event)

    def _dispatch_no_mail(self, event: Event) -> None:
        """What is about the session alone."""
        match event:
            case Hello():
                self._reception.hello(event.name, event.extended)
                self._introduce()
            case Authenticate() | Ask():
                self.answer(self._log_in(event), for_the_client=True)
            case Pause():
                self.answer(self._pause(event.seconds), for_the_client=True)
            case StartTls():
                self.start_tls()
            case Quit():
                self.end_reason = "QUIT"
            case Violation():
                self._violated(event)

    def _violated(self, event: Violation) -> None:
        self.end_reason = event.kind
        self.log.warning("smtp.violation", kind=event.kind, detail=event.detail)
        self.door.meter.violation(event.kind)
        self.door.report(self.peer, self.peer_port, event.kind, event.octets, event.start)

    async def _reply(self, reply: Awaitable[Reply], about: About) -> None:
        self._say(await reply, about)

    def _say(self, reply: Reply, about: About) -> None:
        self.door.meter.answered(about, reply.code, reply.enhanced)
        self.core.reply(reply)

    async def _pause(self, seconds: float) -> None:
        await deferLater(self.door.clock, seconds)
        self.core.resumed()

    async def _log_in(self, event: Authenticate | Ask) -> None:
        if isinstance(event, Ask):
            answer = await self._reception.scram(event.question)
            if isinstance(answer, ScramParameters):
                self.core.scram_parameters(answer)
            else:
                self.core.reply(answer)
            return
        clock, claim = self.door.clock, event.claim
        began = clock.seconds()
        reply, signature = await self._reception.authenticate(claim)
        self.door.meter.login(claim.mechanism, _result(reply), clock.seconds() - began)
        facts = self._reception.facts
        if facts.account is not None:
            self.known_as(facts.account, facts.device, claim.mechanism)
            await self.limit_message()
        self.core.authenticated(reply, signature)

    async def limit_message(self) -> None:
        """Somebody has logged in: what they may send is advertised from here on."""
        await self._reception.learn_limit()
        if self._reception.largest is not None:
            self.core.limit_message(self._reception.largest)

    # The message

    async def _start_data(self) -> None:
        reply = await self._reception.start_data()
        if reply.is_positive:
            self._arrival = Arrival(self._services.pace, self.door.clock.seconds(), self.octets_in)
            self.in_message = True
            self.watch()
        self.core.reply(reply)

    def _message_ended(self) -> None:
        if self._arrival is not None:
            self._arrival, self.in_message = None, False
            self.watch()

    async def _end(self, event: BodyEnd) -> None:
        if self._services.settings.protocol == "lmtp":
            replies = await self._reception.end_each(event)
            for reply in replies:
                self.door.meter.answered("message", reply.code, reply.enhanced)
            self.core.reply_each(replies)
        else:
            self._say(await self._reception.end(event), "message")

    async def _drained(self) -> None:
        """The store is slower than the client: take nothing more until it has caught up."""
        clock = self.door.clock
        began = clock.seconds()
        await self._reception.drained()
        if self._arrival is not None:
            self._arrival.ours += clock.seconds() - began

    # Time

    def _introduce(self) -> None:
        if not self._introduced:
            self._introduced = True
            self.watch()

    def set_timer(self, timer: Timer) -> None:
        if self._arrival is not None:
            timer.watch(self._services.pace.data, self._arrival.ends_by, self._slow_at)
        else:
            timer.watch(self.door.idle_timeout, self._session_ends_by)

    @property
    def _session_ends_by(self) -> float:
        pace = self._services.pace
        return self._began + (pace.session if self._introduced else min(pace.session, pace.opening))

    def _slow_at(self) -> float:
        return self._arrival.slow_at(self.octets_in) if self._arrival is not None else self._session_ends_by

    def overdue(self) -> str:
        now = self.door.clock.seconds()
        if self._arrival is None:
            if now < self._session_ends_by:
                return super().overdue()
            return "session time-out" if self._introduced else "opening time-out"
        if now >= self._arrival.ends_by:
            return "session time-out"
        return "too slow" if now >= self._slow_at() else "data time-out"

    async def ended(self) -> None:
        await self._reception.closed()


def _result(reply: Reply) -> str:
    """How a login is counted."""
    if reply.code < 400:
        return "ok"
    return "refused" if reply.code >= 500 else "unavailable"
