"""A server of events over TLS, small but whole, for the client to follow."""

from __future__ import annotations

import base64
import datetime
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from mailsuite.client.pop3 import Login
from mailsuite.client.stream import Server
from mailsuite.client.trust import Trust
from mailsuite.frontends.certificates import self_signed
from mailsuite.wire.sse import Event

ALICE = Login("alice@example.org", "amber-river-violet-anchor")


@attrs.define(eq=False)
class Stage:
    """What the server does: tests set it."""

    status: int = 200
    kind: str = "text/event-stream; charset=utf-8"
    headers: dict[str, str] = attrs.field(factory=dict)
    answer: Callable[[Request], tuple[int, Any]] = lambda request: (404, {})
    """To all that is not the stream."""
    asked: list[dict[str, str]] = attrs.field(factory=list)
    """The headers of each request for the stream."""
    open: list[Request] = attrs.field(factory=list)
    opened: Deferred[Request] = attrs.field(factory=Deferred)
    closed: Deferred[None] = attrs.field(factory=Deferred)

    def say(self, *events: Event) -> None:
        for event in events:
            self.open[-1].write(event.encode())


class _Stream(Resource):
    isLeaf = True

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def render(self, request: Request) -> bytes | int:
        stage = self.stage
        headers = request.requestHeaders.getAllRawHeaders()
        asked = {name.decode().lower(): values[0].decode() for name, values in headers}
        if request.path != b"/notify/v1/stream" or request.method != b"GET":
            request.setResponseCode(404)
            status, document = stage.answer(request)
            request.setResponseCode(status)
            return json.dumps(document).encode() if isinstance(document, dict) else document
        stage.asked.append(asked | {"uri": request.uri.decode()})
        expected = base64.b64encode(f"{ALICE.name}:{ALICE.password}".encode()).decode()
        allowed = asked.get("authorization") == f"Basic {expected}"
        request.setResponseCode(stage.status if allowed else 401)
        for name, value in stage.headers.items():
            request.setHeader(name, value)
        if stage.status != 200 or not allowed:
            return b""
        request.setHeader("content-type", stage.kind)
        request.write(b": hello\n\n")
        stage.open.append(request)
        request.notifyFinish().addErrback(lambda _: self._gone())
        opened, stage.opened = stage.opened, Deferred()
        opened.callback(request)
        return NOT_DONE_YET

    def _gone(self) -> None:
        closed, self.stage.closed = self.stage.closed, Deferred()
        closed.callback(None)


class _Counted(WrappingFactory):
    """Knows its connections, to be there until the last has gone."""

    _empty: Deferred[None] | None = None

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        super().unregisterProtocol(p)
        if not self.protocols and self._empty is not None:
            self._empty.callback(None)

    async def ended(self) -> None:
        if self.protocols:
            self._empty = Deferred()
            for each in list(self.protocols):
                each.transport.abortConnection()
            await self._empty


@attrs.define(eq=False)
class EventServer:
    """Listens on loopback with a certificate of its own."""

    folder: tempfile.TemporaryDirectory[str]
    certificate: Path
    port: IListeningPort
    stage: Stage
    site: _Counted
    context: DefaultOpenSSLContextFactory

    @classmethod
    def start(cls) -> EventServer:
        folder = tempfile.TemporaryDirectory()
        certificate, key = self_signed(
            "mail.example.org", Path(folder.name), datetime.datetime.now(datetime.UTC)
        )
        stage = Stage()
        site = _Counted(Site(_Stream(stage)))
        context = DefaultOpenSSLContextFactory(str(key), str(certificate))
        port = reactor.listenSSL(0, site, context, interface="127.0.0.1")
        return cls(folder, certificate, port, stage, site, context)

    def also_at(self, address: str) -> IListeningPort:
        port: IListeningPort = reactor.listenSSL(0, self.site, self.context, interface=address)
        return port

    @property
    def number(self) -> int:
        return int(self.port.getHost().port)

    def server(self, host: str = "localhost", trust: Trust | None = None) -> Server:
        trusted = Trust(self.certificate) if trust is None else trust
        return Server(host, self.number, trusted.endpoint(reactor, host, self.number))

    async def stop(self) -> None:
        await self.port.stopListening()
        await self.site.ended()
        self.folder.cleanup()
