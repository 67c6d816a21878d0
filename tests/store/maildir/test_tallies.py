"""How much is in a maildir is known without counting, and never wrong for longer than a minute."""

import json
import os
import threading
import time

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline, Pool
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.quota import Quota
from mailsuite.model.retention import MaildropRules, Usage
from mailsuite.model.view import Box, View
from mailsuite.store.maildir import counting, tallies
from mailsuite.store.maildir.marks import SETTLED_SECONDS
from mailsuite.store.maildir.tallies import FRESH_SECONDS, MAX_TALLIES
from tests.store.maildirs import ANN, JOE, MESSAGE, MaildirCase
from tests.store.recording import RecordingFiles

SIZE = len(MESSAGE)


class TallyCase(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.now = 1000.0
        self.counts = 0
        self.after_listing = []
        real = tallies.count

        def count(*arguments):
            self.counts += 1
            counted = real(*arguments)
            due, self.after_listing = self.after_listing, []
            for act in due:
                act()
            return counted

        self.patch(tallies, "count", count)
        self.store = self.maildir_store(seconds=lambda: self.now)

    def usage(self, store=None, account=JOE):
        return self.pump.answer((store or self.store).usage(account))

    def arrive(self, number=1, store=None):
        for _ in range(number):
            self.deliver(store or self.store, self.written(store or self.store))

    def settle(self):
        """As if all that happened in the maildir were long ago."""
        real = time.time
        self.patch(self.store._tallies, "clock", lambda: real() + SETTLED_SECONDS + 1)


class OursTests(TallyCase):
    """What this process does itself."""

    def test_nothing_yet(self):
        self.assertEqual(self.usage(), Usage())
        self.assertFalse(self.maildir().exists(), "asking makes no maildir")

    def test_deliveries_are_added_without_a_count(self):
        self.assertEqual(self.usage(), Usage())
        for number in range(1, 6):
            self.arrive()
            self.assertEqual(self.usage(), Usage(number, number * SIZE))
        self.assertEqual(self.counts, 1)

    def test_two_steps_and_one(self):
        self.usage()
        delivery = self.written(self.store)
        self.pump.answer(delivery.prepare())
        self.assertEqual(self.usage(), Usage())
        self.pump.answer(delivery.commit())
        self.assertEqual(self.usage(), Usage(1, SIZE))
        self.pump.answer(delivery.abort())
        self.pump.answer(delivery.abort())
        self.assertEqual(self.usage(), Usage(), "taken back after the commit")

    def test_a_delivery_that_fails_adds_nothing(self):
        files = RecordingFiles(self.root)
        store = self.maildir_store(files=files, seconds=lambda: self.now)
        self.arrive(store=store)
        self.assertEqual(self.usage(store), Usage(1, SIZE))
        for step in ("deliver", "commit"):
            delivery = self.written(store)
            if step == "commit":
                self.pump.answer(delivery.prepare())
            files.fail({"deliver": 5, "commit": 1}[step], OSError(5, "Input/output error"))
            with self.assertRaises(TemporaryFailure):
                if step == "commit":
                    self.pump.answer(delivery.commit())
                else:
                    self.deliver(store, delivery)
            self.assertIn("sync_directory failed", [operation for operation, _ in files.done])
            files.done.clear()
            self.assertEqual(self.usage(store), Usage(1, SIZE))
            self.assertEqual(len(self.visible()), 1)

    def test_an_abort_before_anything_is_visible_costs_no_count(self):
        self.usage()
        self.pump.answer(self.written(self.store, b"x" * 1_000_000).abort())
        self.usage()
        self.assertEqual(self.counts, 1)

    def test_quit_frees_at_once_and_what_is_deleted_counts_apart(self):
        self.arrive(3)
        self.usage()
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        self.pump.answer(maildrop.update(maildrop.messages[:2], maildrop.messages[2:]))
        self.assertEqual(self.usage(), Usage(1, SIZE, 2, 2 * SIZE))
        self.pump.answer(maildrop.release())
        trash = self.pump.answer(self.store.open_maildrop(JOE, View(Box.RESTORE)))
        self.pump.answer(trash.update([], trash.messages[:1]))
        self.assertEqual(self.usage(), Usage(2, 2 * SIZE, 1, SIZE))
        self.assertEqual(self.pump.answer(self.store.purge(JOE, 4e9)), 1)
        self.assertEqual(self.usage(), Usage(2, 2 * SIZE))

    def test_a_quit_that_deleted_nothing_costs_no_count(self):
        self.arrive()
        self.usage()
        for view in (View(), View(device="d1")):
            maildrop = self.pump.answer(self.store.open_maildrop(JOE, view))
            self.pump.answer(maildrop.update([], maildrop.messages))
            self.pump.answer(maildrop.release())
        self.usage()
        self.assertEqual(self.counts, 1)

    def test_an_update_that_fails_midway_is_doubted(self):
        self.arrive(2)
        self.usage()
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        contents = maildrop._contents

        def half(deleted, retrieved):
            type(contents).update(contents, deleted[:1], [])
            raise OSError(5, "Input/output error")

        maildrop._contents = type("Half", (), {"update": staticmethod(half)})()
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(maildrop.update(maildrop.messages, []))
        self.assertEqual(self.usage(), Usage(1, SIZE, 1, SIZE))


class TheirsTests(TallyCase):
    """What other programs do."""

    def test_they_are_noticed_within_a_minute(self):
        self.arrive(3)
        self.assertEqual(self.usage(), Usage(3, 3 * SIZE))
        os.unlink(self.visible()[0])
        moved = self.visible()[0]
        os.rename(moved, self.maildir() / "cur" / f"{moved.name}:2,S")  # as Dovecot and mutt do
        (self.maildir() / "cur" / "1700000000.foreign:2,").write_bytes(b"12345")
        self.now += FRESH_SECONDS - 1
        self.assertEqual(self.usage(), Usage(3, 3 * SIZE))
        self.now += 1
        self.assertEqual(self.usage(), Usage(3, 2 * SIZE + 5))
        self.assertLess(FRESH_SECONDS, 60)

    def test_a_maildir_that_stays_as_it_is_is_not_listed_again(self):
        self.arrive(2)
        self.settle()
        self.usage()
        listed = []
        real = counting.locate
        self.patch(counting, "locate", lambda path: listed.append(path) or real(path))
        for _ in range(3):
            self.now += FRESH_SECONDS
            self.assertEqual(self.usage(), Usage(2, 2 * SIZE))
        self.assertEqual(listed, [])
        self.arrive()
        self.now += FRESH_SECONDS
        self.assertEqual(self.usage(), Usage(3, 3 * SIZE))
        self.assertEqual(len(listed), 1)

    def test_long_names_in_the_trash_are_looked_at_each_time(self):
        name = "1700000000." + "x" * 240
        self.arrive()
        (self.maildir() / "cur" / name).write_bytes(b"12345")
        self.settle()
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        self.pump.answer(maildrop.update(maildrop.messages, []))
        self.assertEqual(self.usage(), Usage(0, 0, 2, SIZE + 5))
        (inner,) = (self.maildir() / "mailsuite.deleted").glob("*_/*")
        inner.unlink()
        self.now += FRESH_SECONDS
        self.assertEqual(self.usage(), Usage(0, 0, 1, SIZE))

    def test_a_maildir_that_cannot_be_read_is_no_empty_one(self):
        self.arrive()
        real = counting.locate

        def forbidden(path):
            raise PermissionError(13, "Permission denied", path)

        self.patch(counting, "locate", forbidden)
        for _ in range(2):
            with self.assertRaises(TemporaryFailure):
                self.usage()
        self.patch(counting, "locate", real)
        self.assertEqual(self.usage(), Usage(1, SIZE))


class AtOnceTests(TallyCase):
    """Messages that arrive while the files are counted: each counts once."""

    def test_one_that_comes_after_the_listing(self):
        delivery = self.written(self.store)
        started = []
        self.after_listing.append(lambda: started.append(self.pump.start(self.store.deliver([delivery]))))
        self.usage()
        self.pump.result(started[0])
        self.assertEqual(self.usage(), Usage(1, SIZE))
        self.assertEqual(self.counts, 1)

    def test_one_that_begins_and_arrives_during_the_listing(self):
        """The listing is over, the count is not."""
        delivery = self.written(self.store)
        self.pump.answer(delivery.prepare())
        self.after_listing.append(lambda: self.pump.answer(delivery.commit()))
        self.assertEqual(self.usage(), Usage(1, SIZE))
        self.assertEqual(self.usage(), Usage(1, SIZE))

    def test_one_that_was_listed_before_it_was_said_to_have_arrived(self):
        """The committer has renamed it, and the reactor does not know yet."""
        first = self.pump.start(self.store.deliver([self.written(self.store)]))
        self.pump.calls.put(self.pump.calls.get(timeout=30))  # it is done, and waits to be told
        self.assertEqual(len(self.visible()), 1)
        self.assertEqual(self.usage(), Usage(1, SIZE), "found by the count")
        self.settle()
        self.now += FRESH_SECONDS
        self.usage()
        self.now += FRESH_SECONDS
        self.assertEqual(self.usage(), Usage(1, SIZE), "the third does not list")
        self.pump.result(first)
        self.assertEqual(self.usage(), Usage(1, SIZE), "and not added to it")

    def test_one_that_was_listed_and_arrives_during_the_same_count(self):
        first = self.pump.start(self.store.deliver([self.written(self.store)]))
        self.pump.calls.put(self.pump.calls.get(timeout=30))
        self.after_listing.append(lambda: self.pump.result(first))
        self.assertEqual(self.usage(), Usage(1, SIZE))

    def test_one_that_is_taken_back_during_the_count(self):
        delivery = self.written(self.store)
        self.pump.answer(delivery.prepare())
        self.pump.answer(delivery.commit())
        self.after_listing.append(lambda: self.pump.answer(delivery.abort()))
        self.assertEqual(self.usage(), Usage())

    def test_doubts_without_end_are_not_waited_for(self):
        def again():
            self.store._tallies.doubt(str(self.maildir()))
            self.after_listing.append(again)

        self.after_listing.append(again)
        self.assertEqual(self.usage(), Usage())
        self.assertEqual(self.counts, tallies.MAX_ROUNDS)

    def test_who_asks_during_a_count_waits_for_it(self):
        gate, entered = threading.Event(), threading.Event()
        pool = Pool(self.pump, "store", 2, 10)
        pool.start()
        self.addCleanup(pool.stop)
        self.store._tallies.threads = pool

        def wait():
            entered.set()
            assert gate.wait(30)

        self.arrive()
        self.after_listing.append(wait)
        asked = [self.pump.start(self.store.usage(JOE)) for _ in range(3)]
        assert entered.wait(30)
        asked[1].addErrback(lambda failure: failure.trap(CancelledError) and None)
        asked[1].cancel()
        asked[0].addErrback(lambda failure: failure.trap(CancelledError) and None)
        asked[0].cancel()
        gate.set()
        self.assertEqual(self.pump.result(asked[2]), Usage(1, SIZE))
        self.assertEqual(self.counts, 1)

    def test_one_who_hears_of_the_count_and_cancels_another(self):
        asked = []

        async def ask():
            await self.store.usage(JOE)
            asked[1].cancel()

        def ask_thrice():
            asked.append(self.pump.start(ask()))
            asked.append(self.pump.start(self.store.usage(JOE)))
            asked.append(self.pump.start(self.store.usage(JOE)))

        self.after_listing.append(ask_thrice)
        self.usage()
        self.failureResultOf(asked[1], CancelledError)
        self.successResultOf(asked[0])
        self.assertEqual(self.successResultOf(asked[2]), Usage())


class KeptTests(TallyCase):
    """What is kept in memory, and on the disk."""

    def setUp(self):
        super().setUp()
        self.patch(counting, "LEAST_KEPT", 3)

    def file(self):
        return self.maildir() / counting.FILE

    def restarted(self):
        self.store.stop()
        self.store = self.maildir_store(seconds=lambda: self.now)
        self.settle()
        return self.store

    def listed(self):
        listed = []
        real = counting.locate
        self.patch(counting, "locate", lambda path: listed.append(path) or real(path))
        return listed

    def test_few_messages_are_counted_anew(self):
        self.arrive(2)
        self.settle()
        self.usage()
        self.assertFalse(self.file().exists())

    def test_many_are_counted_once_for_all_processes(self):
        self.arrive(4)
        self.settle()
        self.assertEqual(self.usage(), Usage(4, 4 * SIZE))
        listed = self.listed()
        self.restarted()
        self.assertEqual(self.usage(), Usage(4, 4 * SIZE))
        self.assertEqual(listed, [])
        self.assertEqual(oct(self.file().stat().st_mode & 0o777), oct(0o600))
        self.assertFalse((self.maildir() / (counting.FILE + ".tmp")).exists())

    def test_a_crash_after_a_delivery_makes_us_count(self):
        """Killed: nothing was written since; the directory tells that something has happened."""
        self.arrive(4)
        self.settle()
        self.usage()
        self.arrive()
        self.restarted()
        self.assertEqual(self.usage(), Usage(5, 5 * SIZE))

    def test_what_is_not_settled_is_not_kept(self):
        self.arrive(4)
        self.usage()
        self.assertFalse(self.file().exists())

    def test_a_file_that_says_nothing(self):
        self.arrive(4)
        self.settle()
        self.usage()
        good = json.loads(self.file().read_bytes())
        inbox = good["inbox"]
        for content in (
            b"",
            b"\0" * 200,
            b"[]",
            b"{" * 2000,
            *(
                json.dumps(document).encode()
                for document in (
                    {**good, "version": 2},
                    {**good, "inbox": 4},
                    {**good, "inbox": {**inbox, "messages": "4"}},
                    {**good, "inbox": {**inbox, "marks": None}},
                    {**good, "inbox": {**inbox, "marks": [[1, 2, 3]]}},
                    {**good, "inbox": {**inbox, "marks": [[1, 2, 3, "4"]]}},
                    {**good, "inbox": {**inbox, "marks": inbox["marks"][:1], "messages": 9}},
                )
            ),
        ):
            self.file().write_bytes(content)
            self.restarted()
            self.assertEqual(self.usage(), Usage(4, 4 * SIZE))
            self.assertEqual(json.loads(self.file().read_bytes()), good, "and it is put right")

    def test_where_it_cannot_be_kept_it_is_counted_all_the_same(self):
        self.arrive(4)
        self.settle()
        (self.maildir() / (counting.FILE + ".tmp")).mkdir()
        self.assertEqual(self.usage(), Usage(4, 4 * SIZE))
        self.assertFalse(self.file().exists())

    def test_memory_is_bounded(self):
        self.patch(tallies, "MAX_TALLIES", 2)
        self.assertLessEqual(MAX_TALLIES, 100_000)
        kept = self.store._tallies
        busy = kept.of("/busy")
        busy.coming("x")
        for number in range(10):
            kept.of(f"/{number}")
        self.assertIs(kept.of("/busy"), busy)
        self.assertLessEqual(len(kept._kept), 3)
        kept.doubt("/nobody")


class TrashQuotaTests(TallyCase):
    """The limit of what is deleted and kept."""

    def remove(self, count):
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        gone = [ref.uidl for ref in maildrop.messages[:count]]
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages[:count], [])), 0)
        self.pump.answer(maildrop.release())
        return gone

    def kept(self):
        return {one.uidl for one in self.pump.answer(self.store.deleted(JOE))}

    def test_the_oldest_go_first(self):
        self.store.deleted_quota = Quota(2 * SIZE + 1)
        self.arrive(5)
        first = self.remove(1)
        self.store.clock = lambda: time.time() + 10
        second = self.remove(3)
        self.assertEqual(self.kept(), {*second[1:]})
        self.assertNotIn(first[0], self.kept())
        self.assertEqual(self.usage(), Usage(1, SIZE, 2, 2 * SIZE))

    def test_by_number(self):
        self.store.deleted_quota = Quota(0, 1)
        self.arrive(3)
        gone = self.remove(3)
        self.assertEqual(self.kept(), {gone[2]})

    def test_where_there_is_room_or_no_limit_all_stay(self):
        self.arrive(4)
        for quota in (Quota(), Quota(2 * SIZE, 2)):
            self.store.deleted_quota = quota
            self.remove(1)
        self.assertEqual(len(self.kept()), 2)

    def test_where_they_cannot_go_the_deletion_succeeds(self):
        files = RecordingFiles(self.root)
        self.store = self.maildir_store(files=files, seconds=lambda: self.now, deleted_quota=Quota(0, 1))
        self.arrive(2)
        self.remove(1)
        real = files.unlink

        def fails(path):
            if "mailsuite.deleted" in path:
                raise OSError(5, "Input/output error")
            real(path)

        files.unlink = fails
        self.remove(1)
        self.assertEqual(self.usage(), Usage(0, 0, 2, 2 * SIZE))

    def test_where_nothing_is_kept_nothing_is_looked_at(self):
        self.store.rules = MaildropRules(keep_deleted=0.0)
        self.store.deleted_quota = Quota(0, 1)
        self.arrive(2)
        self.remove(2)
        self.assertFalse((self.maildir() / "mailsuite.deleted").exists())


class WarnedTests(TallyCase):
    """What is remembered of warnings."""

    def warned(self, account=JOE):
        return self.pump.answer(self.store.warned(account))

    def note(self, level):
        self.pump.answer(self.store.note_warned(JOE, level))

    def test_it_survives(self):
        self.assertEqual(self.warned(), 0)
        for level in (80, 95, 80, 0, 0):
            self.note(level)
            self.assertEqual(self.warned(), level)
            self.store.stop()
            self.store = self.maildir_store(seconds=lambda: self.now)
            self.assertEqual(self.warned(), level)
        self.assertEqual(self.warned(ANN), 0)
        self.assertEqual(list(self.maildir().glob("mailsuite.warned*")), [])

    def test_durable_when_it_returns(self):
        files = RecordingFiles(self.root)
        self.store = self.maildir_store(files=files)
        self.arrive()
        files.done.clear()
        self.note(80)
        path = "mail/example.net/joe/mailsuite.warned"
        self.assertEqual(
            files.operations("sync", "replace", "sync_directory"),
            [("sync", path + ".tmp"), ("replace", path), ("sync_directory", "mail/example.net/joe")],
        )
        self.note(0)
        self.assertEqual(files.done[-1], ("sync_directory", "mail/example.net/joe"))

    def test_where_it_cannot_be_noted_nothing_is_changed(self):
        files = RecordingFiles(self.root)
        self.store = self.maildir_store(files=files)
        self.note(80)
        (self.maildir() / "mailsuite.warned.tmp").write_bytes(b"of a process that died")
        files.done.clear()
        files.fail(3, OSError(28, "No space left on device"))
        with self.assertRaises(TemporaryFailure):
            self.note(95)
        self.assertEqual(self.warned(), 80)
        self.assertEqual((self.maildir() / "mailsuite.warned").read_bytes(), b"80\n")
        self.assertFalse((self.maildir() / "mailsuite.warned.tmp").exists())

    def test_what_is_no_level(self):
        self.arrive()
        for content in (b"", b"eighty\n", b"80", b"1000\n", b"80\n80\n"):
            (self.maildir() / "mailsuite.warned").write_bytes(content)
            self.store = self.maildir_store(threads=Inline())
            self.assertEqual(self.warned(), 0)
