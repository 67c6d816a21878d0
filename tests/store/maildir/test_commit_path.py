"""Durability by order, all-or-nothing under every failure, and group commit."""

import errno
import os
import shutil

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.durable import committer as committer_module
from mailsuite.model.failure import PermanentFailure, TemporaryFailure
from mailsuite.model.reply import DISK_FULL, STORE_UNAVAILABLE
from mailsuite.model.retention import MaildropRules
from mailsuite.observe.log import Log
from mailsuite.store.maildir import place as place_module
from mailsuite.store.maildir.scan import locate
from tests.store.maildirs import ANN, JOE, MESSAGE, MaildirCase
from tests.store.recording import RecordingFiles

LARGE = b"x" * 100_000 + b"\r\n"
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
BAD_DISK = OSError(errno.EIO, "Input/output error")
JOE_DIRECTORY = "mail/example.net/joe"


class RecordedCase(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.lines = []
        self.fresh_store()

    def fresh_store(self, name="0"):
        """A store on a tree of its own, whose files are watched."""
        self.tree = self.root / name
        self.tree.mkdir()
        self.files = RecordingFiles(self.tree)
        self.store = self.maildir_store(self.files, log=Log(lambda line, urgent: self.lines.append(line)))

    def maildir_store(self, files=None, **settings):
        self.mail = self.tree / "mail"
        return super().maildir_store(files, root=self.mail, **settings)

    def maildir(self, account=JOE):
        return self.mail / account.domain / account.local

    def large(self, account=JOE):
        delivery = self.store.begin(account)
        for _ in range(4):
            delivery.write(LARGE)
        return delivery


class OrderTests(RecordedCase):
    def test_a_250_comes_after_file_rename_and_directory(self):
        self.deliver(self.store, self.written(self.store))
        self.files.done.clear()
        done = self.pump.start(self.store.deliver([self.written(self.store)]))
        done.addCallback(lambda stored: self.files.done.append(("deliver returns", JOE_DIRECTORY)))
        self.pump.result(done)
        self.assertEqual(
            self.files.done,
            [
                ("create", JOE_DIRECTORY + "/tmp/*"),
                ("write", JOE_DIRECTORY + "/tmp/*"),
                ("sync", JOE_DIRECTORY + "/tmp/*"),
                ("close", JOE_DIRECTORY + "/tmp/*"),
                ("move", JOE_DIRECTORY + "/tmp/*"),
                ("sync_directory", JOE_DIRECTORY + "/new"),
                ("deliver returns", JOE_DIRECTORY),
            ],
        )

    def test_the_same_in_two_steps(self):
        delivery = self.written(self.store)
        self.pump.answer(delivery.prepare())
        self.assertEqual(self.files.done[-1], ("sync_directory", JOE_DIRECTORY + "/tmp"))
        self.assertIn(("sync", JOE_DIRECTORY + "/tmp/*"), self.files.done)
        self.assertEqual(self.files.operations("move"), [])
        self.files.done.clear()
        self.pump.answer(delivery.commit())
        self.assertEqual(
            self.files.done,
            [("move", JOE_DIRECTORY + "/tmp/*"), ("sync_directory", JOE_DIRECTORY + "/new")],
        )

    def test_the_same_for_a_large_message(self):
        self.deliver(self.store, self.large())
        order = [operation for operation, _ in self.files.operations("write", "sync", "move")]
        self.assertEqual(order, ["write"] * order.count("write") + ["sync", "move"])
        self.assertEqual(self.files.done[-1], ("sync_directory", JOE_DIRECTORY + "/new"))

    def test_all_files_are_durable_before_the_first_is_visible(self):
        self.deliver(self.store, self.written(self.store), self.written(self.store, account=ANN))
        order = [operation for operation, _ in self.files.operations("sync", "move")]
        self.assertEqual(order, ["sync", "sync", "move", "move"])

    def test_new_directories_are_durable(self):
        self.deliver(self.store, self.written(self.store))
        made = self.files.operations("make_directory")
        for _, path in made:
            parent = os.path.dirname(path) or "."
            self.assertLess(
                self.files.done.index(("make_directory", path)),
                max(i for i, entry in enumerate(self.files.done) if entry == ("sync_directory", parent)),
                path,
            )
        self.assertEqual(len(made), 6)

    def test_directories_another_process_made_are_synced_once(self):
        for name in ("tmp", "new", "cur"):
            (self.maildir() / name).mkdir(parents=True)
        self.deliver(self.store, self.written(self.store))
        self.assertIn(("sync_directory", "mail/example.net"), self.files.done)
        self.files.done.clear()
        self.deliver(self.store, self.written(self.store))
        self.assertEqual(
            self.files.operations("sync_directory"), [("sync_directory", JOE_DIRECTORY + "/new")]
        )

    def test_modes(self):
        self.deliver(self.store, self.written(self.store))
        (path,) = self.visible()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        for directory in (path.parent, *path.parents[1:4]):
            self.assertEqual(directory.stat().st_mode & 0o777, 0o700)

    def test_a_deletion_is_durable_before_it_returns(self):
        for _ in range(3):
            self.deliver(self.store, self.written(self.store))
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        self.files.done.clear()
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages[:2], [])), 0)
        self.assertEqual(
            self.files.done,
            [
                ("make_directory", JOE_DIRECTORY + "/mailsuite.deleted"),
                ("sync_directory", JOE_DIRECTORY),
                *[("move", JOE_DIRECTORY + "/new/*")] * 2,
                ("sync_directory", JOE_DIRECTORY + "/mailsuite.deleted"),
                ("sync_directory", JOE_DIRECTORY + "/new"),
            ],
        )

    def test_the_same_where_nothing_deleted_is_kept(self):
        self.store.rules = MaildropRules(keep_deleted=0)
        for _ in range(3):
            self.deliver(self.store, self.written(self.store))
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        self.files.done.clear()
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages[:2], [])), 0)
        self.assertEqual(
            self.files.done,
            [("unlink", JOE_DIRECTORY + "/new/*")] * 2 + [("sync_directory", JOE_DIRECTORY + "/new")],
        )

    def test_an_update_tells_what_stays(self):
        for _ in range(3):
            self.deliver(self.store, self.written(self.store))
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        self.files.fail(3, BAD_DISK)
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 1)
        self.assertEqual(len(self.visible()), 1)
        self.assertIn("store.update_failed", self.lines[-1])
        self.files.fail(1, BAD_DISK)
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(maildrop.update(maildrop.messages[1:2], []))


class FailureTests(RecordedCase):
    """Each operation fails in its turn; whatever it is, the transaction leaves nothing and the next works."""

    def sweep(self, transaction, before=lambda: None):
        """Run *transaction* once whole, to learn its operations; then fail each of them with each error."""
        before()
        self.files.done.clear()
        transaction()
        count = len(self.files.done)
        for number in range(count):
            for error, reply in ((NO_SPACE, DISK_FULL), (BAD_DISK, STORE_UNAVAILABLE)):
                self.fresh_store(f"{number} {error.errno}")
                before()
                already = len(self.visible(JOE) + self.visible(ANN))
                self.files.done.clear()
                self.files.fail(number, error)
                with self.assertRaises(TemporaryFailure) as raised:
                    transaction()
                where = str(self.files.done)
                self.assertIsNone(self.files.countdown, where)
                self.assertEqual(raised.exception.reply, reply, where)
                self.assertEqual(len(self.visible(JOE) + self.visible(ANN)), already, where)
                self.assertEqual(self.unfinished(JOE) + self.unfinished(ANN), [], where)
                self.assertEqual(self.files.paths, {}, "a descriptor is open")
                transaction()
                self.assertGreater(len(self.visible(JOE)), 0, where)
        return count

    def to_both(self):
        self.deliver(self.store, self.written(self.store), self.written(self.store, account=ANN))

    def test_first_delivery(self):
        self.assertGreater(self.sweep(self.to_both), 20)

    def test_delivery_to_known_maildirs(self):
        self.assertEqual(self.sweep(self.to_both, before=self.to_both), 12)

    def test_large_message(self):
        def transaction():
            self.deliver(self.store, self.large(), self.written(self.store, account=ANN))

        self.assertGreater(self.sweep(transaction), 15)

    def test_two_steps(self):
        def transaction():
            deliveries = [self.written(self.store), self.written(self.store, account=ANN)]
            try:
                for delivery in deliveries:
                    self.pump.answer(delivery.prepare())
                for delivery in deliveries:
                    self.pump.answer(delivery.commit())
            except TemporaryFailure:
                for delivery in deliveries:
                    self.pump.answer(delivery.abort())
                raise

        self.assertGreater(self.sweep(transaction, before=self.to_both), 12)

    def test_a_failed_sync_is_never_tried_again(self):
        self.deliver(self.store, self.written(self.store))
        self.files.done.clear()
        self.files.fail(2, BAD_DISK)
        with self.assertRaises(TemporaryFailure):
            self.deliver(self.store, self.written(self.store))
        self.assertEqual(
            [operation for operation, _ in self.files.done],
            ["create", "write", "sync failed", "close", "unlink"],
        )

    def test_what_became_visible_is_durably_gone(self):
        self.to_both()
        self.files.done.clear()
        self.files.fail(11, BAD_DISK)  # the directory of the second recipient
        with self.assertRaises(TemporaryFailure):
            self.to_both()
        undoing = self.files.done[
            self.files.done.index(("sync_directory failed", "mail/example.net/ann/new")) :
        ]
        self.assertEqual(
            undoing[1:],
            [
                ("unlink", JOE_DIRECTORY + "/new/*"),
                ("unlink", "mail/example.net/ann/new/*"),
                ("sync_directory", JOE_DIRECTORY + "/new"),
                ("sync_directory", "mail/example.net/ann/new"),
            ],
        )

    def test_a_rename_whose_answer_was_lost(self):
        self.deliver(self.store, self.written(self.store))
        self.files.fail(4, BAD_DISK, after_effect=True)
        with self.assertRaises(TemporaryFailure):
            self.deliver(self.store, self.written(self.store))
        self.assertEqual(len(self.visible()), 1)
        self.assertEqual(self.unfinished(), [])

    def test_a_rename_never_replaces(self):
        delivery = self.written(self.store)
        place = delivery.place
        self.pump.answer(delivery.prepare())
        taken = self.maildir() / "new" / f"{place.unique},S={len(MESSAGE)},W={len(MESSAGE)},D=0"
        taken.write_bytes(b"somebody else's")
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(delivery.commit())
        self.assertEqual(taken.read_bytes(), b"somebody else's")
        self.assertEqual(self.unfinished(), [])

    def test_undone_wherever_another_program_has_moved_it(self):
        delivery = self.written(self.store)
        self.deliver(self.store, delivery)
        (path,) = self.visible()
        path.rename(self.maildir() / "cur" / f"{path.name}:2,S")
        self.files.done.clear()
        self.pump.answer(delivery.abort())
        self.assertEqual(self.visible(), [])
        self.assertEqual(self.files.done[-1], ("sync_directory", JOE_DIRECTORY + "/cur"))
        gone = self.written(self.store)
        self.deliver(self.store, gone)
        self.visible()[0].unlink()
        self.pump.answer(gone.abort())
        self.assertEqual(self.lines, [])

    def test_a_file_that_outruns_its_undoing_is_logged(self):
        delivery = self.written(self.store)
        self.deliver(self.store, delivery)

        def outrun(maildir):
            places = locate(maildir)
            (path,) = self.visible()
            path.rename(str(path) + "x")
            return places

        self.patch(place_module, "locate", outrun)
        outrun(str(self.maildir()))
        self.pump.answer(delivery.abort())
        self.assertIn("store.undo_failed", self.lines[-1])

    def test_what_cannot_be_undone_is_logged(self):
        self.deliver(self.store, self.written(self.store))
        delivery = self.written(self.store)
        self.deliver(self.store, delivery)
        self.files.fail(0, BAD_DISK)
        self.pump.answer(delivery.abort())
        self.assertIn("store.undo_failed", self.lines[-1])
        another = self.written(self.store)
        self.deliver(self.store, another)
        self.files.fail(1, BAD_DISK)
        self.pump.answer(another.abort())
        self.assertIn("store.undo_failed", self.lines[-1])
        self.assertEqual(len(self.lines), 2)

    def test_a_mistake_of_ours_is_raised_and_undone(self):
        self.deliver(self.store, self.written(self.store))
        for number in (3, 5):
            self.files.fail(number, ZeroDivisionError("a mistake"))
            with self.assertRaises(ZeroDivisionError):
                self.deliver(self.store, self.written(self.store))
        self.assertEqual(len(self.visible()), 1)

    def test_the_thread_outlives_a_crash(self):
        real = committer_module.carry_out
        self.addCleanup(setattr, committer_module, "carry_out", real)

        def crash(jobs, files):
            committer_module.carry_out = real
            raise SystemExit("whatever this is")

        committer_module.carry_out = crash
        with self.assertRaises(SystemExit):
            self.deliver(self.store, self.written(self.store))
        self.deliver(self.store, self.written(self.store))
        self.assertEqual(len(self.visible()), 1)

    def test_a_maildir_removed_while_we_run_is_made_anew(self):
        self.deliver(self.store, self.written(self.store))
        shutil.rmtree(self.mail)
        self.deliver(self.store, self.written(self.store))
        self.assertEqual(len(self.visible()), 1)

    def test_something_else_in_the_place_of_a_directory(self):
        self.maildir().mkdir(parents=True)
        (self.maildir() / "new").write_bytes(b"")
        with self.assertRaises(TemporaryFailure) as raised:
            self.deliver(self.store, self.written(self.store))
        self.assertEqual(raised.exception.reply, STORE_UNAVAILABLE)
        (self.maildir() / "new").unlink()
        self.deliver(self.store, self.written(self.store))

    def test_addresses_that_would_leave_the_tree(self):
        for account in ("../x", "..", ".hidden", "a/b", "a\0b", "a\x85b", "a\x7f", "", "a\udc80"):
            for address in (type(JOE)(account, "example.net"), type(JOE)("joe", account)):
                with self.assertRaises(PermanentFailure):
                    self.store.begin(address)
                with self.assertRaises(PermanentFailure):
                    self.pump.answer(self.store.open_maildrop(address))
        self.assertEqual(list(self.tree.iterdir()), [])

    def test_a_delivery_of_another_store(self):
        with self.assertRaises(TypeError):
            self.pump.answer(self.store.deliver([object()]))


class BatchTests(RecordedCase):
    def setUp(self):
        super().setUp()
        self.deliver(self.store, self.written(self.store), self.written(self.store, account=ANN))
        self.files.done.clear()
        self.pump.handed_over = 0

    def hold_first_sync(self):
        """A delivery whose fsync does not return before release()."""
        self.files.hold = "sync"
        first = self.pump.start(self.store.deliver([self.written(self.store)]))
        self.assertTrue(self.files.held.wait(30))
        return first

    def test_what_came_in_meanwhile_is_one_batch(self):
        first = self.hold_first_sync()
        others = [
            self.pump.start(self.store.deliver([self.written(self.store, account=account)]))
            for account in (JOE, ANN, JOE, ANN, JOE)
        ]
        self.files.release()
        for delivered in (first, *others):
            self.pump.result(delivered)
        self.assertEqual(
            self.files.operations("sync_directory"),
            [
                ("sync_directory", JOE_DIRECTORY + "/new"),
                ("sync_directory", JOE_DIRECTORY + "/new"),
                ("sync_directory", "mail/example.net/ann/new"),
            ],
        )
        self.assertEqual(self.pump.handed_over, 2)
        self.assertEqual(len(self.visible()), 5)

    def test_a_batch_is_bounded_by_files(self):
        first = self.hold_first_sync()
        others = [self.pump.start(self.store.deliver([self.written(self.store)])) for _ in range(70)]
        self.files.release()
        for delivered in (first, *others):
            self.pump.result(delivered)
        self.assertEqual(self.pump.handed_over, 3)
        self.assertEqual(len(self.visible()), 72)

    def test_a_batch_is_bounded_by_octets(self):
        first = self.hold_first_sync()
        content = b"x" * 250_000
        others = [self.pump.start(self.store.deliver([self.written(self.store, content)])) for _ in range(18)]
        self.files.release()
        for delivered in (first, *others):
            self.pump.result(delivered)
        self.assertEqual(self.pump.handed_over, 3)

    def test_one_that_fails_does_not_touch_the_others(self):
        first = self.hold_first_sync()
        done = len(self.files.done)
        bad, good = (self.pump.start(self.store.deliver([self.written(self.store)])) for _ in range(2))
        self.files.fail(4, BAD_DISK)  # after the first one's sync, close, move, sync_directory: a create
        self.files.release()
        self.pump.result(first)
        with self.assertRaises(TemporaryFailure):
            self.pump.result(bad)
        self.pump.result(good)
        self.assertEqual(self.files.done[done + 4][0], "create failed")
        self.assertEqual(len(self.visible()), 3)
        self.assertEqual(self.unfinished(), [])

    def test_a_cancelled_transaction_leaves_nothing(self):
        delivered = self.hold_first_sync()
        delivered.cancel()
        self.files.release()
        with self.assertRaises(CancelledError):
            self.pump.result(delivered)
        self.assertEqual(len(self.visible()), 1)
        self.assertEqual(self.unfinished(), [])

    def test_a_transaction_cancelled_again_while_it_is_undone_leaves_nothing(self):
        first = self.hold_first_sync()
        waiting = self.pump.start(
            self.store.deliver([self.written(self.store), self.written(self.store, account=ANN)])
        )
        waiting.cancel()
        waiting.cancel()
        self.files.release()
        self.pump.result(first)
        with self.assertRaises(CancelledError):
            self.pump.result(waiting)
        self.store.stop()
        self.assertEqual((len(self.visible()), len(self.visible(ANN))), (2, 1))

    def test_cancelled_before_the_thread_has_it_shows_no_part_of_the_message(self):
        moved = []
        publish = self.files.publish

        def noting(source, target):
            moved.append(os.stat(source).st_size)
            publish(source, target)

        self.patch(self.files, "publish", noting)
        first = self.hold_first_sync()
        waiting = self.pump.start(self.store.deliver([self.written(self.store)]))
        waiting.cancel()
        self.files.release()
        self.pump.result(first)
        with self.assertRaises(CancelledError):
            self.pump.result(waiting)
        self.assertEqual(moved, [len(MESSAGE)] * 2)
        self.assertEqual(len(self.visible()), 2)

    def test_stop_finishes_what_was_begun(self):
        first = self.hold_first_sync()
        second = self.pump.start(self.store.deliver([self.written(self.store)]))
        unfinished = self.written(self.store)
        self.pump.start(unfinished.prepare())
        self.files.release()
        self.store.stop()
        self.store.stop()
        self.pump.result(first)
        self.pump.result(second)
        with self.assertRaises(TemporaryFailure):
            self.deliver(self.store, self.written(self.store))
        self.pump.answer(unfinished.abort())
        self.assertEqual(len(self.visible()), 3)
        self.assertEqual(self.unfinished(), [])
