"""POP3 on a socket: feeds wire/pop3/session.py, logs in through cred, streams messages out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mailsuite.accounts.login import OpenedMaildrop
from mailsuite.frontends.base import SERVICE_STOPS, SessionProtocol
from mailsuite.frontends.door import Door
from mailsuite.frontends.pop3_tap import ProtocolTap
from mailsuite.frontends.pop3_traffic import Traffic, spelled
from mailsuite.frontends.sendfile import LEAST_OCTETS, can_send
from mailsuite.interfaces import IMaildrop, IMessageBody
from mailsuite.model import response
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.failure import MailFailure
from mailsuite.model.response import Response
from mailsuite.observe.protocol_log import CLOSE_LEVELS, LEVELS, Level, Watch
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

_RESULTS: Final = {response.IN_USE: "in-use", response.LOGIN_DELAY: "too-soon"}
"""How a login that we did not let through is counted, by the code of our response."""
_REASONS: Final = {"quit": "QUIT", "drained": SERVICE_STOPS}
"""Ends in the core's words that the log has others for."""


async def _as_it_is(maildrop: IMaildrop, utf8: bool) -> IMaildrop:
    """For maildrops that hide nothing."""
    return maildrop


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
    show: Callable[[IMaildrop, bool], Awaitable[IMaildrop]] = _as_it_is
    """A maildrop as a client may see it that did, or did not, say UTF8 (RFC 6856). Raises MailFailure."""


class Pop3Session(SessionProtocol[Event]):
    """One POP3 connection. Only a clean QUIT removes anything."""

    needs_login = True

    core: ServerSession

    def __init__(self, door: Door, services: Pop3Services) -> None:
        super().__init__(door)
        self._services = services
        self._facts: ConnectionFacts
        self._maildrop: IMaildrop | None = None
        self._opened: OpenedMaildrop | None = None
        self._traffic = Traffic()
        self._device_name = ""
        self._has_read_all = False
        """The last message was read to its end."""
        self._watched: list[Watch] = []

    def begin(self, facts: ConnectionFacts) -> None:
        self._facts = facts
        self.core = ServerSession(self._services.settings(facts), bool(facts.tls), self.bindings)
        self._show_more(self.door.watches.on_peer(self.peer))

    def secured(self, tls: str) -> None:
        self._facts = attrs.evolve(self._facts, tls=tls)

    def dispatch(self, event: Event) -> None:
        match event:
            case Retrieve():
                self.answer(self._safely(self._retrieve(event)))
            case Login():
                self.answer(self._safely(self._login(event)), for_the_client=True)
            case Ask():
                self.answer(self._safely(self._ask(event.question)), for_the_client=True)
            case Multiline():
                self.answer(self._multiline(event.chunks))
            case Quit():
                self.answer(self._safely(self._quit(event)))
            case StartTls():
                self.start_tls()
            case Violation():
                self._violated(event)
            case Disconnected():
                self.end_reason = _REASONS.get(event.reason, event.reason)

    def _violated(self, event: Violation) -> None:
        self.end_reason = event.kind
        self.log.warning("pop3.violation", kind=event.kind, octets=event.octets, detail=event.detail)
        self.door.meter.violation(event.kind)
        self.door.report(self.peer, self.peer_port, event.kind, event.octets, event.detail)

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

    # Login

    async def _login(self, event: Login) -> None:
        opened = await self._judge(event.claim)
        if opened is None:
            self._refuse(response.WRONG_CREDENTIALS)
            return
        await self._enter(opened, event.claim.mechanism)

    async def _enter(self, opened: OpenedMaildrop, mechanism: str) -> None:
        """Begin TRANSACTION in what was opened, or release it."""
        granted, device = opened.granted, opened.granted.device
        self._maildrop, self._opened = opened.maildrop, opened
        self.known_as(granted.account, device.id if device is not None else "", mechanism, opened.view)
        try:
            self._maildrop = await self._services.show(opened.maildrop, self.core.utf8)
        except BaseException:
            self.known_as(None, "", "")
            await self._release()
            raise
        messages = self._maildrop.messages
        self.log = self.log.bind(account=granted.account)
        self._device_name = device.name if device is not None else ""
        self._traffic.found(messages)
        self._log_login()
        self._show_more(self.door.watches.on_account(granted.account))
        self.core.logged_in_as(messages, granted.signature, opened.terms)

    async def _judge(self, claim: Claim) -> OpenedMaildrop | None:
        """The maildrop of whoever this is; None: nobody's. Counted, unless the client goes away meanwhile."""
        began = self.door.clock.seconds()

        def judged(result: str) -> None:
            self.door.meter.login(claim.mechanism, result, self.door.clock.seconds() - began)

        try:
            opened = await self._services.login(claim, self._facts)
        except UnauthorizedLogin:
            judged("refused")
            return None
        except CancelledError:
            raise
        except MailFailure as failure:
            judged(_RESULTS.get(response.for_failure(failure).code, "unavailable"))
            raise
        except Exception:
            judged("unavailable")
            raise
        judged("ok")
        return opened

    def _log_login(self) -> None:
        if self.door.protocol_log != "off":
            self.log.info(
                "pop3.login",
                mechanism=self.mechanism,
                tls=self._facts.tls,
                device=self._device_name,
                messages=self._traffic.messages,
            )

    async def _ask(self, question: ScramQuestion) -> None:
        self.core.scram_parameters(await self._services.scram(question, self._facts))

    # Messages

    async def _retrieve(self, event: Retrieve) -> None:
        body = await self._open_maildrop().open(event.ref)
        try:
            if event.lines is None and body.size != event.ref.size:
                self.log.warning(
                    "pop3.size_differs", uidl=event.ref.uidl, listed=event.ref.size, now=body.size
                )
            self.say(self.core.retrieval_started(body.size))
            await self._stream_safely(body, event)
        finally:
            body.close()

    async def _stream_safely(self, body: IMessageBody, event: Retrieve) -> None:
        """From here on no -ERR can be told from the text: whatever goes wrong ends the connection."""
        before, whole, self._has_read_all = self.octets_out, False, False
        try:
            whole = await (self._send(body) if self._can_send(body) else self._stream(body))
        except MailFailure as failure:
            self.log.warning("pop3.broken_message", uidl=event.ref.uidl, detail=failure.detail)
            self.core.retrieval_broken()
        except Exception:
            self.log.failure("pop3.failed", Failure(), uidl=event.ref.uidl)
            self.core.retrieval_broken()
        finally:
            self._traffic.sent(event, whole, self.octets_out - before)
            if whole and self._has_read_all:
                self._fetched(event.ref.uidl)

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
                self._has_read_all = True
                break
            self.write(core.body_chunk(chunk))
        self.say(core.retrieval_ended())
        return True

    def _can_send(self, body: IMessageBody) -> bool:
        """Whether the octets of the file go out as they stand, and nobody wants to see each of them."""
        return (
            body.descriptor >= 0
            and body.size >= LEAST_OCTETS
            and self.core.sent_as_stored
            and self._log_level() != "raw"
            and can_send(self.transport)
        )

    async def _send(self, body: IMessageBody) -> bool:
        """Let the kernel send the text; False: the client went away before the end."""
        if not await self.send_file(body.descriptor, body.size):
            return False
        self.say(self.core.body_sent())
        self._has_read_all = True
        return True

    def _fetched(self, uidl: str) -> None:
        """The client has all of a message, by RETR or by a TOP that has asked for as much."""
        if self._opened is not None:
            self._opened.fetched(uidl)

    async def _multiline(self, chunks: Iterator[bytes]) -> None:
        for chunk in chunks:
            if not await self.writable():
                return
            self.write(chunk)
        self.core.multiline_sent()

    # The end

    async def _quit(self, event: Quit) -> None:
        """Remove, release, and only then answer: the client may be back as soon as it has read that."""
        maildrop, left = self._open_maildrop(), 0
        try:
            if event.deleted or event.retrieved:
                left = await maildrop.update(event.deleted, event.retrieved)
            self._traffic.deleted = len(event.deleted) - left
            for ref in event.deleted:
                self._fetched(ref.uidl)
        finally:
            await self._release()
        self.core.quit_done(left)

    def _open_maildrop(self) -> IMaildrop:
        if self._maildrop is None:
            raise RuntimeError("the core let a command of TRANSACTION pass without a maildrop")
        return self._maildrop

    async def _release(self) -> None:
        maildrop, self._maildrop = self._maildrop, None
        opened, self._opened = self._opened, None
        try:
            if maildrop is not None:
                await maildrop.release()
        finally:
            if opened is not None:
                opened.leave()

    async def ended(self) -> None:
        try:
            await self._release()
        finally:
            self._sum_up()

    def _sum_up(self) -> None:
        """The one line that tells of the whole session (features row P-24)."""
        self.door.meter.transferred(self._traffic.retrieved, self._traffic.deleted)
        if self.door.protocol_log == "off":
            return
        self.log.info(
            "pop3.session",
            listener=self.door.listener,
            account=self.account if self.account is not None else "",
            mechanism=self.mechanism,
            tls=self.tls,
            device=self._device_name,
            view=spelled(self.view),
            reason=self.end_reason or "disconnected",
            **attrs.asdict(self._traffic),
            octets_in=self.octets_in,
            octets_out=self.octets_out,
            seconds=round(self.seconds, 3),
        )

    # The log

    def _log_level(self) -> Level:
        """How much is shown of what passes, by the door and by whoever watches at this moment."""
        watches = self.door.watches
        levels: list[Level] = [watch.level for watch in self._watched if watches.is_on(watch)]
        return max((self.door.protocol_log, *levels), key=LEVELS.index)

    def _show_more(self, watch: Watch | None) -> None:
        """Show what passes from now on, where the door or *watch* wants that."""
        if watch is not None:
            self._watched.append(watch)
        if self._log_level() in CLOSE_LEVELS and not self.is_tapped:
            core = self.core
            tap = ProtocolTap(
                self.log,
                self._log_level,
                lambda: core.logged_in,
                lambda: core.exchanging,
                leave=lambda: self.tap(None),
            )
            self.tap(tap)
