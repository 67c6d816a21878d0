"""Deleted mail on the disk: names, foreign files, order of operations, failures of each."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.durable import files as files_module
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.retention import DAY, MaildropRules, Retention, Usage
from mailsuite.model.view import Box, View
from mailsuite.observe.log import Log
from mailsuite.store.maildir import trash as trash_module
from tests.store.maildirs import JOE, MESSAGE, MaildirCase
from tests.store.recording import RecordingFiles

NOW = 1_795_000_000.0
TRASH, RESTORE = View(Box.TRASH), View(Box.RESTORE)
BAD_DISK = OSError(errno.EIO, "Input/output error")
JOE_DIRECTORY = "mail/example.net/joe"
DELETED = JOE_DIRECTORY + "/mailsuite.deleted"


class TrashCase(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.lines = []
        self.now = NOW
        self.files = RecordingFiles(self.root)
        log = Log(lambda line, urgent: self.lines.append(line))
        self.store = self.maildir_store(self.files, log=log, clock=lambda: self.now)
        for name in ("tmp", "new", "cur"):
            (self.maildir() / name).mkdir(parents=True)

    @property
    def trash(self):
        return self.maildir() / "mailsuite.deleted"

    def in_trash(self):
        return sorted(str(path.relative_to(self.trash)) for path in self.trash.rglob("*") if path.is_file())

    def put(self, key, content=MESSAGE):
        (self.maildir() / key).write_bytes(content)

    def inbox(self):
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in self.visible()}

    def opened(self, view=View()):  # noqa: B008 - a frozen value
        maildrop = self.pump.answer(self.store.open_maildrop(JOE, view))
        self.addCleanup(lambda: self.pump.answer(maildrop.release()))
        return maildrop

    def update(self, view=View(), deleted=None, retrieved=()):  # noqa: B008
        """A session that deletes (all, unless told) and quits."""
        maildrop = self.opened(view)
        refs = maildrop.messages if deleted is None else deleted
        read = maildrop.messages if retrieved is None else retrieved
        try:
            return self.pump.answer(maildrop.update(refs, read))
        finally:
            self.pump.answer(maildrop.release())

    def listed(self, view=View()):  # noqa: B008
        maildrop = self.opened(view)
        self.pump.answer(maildrop.release())
        return maildrop.messages

    def restore(self):
        return self.update(RESTORE, [], None)


class NameTests(TrashCase):
    KEYS = (
        "new/1700000000.R1.host,S=26,W=26,D=0",
        "cur/1700000001.R2.host,S=26,W=26,D=0:2,FS",
        "cur/1700000002.M1P1.host:2,",
        "new/plain",
        "new/1795000000_looks-deleted",
        "new/3.ü",
        "cur/4.a b\nc:2,ST",
        "cur/5.odd:1,x",
    )

    def test_everything_comes_back_under_its_own_name(self):
        for number, key in enumerate(self.KEYS):
            self.put(key, b"%026d" % number)
        raw = os.fsencode(self.maildir()) + b"/new/6.\xff\xfe"
        with open(raw, "wb") as file:
            file.write(b"raw")
        before = self.inbox()
        uidls = [ref.uidl for ref in self.listed(RESTORE)]
        self.assertEqual(uidls, [])
        maildrop = self.opened()
        uidls = [ref.uidl for ref in maildrop.messages]
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 0)
        self.assertEqual(self.inbox(), {})
        self.assertIn(f"{int(NOW)}_1700000001.R2.host,S=26,W=26,D=0:2,FS", self.in_trash())
        self.pump.answer(maildrop.release())
        self.assertEqual([ref.uidl for ref in self.listed(TRASH)], uidls)
        deleted = self.pump.answer(self.store.deleted(JOE))
        self.assertEqual({one.uidl for one in deleted}, set(uidls))
        self.assertEqual(self.pump.answer(self.store.undelete(JOE, uidls)), len(uidls))
        self.assertEqual(self.inbox(), before)
        self.assertEqual(self.in_trash(), [])

    def test_a_name_with_no_room_for_the_time(self):
        keys = ["new/" + "x" * 250, "cur/" + "y" * 252 + ":2,"]
        for key in keys:
            self.put(key)
        before = self.inbox()
        self.assertEqual(self.update(), 0)
        self.assertEqual(len(self.in_trash()), 2)
        self.assertEqual(len(self.listed(TRASH)), 2)
        self.assertEqual(self.restore(), 0)
        self.assertEqual(self.inbox(), before)
        self.now += 1
        self.assertEqual(self.update(), 0)
        usage = self.pump.answer(self.store.usage(JOE))
        self.assertEqual(usage, Usage(0, 0, 2, 2 * len(MESSAGE)))
        self.assertEqual(self.pump.answer(self.store.purge(JOE, self.now + 1)), 2)
        self.assertEqual([path.name for path in self.trash.iterdir()], [f"{int(NOW)}_"], "only an empty one")
        self.put(keys[0])
        self.assertEqual(self.update(), 0)
        self.assertEqual(len(self.in_trash()), 1)

    def test_one_name_twice_in_one_second(self):
        for content in (b"one\r\n", b"two\r\n"):
            self.put("new/1.x", content)
            self.assertEqual(self.update(), 0)
        self.assertEqual(self.in_trash(), [f"{int(NOW)}_1.x", f"{int(NOW) + 1}_1.x"])
        (ref,) = self.listed(TRASH)
        self.assertEqual(ref.key, f"mailsuite.deleted/{int(NOW) + 1}_1.x", "the last is what comes back")
        self.assertEqual(self.update(TRASH), 0)
        self.assertEqual(self.in_trash(), [], "both are forgotten")

    def test_one_name_again_and_again_stays(self):
        for _ in range(4):
            self.put("new/1.x")
            self.assertEqual(self.update(), 0)
        self.put("new/1.x")
        self.assertEqual(self.update(), 1)
        self.assertEqual(list(self.inbox()), ["new/1.x"])
        self.assertIn("store.update_failed", self.lines[-1])

    def test_what_no_deletion_has_made_is_not_listed(self):
        self.trash.mkdir()
        for name in ("note", "_x", "12", f"{int(NOW)}_", "x_1.x", ".1_x"):
            (self.trash / name).write_bytes(b"x")
        (self.trash / f"{int(NOW)}_1.directory").mkdir()
        (self.trash / "y_").mkdir()
        (self.trash / "y_" / "1.x").write_bytes(b"x")
        os.symlink("/etc/passwd", self.trash / f"{int(NOW)}_1.link")
        os.mkfifo(self.trash / f"{int(NOW)}_1.fifo")
        self.assertEqual(self.listed(TRASH), ())
        self.assertEqual(self.pump.answer(self.store.purge(JOE, float("inf"))), 0)

    def test_a_copy_of_the_same_name_is_not_replaced(self):
        self.put("new/1.x", b"deleted\r\n")
        self.update()
        self.put("new/1.x", b"another\r\n")
        self.assertEqual(self.restore(), 1)
        self.assertEqual(self.pump.answer(self.store.undelete(JOE, ["1.x"])), 0)
        self.assertIn("store.undelete_failed", self.lines[-1])
        self.assertEqual(self.inbox(), {"new/1.x": b"another\r\n"})
        self.assertEqual(len(self.in_trash()), 1)

    def test_a_rename_by_link_that_stopped_in_the_middle(self):
        self.put("new/1.x")
        self.update()
        os.link(self.trash / self.in_trash()[0], self.maildir() / "new" / "1.x")
        self.assertEqual(self.restore(), 0)
        self.assertEqual((self.inbox(), self.in_trash()), ({"new/1.x": MESSAGE}, []))


class ForeignTests(TrashCase):
    def test_where_the_old_name_cannot_be_removed_nothing_is_deleted(self):
        """On a file system without exclusive renames (NFS)."""
        self.put("new/1.a")
        before = self.inbox()

        def refuse(path, real=os.unlink):
            if os.path.dirname(path).endswith("/new"):
                raise PermissionError(errno.EPERM, "Operation not permitted", path)
            real(path)

        self.patch(files_module, "_renameat2", None)
        self.patch(files_module.os, "unlink", refuse)
        self.assertEqual(self.update(), 1)
        self.assertEqual((self.inbox(), self.in_trash()), (before, []))

    def test_a_file_that_is_none_is_not_kept(self):
        self.put("new/1.x")
        maildrop = self.opened()
        (self.maildir() / "new" / "1.x").unlink()
        os.symlink("/etc/passwd", self.maildir() / "new" / "1.x")
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 0)
        self.assertEqual((self.in_trash(), os.path.exists("/etc/passwd")), ([], True))

    def test_what_another_program_has_renamed_is_found(self):
        self.put("new/1.x")
        maildrop = self.opened()
        (self.maildir() / "new" / "1.x").rename(self.maildir() / "cur" / "1.x:2,FS")
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 0)
        self.assertEqual(self.in_trash(), [f"{int(NOW)}_1.x:2,FS"])

    def test_a_trash_that_somebody_removed_while_we_ran(self):
        self.put("new/1.x")
        self.update()
        (self.trash / self.in_trash()[0]).unlink()
        self.trash.rmdir()
        self.put("new/2.x")
        self.assertEqual(self.update(), 0)
        self.assertEqual(self.in_trash(), [f"{int(NOW)}_2.x"])

    def test_no_room_for_a_trash(self):
        self.trash.write_bytes(b"something else")
        self.put("new/1.x")
        self.assertEqual(self.update(), 1)
        self.assertEqual(list(self.inbox()), ["new/1.x"])

    def test_a_full_disk_keeps_nobody_from_deleting(self):
        """Making the directory, or the rename into it, takes a block that is not there."""
        for number in range(2):
            self.put("new/1.x")
            self.files.fail(number, OSError(errno.ENOSPC, "No space left on device"))
            self.assertEqual(self.update(), 0)
            self.assertEqual((self.inbox(), self.in_trash()), ({}, []))
            self.assertIn(("sync_directory", JOE_DIRECTORY + "/new"), self.files.done)

    def test_a_full_disk_ends_no_stay_without_the_trash(self):
        self.put("new/1.x")
        self.files.fail(0, OSError(errno.ENOSPC, "No space left on device"))
        self.pump.answer(self.store.expire(JOE, Retention(unread=0.0), NOW + DAY))
        self.assertEqual(list(self.inbox()), ["new/1.x"])

    def test_deleted_files_that_cannot_be_read(self):
        self.put("new/1.x")
        self.put("new/2.x,S=26,W=26")
        self.update()

        def refuse(path):
            raise PermissionError(13, "Permission denied", path)

        self.patch(trash_module.Sizes, "of", lambda self, path, unique: refuse(path))
        self.assertEqual([ref.uidl for ref in self.listed(TRASH)], ["2.x"])
        self.assertIn("store.unreadable", self.lines[-1])
        self.assertEqual([one.uidl for one in self.pump.answer(self.store.deleted(JOE))], ["2.x"])

    def test_deleted_files_that_go_while_they_are_listed(self):
        self.put("new/1.x")
        self.update()
        self.patch(trash_module.Sizes, "of", lambda self, path, unique: os.stat(path + ".gone").st_size)
        self.assertEqual(self.listed(TRASH), ())
        self.assertEqual(self.lines, [])


class MarkTests(TrashCase):
    def retrieve_all(self):
        maildrop = self.opened()
        self.assertEqual(self.pump.answer(maildrop.update([], maildrop.messages)), 0)
        self.pump.answer(maildrop.release())
        return [ref.uidl for ref in maildrop.messages]

    def test_names(self):
        for before, after in (
            ("new/1.x", "cur/1.x:2,S"),
            ("new/1.x:2,F", "cur/1.x:2,FS"),
            ("cur/1.x", "cur/1.x:2,S"),
            ("cur/1.x:2,", "cur/1.x:2,S"),
            ("cur/1.x:2,FT", "cur/1.x:2,FST"),
            ("cur/1.x:2,Fab", "cur/1.x:2,FSab"),
            ("cur/1.x:2,S", "cur/1.x:2,S"),
            ("cur/1.x:1,odd", "cur/1.x:1,odd"),
            ("cur/1.x:2,F,odd", "cur/1.x:2,F,odd"),
            ("cur/" + "x" * 253, "cur/" + "x" * 253),
        ):
            self.put(before)
            uidls = self.retrieve_all()
            self.assertEqual(list(self.inbox()), [after])
            self.assertEqual([ref.uidl for ref in self.listed()], uidls)
            (self.maildir() / after).unlink()

    def test_it_needs_no_sync(self):
        self.put("new/1.x")
        self.files.done.clear()
        self.retrieve_all()
        self.assertEqual(self.files.done, [("move", JOE_DIRECTORY + "/new/1.x")])

    def test_it_is_no_error_where_it_fails(self):
        self.put("new/1.x")
        self.files.fail(0, BAD_DISK)
        self.retrieve_all()
        self.assertEqual(list(self.inbox()), ["new/1.x"])
        self.assertEqual(self.lines, [])

    def test_it_replaces_nothing(self):
        self.put("new/1.x")
        maildrop = self.opened()
        self.put("cur/1.x:2,S", b"another")
        self.assertEqual(self.pump.answer(maildrop.update([], maildrop.messages)), 0)
        self.assertEqual(self.inbox(), {"new/1.x": MESSAGE, "cur/1.x:2,S": b"another"})


class RetentionTests(TrashCase):
    def expire(self, days, read=None):
        retention = Retention((days if read is None else read) * DAY, days * DAY)
        return self.pump.answer(self.store.expire(JOE, retention, self.now)).messages

    def test_the_age_is_in_the_name_or_else_the_files_own(self):
        self.put(f"new/{int(NOW - 11 * DAY)}.old")
        self.put(f"cur/{int(NOW - 9 * DAY)}.young:2,S")
        self.put("new/foreign-old")
        self.put("new/12345.foreign-young")
        os.utime(self.maildir() / "new" / "foreign-old", (NOW, NOW - 11 * DAY))
        os.utime(self.maildir() / "new" / "12345.foreign-young", (NOW, NOW - 9 * DAY))
        for path in self.visible():
            if path.name[0] == "1" and "foreign" not in path.name:
                os.utime(path, (0, 0))
        self.assertEqual(self.expire(10), 2)
        self.assertEqual(len(self.inbox()), 2)
        self.assertTrue(all("young" in key for key in self.inbox()))

    def test_read_is_what_has_the_flag(self):
        for name in (
            "cur/1700000000.a:2,S",
            "cur/1700000000.b:2,F",
            "cur/1700000000.c",
            "new/1700000000.d:2,S",
        ):
            self.put(name)
        self.assertEqual(self.expire(10_000, read=1), 1)
        self.assertEqual(self.expire(1, read=10_000), 3)

    def test_what_cannot_be_removed_is_not_counted(self):
        for name in ("new/1700000000.a", "new/1700000000.b"):
            self.put(name)
        self.files.fail(2, BAD_DISK)
        self.assertEqual(self.expire(1), 1)
        self.assertEqual(len(self.inbox()), 1)
        self.assertIn("store.expire_failed", self.lines[-1])
        self.assertEqual(self.expire(1), 1)

    def test_it_is_durable_before_it_returns(self):
        self.put("new/1700000000.a")
        self.files.done.clear()
        self.expire(1)
        self.assertEqual(
            self.files.done[-2:], [("sync_directory", DELETED), ("sync_directory", JOE_DIRECTORY + "/new")]
        )

    def test_a_rehearsal_touches_nothing(self):
        self.put("new/1700000000.a")
        self.files.done.clear()
        usage = self.pump.answer(self.store.expire(JOE, Retention(0.0, 0.0), self.now, rehearse=True))
        self.assertEqual((usage, self.files.done), (Usage(1, len(MESSAGE)), []))

    def test_a_file_that_goes_while_we_look(self):
        self.put("new/foreign")
        real = os.stat

        def gone(path, **keywords):
            if str(path).endswith("foreign"):
                raise FileNotFoundError(errno.ENOENT, "gone", path)
            return real(path, **keywords)

        self.patch(os, "stat", gone)
        self.assertEqual(self.expire(0), 0)
        self.assertEqual(self.pump.answer(self.store.usage(JOE)), Usage(1, 0))

    def test_usage_goes_by_the_names(self):
        self.put("new/1.a,S=100,W=110", b"x")
        self.put("new/2.b,S=1000", b"x")
        self.put("new/3.c", b"12345")
        self.assertEqual(self.pump.answer(self.store.usage(JOE)), Usage(3, 1115))


class DurabilityTests(TrashCase):
    def test_what_comes_back_is_durable_before_it_returns(self):
        self.put("new/1.x")
        self.put("cur/2.x:2,S")
        self.update()
        for bring_back in (
            self.restore,
            lambda: self.pump.answer(self.store.undelete(JOE, ["1.x", "2.x"])),
        ):
            self.files.done.clear()
            bring_back()
            done = [entry for entry in self.files.done if entry[0] != "make_directory"]
            self.assertEqual(
                done[-5:],
                [
                    ("move", f"{DELETED}/{int(self.now)}_1.x"),
                    ("move", f"{DELETED}/{int(self.now)}_2.x:2,S"),
                    ("sync_directory", JOE_DIRECTORY + "/cur"),
                    ("sync_directory", JOE_DIRECTORY + "/new"),
                    ("sync_directory", DELETED),
                ],
            )
            self.now += 1
            self.update()

    def test_forgetting_is_durable_before_it_returns(self):
        self.put("new/1.x")
        for forget in (
            lambda: self.update(TRASH),
            lambda: self.pump.answer(self.store.purge(JOE, float("inf"))),
        ):
            self.put("new/1.x")
            self.update()
            self.files.done.clear()
            forget()
            self.assertEqual(
                self.files.done, [("unlink", f"{DELETED}/{int(NOW)}_1.x"), ("sync_directory", DELETED)]
            )

    def test_a_trash_that_another_process_made_is_synced_once(self):
        self.trash.mkdir()
        self.put("new/1.x")
        self.update()
        self.assertIn(("sync_directory", JOE_DIRECTORY), self.files.done)
        self.put("new/2.x")
        self.files.done.clear()
        self.update()
        self.assertEqual(
            self.files.done,
            [
                ("move", JOE_DIRECTORY + "/new/2.x"),
                ("sync_directory", DELETED),
                ("sync_directory", JOE_DIRECTORY + "/new"),
            ],
        )

    def test_each_failure_leaves_the_message_somewhere(self):
        """Whatever fails, a message is in the inbox or in the trash, whole; and the next attempt works."""
        for step in (self.update, self.restore):
            for number in range(5):
                self.put("new/1.x")
                if step == self.restore:
                    self.update()
                self.files.fail(number, BAD_DISK)
                try:
                    step()
                except TemporaryFailure as failure:
                    self.assertIn("Input/output error", failure.detail)
                self.files.countdown = None
                places = [*self.visible(), *(self.trash / name for name in self.in_trash())]
                self.assertEqual([path.read_bytes() for path in places], [MESSAGE], (step, number))
                self.pump.answer(self.store.undelete(JOE, ["1.x"]))
                self.assertEqual(self.inbox(), {"new/1.x": MESSAGE})
                (self.maildir() / "new" / "1.x").unlink()

    def test_what_cannot_be_forgotten_is_told(self):
        self.put("new/1.x")
        self.put("new/2.x")
        self.update()
        self.files.fail(0, BAD_DISK)
        self.assertEqual(self.update(TRASH), 1)
        self.assertIn("store.update_failed", self.lines[-1])
        self.files.fail(0, BAD_DISK)
        self.assertEqual(self.pump.answer(self.store.purge(JOE, float("inf"))), 0)
        self.assertIn("store.purge_failed", self.lines[-1])
        self.files.fail(1, BAD_DISK)
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(self.store.purge(JOE, float("inf")))

    def test_nothing_is_made_where_nothing_is_deleted(self):
        self.put("new/1.x")
        self.update(deleted=[])
        self.pump.answer(self.store.purge(JOE, 0))
        self.pump.answer(self.store.undelete(JOE, ["1.x"]))
        self.store.rules = MaildropRules(keep_deleted=0)
        self.update()
        self.assertFalse(self.trash.exists())
