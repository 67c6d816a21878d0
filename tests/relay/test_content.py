"""A message of the queue, read as often as it takes; never half of it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs
import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, OutboundEnvelope, OutboundRecipient
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueuedMessage
from mailsuite.model.reply import STORE_UNAVAILABLE
from mailsuite.queue.memory import MemoryContent, MemoryQueue
from mailsuite.relay.content import READ_OCTETS, Content

SHORT = b"Subject: Hello\r\n\r\nHello\r\n"
LONG = SHORT + b"A line of no interest.\r\n" * (3 * READ_OCTETS // 24)
EVE = OutboundRecipient(Address("eve", "example.org"))


class Slow(MemoryContent):
    """Answers less than it is asked for, as it may."""

    closed = 0

    async def read(self, octets: int) -> bytes:
        return await super().read(min(octets, 1 + octets // 3))

    def close(self) -> None:
        type(self).closed += 1


@attrs.define(eq=False)
class SlowQueue(MemoryQueue):
    def content(self, id: str) -> MemoryContent:
        return Slow(super().content(id)._find)


def do(work: Coroutine[Any, Any, Any]) -> Any:
    return run_now(work)


def content_of(octets: bytes, size: int | None = None, queue: MemoryQueue | None = None) -> Content:
    queue = MemoryQueue() if queue is None else queue
    queue.put(OutboundEnvelope("id1", None, (EVE,)), octets)
    return Content(queue, QueuedMessage("id1", None, size=len(octets) if size is None else size))


async def whole(content: Content) -> bytes:
    pieces = []
    while piece := await content.read():
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("queue", [MemoryQueue, SlowQueue])
@pytest.mark.parametrize("octets", [b"", SHORT, LONG, LONG[:READ_OCTETS], LONG[: 2 * READ_OCTETS]])
def test_the_same_each_time(octets: bytes, queue: type[MemoryQueue]) -> None:
    async def thrice() -> list[bytes]:
        async with content_of(octets, queue=queue()) as content:
            found = []
            for _ in range(3):
                content.rewind()
                found.append(await whole(content))
            return found

    assert do(thrice()) == [octets] * 3


def test_it_is_closed_once() -> None:
    async def judge() -> BodyType:
        Slow.closed = 0
        async with content_of(LONG, queue=SlowQueue()) as content:
            return await content.body_type(BodyType.SEVEN_BIT)

    assert do(judge()) is BodyType.SEVEN_BIT
    assert Slow.closed == 1


def test_nobody_knows_its_size() -> None:
    async def read() -> bytes:
        async with content_of(LONG, size=0) as content:
            return await whole(content)

    assert do(read()) == LONG


def test_again_from_the_middle() -> None:
    async def read() -> bytes:
        async with content_of(LONG) as content:
            for _ in range(2):
                await content.read()
            content.rewind()
            return await whole(content)

    assert do(read()) == LONG


@pytest.mark.parametrize("octets", [b"", SHORT, LONG])
def test_a_file_that_ends_too_early_is_no_message(octets: bytes) -> None:
    async def read() -> bytes:
        async with content_of(octets, size=len(octets) + 1) as content:
            return await whole(content)

    with pytest.raises(TemporaryFailure, match=f"only {len(octets)} of"):
        do(read())


def test_what_cannot_be_read_is_closed() -> None:
    queue = SlowQueue()
    content = content_of(SHORT, queue=queue)
    queue.refuse_with = TemporaryFailure(STORE_UNAVAILABLE)
    Slow.closed = 0

    async def enter() -> None:
        async with content:
            raise AssertionError

    with pytest.raises(TemporaryFailure):
        do(enter())
    assert Slow.closed == 1


EIGHT = SHORT + "Grüße\r\n".encode()


@pytest.mark.parametrize(
    ("octets", "said", "found"),
    [
        (SHORT, BodyType.SEVEN_BIT, BodyType.SEVEN_BIT),
        (SHORT, BodyType.EIGHT_BIT, BodyType.SEVEN_BIT),
        (EIGHT, BodyType.SEVEN_BIT, BodyType.EIGHT_BIT),
        (EIGHT, BodyType.EIGHT_BIT, BodyType.EIGHT_BIT),
        (LONG, BodyType.EIGHT_BIT, BodyType.SEVEN_BIT),
        (LONG + b"\xff\r\n", BodyType.SEVEN_BIT, BodyType.EIGHT_BIT),
        (SHORT, BodyType.BINARY, BodyType.BINARY),
    ],
)
def test_what_it_is(octets: bytes, said: BodyType, found: BodyType) -> None:
    async def judge() -> tuple[BodyType, bytes]:
        async with content_of(octets) as content:
            return await content.body_type(said), await whole(content)

    assert do(judge()) == (found, octets)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (SHORT, False),
        (EIGHT, False),
        ("Subject: Grüße\r\n\r\nHello\r\n".encode(), True),
        ("Subject: Grüße\r\n".encode(), True),
    ],
)
def test_what_its_header_is(octets: bytes, found: bool) -> None:
    async def judge() -> bool:
        async with content_of(octets) as content:
            return await content.has_utf8_header()

    assert do(judge()) is found
