"""How many requests may be under way, to one host and in all; the others wait for their turn."""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime

from mailsuite.notify.outgoing.causes import Cause, Unreached

PER_HOST: Final = 4
"""``notify.webhook.per_host``."""
ALL: Final = 256
MAX_WAITING: Final = 1000


@attrs.define(eq=False)
class Places:
    """Each request takes one place of its host. Whoever comes first is first, but for hosts that are full."""

    clock: IReactorTime
    per_host: int = PER_HOST
    """May be changed at any time."""
    _taken: Counter[str] = attrs.field(factory=Counter, init=False)
    _waiting: dict[Deferred[None], str] = attrs.field(factory=dict, init=False)

    async def take(self, host: str, patience: float) -> None:
        """Return when there is a place; free() must follow. Raises Unreached(BUSY) where there is none in
        *patience* seconds, or where too many wait already."""
        if self._has_room(host):
            self._taken[host] += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            raise Unreached(Cause.BUSY, "too many requests wait for their turn")
        turn: Deferred[None] = Deferred(self._leave)
        self._waiting[turn] = host
        try:
            await turn.addTimeout(patience, self.clock)
        except DeferredTimeout:
            raise Unreached(Cause.BUSY, "too many requests are under way") from None

    def free(self, host: str) -> None:
        """A request is over: whoever waits and has room now gets a place."""
        self._taken[host] -= 1
        if not self._taken[host]:
            del self._taken[host]
        for turn, waiting in list(self._waiting.items()):
            if self._has_room(waiting):
                del self._waiting[turn]
                self._taken[waiting] += 1
                turn.callback(None)

    def _leave(self, turn: Deferred[None]) -> None:
        del self._waiting[turn]

    def _has_room(self, host: str) -> bool:
        return self._taken.total() < ALL and self._taken[host] < self.per_host
