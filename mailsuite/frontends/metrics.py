"""Figures over HTTP, for Prometheus: ``/metrics``, and ``/healthz`` for whoever asks whether we live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from mailsuite.frontends.base import SessionProtocol
from mailsuite.frontends.door import address_of
from mailsuite.model.account import IPAddress
from mailsuite.model.device import IPNetwork
from mailsuite.observe.log import Log
from mailsuite.observe.metrics import CONTENT_TYPE

MAX_CONNECTIONS: Final = 50
"""Of one listener, from networks that may ask: a few who do so every some seconds."""
MAX_STRANGERS: Final = 10
"""From elsewhere, to be told that they may not; they take no place of those who may."""
REQUEST_TIMEOUT: Final = 30.0
"""Seconds without an octet of a request, or between two."""

_ALLOWED: Final = ("GET", "HEAD")
_TEXT: Final = "text/plain; charset=utf-8"


@attrs.frozen
class Exposition:
    """What is shown, where, and to whom."""

    text: Callable[[], bytes]
    """All figures, as CONTENT_TYPE says."""
    allow: Callable[[], Sequence[IPNetwork]]
    """From where one may ask; asked anew for each request. Nobody may where there are no networks."""
    log: Log
    path: str = "/metrics"

    def allows(self, peer: IPAddress) -> bool:
        """Whether *peer* may ask now."""
        return any(peer in network for network in self.allow())


class MetricsFactory(WrappingFactory):
    """Makes the HTTP connections of one listener, and knows those that live. None of them is a session: what
    has been asked is answered at once, so there is nothing to wait for."""

    noisy = False

    sessions: frozenset[SessionProtocol[Any]] = frozenset()
    is_empty = True

    def __init__(self, clock: Any, exposition: Exposition) -> None:
        site = _Site(_Root(exposition), _Bodiless, timeout=REQUEST_TIMEOUT, reactor=clock)
        super().__init__(site)
        self._exposition = exposition
        self._strangers: set[ProtocolWrapper] = set()

    def buildProtocol(self, addr: Any) -> ProtocolWrapper | None:  # type: ignore[override]
        is_stranger = not self._exposition.allows(address_of(addr)[0])
        others = len(self._strangers) if is_stranger else len(self.protocols) - len(self._strangers)
        if others >= (MAX_STRANGERS if is_stranger else MAX_CONNECTIONS):
            return None
        connection: ProtocolWrapper = super().buildProtocol(addr)
        if is_stranger:
            self._strangers.add(connection)
        return connection

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        super().unregisterProtocol(p)
        self._strangers.discard(p)

    async def drain(self, patience: float = 0.0) -> None:
        """End the connections."""
        self.cut()

    def cut(self) -> None:
        for connection in list(self.protocols):
            connection.transport.abortConnection()


class _Site(Site):
    """Keeps no access log."""

    noisy = False

    def log(self, request: object) -> None:
        """Nothing."""


class _Bodiless(Request):
    """Takes no body: one that begins to come ends the connection."""

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0)
        self._unwanted = bool(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._unwanted = True

    def process(self) -> None:
        if not self._unwanted:
            super().process()
            return
        self.channel.loseConnection()


@implementer(IResource)
class _Root(Resource):
    """Answers every path itself."""

    isLeaf = True

    def __init__(self, exposition: Exposition) -> None:
        super().__init__()
        self._exposition = exposition

    def render(self, request: Request) -> bytes:
        status, kind, content = self._answer(request)
        request.setResponseCode(status)
        request.setHeader("content-type", kind)
        request.setHeader("cache-control", "no-store")
        request.setHeader("content-length", str(len(content)))
        return b"" if request.method == b"HEAD" else content

    def _answer(self, request: Request) -> tuple[int, str, bytes]:
        peer, _ = address_of(request.getClientAddress())
        if not self._exposition.allows(peer):
            return 403, _TEXT, b"this address may not ask\n"
        if request.method.decode("ascii", "replace") not in _ALLOWED:
            request.setHeader("allow", ", ".join(_ALLOWED))
            return 405, _TEXT, b"this cannot be done here\n"
        path = request.path.decode("utf-8", "replace")
        if path == self._exposition.path:
            return self._figures()
        if path == "/healthz":
            return 200, _TEXT, b"alive\n"
        return 404, _TEXT, b"there is nothing at this path\n"

    def _figures(self) -> tuple[int, str, bytes]:
        try:
            return 200, CONTENT_TYPE, self._exposition.text()
        except Exception:
            self._exposition.log.failure("metrics.failed", Failure())
            return 500, _TEXT, b"something went wrong; the server's log says what\n"
