"""How much room the disk has: who may send, what is promised, what is told."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailsuite.concurrent.disk import FRESH, LOOK_EVERY, DiskSpace, FileSystem, Promises, look
from mailsuite.concurrent.threads import Inline
from mailsuite.config.kinds_space import KeepFree
from mailsuite.interfaces import IThreads
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from tests.concurrent.held import HeldThreads
from tests.directory.folders import FolderCase

T = TypeVar("T")
MIB = 1 << 20
STATE, MAIL = Path("/state"), Path("/mail")
DISK = FileSystem(1, "/state", 1000 * MIB, 300 * MIB, 100_000, 50_000)


class DiskCase(SynchronousTestCase):
    """A disk of 1000 MiB of which 100 are to stay free, and 300 are."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.lines: list[str] = []
        self.found: list[FileSystem] = [DISK]
        self.looks = 0
        self.broken: OSError | None = None
        self.threads: Any = Inline()
        self.space = self.disk_space()

    def disk_space(self) -> DiskSpace:
        log = Log(lambda line, urgent: self.lines.append(line))
        keep = KeepFree(octets=100 * MIB)
        return DiskSpace((STATE, MAIL), self.threads, self.clock, log, keep, look=self.look)

    def look(self, paths: Sequence[Path]) -> Sequence[FileSystem]:
        self.assertEqual(paths, (STATE, MAIL))
        self.looks += 1
        if self.broken is not None:
            raise self.broken
        return list(self.found)

    def free(self, octets: int, inodes: int = 50_000) -> None:
        self.found = [attrs.evolve(DISK, free=octets, free_inodes=inodes)]

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def room(self, octets: int = 0, session: str = "s1") -> bool:
        return self.now(self.space.has_room(session, octets))

    def told(self) -> list[str]:
        return [line.split()[2] for line in self.lines]


class Room(DiskCase):
    def test_what_is_to_stay_free(self) -> None:
        self.assertTrue(self.room(200 * MIB))
        self.assertFalse(self.room(200 * MIB + 1))
        self.assertTrue(self.room(0))

    def test_below_the_mark_there_is_none_for_the_smallest(self) -> None:
        self.free(100 * MIB)
        self.assertTrue(self.room())
        self.free(100 * MIB - 1)
        self.clock.advance(FRESH)
        self.assertFalse(self.room())

    def test_promises_of_others_count(self) -> None:
        self.assertTrue(self.room(60 * MIB, "s1"))
        self.assertFalse(self.room(141 * MIB, "s2"))
        self.assertTrue(self.room(140 * MIB, "s3"))
        self.assertTrue(self.room(0, "s4"))
        self.space.promises.release("s1")
        self.space.promises.release("s3")
        self.assertTrue(self.room(141 * MIB, "s2"))

    def test_promises_take_half_of_the_room_at_the_most(self) -> None:
        for number in range(1000):
            self.assertTrue(self.room(100 * MIB, f"s{number}"))
        self.assertFalse(self.room(101 * MIB, "more"))

    def test_a_promise_takes_the_place_of_the_one_before(self) -> None:
        for _ in range(5):
            self.assertTrue(self.room(150 * MIB, "s1"))
        self.assertEqual(self.space.promises.total, 150 * MIB)

    def test_who_is_refused_has_promised_nothing(self) -> None:
        self.assertFalse(self.room(500 * MIB, "s1"))
        self.assertEqual(self.space.promises.total, 0)

    def test_inodes(self) -> None:
        self.free(300 * MIB, 5000)
        self.assertTrue(self.room())
        self.free(300 * MIB, 4999)
        self.clock.advance(FRESH)
        self.assertFalse(self.room())

    def test_a_file_system_that_makes_inodes_as_it_needs_them(self) -> None:
        self.found = [attrs.evolve(DISK, inodes=0, free_inodes=0)]
        self.assertTrue(self.room())

    def test_each_file_system_needs_room(self) -> None:
        self.found = [DISK, attrs.evolve(DISK, device=2, path="/mail", free=99 * MIB)]
        self.assertFalse(self.room())

    def test_nothing_is_to_stay_free(self) -> None:
        self.space.keep = KeepFree(octets=0)
        self.free(0, 0)
        self.assertTrue(self.room())
        self.assertEqual(self.lines, [])

    def test_what_is_to_stay_free_may_change(self) -> None:
        self.space.keep = KeepFree(percent=40)
        self.assertFalse(self.room())
        self.space.keep = KeepFree(percent=30)
        self.assertTrue(self.room())

    def test_figures(self) -> None:
        self.assertEqual((self.space.headroom, self.space.is_scarce), (0, False), "nobody has looked yet")
        self.room()
        self.assertEqual((self.space.headroom, self.space.is_scarce), (200 * MIB, False))
        self.free(90 * MIB)
        self.clock.advance(FRESH)
        self.room()
        self.assertEqual((self.space.headroom, self.space.is_scarce), (-10 * MIB, True))


class Looking(DiskCase):
    def test_a_look_is_good_for_a_moment(self) -> None:
        for _ in range(100):
            self.room()
        self.assertEqual(self.looks, 1)
        self.clock.advance(FRESH)
        self.room()
        self.assertEqual(self.looks, 2)

    def test_one_look_for_all_who_ask(self) -> None:
        self.threads = HeldThreads()
        self.space = self.disk_space()
        asked = [Deferred.fromCoroutine(self.space.has_room(f"s{number}", 101 * MIB)) for number in range(4)]
        self.assertEqual(len(self.threads.held), 1)
        self.threads.release()
        self.assertEqual([self.successResultOf(each) for each in asked], [True, False, False, False])

    def test_who_does_not_wait_any_more(self) -> None:
        self.threads = HeldThreads()
        self.space = self.disk_space()
        gone = Deferred.fromCoroutine(self.space.has_room("s1", MIB))
        patient = Deferred.fromCoroutine(self.space.has_room("s2", MIB))
        gone.addErrback(lambda failure: None)
        gone.cancel()
        self.threads.release()
        self.assertTrue(self.successResultOf(patient))
        self.assertEqual(self.space.promises.total, MIB)

    def test_again_and_again_though_nobody_asks(self) -> None:
        self.space.start()
        self.assertEqual(self.looks, 1)
        for looks in (2, 3):
            self.clock.advance(LOOK_EVERY)
            self.assertEqual(self.looks, looks)
        self.now(self.space.stop())
        self.now(self.space.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_end_waits_for_a_look(self) -> None:
        self.threads = HeldThreads()
        self.space = self.disk_space()
        self.space.start()
        self.clock.advance(LOOK_EVERY * 3)
        self.assertEqual(len(self.threads.held), 1, "one that hangs is enough")
        stopping = Deferred.fromCoroutine(self.space.stop())
        self.assertNoResult(stopping)
        self.threads.release()
        self.successResultOf(stopping)

    def test_what_cannot_be_looked_at_says_nothing_and_is_told_once(self) -> None:
        self.broken = OSError(5, "Input/output error", "/state")
        for _ in range(3):
            self.assertTrue(self.room())
            self.clock.advance(FRESH)
        self.assertEqual(self.told(), ["disk.unreadable"])
        self.broken = None
        self.room()
        self.broken = OSError(5, "Input/output error", "/state")
        self.clock.advance(FRESH)
        self.room()
        self.assertEqual(self.told(), ["disk.unreadable"] * 2)

    def test_no_thread_is_free(self) -> None:
        @implementer(IThreads)
        class Busy:
            async def run(self, work: object) -> None:
                raise TemporaryFailure(OVERLOADED, "files: 2008 calls are waiting")

        self.threads = Busy()
        self.space = self.disk_space()
        self.assertTrue(self.room())
        self.assertIn("2008 calls", self.lines[-1])

    def test_what_was_known_holds_while_it_cannot_be_looked_at(self) -> None:
        self.free(0)
        self.room()
        self.broken = OSError(5, "Input/output error", "/state")
        self.clock.advance(FRESH)
        self.assertFalse(self.room())


class Telling(DiskCase):
    def setUp(self) -> None:
        super().setUp()
        self.space.start()

    def looked(self, octets: int, inodes: int = 50_000) -> list[str]:
        """What has been told by the look that finds so much."""
        self.free(octets, inodes)
        self.clock.advance(LOOK_EVERY)
        return self.told()

    def test_once_for_each_crossing_and_once_when_it_is_over(self) -> None:
        self.assertEqual(self.looked(150 * MIB), [])
        self.assertEqual(self.looked(99 * MIB), ["disk.low"])
        self.assertEqual(self.looked(50 * MIB), ["disk.low"])
        self.assertEqual(self.looked(101 * MIB), ["disk.low"], "just above the mark nothing is over")
        self.assertTrue(self.room(), "but mail is taken")
        self.assertEqual(self.looked(99 * MIB), ["disk.low"])
        self.assertEqual(self.looked(110 * MIB), ["disk.low", "disk.recovered"])
        self.assertEqual(self.looked(99 * MIB), ["disk.low", "disk.recovered", "disk.low"])
        self.assertIn(f"path=/state free={99 * MIB} keep_free={100 * MIB} free_inodes=50000", self.lines[-1])
        self.assertIn("of=octets", self.lines[-1])
        self.assertIn(" error ", self.lines[-1])

    def test_inodes(self) -> None:
        self.assertEqual(self.looked(300 * MIB, 10), ["disk.low"])
        self.assertIn("of=inodes", self.lines[-1])
        self.assertEqual(self.looked(300 * MIB, 5001), ["disk.low"])
        self.assertEqual(self.looked(300 * MIB, 5500), ["disk.low", "disk.recovered"])

    def test_promises_are_no_alarm(self) -> None:
        self.room(200 * MIB, "s1")
        self.assertFalse(self.room(101 * MIB, "s2"))
        self.assertEqual(self.looked(300 * MIB), [])

    def test_a_disk_that_is_gone(self) -> None:
        self.looked(0)
        self.found = [attrs.evolve(DISK, device=7)]
        self.clock.advance(LOOK_EVERY)
        self.assertEqual((self.told(), self.space.is_scarce), (["disk.low"], False))

    def test_a_look_that_is_a_mistake_of_ours(self) -> None:
        self.space.look = lambda paths: 1 // 0  # type: ignore[assignment,return-value]
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.told(), ["disk.failed"])
        self.assertIn("ZeroDivisionError", self.lines[-1])
        self.assertTrue(self.room())


class TestPromises(SynchronousTestCase):
    def test_the_sum_is_right_whatever_happens(self) -> None:
        promises = Promises()
        promises.make("a", 10)
        promises.make("b", 5)
        promises.make("a", 7)
        promises.make("c", 0)
        self.assertEqual((promises.total, promises.besides("a"), promises.besides("x")), (12, 5, 12))
        for _ in range(2):
            promises.release("a")
        promises.release("c")
        promises.make("b", 0)
        self.assertEqual(promises.total, 0)


class TestLook(FolderCase, SynchronousTestCase):
    def test_a_real_one(self) -> None:
        folder = self.folder
        state = os.statvfs(folder)
        [found] = look((folder / "not" / "there" / "yet", folder))
        self.assertEqual(found.path, str(folder / "not" / "there" / "yet"))
        self.assertEqual(found.device, folder.stat().st_dev)
        self.assertEqual((found.total, found.inodes), (state.f_blocks * state.f_frsize, state.f_files))
        self.assertLess(abs(found.free - state.f_bavail * state.f_frsize), 1 << 30)

    def test_two_file_systems(self) -> None:
        found = look((Path("/proc/self"), self.folder / "missing"))
        self.assertEqual(len(found), 2)
