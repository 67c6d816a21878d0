"""From a way to a session that takes mail: hosts in their order, greeting, EHLO, TLS, login."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable

import attrs
from twisted.internet.interfaces import IReactorTime

from mailsuite.client_tls import ClientContexts
from mailsuite.interfaces import IThreads
from mailsuite.model import reply as replies
from mailsuite.model.account import IPAddress
from mailsuite.model.failure import MailFailure, TemporaryFailure
from mailsuite.model.outbound import Fate, Outcome, fate_of
from mailsuite.model.reply import Reply
from mailsuite.observe.log import Log
from mailsuite.relay.connecting import Connector
from mailsuite.relay.mx import Host, HostFinder
from mailsuite.relay.routes import Hop
from mailsuite.relay.session import RelaySession
from mailsuite.relay.source import Source
from mailsuite.relay.tls import ClearHosts, Level, TlsPolicy
from mailsuite.wire.sasl.client import Credentials, Derive
from mailsuite.wire.smtp.client.events import (
    Authenticated,
    AuthenticationFailed,
    Closing,
    Event,
    Greeted,
    Lost,
    Ready,
    TlsNow,
    TlsRefused,
    TurnedAway,
    Violation,
)
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings

MAX_SESSIONS = 2
"""Servers of one destination that a message is offered to at a time, after an answer that was no last word
(Postfix: smtp_mx_session_limit)."""
OPENING_SECONDS = 1800.0
"""After which no further host is asked: one that has many which keep us waiting is not to take the places of
others for hours; our own limit."""


class _Unfit(Exception):
    """No mail goes by this session."""

    def __init__(self, reply: Reply, *, theirs: bool = False) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.theirs = theirs


@attrs.frozen(eq=False)
class Opener:
    """Opens sessions. Lives as long as the server."""

    finder: HostFinder
    connector: Connector
    contexts: ClientContexts
    clear: ClearHosts
    threads: IThreads
    clock: IReactorTime
    seconds: Callable[[], float]
    """Since the epoch."""
    log: Log
    hostname: str
    """What we call ourselves."""
    octets: Callable[[int], bytes] = secrets.token_bytes
    """So many random ones, for logins."""

    def begin(self, hop: Hop, source: Source, tls: TlsPolicy) -> Opening:
        """Look for a server behind a way that needs one."""
        return Opening(self, hop, source, tls, self.clock.seconds() + OPENING_SECONDS)


@attrs.define(eq=False)
class Opening:
    """One search. next() answers one session after the other, until there are no more hosts."""

    opener: Opener
    hop: Hop
    source: Source
    policy: TlsPolicy
    until: float
    """By the clock; no host is asked after that."""
    troubles: list[Outcome] = attrs.field(factory=list, init=False)
    """Why hosts that were tried gave no session, in that order."""
    _hosts: AsyncIterator[Host] | None = attrs.field(default=None, init=False)

    async def next(self) -> RelaySession | None:
        """A session that takes mail, of the next host that gives one; None: there is none. Raises nothing."""
        if self._hosts is None:
            self._hosts = self.opener.finder.find(self.hop, self.source)
        while True:
            if self.opener.clock.seconds() >= self.until:
                self._note(replies.NEXT_HOP_SLOW, "")
                return None
            try:
                host = await anext(self._hosts)
            except StopAsyncIteration:
                return None
            except MailFailure as failure:
                self._note(failure.reply, "")
                return None
            session = await self._try(host)
            if session is not None:
                return session

    @property
    def verdict(self) -> Outcome:
        """What it means for the message where no host gave a session: if all have sent us away for ever, it
        fails; else it waits."""
        last = self.troubles[-1]
        lasting = all(each.reply.code >= 500 for each in self.troubles)
        return attrs.evolve(last, fate=Fate.FAILED if lasting else Fate.DEFERRED)

    async def _try(self, host: Host) -> RelaySession | None:
        """A session with one host. Where TLS fails that need not be, a second one without."""
        while True:  # twice at most: without TLS there is none that could fail
            policy = self.opener.clear.policy(self.policy, host.name)
            try:
                session = await self._connect(host, policy)
            except TemporaryFailure as failure:
                self._note(replies.next_hop_unreachable(host.name, failure.reason), "")
                self.opener.log.info(
                    "relay.unreachable", host=host.name, port=host.port, reason=failure.reason
                )
                return None
            try:
                await self._introduce(session, host, policy)
            except _Unfit as unfit:
                await self._drop(session)
                if session.tls_failure and self.opener.clear.failed(policy, host.name):
                    continue
                self._note(unfit.reply, session.host if unfit.theirs else "", session)
                return None
            except MailFailure as failure:
                await self._drop(session)
                self._note(failure.reply, "", session)
                return None
            except BaseException:
                session.abort()
                raise
            return session

    async def _connect(self, host: Host, policy: TlsPolicy) -> RelaySession:
        """Raises TemporaryFailure where no address of it answers."""
        opener = self.opener
        settings = ClientSettings(opener.hostname, lmtp=self.hop.protocol == "lmtp", octets=opener.octets)

        def session(address: IPAddress) -> RelaySession:
            core = ClientSession(settings, tls_active=policy.implicit)
            return RelaySession(core, opener.clock, _named(host, address))

        return await opener.connector.dial(host, self.source, session)

    # What is said before mail is

    async def _introduce(self, session: RelaySession, host: Host, policy: TlsPolicy) -> None:
        if policy.implicit:
            await self._start_tls(session, host, policy)
        await self._hear(session, Greeted)
        session.core.hello()
        await self._hear(session, Ready)
        if not policy.implicit and policy.level is not Level.NONE:
            await self._turn_to_tls(session, host, policy)
        if self.hop.login is not None:
            await self._log_in(session, self.hop.login.username, self.hop.login.password.reveal())

    async def _turn_to_tls(self, session: RelaySession, host: Host, policy: TlsPolicy) -> None:
        needed = policy.level >= Level.ENCRYPT
        if not session.core.extensions.starttls:
            if needed:
                raise _Unfit(replies.NEXT_HOP_LACKS_TLS)
            return
        session.core.start_tls()
        event = await self._hear(session, TlsNow, TlsRefused)
        if isinstance(event, TlsRefused):
            if needed:
                raise _Unfit(replies.NEXT_HOP_LACKS_TLS)
            return
        await self._start_tls(session, host, policy)
        session.core.tls_started()
        await self._hear(session, Ready)

    async def _start_tls(self, session: RelaySession, host: Host, policy: TlsPolicy) -> None:
        verify = policy.level is Level.VERIFY
        creator = await self.opener.contexts.creator(host.name, verify=verify, ca_file=policy.ca_file)
        if not await session.start_tls(creator):
            reason = creator.objection or session.tls_failure
            self.opener.log.warning("relay.tls_failed", host=session.host, reason=reason)
            if creator.objection:
                raise _Unfit(replies.next_hop_unproven(creator.objection))
            raise _Unfit(replies.NEXT_HOP_TLS_FAILED)

    async def _log_in(self, session: RelaySession, username: str, password: str) -> None:
        session.core.authenticate(Credentials(username, password))
        while True:
            event = await self._hear(session, Derive, Authenticated, AuthenticationFailed)
            if isinstance(event, Authenticated):
                return
            if isinstance(event, AuthenticationFailed):
                self.opener.log.error("relay.login_failed", host=session.host, mechanism=event.mechanism)
                # A password can be mended here; the mail need not go back for it.
                raise _Unfit(event.reply.for_now(), theirs=True)
            session.core.derived(await self.opener.threads.run(event.salted_password))  # type: ignore[union-attr]

    async def _hear(self, session: RelaySession, *wanted: type[Event]) -> Event:
        """The next event, which is one of these. Whatever else it is, it is the end."""
        event = await session.next_event()
        if isinstance(event, wanted):
            return event
        match event:
            case TurnedAway(reply) | Closing(reply):
                raise _Unfit(reply, theirs=True)
            case Violation(kind, detail, reply):
                self.opener.log.warning("relay.violation", host=session.host, kind=kind, reason=detail)
                raise _Unfit(reply)
            case Lost(reply=reply):
                raise _Unfit(reply)
        raise RuntimeError(f"{type(event).__name__} out of turn")  # pragma: no cover: the core's promise

    async def _drop(self, session: RelaySession) -> None:
        if session.core.ended:
            session.abort()
        else:
            await session.leave()

    def _note(self, reply: Reply, host: str, session: RelaySession | None = None) -> None:
        self.troubles.append(Outcome(fate_of(reply, Fate.RELAYED), reply, host, self.opener.seconds()))
        if session is not None:
            self.opener.log.info(
                "relay.turned_away", host=session.host, code=reply.code, reply=" ".join(reply.text)[:200]
            )


def _named(host: Host, address: IPAddress) -> str:
    """As it stands in outcomes, notices and the log."""
    return f"[{address}]" if host.name == str(address) else f"{host.name} [{address}]"
