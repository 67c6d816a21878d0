"""How much room the disk has: looked at off the reactor, remembered for a moment, told when it is scarce."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.kinds_space import KeepFree
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log

LOOK_EVERY = 10.0
"""Seconds between two looks where nobody asks: what tells that space is scarce, or is there again."""
FRESH = 1.0
"""Seconds that a look is good for. At 100 MB a second a disk fills by a tenth of what is kept free."""
OVER_AGAIN = 10
"""Percent beyond what is to stay free, from which on it is told that there is room again: else mail that
comes and goes would make it told all the time."""


@attrs.frozen
class FileSystem:
    """One of those that mail is written to. It has 0 inodes where it makes them as it needs them."""

    device: int
    path: str
    total: int
    """Octets."""
    free: int
    """For us, not for root alone."""
    inodes: int
    free_inodes: int


Look = Callable[[Sequence[Path]], Sequence[FileSystem]]
"""Blocks; raises OSError."""


def look(paths: Iterable[Path]) -> list[FileSystem]:
    """The file systems that *paths* lie on, or will: where there is nothing yet, what it would be made in."""
    found: dict[int, FileSystem] = {}
    for path in paths:
        place = next(each for each in (path, *path.parents) if each.exists())
        device = os.stat(place).st_dev
        if device not in found:
            state = os.statvfs(place)
            found[device] = FileSystem(
                device,
                str(path),
                state.f_blocks * state.f_frsize,
                state.f_bavail * state.f_frsize,
                state.f_files,
                state.f_favail,
            )
    return list(found.values())


@attrs.define(eq=False)
class Promises:
    """What clients have said that they are about to send: one promise for each session, octets."""

    _octets: dict[str, int] = attrs.field(factory=dict, init=False)
    total: int = attrs.field(default=0, init=False)

    def make(self, session: str, octets: int) -> None:
        """In the place of what this session had promised before."""
        self.release(session)
        if octets:
            self._octets[session] = octets
            self.total += octets

    def release(self, session: str) -> None:
        """The message has come, or never will. Any number of times."""
        self.total -= self._octets.pop(session, 0)

    def besides(self, session: str) -> int:
        """What all others have promised."""
        return self.total - self._octets.get(session, 0)


@attrs.define(eq=False)
class DiskSpace:
    """Whether there is room for mail, on every file system that it is written to.

    What cannot be looked at says nothing: whoever writes there hears what is wrong with it.
    """

    paths: tuple[Path, ...]
    threads: IThreads
    clock: IReactorTime
    log: Log
    keep: KeepFree = attrs.field(factory=KeepFree)
    """May be replaced while it runs."""
    promises: Promises = attrs.field(factory=Promises)
    look: Look = look
    file_systems: tuple[FileSystem, ...] = attrs.field(default=(), init=False)
    """As they were at the last look."""
    scarce: dict[int, str] = attrs.field(factory=dict, init=False)
    """By device, of what there is too little: ``octets`` or ``inodes``."""
    _looked_at: float = attrs.field(default=float("-inf"), init=False)
    _unreadable: str = attrs.field(default="", init=False)
    _waiting: list[Deferred[None]] = attrs.field(factory=list, init=False)
    _looking: bool = attrs.field(default=False, init=False)
    _tasks: Tasks = attrs.field(init=False)
    _timer: IDelayedCall | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._tasks = Tasks(lambda failure: self.log.failure("disk.failed", failure))

    def start(self) -> None:
        """Look now, and again and again."""
        self._timer = self.clock.callLater(LOOK_EVERY, self.start)
        self._begin_to_look()

    async def stop(self) -> None:
        """Look no more; returns when nobody is looking."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        await self._tasks.finished()

    async def has_room(self, session: str, octets: int) -> bool:
        """Whether a message of so many octets can come, beside all that others have promised; if so, it is
        promised. 0: nobody knows how many.

        Promises take half of the room at the most: they cost nothing, and who makes many and keeps none is
        not to keep all others out.
        """
        if self.clock.seconds() - self._looked_at >= FRESH:
            await self._fresh_look()
        promised = self.promises.besides(session)
        for each in self.file_systems:
            room = max(each.free - self.keep.octets_of(each.total), 0)
            if self._lacks(each, each.free - min(promised, room // 2) - octets):
                return False
        self.promises.make(session, octets)
        return True

    def _lacks(self, file_system: FileSystem, free: int) -> str:
        """Of what there is less than is to stay free, where so many octets are; empty: of nothing."""
        if free < self.keep.octets_of(file_system.total):
            return "octets"
        if file_system.inodes and file_system.free_inodes < self.keep.inodes_of(file_system.inodes):
            return "inodes"
        return ""

    # Figures

    @property
    def headroom(self) -> int:
        """Octets that are free beyond what is to stay so, where they are fewest; below 0 mail is put off."""
        return min((each.free - self.keep.octets_of(each.total) for each in self.file_systems), default=0)

    @property
    def is_scarce(self) -> bool:
        """Somebody was told that there is too little, and not yet that this is over."""
        return bool(self.scarce)

    # Looking: one look at a time, for all who ask

    async def _fresh_look(self) -> None:
        done: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(done)
        self._begin_to_look()
        await done

    def _begin_to_look(self) -> None:
        if not self._looking:
            self._looking = True
            self._tasks.start(self._look())

    async def _look(self) -> None:
        try:
            self.file_systems = tuple(await self.threads.run(lambda: self.look(self.paths)))
            self._unreadable = ""
            self._tell()
        except (OSError, MailFailure) as error:
            self._tell_of_failure(str(error))
        finally:
            self._looked_at = self.clock.seconds()
            self._looking = False
            waiting, self._waiting = self._waiting, []
            for done in tuple(waiting):  # one that is cancelled meanwhile takes itself out
                if not done.called:
                    done.callback(None)

    def _tell_of_failure(self, reason: str) -> None:
        """Once, until it works again."""
        if reason != self._unreadable:
            self.log.error("disk.unreadable", reason=reason)
        self._unreadable = reason

    def _tell(self) -> None:
        """Log each crossing of the mark once, and once when it is over."""
        there = {each.device for each in self.file_systems}
        self.scarce = {device: what for device, what in self.scarce.items() if device in there}
        for each in self.file_systems:
            lacking = self._lacks(each, each.free)
            if lacking and each.device not in self.scarce:
                self.scarce[each.device] = lacking
                self.log.error("disk.low", **self._fields(each), of=lacking)
            elif not lacking and each.device in self.scarce and self._has_recovered(each):
                del self.scarce[each.device]
                self.log.info("disk.recovered", **self._fields(each))

    def _has_recovered(self, file_system: FileSystem) -> bool:
        keep, inodes = self.keep.octets_of(file_system.total), self.keep.inodes_of(file_system.inodes)
        return file_system.free * 100 >= keep * (
            100 + OVER_AGAIN
        ) and file_system.free_inodes * 100 >= inodes * (100 + OVER_AGAIN)

    def _fields(self, file_system: FileSystem) -> dict[str, object]:
        return {
            "path": file_system.path,
            "free": file_system.free,
            "keep_free": self.keep.octets_of(file_system.total),
            "free_inodes": file_system.free_inodes,
        }
