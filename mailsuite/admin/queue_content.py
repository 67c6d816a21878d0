"""The content of a message in the queue: its header as text, or all of it, octet for octet, at the pace of
whoever reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from mailsuite.admin.resources import Action, Desk, Document, JsonResource, prepare
from mailsuite.interfaces import IQueuedContent
from mailsuite.model.failure import MailFailure

CHUNK_OCTETS: Final = 64 * 1024
MAX_HEADER_OCTETS: Final = 64 * 1024
"""Of a header, so much is shown."""


async def header_of(content: IQueuedContent) -> str:
    """The header of a message, its lines ended by LF; what is no UTF-8 is shown as question marks.

    Raises TemporaryFailure."""
    octets = b""
    try:
        while len(octets) < MAX_HEADER_OCTETS and b"\r\n\r\n" not in octets:
            data = await content.read(MAX_HEADER_OCTETS - len(octets))
            if not data:
                break
            octets += data
    finally:
        content.close()
    header, _, _ = octets.partition(b"\r\n\r\n")
    return header.decode("utf-8", "replace").replace("\r\n", "\n")


class ContentResource(JsonResource):
    """GET: ``message/rfc822``. What fails before the first octet becomes a status; later, the connection is
    cut, and nobody takes half a message for a whole one."""

    def __init__(
        self, desk: Desk, size: Callable[[], Awaitable[int]], open_: Callable[[], IQueuedContent]
    ) -> None:
        """*size* raises ApiError where there is no such message."""
        super().__init__(desk, {"GET": self._begin})
        self._size = size
        self._open = open_

    async def _begin(self, body: Document) -> tuple[int, Document]:
        content = self._open()
        try:
            size = await self._size()
            return 200, {"content": content, "size": size, "first": await content.read(CHUNK_OCTETS)}
        except BaseException:
            content.close()
            raise

    async def _answer(self, request: Request, action: Action) -> None:
        way = _Way(request)
        status, begun = await self._outcome(request, action)
        if status != 200:
            way.say(status, begun)
            return
        content: IQueuedContent = begun["content"]
        try:
            await way.send(content, begun["first"], begun["size"])
        except MailFailure as failure:
            self._desk.log.warning("control.unable", path=request.path, detail=failure.detail)
            way.cut()
        finally:
            content.close()


@implementer(IPushProducer)
class _Way:
    """Back to whoever asked."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._gone = False
        self._choked: Deferred[None] | None = None
        request.notifyFinish().addErrback(self._lost)

    def say(self, status: int, document: Document) -> None:
        """No content, and why."""
        if not self._gone:
            self._request.write(prepare(self._request, status, document))
            self._request.finish()

    async def send(self, content: IQueuedContent, first: bytes, size: int) -> None:
        """*first*, and all that follows. Raises TemporaryFailure."""
        request = self._request
        request.setHeader("content-type", "message/rfc822")
        request.setHeader("content-length", str(size))
        request.setHeader("cache-control", "no-store")
        request.registerProducer(self, True)
        data = first
        while data and not self._gone:
            request.write(data)
            if self._choked is not None:
                await self._choked
            data = b"" if self._gone else await content.read(CHUNK_OCTETS)
        if not self._gone:
            request.unregisterProducer()
            request.finish()

    def cut(self) -> None:
        """End the connection at once."""
        channel: Any = self._request.channel
        if not self._gone:
            channel.transport.abortConnection()

    def _lost(self, reason: Failure) -> None:
        self._gone = True
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """The client does not read."""
        if self._choked is None and not self._gone:
            self._choked = Deferred()

    def resumeProducing(self) -> None:
        """It does again, or is gone."""
        choked, self._choked = self._choked, None
        if choked is not None:
            choked.callback(None)

    def stopProducing(self) -> None:
        """The connection is going; notifyFinish() tells."""
