"""Device views on the disk: the state files, their order of operations, damage, and locks."""

import errno
import json
import os

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Pool
from mailsuite.model.failure import MaildropInUse, TemporaryFailure
from mailsuite.model.retention import DAY, MaildropRules, Retention
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log
from mailsuite.store.maildir import beside as beside_module
from mailsuite.store.maildir import lock as lock_module
from mailsuite.store.maildir import views as views_module
from mailsuite.store.maildir.beside import Beside
from mailsuite.store.maildir.replacing import ReplacingFiles
from tests.store.maildirs import JOE, MaildirCase
from tests.store.recording import RecordingFiles

NOW = 1_795_000_000.0
CLASSIC, DESK, LAPTOP = View(), View(device="desk"), View(device="laptop")
BAD_DISK = OSError(errno.EIO, "Input/output error")
JOE_DIRECTORY = "mail/example.net/joe"
VIEWS = JOE_DIRECTORY + "/mailsuite.views"

STATE = (
    ("create", VIEWS + "/desk.tmp"),
    ("write", VIEWS + "/desk.tmp"),
    ("sync", VIEWS + "/desk.tmp"),
    ("close", VIEWS + "/desk.tmp"),
    ("replace", VIEWS + "/desk"),
    ("sync_directory", VIEWS),
)


class ViewCase(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.lines = []
        self.now = NOW
        self.files = RecordingFiles(self.root)
        self.store = self.make_store()

    def make_store(self, **settings):
        log = Log(lambda line, urgent: self.lines.append(line))
        return self.maildir_store(self.files, log=log, clock=lambda: self.now, **settings)

    @property
    def views(self):
        return self.maildir() / "mailsuite.views"

    def state(self, device):
        return json.loads((self.views / device).read_bytes())

    def opened(self, view):
        return self.pump.answer(self.store.open_maildrop(JOE, view))

    def listed(self, view):
        maildrop = self.opened(view)
        self.pump.answer(maildrop.release())
        return [ref.uidl for ref in maildrop.messages]

    def delete(self, view, count=1):
        """A session that deletes the first, and quits; answers how many could not be removed."""
        maildrop = self.opened(view)
        try:
            return self.pump.answer(maildrop.update(maildrop.messages[:count], []))
        finally:
            self.pump.answer(maildrop.release())

    def deliver_some(self, count=3):
        for _ in range(count):
            self.deliver(self.store, self.written(self.store))
        return self.listed(CLASSIC)


class OrderTests(ViewCase):
    def test_a_device_is_durably_known_before_it_sees_anything(self):
        self.deliver_some()
        self.files.done.clear()
        self.opened(DESK)
        self.assertEqual(
            self.files.done, [("make_directory", VIEWS), ("sync_directory", JOE_DIRECTORY), *STATE]
        )

    def test_what_is_hidden_is_durable_before_anything_is_removed(self):
        self.deliver_some()
        maildrop = self.opened(DESK)
        self.files.done.clear()
        self.pump.answer(maildrop.update(maildrop.messages[:1], []))
        self.assertEqual(
            self.files.done,
            [
                *STATE,
                ("make_directory", JOE_DIRECTORY + "/mailsuite.deleted"),
                ("sync_directory", JOE_DIRECTORY),
                ("move", JOE_DIRECTORY + "/new/*"),
                ("sync_directory", JOE_DIRECTORY + "/mailsuite.deleted"),
                ("sync_directory", JOE_DIRECTORY + "/new"),
            ],
        )

    def test_views_show_it_durably_before_it_is_back(self):
        self.deliver_some()
        uidls = self.listed(CLASSIC)
        self.delete(DESK)
        self.files.done.clear()
        self.pump.answer(self.store.undelete(JOE, uidls))
        self.assertEqual(self.files.done[:6], [*STATE])
        self.assertEqual(
            [operation for operation, _ in self.files.done[6:]], ["move", "sync_directory", "sync_directory"]
        )

    def test_a_poll_writes_nothing(self):
        self.deliver_some()
        self.listed(DESK)
        self.files.done.clear()
        self.now += 3600
        maildrop = self.opened(DESK)
        self.pump.answer(maildrop.update([], []))
        self.pump.answer(maildrop.release())
        self.assertEqual(self.files.done, [])
        self.now += 1
        self.listed(DESK)
        self.assertEqual(self.files.done, [*STATE])
        self.assertEqual(self.state("desk")["seen"], NOW + 3601)

    def test_modes(self):
        self.deliver_some()
        self.listed(DESK)
        self.assertEqual(self.views.stat().st_mode & 0o777, 0o700)
        for path in self.views.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)


class FailureTests(ViewCase):
    def test_a_failure_at_each_step_hides_or_does_not(self):
        """Never half: the state is what it was, or what was asked for; the message is there or in the trash;
        and the next attempt works."""
        for number in range(14):
            uidls = self.deliver_some(1)
            self.listed(DESK)
            self.files.fail(number, BAD_DISK)
            try:
                left = self.delete(DESK)
            except TemporaryFailure:
                left = 1
            self.files.countdown = None
            shown = self.listed(DESK)
            self.assertIn(shown, ([], uidls), number)
            self.assertEqual([path.name for path in self.views.glob("*.tmp")], [], number)
            trash = [one.uidl for one in self.pump.answer(self.store.deleted(JOE))]
            self.assertEqual(sorted(self.listed(CLASSIC) + trash), uidls, number)
            if not left:
                self.assertEqual(shown, [], number)
            if shown:
                self.assertEqual(self.delete(DESK), 0)
            self.pump.answer(self.store.expire(JOE, Retention(), self.now))
            self.assertEqual(self.listed(CLASSIC), [], number)
            self.pump.answer(self.store.purge(JOE, float("inf")))

    def test_a_removal_that_fails_is_made_up_for(self):
        self.deliver_some(1)
        self.listed(DESK)
        self.files.fail(8, BAD_DISK)
        self.assertEqual(self.delete(DESK), 0, "for this device it is deleted")
        self.assertIn("store.removal_postponed", self.lines[-1])
        self.assertEqual((self.listed(DESK), len(self.listed(CLASSIC))), ([], 1))
        self.assertEqual(self.pump.answer(self.store.expire(JOE, Retention(), self.now)).messages, 1)

    def test_a_removal_that_may_not_be_durable(self):
        self.deliver_some(1)
        self.listed(DESK)
        self.files.fail(9, BAD_DISK)
        self.assertEqual(self.delete(DESK), 0)
        self.assertIn("store.removal_postponed", self.lines[-1])

    def test_what_a_crash_has_left_is_written_over(self):
        self.deliver_some()
        self.listed(DESK)
        (self.views / "desk.tmp").write_bytes(b"{torn")
        self.assertEqual(self.delete(DESK), 0)
        self.assertEqual(sorted(path.name for path in self.views.iterdir()), [".lock", "desk", "desk.lock"])
        self.assertEqual(len(self.state("desk")["deleted"]), 1)


class DamageTests(ViewCase):
    DAMAGES = (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"version": 1, "seen": 1, "deleted": {}, "passed": []}',
        b'{"version": 2, "seen": 1, "deleted": [], "passed": false}',
        b'{"version": 2, "seen": "x", "deleted": {}, "passed": false}',
        b'{"version": 2, "seen": 1, "deleted": {"a": "x"}, "passed": false}',
        b'{"version": 2, "seen": 1, "deleted": {}, "passed": 7}',
        b'{"version": 2, "seen": 1, "deleted": {}}',
        b'{"version": 2, "seen": 1, "deleted": {}, "passed": true}',
    )

    def test_a_damaged_state_holds_everything(self):
        uidls = self.deliver_some()
        self.listed(DESK)
        self.listed(LAPTOP)
        for damage in self.DAMAGES:
            (self.views / "laptop").write_bytes(damage)
            with self.assertRaises(TemporaryFailure):
                self.opened(LAPTOP)
            with self.assertRaises(TemporaryFailure):
                self.opened(View(Box.TRASH, "laptop"))
        self.assertEqual(self.delete(DESK), 0)
        self.assertIn("store.removal_postponed", self.lines[-1])
        self.assertEqual((self.listed(DESK), self.listed(CLASSIC)), (uidls[1:], uidls))
        self.assertEqual(self.pump.answer(self.store.expire(JOE, Retention(), self.now)).messages, 0)
        self.assertIn("store.expire_failed", self.lines[-1])
        everything = Retention(0.0, 0.0)
        self.assertEqual(self.pump.answer(self.store.expire(JOE, everything, self.now + DAY)).messages, 3)
        self.pump.answer(self.store.forget_view(JOE, "laptop"))
        self.assertEqual(self.listed(LAPTOP), [])

    def damaged_with_mail_in_the_trash(self):
        """One message that both devices have deleted, and one that the desk alone has; the laptop's state is
        damaged since. Answers the UIDLs."""
        uidls = self.deliver_some(2)
        self.listed(LAPTOP)
        self.delete(DESK, 2)
        self.delete(LAPTOP)
        (self.views / "laptop").write_bytes(b"")
        return uidls

    def test_a_damaged_state_keeps_nobody_from_the_trash(self):
        uidls = self.damaged_with_mail_in_the_trash()
        self.assertEqual(self.pump.answer(self.store.undelete(JOE, uidls)), 1)
        self.assertIn("store.view_unreadable", self.lines[-1])
        self.assertIn("mailsuite.views/laptop", self.lines[-1])
        self.assertEqual((self.listed(CLASSIC), self.listed(DESK)), (uidls, uidls[:1]))

    def test_nor_from_the_login_that_restores(self):
        for view in (View(Box.RESTORE), View(Box.RESTORE, "desk")):
            uidls = self.damaged_with_mail_in_the_trash()
            maildrop = self.opened(view)
            self.assertEqual(self.pump.answer(maildrop.update([], maildrop.messages)), 0)
            self.pump.answer(maildrop.release())
            self.assertIn("store.view_unreadable", self.lines[-1])
            self.assertEqual(self.listed(DESK), uidls if view.device else uidls[:1])
            self.assertEqual(self.listed(CLASSIC), uidls)
            self.pump.answer(self.store.forget_view(JOE, "laptop"))
            self.pump.answer(self.store.expire(JOE, Retention(0.0, 0.0), self.now + DAY))
            self.pump.answer(self.store.purge(JOE, float("inf")))

    def test_what_came_back_stays_while_a_state_is_damaged(self):
        uidls = self.damaged_with_mail_in_the_trash()
        self.pump.answer(self.store.undelete(JOE, uidls))
        self.assertEqual(self.delete(DESK), 0)
        self.assertEqual(self.pump.answer(self.store.expire(JOE, Retention(), self.now)).messages, 0)
        self.assertEqual(self.listed(CLASSIC), uidls)

    def test_a_state_that_is_too_long(self):
        self.deliver_some()
        self.listed(DESK)
        self.patch(views_module, "MAX_STATE_OCTETS", 10)
        with self.assertRaises(TemporaryFailure):
            self.opened(DESK)

    def test_something_else_in_the_place_of_a_state(self):
        self.deliver_some()
        self.listed(LAPTOP)
        os.symlink("/etc/passwd", self.views / "desk")
        with self.assertRaises(TemporaryFailure):
            self.opened(DESK)
        (self.views / "desk").unlink()
        self.assertEqual(len(self.listed(DESK)), 3)

    def test_a_state_that_goes_while_all_are_read(self):
        self.deliver_some()
        for view in (DESK, LAPTOP):
            self.listed(view)
        self.patch(views_module.os, "listdir", lambda path: ["desk", "gone", "laptop"])
        self.assertEqual(self.delete(DESK), 0)
        self.assertEqual(self.lines, [])

    def test_a_maildir_removed_while_we_run_is_made_anew(self):
        for remove in (self.maildir(), self.views):
            self.deliver_some()
            self.listed(DESK)
            for path in sorted(remove.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            remove.rmdir()
            self.listed(DESK)
            self.assertIn("desk", os.listdir(self.views))


class StateTests(ViewCase):
    def test_names_that_are_no_text(self):
        for name in ("new", "cur"):
            (self.maildir() / name).mkdir(parents=True)
        raw = os.fsencode(self.maildir()) + b'/cur/1.\xff\n":2,S'
        for directory in (b'1.\xff\n":2,S', b"2." + b"y" * 90):
            with open(os.path.join(os.path.dirname(raw), directory), "wb") as file:
                file.write(b"\n")
        uidls = self.listed(DESK)
        self.listed(LAPTOP)
        self.delete(DESK, 2)
        self.assertEqual((self.listed(DESK), self.listed(LAPTOP)), ([], uidls))
        self.delete(LAPTOP, 2)
        self.assertEqual((self.visible(), len(self.pump.answer(self.store.deleted(JOE)))), ([], 2))

    def test_what_is_gone_is_forgotten_in_time(self):
        uidls = self.deliver_some(5)
        self.listed(LAPTOP)
        self.delete(DESK, 5)
        for path in self.visible()[:2]:
            path.unlink()
        expire = lambda: self.pump.answer(self.store.expire(JOE, Retention(), self.now))  # noqa: E731
        expire()
        self.assertEqual(set(self.state("desk")["deleted"]), set(uidls), "not yet: most of them are there")
        self.visible()[0].unlink()
        self.pump.answer(self.store.expire(JOE, Retention(), self.now, rehearse=True))
        self.assertEqual(len(self.state("desk")["deleted"]), 5)
        expire()
        self.assertEqual(set(self.state("desk")["deleted"]), set(uidls[3:]))
        self.assertEqual(self.listed(DESK), [])

    def test_what_is_in_the_trash_is_remembered(self):
        self.deliver_some(3)
        self.delete(DESK, 3)
        self.pump.answer(self.store.expire(JOE, Retention(), self.now))
        self.assertEqual(len(self.state("desk")["deleted"]), 3)
        self.pump.answer(self.store.purge(JOE, float("inf")))
        self.pump.answer(self.store.expire(JOE, Retention(), self.now))
        self.assertEqual(self.state("desk")["deleted"], {})

    def test_history_goes_by_the_file_where_its_name_says_nothing(self):
        (self.maildir() / "new").mkdir(parents=True)
        for name, days in (("old", 9), ("young", 7)):
            (self.maildir() / "new" / name).write_bytes(b"\n")
            os.utime(self.maildir() / "new" / name, (NOW, NOW - days * DAY))
        self.store.rules = MaildropRules(view_history=8 * DAY)
        self.assertEqual(self.listed(DESK), ["young"])
        self.assertEqual((self.views / "desk.passed").read_bytes(), b"old\n")

    def test_without_views_there_is_no_directory(self):
        self.deliver_some()
        self.delete(CLASSIC)
        self.pump.answer(self.store.undelete(JOE, []))
        self.pump.answer(self.store.forget_view(JOE, "desk"))
        self.pump.answer(self.store.expire(JOE, Retention(1.0, 1.0), self.now + DAY))
        self.assertEqual(self.pump.answer(self.store.views(JOE)), ())
        self.assertFalse(self.views.exists())


class PassedTests(ViewCase):
    """What a device was never shown stands in a file of its own."""

    LIST = tuple((operation, path.replace("/desk", "/desk.passed")) for operation, path in STATE)

    def setUp(self):
        super().setUp()
        self.store.rules = MaildropRules(view_history=8 * DAY)
        self.old = self.deliver_some(2)
        self.now += 9 * DAY
        self.new = self.deliver_some(1)[2:]

    def passed(self):
        return (self.views / "desk.passed").read_text().splitlines()

    def test_it_is_there_before_the_state_that_tells_of_it(self):
        self.listed(LAPTOP)
        self.files.done.clear()
        self.assertEqual(self.listed(DESK), self.new)
        self.assertEqual(self.files.done, [*self.LIST, *STATE])
        self.assertEqual(self.passed(), self.old)

    def test_a_dele_does_not_write_it_again(self):
        self.listed(LAPTOP)
        self.listed(DESK)
        self.files.done.clear()
        self.delete(DESK)
        self.now += 3601
        self.listed(DESK)
        self.assertEqual([entry for entry in self.files.done if "passed" in entry[1]], [])
        self.assertEqual((self.listed(DESK), self.passed()), ([], self.old))

    def test_a_failure_at_each_step_of_the_first_login(self):
        self.listed(LAPTOP)
        for number in range(len(self.LIST) + len(STATE)):
            self.files.fail(number, BAD_DISK)
            with self.assertRaises(TemporaryFailure):
                self.listed(DESK)
            self.assertEqual(self.listed(DESK), self.new, number)
            self.pump.answer(self.store.forget_view(JOE, "desk"))

    def test_one_that_comes_back_is_shown(self):
        self.listed(DESK)
        self.delete(CLASSIC, 2)
        first, second = self.old
        self.pump.answer(self.store.undelete(JOE, [second]))
        self.assertEqual((self.listed(DESK), self.passed()), ([second, *self.new], [first]))
        self.pump.answer(self.store.undelete(JOE, [first]))
        self.assertEqual(self.listed(DESK), self.old + self.new)
        self.assertFalse((self.views / "desk.passed").exists())

    def test_what_is_gone_is_let_go(self):
        self.listed(LAPTOP)
        self.listed(DESK)
        self.delete(DESK)
        for path in self.visible()[:2]:
            path.unlink()
        self.pump.answer(self.store.expire(JOE, Retention(), self.now))
        self.assertFalse((self.views / "desk.passed").exists())
        self.assertEqual(self.state("desk")["passed"], False)
        self.assertEqual(self.listed(DESK), [])

    def test_a_list_that_no_state_tells_of_is_not_looked_at(self):
        self.store.rules = MaildropRules()
        self.listed(LAPTOP)
        (self.views / "desk.passed").write_text("".join(f"{uidl}\n" for uidl in self.old))
        self.assertEqual(self.listed(DESK), self.old + self.new)

    def test_a_damaged_list_holds_everything(self):
        self.listed(DESK)
        self.listed(LAPTOP)
        for damage in (b"", self.old[0].encode(), None):
            (self.views / "desk.passed").unlink()
            if damage is not None:
                (self.views / "desk.passed").write_bytes(damage)
            with self.assertRaises(TemporaryFailure):
                self.listed(DESK)
        self.assertEqual(self.delete(LAPTOP), 0)
        self.assertIn("store.removal_postponed", self.lines[-1])
        self.assertEqual(self.listed(CLASSIC), self.old + self.new)


class LockTests(ViewCase):
    def test_a_forgotten_view_leaves_no_file(self):
        self.deliver_some()
        self.now += DAY
        self.store.rules = MaildropRules(view_history=1.0)
        for box in Box:
            self.listed(View(box, "desk"))
        self.assertIn("desk.passed", os.listdir(self.views))
        self.pump.answer(self.store.forget_view(JOE, "desk"))
        self.assertEqual([path.name for path in self.views.iterdir()], [".lock"])

    def test_a_view_in_use_keeps_its_lock(self):
        self.deliver_some()
        maildrop = self.opened(DESK)
        self.pump.answer(self.store.forget_view(JOE, "desk"))
        with self.assertRaises(MaildropInUse):
            self.opened(DESK)
        self.pump.answer(maildrop.release())
        self.opened(DESK)

    def test_a_lock_that_is_removed_between_opening_and_locking(self):
        self.deliver_some()
        path = self.maildir() / "mailsuite.lock"
        real = lock_module.fcntl.flock
        raced = []

        def flock(number, operation):
            if not raced:
                raced.append(path.unlink())
            real(number, operation)

        self.patch(lock_module.fcntl, "flock", flock)
        maildrop = self.opened(CLASSIC)
        with self.assertRaises(MaildropInUse):
            self.opened(CLASSIC)
        self.pump.answer(maildrop.release())
        self.patch(lock_module.fcntl, "flock", lambda number, operation: path.unlink())
        with self.assertRaises(MaildropInUse):
            self.opened(CLASSIC)

    def test_whoever_changes_a_state_waits_for_the_other(self):
        """Of two devices that quit at one moment, the later sees what the first has deleted."""
        uidls = self.deliver_some(1)
        for view in (DESK, LAPTOP):
            self.listed(view)
        pool = Pool(self.pump, "store", 4, 16)
        pool.start()
        self.addCleanup(pool.stop)
        self.files.hold = "replace"
        self.store = self.make_store(threads=pool)
        drops = [self.opened(view) for view in (DESK, LAPTOP)]
        updates = [self.pump.start(drop.update(drop.messages, [])) for drop in drops]
        self.assertTrue(self.files.held.wait(30))
        self.files.release()
        self.assertEqual([self.pump.result(update) for update in updates], [0, 0])
        self.assertEqual([one.uidl for one in self.pump.answer(self.store.deleted(JOE))], uidls)


class BesideTests(SynchronousTestCase):
    def test_what_is_remembered_is_bounded(self):
        class Counting(ReplacingFiles):
            made = 0

            def make_directory(self, path):
                self.made += 1

            def sync_directory(self, path):
                pass

        self.patch(beside_module, "MAX_KNOWN", 2)
        beside = Beside(Counting())
        for path in ("/a", "/b", "/a", "/c", "/c", "/a"):
            beside.ensure(path)
        self.assertEqual(beside.files.made, 4)
