"""IEventBus inside one process: publish now, tell the subscribers in the next turns of the reactor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import attrs
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IEventBus
from mailsuite.model.events import Event
from mailsuite.observe.log import Log

BATCH = 256
"""Events told in one turn of the reactor; the next ones wait until sockets had their chance."""
MAX_WAITING = 100_000
"""Events that may wait, about 10 MB; more are lost and counted, as a hint may be."""


class CallsLater(Protocol):
    """The part of IReactorTime that the bus needs."""

    def callLater(self, delay: float, callable: Callable[[], object], /) -> object: ...


@attrs.define(eq=False)
class _Subscription:
    subscriber: Callable[[Event], None]
    active: bool = True


@implementer(IEventBus)
@attrs.define(eq=False)
class LocalBus:
    """Serves tests and the embedded shape alike. Belongs to the reactor's thread.

    Events keep their order. A subscriber that raises is logged, and the others are told all the same.
    """

    clock: CallsLater
    log: Log
    lost: int = attrs.field(default=0, init=False)
    """Events dropped because MAX_WAITING were waiting."""
    _waiting: deque[Event] = attrs.field(factory=deque, init=False)
    _subscriptions: tuple[_Subscription, ...] = attrs.field(default=(), init=False)
    _scheduled: bool = attrs.field(default=False, init=False)

    def publish(self, event: Event) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.lost += 1
            return
        self._waiting.append(event)
        self._schedule()

    def subscribe(self, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        subscription = _Subscription(subscriber)
        self._subscriptions = (*self._subscriptions, subscription)

        def unsubscribe() -> None:
            subscription.active = False
            self._subscriptions = tuple(each for each in self._subscriptions if each.active)

        return unsubscribe

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.clock.callLater(0, self._tell_batch)

    def _tell_batch(self) -> None:
        self._scheduled = False
        for _ in range(min(BATCH, len(self._waiting))):
            self._tell(self._waiting.popleft())
        if self._waiting:
            self._schedule()

    def _tell(self, event: Event) -> None:
        for subscription in self._subscriptions:
            if not subscription.active:
                continue
            try:
                subscription.subscriber(event)
            except Exception:
                self.log.failure("bus.subscriber_failed", Failure(), account=event.account)
