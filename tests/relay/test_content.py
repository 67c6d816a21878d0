"""What the content of a message is, whatever its sender has called it."""

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, OutboundEnvelope, OutboundRecipient
from mailsuite.model.outbound import QueuedMessage
from mailsuite.queue.memory import MemoryQueue
from mailsuite.relay.content import READ_OCTETS, Content

ID = "e1"
TEXT = b"Subject: x\r\n\r\nHello\r\n"
LONG = b"x" * (READ_OCTETS + 10)


def now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What it answers; it waits for nothing."""
    found: list[Any] = []
    Deferred.fromCoroutine(coroutine).addCallback(found.append)
    [result] = found
    return result


async def judged(octets: bytes, said: BodyType) -> tuple[BodyType, bytes]:
    """What it is, and what is read afterwards."""
    queue = MemoryQueue()
    recipient = OutboundRecipient(Address("joe", "example.org"))
    queuing = queue.begin(OutboundEnvelope(ID, None, (recipient,)))
    queuing.write(octets)
    await queuing.prepare()
    await queuing.commit()
    async with Content(queue, QueuedMessage(ID, None)) as content:
        kind = await content.body_type(said)
        pieces = []
        while piece := await content.read():
            pieces.append(piece)
    return kind, b"".join(pieces)


@pytest.mark.parametrize(
    ("octets", "said", "kind"),
    [
        (TEXT, BodyType.SEVEN_BIT, BodyType.SEVEN_BIT),
        (TEXT + b"\xfc\r\n", BodyType.SEVEN_BIT, BodyType.EIGHT_BIT),
        (TEXT, BodyType.EIGHT_BIT, BodyType.SEVEN_BIT),
        (TEXT + b"\xfc\r\n", BodyType.EIGHT_BIT, BodyType.EIGHT_BIT),
        (TEXT, BodyType.BINARY, BodyType.BINARY),
        (LONG, BodyType.EIGHT_BIT, BodyType.SEVEN_BIT),
        (LONG + b"\xfc", BodyType.SEVEN_BIT, BodyType.EIGHT_BIT),
    ],
)
def test_the_kind_of_content(octets: bytes, said: BodyType, kind: BodyType) -> None:
    assert now(judged(octets, said)) == (kind, octets)
