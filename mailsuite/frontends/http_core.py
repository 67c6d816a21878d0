"""HTTP/1.1 as a core of a session: octets in, whole requests out, answers back. Twisted's own parser reads
it; it gets a wire of ours in place of a socket, so that time, back-pressure and TLS are the session's.

One request at a time: what comes behind it waits. A body is bounded, and nothing is taken for a form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final, Protocol

import attrs
from twisted.web.http import HTTPChannel, Request, datetimeToString

MAX_BODY_OCTETS: Final = 64 * 1024
"""A request holds a small JSON object."""
PROBLEM: Final = "application/problem+json"
"""RFC 9457."""
NOT_READ: Final = (
    b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s"
)


@attrs.frozen
class Answer:
    """What a request is answered."""

    status: int
    content: bytes = b""
    kind: str = "application/json"
    fields: Mapping[str, str] = attrs.field(factory=dict)


class Wire(Protocol):
    """What the parser may do to a connection."""

    def say(self, data: bytes, /) -> None: ...


class HttpRequest(Request):
    """One request, whole when it is told of."""

    content: Any

    def __init__(self, channel: _Channel, queued: object) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)
        self._told = channel.told
        self.too_large = False

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > MAX_BODY_OCTETS:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        if self.too_large:
            return
        if self.content.tell() + len(data) > MAX_BODY_OCTETS:
            self._refuse()
        else:
            self.content.write(data)

    def _refuse(self) -> None:
        """What goes on coming is not waited for: the answer ends the connection."""
        self.too_large = True
        channel: Any = self.channel
        channel.refuse(b"413 Content Too Large", f"the request has more than {MAX_BODY_OCTETS} octets")

    def process(self) -> None:
        if not self.too_large:
            self._told(self)

    def field(self, name: str) -> bytes:
        """A field of the header, without the blanks around it; empty where it is not there. Of several the
        last counts."""
        values = self.requestHeaders.getRawHeaders(name.encode("ascii"), [b""])
        return bytes(values[-1]).strip()

    def begin(self, status: int, fields: Mapping[str, str]) -> None:
        """Say how the request is answered; content follows by write(), and finish() ends it."""
        self.setResponseCode(status)
        self.setHeader(b"date", datetimeToString())
        for name, value in fields.items():
            self.setHeader(name.encode("ascii"), value.encode("ascii"))

    def answer(self, answer: Answer) -> None:
        """Answer it whole."""
        self.begin(answer.status, {"cache-control": "no-store", **answer.fields})
        self.setHeader(b"content-type", answer.kind.encode("ascii"))
        self.setHeader(b"content-length", b"%d" % len(answer.content))
        self.write(b"" if self.method == b"HEAD" else answer.content)
        self.finish()


class _Channel(HTTPChannel):
    """Twisted's parser. ``told`` gets each request."""

    timeOut = None
    """The session keeps the time."""
    maxHeaders = 100
    requestFactory: Any = HttpRequest
    transport: Any

    def __init__(self, told: Callable[[HttpRequest], None]) -> None:
        super().__init__()
        self.told = told
        self.is_last = False
        """No further request is taken on this connection."""

    def checkPersistence(self, request: HttpRequest, version: bytes) -> bool:
        return bool(super().checkPersistence(request, version)) and not self.is_last

    def refuse(self, status: bytes, words: str) -> None:
        """Answer what cannot be read to its end, and end the connection."""
        self.transport.write(unread(status, words))
        self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(b"400 Bad Request", "the request is no HTTP/1.1")

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()


def unread(status: bytes, words: str) -> bytes:
    """An answer to what is no whole request."""
    code, _, title = status.decode("ascii").partition(" ")
    content = f'{{"title": "{title}", "status": {code}, "detail": "{words}"}}\n'.encode("ascii")
    return NOT_READ % (status, len(content), content)


@attrs.define(eq=False)
class _Transport:
    """The end of the wire that the parser holds."""

    wire: Wire
    peer: Any
    host: Any
    disconnecting: bool = False

    def write(self, data: bytes) -> None:
        if not self.disconnecting:
            self.wire.say(data)

    def writeSequence(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        self.disconnecting = True

    def getPeer(self) -> Any:
        return self.peer

    def getHost(self) -> Any:
        return self.host


class HttpCore:
    """What a session asks of a core (frontends/door.py)."""

    def __init__(self, wire: Wire, peer: Any, host: Any) -> None:
        self._transport = _Transport(wire, peer, host)
        self._channel = _Channel(self._arrived)
        self._waiting: HttpRequest | None = None
        self._behind = bytearray()
        """What has come behind the request that is being answered."""

    def start(self) -> None:
        """The client speaks first."""
        self._channel.makeConnection(self._transport)

    @property
    def closing(self) -> bool:
        return self._transport.disconnecting

    @property
    def answering(self) -> bool:
        """A request is whole, and not answered yet."""
        return bool(self._channel._handlingRequest)

    @property
    def reading(self) -> bool:
        """A request has begun, and is not whole yet."""
        return bool(self._channel.requests) and not self.answering

    def receive(self, data: bytes, /) -> None:
        if self.answering:
            self._behind += data
        elif not self.closing:
            self._channel.dataReceived(data)

    def _arrived(self, request: HttpRequest) -> None:
        self._waiting = request

    def next_event(self) -> HttpRequest | None:
        if self._behind and not self.answering:
            data = bytes(self._behind)
            self._behind.clear()
            self.receive(data)
        request, self._waiting = self._waiting, None
        return request

    def bytes_to_send(self) -> bytes:
        """Nothing is kept: the parser writes at once."""
        return b""

    def tls_started(self, bindings: Mapping[str, bytes], /) -> None:
        """TLS begins with the connection or never."""

    def drain(self) -> None:
        """Answer what was asked, and nothing more."""
        self._channel.is_last = True
        self._channel.persistent = False
        if not self._channel.requests:
            self._transport.loseConnection()

    def timed_out(self) -> None:
        if self.reading:
            self._channel.refuse(b"408 Request Timeout", "the request takes too long")
        self._transport.loseConnection()
