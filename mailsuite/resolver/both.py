"""The addresses of both kinds, asked for at the same time."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from mailsuite.model.account import IPAddress
from mailsuite.model.dns import Answer
from mailsuite.model.failure import MailFailure

Asking = Coroutine[Any, Any, Answer[IPAddress]]


async def either(*asking: Asking) -> Answer[IPAddress]:
    """All that the questions answer, in their order.

    A MailFailure of one is raised only where no other has addresses; anything else is.
    """
    running = [Deferred.fromCoroutine(each) for each in asking]
    outcomes: list[Any] = [result for _, result in await DeferredList(running, consumeErrors=True)]
    failures = [result for result in outcomes if isinstance(result, Failure)]
    answers = [result for result in outcomes if not isinstance(result, Failure)]
    records = tuple(record for answer in answers for record in answer.records)
    for failure in failures:
        if not records or not failure.check(MailFailure):
            failure.raiseException()
    exists = any(answer.exists for answer in answers)
    return Answer(records, exists, all(answer.authentic for answer in answers) and not failures)
