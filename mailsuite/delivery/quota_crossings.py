"""Tells of each crossing of a warning level once (features row L-07), whoever is to hear of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

import attrs
from twisted.internet.defer import DeferredLock
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log


class Filled(Protocol):
    """Something that fills, at one moment."""

    @property
    def level(self) -> int:
        """The warning level that it has reached."""
        ...

    @property
    def warned(self) -> int:
        """The one of the last warning."""
        ...


S = TypeVar("S", bound=Filled)


@attrs.define(eq=False)
class Crossings(Generic[S]):
    """What was warned of is noted durably before the warning: after a crash between the two there is none,
    and never a second one. Where the warning fails the note is taken back: the next message that comes, or
    is refused, makes us try again.
    """

    tasks: Tasks
    """Owns what is under way; it outlives the sessions."""
    log: Log
    whose: str
    """What a name is, in the log."""
    name_of: Callable[[S], Hashable]
    noted: Callable[[S], Awaitable[int]]
    note: Callable[[S, int], Awaitable[None]]
    warn: Callable[[S], Awaitable[None]]
    """Each of these fails by MailFailure."""
    _turn: DeferredLock = attrs.field(factory=DeferredLock, init=False)
    """Held by whoever changes a note. Warnings are rare: one at a time is enough."""
    _due: dict[Hashable, int] = attrs.field(factory=dict, init=False)
    """Levels that somebody is about to warn of: a flood of messages starts one coroutine."""
    _falling: set[Hashable] = attrs.field(factory=set, init=False)
    """Whose note somebody is about to change, likewise."""

    def fallen(self, standing: S) -> None:
        """It is below the level of the last warning."""
        name = self.name_of(standing)
        if name not in self._falling:
            self._falling.add(name)
            self._start(standing, self._forget)

    def reached(self, standing: S) -> None:
        """It stands so, and perhaps nobody was warned yet."""
        name, level = self.name_of(standing), standing.level
        if level > max(standing.warned, self._due.get(name, 0)):
            self._due[name] = level
            self._start(standing, self._warn)

    def _start(self, standing: S, work: Callable[[S], Awaitable[None]]) -> None:
        self.tasks.start(self._in_turn(standing, work))

    async def _in_turn(self, standing: S, work: Callable[[S], Awaitable[None]]) -> None:
        whose = {self.whose: self.name_of(standing)}
        await self._turn.acquire()
        try:
            await work(standing)
        except MailFailure as failure:
            self.log.warning("quota.unable", **whose, reason=failure.reason)
        except Exception:
            self.log.failure("quota.failed", Failure(), **whose)
        finally:
            self._turn.release()

    async def _forget(self, standing: S) -> None:
        try:
            if standing.level < await self.noted(standing):
                await self.note(standing, standing.level)
        finally:
            self._falling.discard(self.name_of(standing))

    async def _warn(self, standing: S) -> None:
        name, level = self.name_of(standing), standing.level
        try:
            before = await self.noted(standing)
            if before >= level:
                return
            await self.note(standing, level)
            try:
                await self.warn(standing)
            except BaseException:
                await self.note(standing, before)
                raise
        finally:
            if self._due.get(name) == level:
                del self._due[name]
