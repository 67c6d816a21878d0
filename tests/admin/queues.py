"""An outbound queue in memory, and the control API over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site
from zope.interface import implementer

from mailsuite.admin.queue import Outbound, queue_resource
from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IQueuedContent
from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundEnvelope, OutboundRecipient
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import Fate, Outcome, Room
from mailsuite.model.reply import STORE_UNAVAILABLE, Reply
from mailsuite.observe.log import Log
from mailsuite.queue.memory import MemoryQueue
from mailsuite.queue.memory_desk import MemoryDesk
from tests.admin.asking import Asked

NOW = 1_795_000_000.0
JOE = Address("joe", "example.net")
ANN = Address("ann", "example.net")
EVE = Address("eve", "example.org")
MAX = Address("max", "example.com")
MAIL = b"Subject: hello\r\nFrom: joe@example.net\r\n\r\nHello\r\n"
BUSY = Outcome(Fate.DEFERRED, Reply(421, "4.7.28", ("rate limited",)), "mx.example.org [192.0.2.1]", NOW)
GONE = Outcome(Fate.FAILED, Reply(550, "5.1.1", ("no such user",)), "mx.example.org [192.0.2.1]", NOW)


def outbound_of(queue: MemoryQueue, now: Callable[[], float]) -> Outbound:
    """The queue as administrators meet it."""
    return Outbound(MemoryDesk(queue), queue.content, now=now)


@implementer(IQueuedContent)
@attrs.define(eq=False)
class SteppedContent:
    """Content whose pieces come when a test lets them."""

    octets: bytes
    waiting: Deferred[bytes] | None = None
    reads: int = 0
    closed: bool = False
    _wanted: int = 0

    async def read(self, octets: int) -> bytes:
        self.reads += 1
        self._wanted = octets
        self.waiting = Deferred()
        return await self.waiting

    def go(self) -> None:
        """The piece that is asked for comes."""
        piece, self.octets = self.octets[: self._wanted], self.octets[self._wanted :]
        self._taken().callback(piece)

    def fail(self) -> None:
        """It does not."""
        self._taken().errback(TemporaryFailure(STORE_UNAVAILABLE, "the disk is ill"))

    def _taken(self) -> Deferred[bytes]:
        waiting, self.waiting = self.waiting, None
        assert waiting is not None, "nobody reads"
        return waiting

    def close(self) -> None:
        self.closed = True


class QueueApiCase(SynchronousTestCase):
    """``ask()`` what administrators ask, and with ``owner=`` what the owner of an account does."""

    def setUp(self) -> None:
        self.lines: list[str] = []
        self.now = NOW
        log = Log(lambda line, level: self.lines.append(line.split(maxsplit=1)[1]))
        desk = Desk(log, Tasks(lambda failure: log.failure("tasks.failed", failure)))
        self.queue = MemoryQueue()
        self.reader: SteppedContent | None = None
        """What every message holds, where a test says so."""
        self.woken = 0
        self.rests: dict[str, float] = {}
        self.outbound = attrs.evolve(
            outbound_of(self.queue, lambda: self.now),
            content=self.content,
            wake=self.wake,
            rests_until=lambda destination: self.rests.get(destination, 0.0),
        )
        root = Missing()
        root.putChild(b"queue", queue_resource(desk, self.outbound))
        root.putChild(b"joe", queue_resource(desk, self.outbound, str(JOE)))
        self.site = Site(root, BoundedRequest, reactor=Clock())

    def wake(self) -> None:
        self.woken += 1

    def content(self, id: str) -> IQueuedContent:
        return self.reader or self.queue.content(id)

    def put(
        self,
        id: str,
        *recipients: Address,
        sender: Address | None = JOE,
        account: Address | None = JOE,
        age: float = 0.0,
        release: float = 0.0,
        content: bytes = MAIL,
    ) -> None:
        recipients = recipients or (EVE,)
        envelope = OutboundEnvelope(
            id,
            sender,
            tuple(map(OutboundRecipient, recipients)),
            account=account,
            arrived=NOW - age,
            release=release,
        )
        self.queue.put(envelope, content)

    def record(self, outcomes: Mapping[int, Outcome], due: float = NOW + 600) -> None:
        """Of the lease that is next."""
        (lease,) = self.answer(self.queue.claim(NOW, NOW + 60, 1, Room(1)))
        self.answer(self.queue.record(lease, outcomes, due, {}))

    def answer(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def ask(self, path: str = "", body: object = None, owner: bool = False) -> tuple[int, Any]:
        place = "joe" if owner else "queue"
        return Asked(self.site, "GET" if body is None else "POST", f"/{place}{path}", body).answer

    def ids(self, query: str = "", owner: bool = False) -> list[str]:
        status, document = self.ask(f"?{query}", owner=owner)
        assert status == 200, document
        return [message["id"] for message in document["messages"]]
