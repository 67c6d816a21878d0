"""Files that are read again when they change: certificates, access lists.

By looking every few seconds, not by inotify: that tells nothing of network file systems and of files that
a symbolic link further up leads to, as certbot's links do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

INTERVAL = 5.0
"""Seconds between two looks."""

Stamp = tuple[int, int, int, int]
"""Modification and change of a file in nanoseconds, its size in octets, its inode: one of them differs when
the file was written, replaced, or made readable."""
Changed = Callable[[], Coroutine[Any, Any, Any] | None]


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """How the files stand now; None: there is none that can be seen. Blocks, so it is for a thread."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


@attrs.define(eq=False)
class _Watched:
    key: Hashable
    paths: tuple[Path, ...]
    changed: Changed
    seen: Mapping[Path, Stamp | None] | None
    busy: bool = False
    """Looked at, or told of, at this moment."""


@attrs.define(eq=False)
class FileWatch:
    """Calls whoever watches files when one of them has changed, come or gone.

    A hint: it may come late by *interval* seconds, and once too often. What was called for one key is not
    called again before it has ended; what changed meanwhile is told then. Where it raises, that is logged,
    and it is called at the next change.
    """

    threads: IThreads
    clock: IReactorTime
    log: Log
    interval: float = INTERVAL
    _watched: dict[Hashable, _Watched] = attrs.field(factory=dict, init=False)
    _tasks: Tasks = attrs.field(init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)
    _running: bool = attrs.field(default=False, init=False)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(partial(self.log.failure, "watch.failed"))

    def watch(
        self,
        key: Hashable,
        paths: Iterable[Path],
        changed: Changed,
        seen: Mapping[Path, Stamp | None] | None = None,
    ) -> None:
        """Call *changed* when one of *paths* changes, in place of all that *key* has watched so far.

        Whoever has read the files says by *seen* how they stood before that (stamps()), and misses nothing;
        otherwise a change counts from the first look, which is at once where the watch runs.
        """
        watched = _Watched(key, tuple(paths), changed, seen)
        self._watched[key] = watched
        if self._running:
            self._tasks.start(self._look([watched]))

    def forget(self, key: Hashable) -> None:
        """Watch nothing for *key* any more; it may be unknown."""
        self._watched.pop(key, None)

    def start(self) -> None:
        """Look now, and then every *interval* seconds."""
        self._running = True
        self._round()

    async def stop(self) -> None:
        """Look no more; return when all that was called has ended."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._tasks.finished()

    def _round(self) -> None:
        self._timer = self.clock.callLater(self.interval, self._round)
        self._tasks.start(self._look([each for each in self._watched.values() if not each.busy]))

    async def _look(self, all_of: Sequence[_Watched]) -> None:
        paths = {path for each in all_of for path in each.paths}
        if not paths:
            return
        for each in all_of:
            each.busy = True
        try:
            found = await self.threads.run(partial(stamps, paths))
        except MailFailure as failure:
            self.log.warning("watch.delayed", reason=failure.reason)
            return
        finally:
            for each in all_of:
                each.busy = False
        for each in all_of:
            self._compare(each, {path: found[path] for path in each.paths})

    def _compare(self, watched: _Watched, found: Mapping[Path, Stamp | None]) -> None:
        before, watched.seen = watched.seen, found
        is_wanted = self._running and self._watched.get(watched.key) is watched
        if is_wanted and before is not None and any(before.get(path) != found[path] for path in found):
            self._tasks.start(self._tell(watched))

    async def _tell(self, watched: _Watched) -> None:
        watched.busy = True
        try:
            following = watched.changed()
            if following is not None:
                await following
        finally:
            watched.busy = False
