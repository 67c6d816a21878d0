"""The reactor's threads, for what blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from twisted.internet.threads import deferToThreadPool

T = TypeVar("T")


@attrs.frozen
class InThread:
    """Runs what blocks in a thread of *reactor*."""

    reactor: Any

    async def __call__(self, work: Callable[[], T], /) -> T:
        done: T = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), work)
        return done
