"""``/v1/queue`` of the control API: the outbound queue (features row Q-09).

``GET ?sender=&recipient=&domain=&account=&older_than=&error=&state=&ids=`` lists, in the order of arrival,
``count`` at a time from behind the id ``after``. Below it, ``count`` counts the same; ``messages/ID`` is one
of them; ``shape`` and ``errors`` are the whole at a glance; the verbs are in queue_changes.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs
from twisted.web.resource import Resource
from twisted.web.server import Request

from mailsuite.accounts.refusal import asked_address
from mailsuite.admin.questions import Look, Question, count_of, nothing_else
from mailsuite.admin.queue_changes import OWNERS_VERBS, VERBS, ChangeResource
from mailsuite.admin.queue_content import ContentResource, header_of
from mailsuite.admin.queue_documents import (
    entry_document,
    envelope_document,
    filter_of,
    oldest_document,
    shape_document,
)
from mailsuite.admin.resources import ApiError, Desk, Document, JsonResource, Missing, bad_request
from mailsuite.interfaces import IQueuedContent, IQueueDesk
from mailsuite.model.failure import MailFailure
from mailsuite.model.outbound import QueueEntry, QueueFilter

AGES: Final = (300.0, 600.0, 1800.0, 7200.0, 43200.0)
"""Columns of the shape, in seconds."""
MAX_DESTINATIONS: Final = 10_000
"""Those for which most waits; what waits for others is in no sum."""


def _nobody_sends() -> None:
    """Where there is a queue and no courier."""


def _nothing_rests(destination: str) -> float:
    """Likewise."""
    return 0.0


@attrs.frozen
class Outbound:
    """The queue, as administrators meet it."""

    queue: IQueueDesk
    content: Callable[[str], IQueuedContent]
    """Of a message, by its id."""
    wake: Callable[[], None] = _nobody_sends
    """Whoever sends forgets what could not be reached. Raises nothing."""
    rests_until: Callable[[str], float] = _nothing_rests
    """Up to when a destination is left alone, in seconds since the epoch; 0: it is not."""
    now: Callable[[], float] = time.time


def queue_resource(desk: Desk, outbound: Outbound, owner: str | None = None) -> Resource:
    """All of it; or for an *owner*, the address of an account, nothing but what he has sent himself."""
    whole = _Queue(desk, outbound, owner)
    resource = whole.look(whole.list)
    resource.putChild(b"count", whole.look(whole.count))
    resource.putChild(b"messages", _Messages(desk, whole))
    if owner is None:
        resource.putChild(b"shape", whole.look(whole.shape))
        resource.putChild(b"errors", whole.look(whole.errors))
    for name, verb in VERBS.items():
        if owner is None or name in OWNERS_VERBS:
            change = ChangeResource(desk, verb, outbound, owner)
            resource.putChild(name.encode(), change)
    return resource


async def queue_summary(outbound: Outbound) -> Document:
    """How much there is, and what has waited longest; ``mailsuite status`` shows it."""
    now = outbound.now()
    oldest = await outbound.queue.find(QueueFilter(), now, count=1)
    return {
        "messages": await outbound.queue.count(QueueFilter(), now),
        "oldest": oldest_document(oldest[0]) if oldest else None,
    }


@attrs.frozen
class _Queue:
    """What can be asked, by the fields that stand behind the question mark."""

    desk: Desk
    outbound: Outbound
    owner: str | None

    def look(self, look: Look) -> Question:
        return Question(self.desk, look, many=("ids",))

    async def list(self, fields: Document) -> Document:
        count, after = count_of(fields), fields.pop("after", "")
        entries = await self._desk.find(self._which(fields), self._now(), after, count)
        return {
            "messages": [entry_document(entry) for entry in entries],
            "after": entries[-1].message.id if len(entries) == count else None,
        }

    async def count(self, fields: Document) -> Document:
        return {"messages": await self._desk.count(self._which(fields), self._now())}

    async def shape(self, fields: Document) -> Document:
        count = count_of(fields)
        nothing_else(fields)
        shapes = await self._desk.shape(self._now(), AGES, MAX_DESTINATIONS)
        counts = [sum(each.counts[column] for each in shapes) for column in range(len(AGES) + 1)]
        return {
            "ages": list(AGES),
            "total": sum(counts),
            "counts": counts,
            "destinations": [
                shape_document(each, self.outbound.rests_until(each.destination)) for each in shapes[:count]
            ],
            "more": max(0, len(shapes) - count),
        }

    async def errors(self, fields: Document) -> Document:
        count = count_of(fields)
        nothing_else(fields)
        errors = await self._desk.errors(self._now(), count)
        return {"errors": [{"error": error, "recipients": number} for error, number in errors]}

    async def one(self, id: str) -> QueueEntry:
        """Raises ApiError where it is not in the queue."""
        found = await self._desk.find(self._own(QueueFilter(ids=frozenset({id}))), self._now(), count=1)
        if not found:
            raise ApiError(404, {"error": f"there is no message {id} in the queue"})
        return found[0]

    @property
    def _desk(self) -> IQueueDesk:
        return self.outbound.queue

    def _now(self) -> float:
        return self.outbound.now()

    def _which(self, fields: Document) -> QueueFilter:
        which = filter_of(fields)
        if self.owner is not None and which.account is not None:
            raise bad_request("account has no place in this filter")
        return self._own(which)

    def _own(self, which: QueueFilter) -> QueueFilter:
        return which if self.owner is None else attrs.evolve(which, account=asked_address(self.owner))


class _Messages(Missing):
    """Each as a child by its id."""

    def __init__(self, desk: Desk, queue: _Queue) -> None:
        super().__init__()
        self._desk = desk
        self._queue = queue

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _Message(self._desk, self._queue, path.decode("utf-8", "replace")) if path else self


class _Message(JsonResource):
    """The envelope, where each recipient stands, and the header of the content."""

    def __init__(self, desk: Desk, queue: _Queue, id: str) -> None:
        super().__init__(desk, {"GET": self._show})
        self._queue = queue
        self._id = id
        self.putChild(b"content", ContentResource(desk, self._size, self._open))

    async def _show(self, body: Document) -> tuple[int, Document]:
        entry = await self._queue.one(self._id)
        return 200, {"message": envelope_document(entry), "header": await self._header()}

    async def _header(self) -> str | None:
        """None where it cannot be read: who is to get the message is known all the same."""
        try:
            return await header_of(self._open())
        except MailFailure as failure:
            self._desk.log.warning("control.unable", path=f"queue/{self._id}", detail=failure.detail)
            return None

    async def _size(self) -> int:
        return (await self._queue.one(self._id)).message.size

    def _open(self) -> IQueuedContent:
        return self._queue.outbound.content(self._id)
