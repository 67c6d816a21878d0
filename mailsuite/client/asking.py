"""One request to the server's HTTP interface, and its answer: small JSON documents."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import HTTP11ClientProtocol, Request, ResponseDone  # type: ignore[attr-defined]
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from mailsuite.client.bounds import within
from mailsuite.client.pop3 import Login
from mailsuite.client.stream import CONNECT_SECONDS, HEAD_SECONDS, Server, StreamBroken, abort, basic

MAX_ANSWER: Final = 65_536
"""Octets."""


@attrs.frozen
class Answer:
    """What the server said."""

    status: int
    document: dict[str, Any]
    """Empty where it was no JSON object."""
    date: float | None
    """By the server's clock, in seconds since the epoch; None: it has not said."""


async def ask(
    clock: IReactorTime,
    server: Server,
    login: Login | None,
    method: str,
    path: str,
    *,
    document: dict[str, Any] | None = None,
) -> Answer:
    """Raises StreamBroken, and what the network raises."""
    connecting: Deferred[Any] = server.endpoint.connect(Factory.forProtocol(HTTP11ClientProtocol))
    connection = await within(CONNECT_SECONDS, clock, connecting)
    try:
        asked = connection.request(_request(server, login, method, path, document))
        response = await within(HEAD_SECONDS, clock, asked)
        body = _Body()
        response.deliverBody(body)
        body.ended.addTimeout(HEAD_SECONDS, clock)
        return Answer(response.code, _document(await body.ended), _date(response.headers))
    finally:
        abort(connection)


def _request(
    server: Server, login: Login | None, method: str, path: str, document: dict[str, Any] | None
) -> Request:
    headers = {b"Host": server.authority.encode("ascii"), b"Accept": b"application/json"}
    if login is not None:
        headers[b"Authorization"] = basic(login)
    body = None
    if document is not None:
        headers[b"Content-Type"] = b"application/json"
        body = _Octets(json.dumps(document).encode("utf-8"))
    listed = Headers({name: [value] for name, value in headers.items()})
    return Request(method.encode("ascii"), path.encode("ascii"), listed, body)


def _document(octets: bytes) -> dict[str, Any]:
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _date(headers: Headers) -> float | None:
    value = (headers.getRawHeaders(b"date") or [b""])[0].decode("ascii", "replace")
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class _Body(Protocol):
    """Collects what has a bound."""

    def __init__(self) -> None:
        self._octets = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data[: MAX_ANSWER + 1 - len(self._octets)]
        if len(self._octets) > MAX_ANSWER and not self.ended.called:
            self.ended.errback(StreamBroken("the server's answer is too long"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.ended.called:
            return
        if reason.check(ResponseDone):
            self.ended.callback(self._octets)
        else:
            self.ended.errback(StreamBroken("the connection was lost"))


@implementer(IBodyProducer)
class _Octets:
    """A body that is there already."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It is written already."""

    def resumeProducing(self) -> None:
        """Likewise."""

    def stopProducing(self) -> None:
        """Likewise."""
