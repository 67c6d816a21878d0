"""Files that are watched: what counts as a change, who is told, and what a slow or broken listener does."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import INTERVAL, FileWatch, stamps
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from tests.concurrent.held import HeldThreads


class Refusing:
    async def run(self, work):
        raise TemporaryFailure(OVERLOADED, "files: 2000 calls are waiting")


class WatchCase(SynchronousTestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        self.one, self.two = self.folder / "one", self.folder / "two"
        self.one.write_text("1")
        self.two.write_text("2")
        self.clock, self.lines, self.told = Clock(), [], []
        self.watch = self.make(Inline())

    def make(self, threads):
        return FileWatch(threads, self.clock, Log(lambda line, level: self.lines.append(line)))

    def follow(self, key, *paths, **named):
        self.watch.watch(key, paths, partial(self.told.append, key), **named)

    def later(self):
        """What was told at the next look."""
        self.clock.advance(INTERVAL)
        told, self.told[:] = list(self.told), []
        return told

    def stop(self):
        return Deferred.fromCoroutine(self.watch.stop())


class ChangeTests(WatchCase):
    def setUp(self):
        super().setUp()
        self.follow("one", self.one)
        self.watch.start()

    def test_nothing_is_told_while_nothing_changes(self):
        for _ in range(5):
            self.assertEqual(self.later(), [])

    def test_a_change_is_told_once(self):
        self.one.write_text("longer")
        self.assertEqual([self.later(), self.later()], [["one"], []])

    def test_a_change_of_the_same_size_and_time(self):
        before = self.one.stat()
        self.one.write_text("x")
        os.utime(self.one, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.later(), ["one"])

    def test_another_file_in_its_place(self):
        before = self.one.stat()
        self.two.write_text("1")
        os.utime(self.two, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.two.rename(self.one)
        self.assertEqual(self.later(), ["one"])

    def test_a_link_that_leads_elsewhere(self):
        link = self.folder / "link"
        link.symlink_to(self.one)
        self.follow("link", link)
        self.assertEqual(self.later(), [])
        link.unlink()
        link.symlink_to(self.two)
        self.assertEqual(self.later(), ["link"])

    def test_one_that_may_be_read_from_now_on(self):
        self.one.chmod(0o400)
        self.assertEqual(self.later(), ["one"])

    def test_going_and_coming(self):
        self.one.unlink()
        self.assertEqual([self.later(), self.later()], [["one"], []])
        self.one.write_text("1")
        self.assertEqual([self.later(), self.later()], [["one"], []])

    def test_files_that_cannot_be(self):
        self.follow("odd", self.one / "below a file", Path("a\0b"))
        self.assertEqual([self.later(), self.later()], [[], []])

    def test_two_changes_of_one_key_are_one(self):
        self.follow("both", self.one, self.two)
        self.one.write_text("longer")
        self.two.write_text("longer")
        self.assertEqual(sorted(self.later()), ["both", "one"])


class KeyTests(WatchCase):
    def test_what_changed_before_the_first_look_does_not_count(self):
        self.follow("one", self.one)
        self.one.write_text("longer")
        self.watch.start()
        self.assertEqual(self.later(), [])

    def test_unless_it_was_read_before(self):
        seen = stamps([self.one])
        self.one.write_text("longer")
        self.follow("one", self.one, seen=seen)
        self.watch.start()
        self.assertEqual([self.told.copy(), self.later()], [["one"], ["one"]])
        self.assertEqual(self.later(), [])

    def test_what_was_read_before_and_has_not_changed(self):
        self.follow("one", self.one, seen=stamps([self.one, self.two]))
        self.watch.start()
        self.assertEqual(self.later(), [])

    def test_a_file_that_was_not_among_those_read_counts_as_new(self):
        self.follow("one", self.one, self.two, seen=stamps([self.one]))
        self.watch.start()
        self.assertEqual(self.told, ["one"])

    def test_one_that_is_watched_while_it_runs_is_looked_at_at_once(self):
        self.watch.start()
        self.follow("one", self.one)
        self.one.write_text("longer")
        self.assertEqual(self.later(), ["one"])

    def test_a_key_watches_what_it_named_last(self):
        self.watch.start()
        self.follow("key", self.one)
        self.follow("key", self.two)
        self.one.write_text("longer")
        self.assertEqual(self.later(), [])
        self.two.write_text("longer")
        self.assertEqual(self.later(), ["key"])

    def test_a_key_may_watch_nothing(self):
        self.watch.start()
        self.follow("key")
        self.assertEqual(self.later(), [])

    def test_forgotten(self):
        self.follow("key", self.one)
        self.watch.start()
        self.watch.forget("key")
        self.watch.forget("never known")
        self.one.write_text("longer")
        self.assertEqual(self.later(), [])


class SlowTests(WatchCase):
    def start(self, changed):
        self.watch.watch("key", [self.one], changed)
        self.watch.start()

    def test_what_takes_long_is_not_called_again_meanwhile(self):
        waits = [Deferred(), Deferred()]

        async def changed():
            self.told.append("begun")
            await waits[len(self.told) - 1]

        self.start(changed)
        self.one.write_text("longer")
        self.clock.advance(INTERVAL)
        self.one.write_text("longer still")
        self.clock.advance(INTERVAL)
        self.assertEqual(self.told, ["begun"])
        waits[0].callback(None)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.told, ["begun"] * 2)
        waits[1].callback(None)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.told, ["begun"] * 2)

    def test_what_fails_is_logged_and_called_again(self):
        async def changed():
            self.told.append("called")
            raise ZeroDivisionError

        self.start(changed)
        for content in ("longer", "longer still"):
            self.one.write_text(content)
            self.assertEqual(self.later(), ["called"])
        self.assertEqual(sum("watch.failed" in line for line in self.lines), 2)

    def test_the_end_waits_for_what_was_called_and_for_no_look(self):
        wait = Deferred()

        async def changed():
            await wait

        self.start(changed)
        self.one.write_text("longer")
        self.clock.advance(INTERVAL)
        stopped = self.stop()
        self.assertNoResult(stopped)
        wait.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_end_before_the_beginning(self):
        self.successResultOf(self.stop())

    def test_nobody_is_told_after_the_end(self):
        self.watch = self.make(threads := HeldThreads())
        self.follow("one", self.one, seen={})
        self.watch.start()
        stopped = self.stop()
        threads.release()
        self.successResultOf(stopped)
        self.assertEqual(self.told, [])

    def test_a_look_that_takes_long_is_the_only_one(self):
        self.watch = self.make(threads := HeldThreads())
        self.follow("one", self.one)
        self.watch.start()
        self.clock.advance(INTERVAL)
        self.assertEqual(len(threads.held), 1)
        threads.release()
        self.one.write_text("longer")
        self.clock.advance(INTERVAL)
        self.follow("one", self.two)  # another file, while the old one is looked at
        threads.release()
        self.assertEqual(self.told, [])

    def test_without_a_free_thread_it_looks_later(self):
        self.watch = self.make(Refusing())
        self.follow("one", self.one)
        self.watch.start()
        self.assertEqual(self.later(), [])
        self.assertEqual(sum("watch.delayed" in line for line in self.lines), 2)
        self.watch.threads = Inline()
        self.assertEqual(self.later(), [])
        self.one.write_text("longer")
        self.assertEqual(self.later(), ["one"])
