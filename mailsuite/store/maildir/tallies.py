"""How much is in each maildir, without counting at each question (features row L-07).

What this process delivers is added as it is delivered, what it removes makes the tally doubtful, and what
other programs do is found by looking again: a tally is believed for FRESH_SECONDS. Then two stat() calls
tell whether anything has changed, and only where it has the files are listed again. So a delivery costs
the same whatever lies in the maildrop, and whoever asks is told of what another program did a minute ago.
After a crash nothing is believed but a count whose directories have not changed since.

Belongs to the reactor's thread, but for doubt().
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IThreads
from mailsuite.model.retention import Usage
from mailsuite.store.maildir import warned
from mailsuite.store.maildir.counting import Counted, count
from mailsuite.store.maildir.inbox import Maildir

FRESH_SECONDS = 45.0
"""Row L-07 gives 60 seconds; a count of a very large maildrop takes one of them."""
MAX_TALLIES = 20_000
"""Kept in memory, about 30 MB; of the one that was not asked for the longest all is counted again."""
MAX_ROUNDS = 2
"""How often who asks waits for a count because something happened during the last one."""


@attrs.define(eq=False)
class Tally:
    """Of one maildir."""

    usage: Usage = attrs.field(factory=Usage)
    doubted: bool = True
    """Set from any thread: what is known may be wrong."""
    warned: int = 0
    counted: Counted | None = None
    at: float = float("-inf")
    """When the last count began, on the clock of the tallies."""
    _delivering: dict[str, bool] = attrs.field(factory=dict, init=False)
    """Messages on their way, by their unique parts, and whether a count has found them already."""
    _met: set[str] | None = attrs.field(default=None, init=False)
    """All that were on their way at any time during the count that runs; None where none does."""
    _ended: dict[str, int] = attrs.field(factory=dict, init=False)
    """Of those the sizes of the ones that have arrived."""
    waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)

    @property
    def is_busy(self) -> bool:
        return self._met is not None or bool(self._delivering)

    @property
    def is_being_counted(self) -> bool:
        return self._met is not None

    # One message on its way

    def coming(self, unique: str) -> None:
        """It is about to become visible."""
        self._delivering[unique] = False
        if self._met is not None:
            self._met.add(unique)

    def arrived(self, unique: str, size: int) -> None:
        """It is there."""
        if not self._delivering.pop(unique, True):
            self._add(size)
        if self._met is not None:
            self._ended[unique] = size

    def withdrawn(self, unique: str) -> None:
        """It is not there, or not any more, though it may have been."""
        self._delivering.pop(unique, None)
        self._ended.pop(unique, None)
        self.doubted = True

    # A count

    def begin_count(self) -> Callable[[], tuple[str, ...]]:
        """Answers what names the messages on their way, to be called from the thread that counts."""
        self.doubted = False
        met = self._met = set(self._delivering)
        return lambda: tuple(met)

    def end_count(self, counted: Counted, began: float) -> None:
        self.counted, self.usage, self.at = counted, counted.usage, began
        for unique, size in self._ended.items():
            if unique not in counted.present:
                self._add(size)
        for unique in self._delivering:
            self._delivering[unique] = unique in counted.present
        self._rest()

    def fail_count(self) -> None:
        self.doubted = True
        self._rest()

    def _rest(self) -> None:
        self._met = None
        self._ended = {}

    def _add(self, size: int) -> None:
        self.usage = self.usage.plus(1, size)


@attrs.define(eq=False)
class Tallies:
    """Those of all maildirs of a store."""

    threads: IThreads
    tasks: Tasks
    """Owns the counts under way: each goes on when nobody waits for it any more."""
    seconds: Callable[[], float] = time.monotonic
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, the same as the file system's."""
    _kept: OrderedDict[str, Tally] = attrs.field(factory=OrderedDict, init=False)

    def of(self, path: str) -> Tally:
        """The tally of the maildir at *path*, made where it is not known."""
        tally = self._kept.get(path)
        if tally is None:
            tally = self._kept[path] = Tally()
            self._make_room()
        self._kept.move_to_end(path)
        return tally

    def _make_room(self) -> None:
        for _ in range(len(self._kept) - MAX_TALLIES):
            path, oldest = self._kept.popitem(last=False)
            if oldest.is_busy:
                self._kept[path] = oldest

    def doubt(self, path: str) -> None:
        """Something was removed there, or came back. May be called from any thread."""
        tally = self._kept.get(path)
        if tally is not None:
            tally.doubted = True

    async def known(self, path: str, maildir: Callable[[], Maildir]) -> Tally:
        """The tally, which is right but for what other programs did within FRESH_SECONDS; *maildir* is asked
        for where it has to be counted. Raises OSError, and TemporaryFailure where there is no thread."""
        tally = self.of(path)
        for _ in range(MAX_ROUNDS):
            if not tally.doubted and self.seconds() - tally.at < FRESH_SECONDS:
                break
            await self._counted(tally, maildir())
        return tally

    async def _counted(self, tally: Tally, maildir: Maildir) -> None:
        """Wait for the count that runs, or for a new one."""
        done: Deferred[None] = Deferred(tally.waiting.remove)
        tally.waiting.append(done)
        if not tally.is_being_counted:
            self.tasks.start(self._count(tally, maildir))
        await done

    async def _count(self, tally: Tally, maildir: Maildir) -> None:
        began, before = self.seconds(), tally.counted
        delivering = tally.begin_count()

        def work() -> tuple[Counted, int | None]:
            level = warned.read(maildir.path) if before is None else None
            return count(maildir, before, delivering, self.clock), level

        try:
            counted, level = await self.threads.run(work)
        except Exception:
            tally.fail_count()
            _wake(tally, Failure())
            return
        if level is not None:
            tally.warned = level
        tally.end_count(counted, began)
        _wake(tally, None)


def _wake(tally: Tally, outcome: Failure | None) -> None:
    waiting, tally.waiting = tally.waiting, []
    for done in tuple(waiting):  # who is cancelled takes itself out
        if not done.called:  # else one of the others has cancelled it
            done.callback(outcome)
