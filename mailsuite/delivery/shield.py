"""Work that goes on when nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks

T = TypeVar("T")


async def to_its_end(work: Coroutine[Any, Any, T], tasks: Tasks) -> T:
    """Wait for *work*, which *tasks* owns: cancelling the wait leaves the work alone.

    Its failure goes to who waits, or to the owner where nobody does any more.
    """
    outcome: Deferred[T] = Deferred()

    async def run() -> None:
        try:
            result = await work
        except Exception:
            if outcome.called:  # cancelled: nobody waits
                raise
            outcome.errback(Failure())
        else:
            outcome.callback(result)  # a cancelled Deferred lets this pass

    tasks.start(run())
    return await outcome
