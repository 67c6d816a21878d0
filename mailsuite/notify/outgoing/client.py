"""Posting to web servers that users name, so that neither they nor the servers can do any harm by it.

One request at a time goes over a connection, and little of the answer is read. No redirect is followed, no
proxy of the environment is asked, nothing is decompressed, no cookie is kept (notifications.md section 9).
Why this is not Twisted's Agent: docs/adr/0021-posting-notices.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mailsuite.notify.outgoing.connection import HttpConnection, Unanswered
from mailsuite.notify.outgoing.dialling import Dialler
from mailsuite.notify.outgoing.places import Places
from mailsuite.notify.outgoing.targets import WebTarget
from mailsuite.wire.http_client import AnswerReader, encode_post, retry_after

TIMEOUT: Final = 15.0
"""Seconds for everything: turn, name, connection, request and answer (Standard Webhooks: 15 to 30)."""
MAX_KEPT: Final = 64
"""Connections that are kept for another request, to all hosts."""
_USUAL: Final = {"User-Agent": "mailsuite", "Accept": "*/*", "Accept-Encoding": "identity"}


@attrs.frozen
class Response:
    """What a server answered."""

    status: int
    """200 to 599."""
    retry_after: float = 0.0
    """Seconds that it asks us to wait, a day at the most; 0.0: it asks for nothing."""
    body: bytes = attrs.field(default=b"", repr=False)
    """The beginning, 4 KiB at the most. For the channel alone: never for a log, nor for whoever subscribed,
    to whom it could be what they may not read."""


@attrs.define(eq=False)
class WebClient:
    """Posts. One for each class of owners: users' targets, and those that administrators name.

    It bounds each request, how many are under way and how often anybody is connected to; how often a
    destination is tried is for its callers (``Destinations``).
    """

    clock: IReactorTime
    dialler: Dialler
    seconds: Callable[[], float] = time.time
    """Since the epoch."""
    places: Places = attrs.field(init=False)
    _running: set[Deferred[AnswerReader]] = attrs.field(factory=set, init=False)
    _open: set[HttpConnection] = attrs.field(factory=set, init=False)
    _kept: dict[HttpConnection, str] = attrs.field(factory=dict, init=False)
    """With their origins; the one that was used last is the last."""

    def __attrs_post_init__(self) -> None:
        self.places = Places(self.clock)

    async def post(
        self, target: WebTarget, fields: Mapping[str, str], body: bytes, *, patience: float = TIMEOUT
    ) -> Response:
        """Post *body*, and answer what the server says within *patience* seconds, whatever that is.

        Raises NotAllowed where the target leads to an address that no notice may go to, Unreached (with its
        cause) where there is no answer, and ValueError where *fields* are none that can be sent. Where a kept
        connection was closed at that very moment it is posted once more, so that a server may, rarely, see it
        twice.
        """
        named = {name.lower() for name in fields}
        usual = {name: value for name, value in _USUAL.items() if name.lower() not in named}
        request = encode_post(target.path, target.authority, {**usual, **fields}, body)
        posting = Deferred.fromCoroutine(self._post(target, request, patience))
        self._running.add(posting)
        try:
            reader = await posting
        finally:
            self._running.discard(posting)
        wait = retry_after(reader.fields.get(b"retry-after", b""), self.seconds())
        return Response(reader.status, wait, bytes(reader.body))

    def forget(self) -> None:
        """Close the connections that are kept: others may be allowed from now on."""
        for connection in list(self._kept):
            connection.abort()

    async def stop(self) -> None:
        """Break off what is under way, which is told by CancelledError, and close all connections. Returns
        when they are closed."""
        for posting in list(self._running):
            posting.cancel()
        for connection in list(self._open):
            connection.abort()
            await connection.gone

    # Inside

    async def _post(self, target: WebTarget, request: bytes, patience: float) -> AnswerReader:
        until = self.clock.seconds() + patience
        await self.places.take(target.origin, patience)
        try:
            return await self._ask(target, request, until)
        finally:
            self.places.free(target.origin)

    async def _ask(self, target: WebTarget, request: bytes, until: float) -> AnswerReader:
        kept = self._take(target)
        if kept is not None:
            try:
                return await self._exchange(kept, target.origin, request, until)
            except Unanswered:
                pass  # it was closed while nobody looked
        connection = await self.dialler.dial(target, until, self._made)
        return await self._exchange(connection, target.origin, request, until)

    async def _exchange(
        self, connection: HttpConnection, origin: str, request: bytes, until: float
    ) -> AnswerReader:
        reader = await connection.exchange(request, until)
        if reader.can_go_on and connection.is_open:
            connection.keep(lambda gone: self._kept.pop(gone, None))
            self._kept[connection] = origin
            if len(self._kept) > MAX_KEPT:
                next(iter(self._kept)).abort()
        return reader

    def _made(self, connection: HttpConnection) -> None:
        self._open.add(connection)
        connection.gone.addCallback(lambda _: self._open.discard(connection))

    def _take(self, target: WebTarget) -> HttpConnection | None:
        """A kept connection with this target, the one that was used last: the others may age and go."""
        for connection in list(reversed(self._kept)):
            if self._kept[connection] == target.origin and connection.is_open:
                if self.dialler.objection(target, connection.peer):
                    connection.abort()
                    continue
                del self._kept[connection]
                return connection
        return None
