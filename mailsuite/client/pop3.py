"""A POP3 session over TLS that only looks: it never fetches, marks or deletes anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.client.bounds import within
from mailsuite.client.pop3_replies import NotPop3, Reply, ReplyReader

ANSWER_SECONDS: Final = 60.0
"""For the connection, and for each answer."""
_DELAY: Final = re.compile(r"\d{1,9}")


class LoginRefused(Exception):
    """The server takes this name and password for wrong, or for not allowed. Trying again does not help."""


class TryLater(Exception):
    """The server cannot or will not now; ``after``: seconds to wait at least, 0 where it said nothing."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


@attrs.frozen
class Login:
    """Who looks. Neither shows the password."""

    name: str
    password: str = attrs.field(repr=False)


@attrs.frozen
class Look:
    """What one look has found."""

    messages: tuple[str, ...]
    """Their UIDLs; of a server that has none, one made of number and size for each."""
    login_delay: float = 0.0
    """Seconds between two logins that the server asks for (RFC 2449 section 6.5); 0: none."""


class _Talk(Protocol):
    """Sends a line, takes the answer."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._reader = ReplyReader()
        self._is_multiline = False
        self._waiting: Deferred[Reply] | None = None
        self._lost: Failure | None = None

    @property
    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    async def greeting(self) -> Reply:
        return await self._answer(is_multiline=False)

    async def command(self, line: str, *, is_multiline: bool = False) -> Reply:
        if "\r" in line or "\n" in line:
            raise LoginRefused("a line end cannot be part of a name or password")
        self._tcp.write(line.encode("utf-8") + b"\r\n")
        return await self._answer(is_multiline)

    async def _answer(self, is_multiline: bool) -> Reply:
        if self._lost is not None:
            self._lost.raiseException()
        self._is_multiline = is_multiline
        self._waiting = Deferred()
        self._waiting.addTimeout(ANSWER_SECONDS, self._clock)
        return await self._waiting

    def dataReceived(self, data: bytes) -> None:
        waiting = self._waiting
        try:
            if waiting is None:
                raise NotPop3("the server speaks without being asked")
            reply = self._reader.feed(data, self._is_multiline)
        except NotPop3:
            self._end(Failure())
            self.abort()
            return
        if reply is not None:
            self._waiting = None
            waiting.callback(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # A close in good order is an end as well, where an answer is due.
        self._end(reason)

    def _end(self, reason: Failure) -> None:
        self._lost = self._lost or reason
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(self._lost)

    def abort(self) -> None:
        self._tcp.abortConnection()


async def look(endpoint: IStreamClientEndpoint, clock: IReactorTime, login: Login) -> Look:
    """Log in, list, and say goodbye.

    Raises LoginRefused, TryLater, NotPop3, and what the network raises: OSError, TimeoutError, errors of
    Twisted and of TLS.
    """
    connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(partial(_Talk, clock)))
    talk: _Talk = await within(ANSWER_SECONDS, clock, connecting)
    try:
        return await _looked(talk, login)
    finally:
        talk.abort()


async def _looked(talk: _Talk, login: Login) -> Look:
    greeting = await talk.greeting()
    if not greeting.is_ok:
        raise TryLater("the server does not want to talk now")
    before = await _capabilities(talk)
    named = await talk.command(f"USER {login.name}")
    admitted = await talk.command(f"PASS {login.password}") if named.is_ok else named
    if not admitted.is_ok:
        raise _why_not(admitted, before)
    # The delay may be the user's own, which only a session that is logged in is told.
    delay = _delay(await _capabilities(talk)) or _delay(before)
    found = await _messages(talk)
    await talk.command("QUIT")
    return Look(found, delay)


async def _capabilities(talk: _Talk) -> Mapping[str, str]:
    """By name in upper case; none where the server does not know CAPA."""
    reply = await talk.command("CAPA", is_multiline=True)
    words = (line.partition(" ") for line in reply.lines)
    return {name.upper(): rest for name, _, rest in words}


def _delay(capabilities: Mapping[str, str]) -> float:
    found = _DELAY.match(capabilities.get("LOGIN-DELAY", ""))
    return float(found[0]) if found else 0.0


def _why_not(reply: Reply, capabilities: Mapping[str, str]) -> Exception:
    """RFC 2449 section 8, RFC 3206 section 4."""
    match reply.code:
        case "LOGIN-DELAY":
            return TryLater("the server wants fewer logins", _delay(capabilities))
        case "IN-USE":
            return TryLater("another program is reading the mail")
        case "SYS/TEMP":
            return TryLater("the server has a trouble of its own")
    return LoginRefused("the server refuses the name or the password")


async def _messages(talk: _Talk) -> tuple[str, ...]:
    listed = await talk.command("UIDL", is_multiline=True)
    if listed.is_ok:
        return tuple(line.partition(" ")[2].strip() for line in listed.lines)
    listed = await talk.command("LIST", is_multiline=True)  # RFC 1939 section 7: UIDL is optional
    if not listed.is_ok:
        raise TryLater("the server does not list the messages")
    return listed.lines
