"""SMTP on a socket: feeds wire/smtp/session.py and carries its events to delivery/reception.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from mailsuite.delivery.reception import Reception
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
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
    Quit,
    Recipient,
    Reset,
    StartTls,
    Violation,
)
from mailsuite.wire.smtp.session import ServerSession, SessionSettings


@attrs.frozen
class SmtpServices:
    """What the sessions of one listener need beside their Door."""

    settings: SessionSettings
    receive: Callable[[ConnectionFacts, Log], Reception]


class SmtpSession(SessionProtocol[Event]):
    """One SMTP or submission connection."""

    core: ServerSession

    def __init__(self, door: Door, services: SmtpServices) -> None:
        super().__init__(door)
        self._services = services
        self._reception: Reception

    def begin(self, facts: ConnectionFacts) -> None:
        self.core = ServerSession(self._services.settings, bool(facts.tls), self.bindings)
        self._reception = self._services.receive(facts, self.log)

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
                self.answer(self._reply(reception.recipient(event)))
            case Mail():
                self.answer(self._reply(reception.mail(event)))
            case DataStart():
                self.answer(self._reply(reception.start_data()))
            case BodyEnd():
                self.answer(self._reply(reception.end(event)))
            case Hello():
                reception.hello(event.name, event.extended)
            case Authenticate() | Ask():
                self.answer(self._log_in(event), for_the_client=True)
            case Reset():
                reception.reset()
            case StartTls():
                self.start_tls()
            case Quit():
                self.end_reason = "QUIT"
            case Violation():
                self.end_reason = event.kind
                self.log.warning("smtp.violation", kind=event.kind, detail=event.detail)
                self.door.meter.violation(event.kind)
                self.door.report(self.peer, self.peer_port, event.kind, event.octets, event.start)

    async def _reply(self, reply: Awaitable[Reply]) -> None:
        self.core.reply(await reply)

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
        self.core.authenticated(reply, signature)

    async def _drained(self) -> None:
        """The store is slower than the client: take nothing more until it has caught up."""
        await self._reception.drained()

    async def ended(self) -> None:
        await self._reception.closed()


def _result(reply: Reply) -> str:
    """How a login is counted."""
    if reply.code < 400:
        return "ok"
    return "refused" if reply.code >= 500 else "unavailable"
