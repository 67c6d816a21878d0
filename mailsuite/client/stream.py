"""Follows the server's stream of events over HTTPS (server-sent events, WHATWG HTML section 9.2)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import HTTP11ClientProtocol, Request, ResponseDone  # type: ignore[attr-defined]
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from mailsuite.client.bounds import within
from mailsuite.client.pop3 import Login, LoginRefused
from mailsuite.model.notice import Level
from mailsuite.wire.sse import MEDIA_TYPE, Event, EventReader, StreamTooLarge

PATH: Final = b"/notify/v1/stream"
PING_SECONDS: Final = 30
"""What we ask the server for: a sign of life this often."""
SILENCE_SECONDS: Final = 55.0
"""Without an octet for so long the server is taken for gone, though nobody has said so."""
CONNECT_SECONDS: Final = 15.0
HEAD_SECONDS: Final = 20.0
"""For the connection with TLS, and for the head of the answer."""
MAX_WAIT: Final = 3600.0
"""Seconds that the server may make us wait."""
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class StreamMissing(Exception):
    """There is no stream for us at this server."""


class StreamBroken(Exception):
    """The stream could not be had, or has ended. ``after``: seconds to wait as the server wants it; None:
    it has said nothing."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


@attrs.frozen
class Server:
    """Where the stream is."""

    host: str
    port: int
    endpoint: IStreamClientEndpoint

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


@attrs.frozen
class StreamClient:
    """One account's stream."""

    clock: IReactorTime
    server: Server
    login: Login
    level: Level = Level.SUBJECT
    """How much to ask for; the server may tell less."""

    async def follow(
        self,
        last_id: str,
        opened: Callable[[], None],
        heard: Callable[[Event], None],
        moved: Callable[[str], None],
    ) -> None:
        """Stay with the stream from behind *last_id* on, until it ends: by StreamBroken. *moved* is told from
        where to go on, behind the events that it is about.

        Raises LoginRefused, StreamMissing, and what the network raises.
        """
        connecting: Deferred[Any] = self.server.endpoint.connect(Factory.forProtocol(HTTP11ClientProtocol))
        connection: HTTP11ClientProtocol = await within(CONNECT_SECONDS, self.clock, connecting)
        try:
            asked = connection.request(self._request(last_id))
            response = await within(HEAD_SECONDS, self.clock, asked)
            _check(response)
            opened()
            body = _Body(self.clock, partial(abort, connection), EventReader(last_id=last_id), heard, moved)
            response.deliverBody(body)
            await body.ended
        finally:
            abort(connection)

    def _request(self, last_id: str) -> Request:
        headers = {
            b"Host": self.server.authority.encode("ascii"),
            b"Authorization": basic(self.login),
            b"Accept": MEDIA_TYPE.encode("ascii"),
            b"Cache-Control": b"no-store",
        }
        if last_id:
            headers[b"Last-Event-ID"] = last_id.encode("utf-8")
        target = PATH + f"?ping={PING_SECONDS}&level={self.level.word}".encode("ascii")
        return Request(b"GET", target, Headers({name: [value] for name, value in headers.items()}), None)


def basic(login: Login) -> bytes:
    """The value of Authorization (RFC 7617)."""
    return b"Basic " + base64.b64encode(f"{login.name}:{login.password}".encode())


def _check(response: IResponse) -> None:
    """Raises what an answer without a stream means."""
    code = response.code
    if code == 401:
        raise LoginRefused("the server refuses the name or the password")
    if code in _BUSY:
        raise StreamBroken(f"the server says {code}", _retry_after(response.headers))
    if code != 200:
        raise StreamMissing(f"the server has no stream for this account (HTTP {code})")
    kind = (response.headers.getRawHeaders(b"content-type") or [b""])[0]
    if kind.partition(b";")[0].strip().lower() != MEDIA_TYPE.encode("ascii"):
        raise StreamMissing("what the server sends is no stream of events")


def _retry_after(headers: Headers) -> float | None:
    """Seconds, RFC 9110 section 10.2.3; a date is not worth its reading here."""
    value = (headers.getRawHeaders(b"retry-after") or [b""])[0].strip()
    return min(float(value), MAX_WAIT) if value.isdigit() and len(value) < 10 else None


def abort(connection: HTTP11ClientProtocol) -> None:
    """At once: nobody waits for the other side's goodbye."""
    cast(ITCPTransport, connection.transport).abortConnection()


class _Body(Protocol):
    """Reads events, and notices silence."""

    def __init__(
        self,
        clock: IReactorTime,
        abort: Callable[[], None],
        events: EventReader,
        heard: Callable[[Event], None],
        moved: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._abort = abort
        self._heard = heard
        self._moved = moved
        self._events = events
        self._silence: IDelayedCall | None = clock.callLater(SILENCE_SECONDS, self._too_quiet)
        self.ended: Deferred[None] = Deferred(lambda _: self._stop())

    def dataReceived(self, data: bytes) -> None:
        if self._silence is None:
            return
        self._silence.reset(SILENCE_SECONDS)
        try:
            before = self._events.last_id
            for event in self._events.feed(data):
                self._heard(event)
            if self._events.last_id != before:
                self._moved(self._events.last_id)
        except StreamTooLarge:
            self._end("the server sends more than a stream of notices has")
            self._abort()
        except Exception:  # ours: it must not pass for the server's, nor be lost
            self._stop()
            self.ended.errback(Failure())
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end("the stream has ended" if reason.check(ResponseDone) else "the connection was lost")

    def _too_quiet(self) -> None:
        self._silence = None
        self.ended.errback(StreamBroken("the server has fallen silent", self._wish))
        self._abort()

    def _end(self, why: str) -> None:
        if self._silence is not None:
            self._stop()
            self.ended.errback(StreamBroken(why, self._wish))

    def _stop(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    @property
    def _wish(self) -> float | None:
        retry = self._events.retry
        return None if retry is None else min(retry / 1000, MAX_WAIT)
