"""One piece of work at a time for each maildir, so that none waits for another in a thread.

What changes views holds a lock meanwhile. Without turns, as many logins as there are threads could wait for
that lock, and everybody else for a thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED

MAX_WAITING = 32
"""Pieces of work that wait for their turn at one maildir: more than one person's devices begin at once."""

T = TypeVar("T")


@attrs.define(eq=False)
class Turns:
    """For use in the reactor's thread."""

    threads: IThreads
    _waiting: dict[str, deque[Deferred[None]]] = attrs.field(factory=dict, init=False)
    """For each maildir that is worked on, those whose turn it is later."""

    def of(self, maildir: str) -> Turn:
        """Threads for the work on one maildir."""
        return Turn(self, maildir)

    async def run(self, maildir: str, work: Callable[[], T]) -> T:
        """As IThreads.run(), when the work that came before has ended. Raises TemporaryFailure(OVERLOADED)
        also where too many wait already. Who is cancelled while waiting for the turn does nothing; the turn
        of who is cancelled later lasts until the thread has ended the work."""
        await self._begin(maildir)
        done: Deferred[T] = Deferred()
        Deferred.fromCoroutine(self.threads.run(work)).addBoth(self._end, maildir, done)
        return await done

    async def _begin(self, maildir: str) -> None:
        waiting = self._waiting.get(maildir)
        if waiting is None:
            self._waiting[maildir] = deque()
            return
        if len(waiting) >= MAX_WAITING:
            raise TemporaryFailure(OVERLOADED, f"{len(waiting)} wait for one maildir")
        turn: Deferred[None] = Deferred()
        waiting.append(turn)
        try:
            await turn
        except BaseException:  # cancelled, or GeneratorExit
            waiting.remove(turn)
            raise

    def _end(self, result: T | Failure, maildir: str, done: Deferred[T]) -> None:
        """Whoever waits next begins first: the work that *done* leads to has to queue, too."""
        waiting = self._waiting[maildir]
        if waiting:
            waiting.popleft().callback(None)
        else:
            del self._waiting[maildir]
        if not done.called:  # else cancelled meanwhile
            done.callback(result)


@implementer(IThreads)
@attrs.frozen
class Turn:
    """Threads in which the work on one maildir takes turns."""

    _turns: Turns
    _maildir: str

    async def run(self, work: Callable[[], T]) -> T:
        return await self._turns.run(self._maildir, work)
