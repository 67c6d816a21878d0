"""Many messages over several sessions, and how long each took: what ``mailsuite bench source`` runs."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundRecipient
from mailsuite.model.outbound import Fate, Outcome
from mailsuite.model.reply import Reply
from mailsuite.relay.session import RelaySession
from mailsuite.wire.smtp.client.events import (
    Closing,
    Done,
    Event,
    GoAhead,
    Greeted,
    Lost,
    MessageReply,
    NobodyLeft,
    Ready,
    RecipientReply,
    SenderRefused,
    TurnedAway,
    Violation,
)
from mailsuite.wire.smtp.client.letter import Letter
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings

CONNECT_SECONDS: Final = 30.0
LINE: Final = b"x" * 76 + b"\r\n"
PIECE: Final = 64 * 1024
"""Octets that are given away at once."""
MAX_REASONS: Final = 20
"""Different failures that are told apart."""
GRACE: Final = 3.0
"""Seconds that sessions have to finish their message when the load is stopped."""


@attrs.frozen
class Load:
    """What is to be sent."""

    messages: int
    sessions: int
    size: int
    """Octets of each message, its header included; a header is never cut."""
    sender: Address | None
    recipients: Sequence[Address]


@attrs.define
class Result:
    """What became of it."""

    accepted: int = 0
    octets: int = 0
    """Of the messages that were accepted."""
    seconds: float = 0.0
    failures: Counter[str] = attrs.field(factory=Counter)
    """Replies and other reasons, and how often they came."""
    latencies: array[float] = attrs.field(factory=lambda: array("d"))
    """Seconds of each message that was accepted, from MAIL to the last answer."""

    def failed(self, reason: str) -> None:
        if reason not in self.failures and len(self.failures) >= MAX_REASONS:
            reason = "other reasons"
        self.failures[reason] += 1

    def percentiles(self, *shares: int) -> list[float]:
        """The seconds within which so many percent were done; none where nothing was accepted."""
        ordered = sorted(self.latencies)
        return [ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in shares if ordered]


class _Over(Exception):
    """The session is; the message says why."""


@attrs.define(eq=False)
class Source:
    """Sends a load to one address, by run(), once."""

    reactor: Any
    host: str
    port: int
    load: Load
    result: Result = attrs.field(factory=Result)
    _left: int = attrs.field(init=False)
    _serial: int = attrs.field(default=0, init=False)
    _open: set[RelaySession] = attrs.field(factory=set, init=False)
    _dialling: set[Deferred[Any]] = attrs.field(factory=set, init=False)
    _body: bytes = attrs.field(init=False)
    _cutting: IDelayedCall | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._left = self.load.messages
        lines = max(0, self.load.size - len(self._header(0))) // len(LINE) + 1
        self._body = LINE * lines

    async def run(self) -> Result:
        """Return when all was sent, or nothing more can be."""
        began = self.reactor.seconds()
        count = min(self.load.sessions, self.load.messages)
        working = [Deferred.fromCoroutine(self._work()) for _ in range(count)]
        for each in working:
            await each
        if self._cutting is not None and self._cutting.active():
            self._cutting.cancel()
        self.result.seconds = self.reactor.seconds() - began
        return self.result

    def stop(self) -> None:
        """Begin no more messages; run() returns soon."""
        self._left = 0
        self._cutting = self.reactor.callLater(GRACE, self._cut)
        for dialling in list(self._dialling):
            dialling.cancel()

    def _cut(self) -> None:
        for session in list(self._open):
            session.abort()

    async def _work(self) -> None:
        """Session after session, until there is nothing left, or one has done nothing at all."""
        accepted = -1
        while self._left and accepted != self.result.accepted:
            accepted = self.result.accepted
            try:
                await self._one_session()
            except _Over as over:
                if self._left:
                    self.result.failed(str(over))

    async def _one_session(self) -> None:
        session = await self._connect()
        self._open.add(session)
        try:
            await self._await(session, Greeted)
            session.core.hello()
            await self._await(session, Ready)
            while self._left:
                self._left -= 1
                await self._send(session)
            await session.leave()
        finally:
            self._open.discard(session)
            session.abort()

    async def _connect(self) -> RelaySession:
        core = ClientSession(ClientSettings("source.invalid"))
        factory = Factory.forProtocol(lambda: RelaySession(core, self.reactor, self.host))
        factory.noisy = False
        kind = TCP6ClientEndpoint if ip_address(self.host).version == 6 else TCP4ClientEndpoint
        dialling = kind(self.reactor, self.host, self.port, CONNECT_SECONDS).connect(factory)
        self._dialling.add(dialling)
        try:
            session: Any = await dialling
        except (ConnectError, ConnectingCancelledError) as error:
            raise _Over(f"no connection: {' '.join(str(error).split())}") from error
        finally:
            self._dialling.discard(dialling)
        return cast(RelaySession, session)

    async def _await(self, session: RelaySession, wanted: type[Greeted] | type[Ready]) -> None:
        while not isinstance(event := await self._next(session), wanted):
            if isinstance(event, TurnedAway):
                raise _Over(_said(event.reply))

    async def _next(self, session: RelaySession) -> Event:
        event = await session.next_event()
        if isinstance(event, Closing | Lost | Violation):
            raise _Over(_said(event.reply))
        return event

    async def _send(self, session: RelaySession) -> None:
        began = self.reactor.seconds()
        octets = self._message()
        recipients = tuple(map(OutboundRecipient, self.load.recipients))
        cannot = session.core.send(Letter(self.load.sender, recipients, size=len(octets)))
        if cannot is not None:
            self.result.failed(_said(cannot.reply))
            return
        accepted = False
        while not isinstance(event := await self._next(session), Done | NobodyLeft):
            match event:
                case GoAhead():
                    await self._content(session, octets)
                case SenderRefused() | RecipientReply() | MessageReply():
                    if not event.reply.is_positive:
                        self.result.failed(_said(event.reply))
                    elif isinstance(event, MessageReply):
                        accepted = True
        if accepted:
            self.result.accepted += 1
            self.result.octets += len(octets)
            self.result.latencies.append(self.reactor.seconds() - began)

    async def _content(self, session: RelaySession, octets: bytes) -> None:
        for start in range(0, len(octets), PIECE):
            await session.writable()
            session.core.body(octets[start : start + PIECE])
            session.flush()
        session.core.end_body()

    def _message(self) -> bytes:
        self._serial += 1
        header = self._header(self._serial)
        room = max(0, self.load.size - len(header) - 2)
        return header + self._body[:room].rstrip(b"\r\n") + b"\r\n"

    def _header(self, serial: int) -> bytes:
        fields = (
            f"From: {self.load.sender or 'postmaster@localhost'}",
            f"To: {self.load.recipients[0]}",
            f"Subject: Message {serial} of a load",
            "Date: Mon, 01 Jan 2001 00:00:00 +0000",
            f"Message-ID: <{serial}.{id(self):x}@source.invalid>",
            "Auto-Submitted: auto-generated",
        )
        return "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"


def _said(reply: Reply) -> str:
    return Outcome(Fate.FAILED, reply).said
