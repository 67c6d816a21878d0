"""POP3 on a socket: feeds wire/pop3/session.py, logs in through cred, streams messages out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.accounts.login import OpenedMaildrop
from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model import response
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import MailFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.response import Response
from mailsuite.wire.pop3.events import (
    Ask,
    Disconnected,
    Event,
    Login,
    Multiline,
    Quit,
    Retrieve,
    StartTls,
    Violation,
)
from mailsuite.wire.pop3.session import ServerSession
from mailsuite.wire.pop3.settings import SessionSettings
from mailsuite.wire.sasl.steps import Claim, ScramParameters, ScramQuestion


@attrs.frozen
class Pop3Services:
    """What the sessions of one listener need beside their Door."""

    settings: Callable[[ConnectionFacts], SessionSettings]
    """What this client is offered, with a stamp that is its own where that has one."""
    login: Callable[[Claim, ConnectionFacts], Awaitable[OpenedMaildrop]]
    """Opens the maildrop. Raises UnauthorizedLogin, MailFailure. May take long; is cancelled where the client
    goes away."""
    scram: Callable[[ScramQuestion, ConnectionFacts], Awaitable[ScramParameters]]
    """Answers for any name. Raises MailFailure. Is cancelled likewise."""


@attrs.define
class Traffic:
    """What a session did, for its one line in the log."""

    retrieved: int = 0
    tops: int = 0
    octets: int = 0
    deleted: int = 0


class Pop3Session(SessionProtocol[Event]):
    """One POP3 connection. Only a clean QUIT removes anything."""

    core: ServerSession

    def __init__(self, door: Door, services: Pop3Services) -> None:
        super().__init__(door)
        self._services = services
        self._facts: ConnectionFacts
        self._maildrop: IMaildrop | None = None
        self._traffic = Traffic()

    def begin(self, facts: ConnectionFacts) -> None:
        self._facts = facts
        self.core = ServerSession(self._services.settings(facts), bool(facts.tls), self.bindings)

    def secured(self, tls: str) -> None:
        self._facts = attrs.evolve(self._facts, tls=tls)

    def dispatch(self, event: Event) -> None:
        match event:
            case Retrieve():
                self.answer(self._safely(self._retrieve(event)))
            case Login():
                self.answer(self._safely(self._login(event.claim)), for_the_client=True)
            case Ask():
                self.answer(self._safely(self._ask(event.question)), for_the_client=True)
            case Multiline():
                self.answer(self._multiline(event.chunks))
            case Quit():
                self.answer(self._safely(self._quit(event.deleted)))
            case StartTls():
                self.start_tls()
            case Violation():
                self.end_reason = event.kind
                self.log.warning("pop3.violation", kind=event.kind)
            case Disconnected():
                self.end_reason = event.reason

    async def _safely(self, answer: Awaitable[None]) -> None:
        """Whatever goes wrong is answered, temporary unless the seam says otherwise (promise 6)."""
        try:
            await answer
        except CancelledError:
            raise
        except MailFailure as failure:
            self.log.warning("pop3.unable", detail=failure.reason)
            self._refuse(response.for_failure(failure))
        except Exception:
            self.log.failure("pop3.failed", Failure())
            self._refuse(response.TEMPORARY_TROUBLE)

    def _refuse(self, words: Response) -> None:
        if not self.lost:
            self.core.refuse(words)

    async def _login(self, claim: Claim) -> None:
        try:
            opened = await self._services.login(claim, self._facts)
        except UnauthorizedLogin:
            self._refuse(response.WRONG_CREDENTIALS)
            return
        maildrop, granted, device = opened.maildrop, opened.granted, opened.granted.device
        self._maildrop, self.account = maildrop, granted.account
        self.device = device.id if device is not None else ""
        messages = maildrop.messages
        self.log = self.log.bind(account=granted.account)
        self.log.info(
            "pop3.login",
            mechanism=claim.mechanism,
            tls=self._facts.tls,
            device=device.name if device is not None else "",
            messages=len(messages),
        )
        self.core.logged_in_as(messages, granted.signature)

    async def _ask(self, question: ScramQuestion) -> None:
        self.core.scram_parameters(await self._services.scram(question, self._facts))

    async def _retrieve(self, event: Retrieve) -> None:
        body = await self._open_maildrop().open(event.ref)
        try:
            if event.lines is None and body.size != event.ref.size:
                self.log.warning(
                    "pop3.size_differs", uidl=event.ref.uidl, listed=event.ref.size, now=body.size
                )
            self.write(self.core.retrieval_started(body.size))
            await self._stream_safely(body, event)
        finally:
            body.close()

    async def _stream_safely(self, body: IMessageBody, event: Retrieve) -> None:
        """From here on no -ERR can be told from the text: whatever goes wrong ends the connection."""
        try:
            whole = await self._stream(body)
        except MailFailure as failure:
            self.log.warning("pop3.broken_message", uidl=event.ref.uidl, detail=failure.detail)
            self.core.retrieval_broken()
        except Exception:
            self.log.failure("pop3.failed", Failure(), uidl=event.ref.uidl)
            self.core.retrieval_broken()
        else:
            self._traffic.retrieved += whole and event.lines is None
            self._traffic.tops += whole and event.lines is not None

    async def _stream(self, body: IMessageBody) -> bool:
        """Send the text as fast as the client reads it, at most 64 KiB of it in memory.

        False: the client went away before the end.
        """
        core = self.core
        while not core.body_complete:
            if not await self.writable():
                return False
            chunk = await body.read()
            if not chunk:
                break
            self._traffic.octets += len(chunk)
            self.write(core.body_chunk(chunk))
        self.write(core.retrieval_ended())
        return True

    async def _multiline(self, chunks: Iterator[bytes]) -> None:
        for chunk in chunks:
            if not await self.writable():
                return
            self.write(chunk)
        self.core.multiline_sent()

    async def _quit(self, deleted: tuple[MessageRef, ...]) -> None:
        """Remove, release, and only then answer: the client may be back as soon as it has read that."""
        maildrop = self._open_maildrop()
        try:
            left = await maildrop.expunge(deleted) if deleted else 0
            self._traffic.deleted = len(deleted) - left
        finally:
            await self._release()
        self.core.quit_done(left)

    def _open_maildrop(self) -> IMaildrop:
        if self._maildrop is None:
            raise RuntimeError("the core let a command of TRANSACTION pass without a maildrop")
        return self._maildrop

    async def _release(self) -> None:
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            await maildrop.release()
            self.log.info("pop3.session", reason=self.end_reason or "QUIT", **attrs.asdict(self._traffic))

    async def ended(self) -> None:
        self.end_reason = self.end_reason or "disconnected"
        await self._release()
