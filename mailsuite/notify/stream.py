"""One stream: somebody who stays connected, and is told at once.

Nothing is kept for a reader but where he stands in the log: while he does not read nothing is sent, and when
he does he is told of all that came meanwhile in one event of each kind. Each event has the seq of the newest
entry that it tells of as its id, so that he goes on from there after a break, also of ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IEventLog
from mailsuite.model.failure import MailFailure
from mailsuite.model.notice import Kind, Level
from mailsuite.model.subscription import Subscription
from mailsuite.notify.gathering import Batch, Group, gather
from mailsuite.notify.judging import Rules
from mailsuite.notify.rendering import NoticeKeys, render
from mailsuite.observe.log import Log
from mailsuite.wire import sse
from mailsuite.wire.notice import encode

NAMES: Final = {
    Kind.MAIL_NEW: "mail",
    Kind.MAIL_CLEARED: "cleared",
    Kind.QUOTA_REACHED: "quota",
    Kind.LOGIN_NEW: "login",
    Kind.QUEUE_DELAYED: "queue",
    Kind.QUEUE_FAILED: "queue",
    Kind.TEST: "test",
}
"""What events are called (WHATWG HTML, section 9.2), by what they tell of."""
MAX_PER_SECOND: Final = 20
"""Events; what comes beyond is told together ..."""
MERGE_SECONDS: Final = 0.25
"""... so long after the first of it."""
MAX_SILENCE: Final = 25.0
"""Seconds after which a comment goes out, so that no proxy takes the stream for dead."""
AGAIN_SECONDS: Final = 1.0
"""After which the log is asked again, where it did not answer."""


class Outlet(Protocol):
    """The connection that a stream goes out by."""

    async def holds(self) -> bool:
        """Whether what let the client in holds still: a password may have been changed since."""

    @property
    def is_choked(self) -> bool:
        """The client has not read what was written."""

    @property
    def taken(self) -> int:
        """Octets that the client's machine has taken, ever; 0: nobody knows."""

    def send(self, data: bytes, /) -> None:
        """Write that."""

    async def drained(self) -> bool:
        """Wait until the client has read what was written; False: nothing can be written any more."""

    def cut(self, reason: str, /) -> None:
        """End the connection at once."""


@attrs.frozen
class Ways:
    """What all streams have in common."""

    events: IEventLog
    keys: NoticeKeys
    rules: Callable[[], Rules]
    """What holds for all, at this moment."""
    clock: IReactorTime
    tasks: Tasks
    log: Log
    told: Callable[[Sequence[Group]], None]
    """Is told what went out."""


@attrs.define(eq=False)
class Stream:
    """Begins with begin(); is over when ``over`` fires, or the client has gone: then end() lets go of all."""

    ways: Ways
    subscription: Subscription
    level: Level
    """The most that it tells."""
    outlet: Outlet
    cursor: int
    """All up to this seq was told, or is nothing to tell."""
    ping: float = 0.0
    """Seconds from one ping to the next; 0: none."""
    once: bool = False
    """It ends with the first event."""
    over: Deferred[None] = attrs.field(factory=Deferred, init=False)
    """Fires when it is to end of its own."""
    count: int = attrs.field(default=0, init=False)
    """Events that it has told."""
    looks: int = attrs.field(default=0, init=False)
    """How often somebody has looked whether all is well with it."""
    _head: int = attrs.field(default=0, init=False)
    """Of the log, as far as we have heard."""
    _busy: bool = attrs.field(default=False, init=False)
    _merging: bool = attrs.field(default=False, init=False)
    """More came than is told one by one."""
    _has_ended: bool = attrs.field(default=False, init=False)
    _room: float = attrs.field(default=float(MAX_PER_SECOND), init=False)
    """Events that may go out at once ..."""
    _room_at: float = attrs.field(default=0.0, init=False)
    """... at this time of the clock."""
    _later: IDelayedCall | None = attrs.field(default=None, init=False)
    _ticking: IDelayedCall | None = attrs.field(default=None, init=False)
    _ticks: int = attrs.field(default=0, init=False)
    _signed_at: int = attrs.field(default=0, init=False)
    """What the client's machine had taken when the last sign of life was sent; 0: none was, or nobody
    knows."""

    def begin(self, missed: bool = False) -> None:
        """Start to tell. *missed*: where the client wants to go on is not in the log any more."""
        self._room_at = self.ways.clock.seconds()
        if missed:
            self._resync()
        self._tick_later()

    def grown(self, head: int) -> None:
        """The log has an entry of this seq by now."""
        self._head = max(self._head, head)
        self._look()

    def leave(self, farewell: bytes = b"") -> None:
        """End it from our side."""
        if not self._has_ended:
            if farewell and not self.outlet.is_choked:
                self.outlet.send(farewell)
            self.end()
            self.over.callback(None)

    def end(self) -> None:
        """Nothing more is told. Any number of times."""
        self._has_ended = True
        for call in (self._later, self._ticking):
            if call is not None and call.active():
                call.cancel()

    # Telling

    def _look(self) -> None:
        """Tell what there is, if now is the time."""
        if self._has_ended or self._busy or self._later is not None or self._head <= self.cursor:
            return
        self._busy = True
        self.ways.tasks.start(self._tell())

    async def _tell(self) -> None:
        try:
            if self.outlet.is_choked:
                self._merging = True
                if not await self.outlet.drained():
                    return
            await self._tell_what_there_is()
        except MailFailure as failure:
            self.ways.log.warning(
                "notify.stream_delayed", account=self.subscription.account, reason=failure.reason
            )
            self._look_later(AGAIN_SECONDS)
        finally:
            self._busy = False
        self._look()

    async def _tell_what_there_is(self) -> None:
        batch = await gather(
            self.ways.events,
            self.subscription,
            self.cursor,
            self.ways.rules(),
            one_by_one=not self._merging,
        )
        if self._has_ended:
            return
        if batch.missed:
            self._resync()
        told = self._tell_together(batch) if self._merging else self._tell_each(batch)
        if told:
            self.ways.told(told)
            if self.once:
                self.leave()

    def _tell_each(self, batch: Batch) -> Sequence[Group]:
        """As far as there is room; the rest is told together a moment later."""
        told: list[Group] = []
        for group in batch.groups:
            if not self._has_room():
                self._merging = True
                self._look_later(MERGE_SECONDS)
                return told
            self.cursor = group.entries[-1].seq
            self._send(group, str(self.cursor))
            told.append(group)
        self.cursor = max(self.cursor, batch.read_to)
        return told

    def _tell_together(self, batch: Batch) -> Sequence[Group]:
        """The last event alone says where to go on: before it some of what lies behind is not told yet."""
        self._merging = False
        self.cursor = max(self.cursor, batch.read_to)
        for group in batch.groups:
            self._has_room()
            self._send(group, str(self.cursor) if group is batch.groups[-1] else None)
        return batch.groups

    def _send(self, group: Group, id: str | None) -> None:
        self.count += 1
        notice = render(group.entries, self.subscription, self.level, self.ways.keys)
        data = encode(notice).decode("utf-8")
        self.outlet.send(sse.Event(data, NAMES[notice.kind], id).encode())

    def _resync(self) -> None:
        """Some of what happened is not in the log any more: the client has to look for itself."""
        self.outlet.send(sse.Event(json.dumps({"v": 1, "type": "resync"}), "resync").encode())

    def _has_room(self) -> bool:
        now = self.ways.clock.seconds()
        self._room = min(MAX_PER_SECOND, self._room + (now - self._room_at) * MAX_PER_SECOND)
        self._room_at = now
        if self._room < 1.0:
            return False
        self._room -= 1.0
        return True

    def _look_later(self, seconds: float) -> None:
        if not self._has_ended:
            self._later = self.ways.clock.callLater(seconds, self._look_now)

    def _look_now(self) -> None:
        self._later = None
        self._look()

    # Signs of life

    @property
    def _pings_each(self) -> int:
        """A ping goes out at each so many ticks."""
        return max(1, math.ceil(self.ping / MAX_SILENCE))

    def _tick_later(self) -> None:
        seconds = self.ping / self._pings_each if self.ping else MAX_SILENCE
        self._ticking = self.ways.clock.callLater(seconds, self._tick)

    def _tick(self) -> None:
        """A client that is not there any more does not take what was sent a tick ago; one that does not read
        is the connection's business."""
        self._ticks += 1
        self._tick_later()
        if self.outlet.is_choked:
            self._signed_at = 0
            return
        taken = self.outlet.taken
        if taken and taken == self._signed_at:
            self.end()
            self.outlet.cut("the client's machine is gone")
            return
        self._signed_at = taken
        self.outlet.send(self._sign())

    def _sign(self) -> bytes:
        if self.ping and self._ticks % self._pings_each == 0:
            return sse.Event(json.dumps({"interval": round(self.ping)}), "ping").encode()
        return sse.comment()
