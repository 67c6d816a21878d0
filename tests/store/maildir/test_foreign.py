"""What other programs put into a maildir, move and take: it never misleads, hangs or ends a session."""

import errno
import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from mailsuite.model.failure import MessageGone, TemporaryFailure
from mailsuite.observe.log import Log
from mailsuite.store.maildir import body as body_module
from mailsuite.store.maildir import inbox as inbox_module
from mailsuite.store.maildir import scan as scan_module
from mailsuite.store.maildir.names import UniqueNames
from mailsuite.store.maildir.scan import NotRegular, Sizes, locate, open_regular, scan
from tests.store.maildirs import JOE, MESSAGE, MaildirCase

LINE_ENDS = {
    "1.lf": (b"a: b\n\nbody\n", b"a: b\r\n\r\nbody\r\n"),
    "2.mixed": (b"a: b\r\n\nbody\r\n", b"a: b\r\n\r\nbody\r\n"),
    "3.no-end": (b"a: b\n\nbody", b"a: b\r\n\r\nbody\r\n"),
    "4.empty": (b"", b""),
    "5.bare-cr": (b"a\rb\n\r", b"a\rb\r\n\r\r\n"),
    "6.crlf": (b"a\r\n.\r\n", b"a\r\n.\r\n"),
    "7.one-lf": (b"\n", b"\r\n"),
    "8.large": (b"line\n" * 50_000, b"line\r\n" * 50_000),
    "9.nul": (b"\0\xff\n", b"\0\xff\r\n"),
}


class ForeignCase(MaildirCase, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.lines = []
        self.store = self.maildir_store(log=Log(lambda line, urgent: self.lines.append(line)))
        for name in ("tmp", "new", "cur"):
            (self.maildir() / name).mkdir(parents=True)
        self.new, self.cur = self.maildir() / "new", self.maildir() / "cur"

    def opened(self):
        maildrop = self.pump.answer(self.store.open_maildrop(JOE))
        self.addCleanup(lambda: self.pump.answer(maildrop.release()))
        return maildrop

    def content(self, maildrop, ref):
        body = self.pump.answer(maildrop.open(ref))
        self.addCleanup(body.close)
        chunks = []
        while chunk := self.pump.answer(body.read()):
            chunks.append(chunk)
        return b"".join(chunks)

    def uidls(self):
        return [ref.uidl for ref in self.opened().messages]


class LineEndTests(ForeignCase):
    def test_each_is_served_in_wire_form_with_its_exact_size(self):
        for name, (stored, _) in LINE_ENDS.items():
            (self.new / name).write_bytes(stored)
        maildrop = self.opened()
        self.assertEqual([ref.uidl for ref in maildrop.messages], list(LINE_ENDS))
        for ref, (_, wire) in zip(maildrop.messages, LINE_ENDS.values(), strict=True):
            self.assertEqual(ref.size, len(wire), ref)
            self.assertEqual(self.content(maildrop, ref), wire)
            self.assertEqual(self.pump.answer(maildrop.open(ref)).descriptor, -1)

    def test_dovecots_sizes_are_trusted(self):
        (self.cur / "1.M1P1.h,S=11,W=14:2,S").write_bytes(LINE_ENDS["1.lf"][0])
        (self.cur / "2.M1P1.h,S=10,W=12:2,S").write_bytes(LINE_ENDS["3.no-end"][0])
        maildrop = self.opened()
        self.assertEqual([ref.size for ref in maildrop.messages], [14, 12])
        self.assertEqual(self.content(maildrop, maildrop.messages[0]), LINE_ENDS["1.lf"][1])
        self.assertEqual(self.content(maildrop, maildrop.messages[1]), b"a: b\r\n\r\nbody")

    def test_a_name_without_w_is_measured(self):
        (self.cur / "1.M1P1.h,S=11:2,S").write_bytes(LINE_ENDS["1.lf"][0])
        (ref,) = self.opened().messages
        self.assertEqual(ref.size, 14)

    def test_a_name_that_says_the_wrong_size(self):
        for number, size in ((1, 5), (2, 500)):
            (self.cur / f"170000000{number}.M1P1.h,S={size},W={size}:2,S").write_bytes(b"0123456789")
        (self.cur / "1700000003.M1P1.h,S=10,W=30:2,S").write_bytes(b"0123456789")
        (self.cur / "1700000004.M1P1.h,S=10,W=10:2,S").write_bytes(b"0123456789")
        maildrop = self.opened()
        for ref in maildrop.messages[:2]:
            with self.assertRaises(TemporaryFailure):
                self.pump.answer(maildrop.open(ref))
        self.assertEqual(self.content(maildrop, maildrop.messages[2]), b"0123456789\r\n")
        self.assertEqual(self.content(maildrop, maildrop.messages[3]), b"0123456789")

    def test_a_file_that_ends_too_early_while_it_is_read(self):
        content = b"x" * 200_000
        path = self.cur / f"1700000001.M1P1.h,S={len(content)},W={len(content)}:2,S"
        path.write_bytes(content)
        maildrop = self.opened()
        body = self.pump.answer(maildrop.open(maildrop.messages[0]))
        self.pump.answer(body.read())
        os.truncate(path, 70_000)
        with self.assertRaises(TemporaryFailure):
            while self.pump.answer(body.read()):
                pass
        body.close()

    def test_a_measured_size_is_remembered_while_the_file_stays(self):
        path = self.new / "1.lf"
        path.write_bytes(b"a\nb\n")
        measured = []
        real = scan_module.measure
        self.addCleanup(setattr, scan_module, "measure", real)

        def counting(descriptor):
            measured.append(descriptor)
            return real(descriptor)

        scan_module.measure = counting
        sizes = Sizes()
        for _ in range(2):
            self.assertEqual(scan(str(self.maildir()), sizes).messages[0].size, 6)
        path = path.rename(self.cur / "1.lf:2,S")
        self.assertEqual(scan(str(self.maildir()), sizes).messages[0].size, 6)
        self.assertEqual(len(measured), 1)
        path.write_bytes(b"a\nb\nc\n")
        self.assertEqual(scan(str(self.maildir()), sizes).messages[0].size, 9)

    def test_remembered_sizes_are_bounded(self):
        limit = scan_module.MAX_CACHED_SIZES
        self.addCleanup(setattr, scan_module, "MAX_CACHED_SIZES", limit)
        scan_module.MAX_CACHED_SIZES = 3
        for number in range(5):
            (self.new / f"{number}.x").write_bytes(b"\n" * number)
        sizes = Sizes()
        self.assertEqual([ref.size for ref in scan(str(self.maildir()), sizes).messages], [0, 2, 4, 6, 8])
        self.assertEqual(len(sizes._known), 3)


class NameTests(ForeignCase):
    def test_uidls_of_foreign_names(self):
        (self.new / ("1." + "x" * 68)).write_bytes(b"1\n")
        (self.new / ("2." + "x" * 69)).write_bytes(b"2\n")
        (self.new / "3.a b").write_bytes(b"3\n")
        (self.new / "4.ü").write_bytes(b"4\n")
        with open(os.fsencode(self.new) + b"/5.\xff\xfe", "wb") as file:
            file.write(b"5\n")
        maildrop = self.opened()
        first, *hashed = [ref.uidl for ref in maildrop.messages]
        self.assertEqual(first, "1." + "x" * 68)
        for uidl in hashed:
            self.assertRegex(uidl, r"\A[0-9a-f]{40}\Z")
        self.assertEqual(len(set(hashed)), 4)
        for number, ref in enumerate(maildrop.messages, 1):
            self.assertEqual(self.content(maildrop, ref), b"%d\r\n" % number)
        self.pump.answer(maildrop.release())
        (self.new / "3.a b").rename(self.cur / "3.a b:2,FS")
        self.assertEqual(self.uidls(), [first, *hashed])

    def test_names_that_are_no_messages(self):
        for name in (".hidden", ",S=1,W=1", ":2,S"):
            (self.new / name).write_bytes(b"x")
        self.assertEqual(self.opened().messages, ())

    def test_a_file_in_new_and_in_cur_is_one_message(self):
        name = UniqueNames().fresh()
        (self.new / f"{name},S=2,W=2,D=0").write_bytes(b"\r\n")
        (self.cur / f"{name},S=2,W=2,D=0:2,S").write_bytes(b"\r\n")
        (self.new / "1.x").write_bytes(b"\n")
        (self.cur / "1.x:2,").write_bytes(b"\n")
        self.assertEqual(self.uidls(), ["1.x", name])

    def test_a_maildir_without_cur(self):
        self.cur.rmdir()
        (self.new / "1.x").write_bytes(b"\n")
        self.assertEqual(self.uidls(), ["1.x"])


class NoMessageTests(ForeignCase):
    def make_all(self, suffix=""):
        (self.root / "secret").write_bytes(b"not yours")
        os.symlink(self.root / "secret", self.new / f"1.link{suffix}")
        os.symlink("/nowhere", self.new / f"2.dangling{suffix}")
        os.mkfifo(self.new / f"3.fifo{suffix}")
        (self.new / f"4.directory{suffix}").mkdir()
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        here = os.open(self.new, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/5.socket{suffix}")
        os.close(here)
        os.symlink("/dev/zero", self.new / f"6.device{suffix}")

    def test_only_plain_files_are_listed(self):
        self.make_all()
        self.make_all(",S=9,W=9")
        (self.new / "7.good").write_bytes(b"good\n")
        self.assertEqual(self.uidls(), ["7.good"])

    def test_a_plain_file_replaced_in_the_session(self):
        names = [
            f"{n}.{kind}" for n, kind in enumerate(("link", "dangling", "fifo", "directory", "socket"), 1)
        ]
        for name in names:
            (self.new / f"{name},S=9,W=9").write_bytes(b"123456789")
        maildrop = self.opened()
        for name in names:
            (self.new / f"{name},S=9,W=9").unlink()
        self.make_all(",S=9,W=9")
        for ref in maildrop.messages:
            with self.assertRaises(MessageGone):
                self.pump.answer(maildrop.open(ref))

    def test_a_plain_file_replaced_while_it_is_listed(self):
        self.make_all()
        for path in self.new.iterdir():
            with self.assertRaises(NotRegular):
                open_regular(str(path))
        with self.assertRaises(FileNotFoundError):
            open_regular(str(self.new / "none"))

    def test_a_directory_cannot_be_expunged(self):
        (self.new / "1.x").write_bytes(b"\n")
        (self.new / "2.x").write_bytes(b"\n")
        maildrop = self.opened()
        (self.new / "1.x").unlink()
        (self.new / "1.x").mkdir()
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 1)
        self.assertEqual([path.name for path in self.visible()], ["1.x"])

    def test_unreadable_files_do_not_hide_the_others(self):
        """Without a size in the name there is nothing true to list; with one, RETR says what is wrong."""
        sized = f"{UniqueNames().fresh()},S=9,W=9,D=0"
        for name in ("1.x", sized, "2.x"):
            (self.new / name).write_bytes(b"12345678\n")
        refused = {str(self.new / "1.x"), str(self.new / sized)}
        real = os.open

        def refusing(path, *arguments, **keywords):
            if path in refused:
                raise PermissionError(13, "Permission denied", path)
            return real(path, *arguments, **keywords)

        def not_now(path):
            raise BlockingIOError(errno.EAGAIN, "not in memory", path)

        self.patch(scan_module.os, "open", refusing)
        self.patch(body_module, "open_regular_cached", not_now)
        maildrop = self.opened()
        self.assertEqual([ref.uidl for ref in maildrop.messages], ["2.x", sized.partition(",")[0]])
        self.assertEqual(self.content(maildrop, maildrop.messages[0]), b"12345678\r\n")
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(maildrop.open(maildrop.messages[1]))
        self.assertIn("store.unreadable", self.lines[0])


class OtherProgramTests(ForeignCase):
    def setUp(self):
        super().setUp()
        for _ in range(3):
            self.deliver(self.store, self.written(self.store))

    def flag_all(self, flags):
        for path in self.visible():
            path.rename(self.cur / f"{path.name.partition(':')[0]}:2,{flags}")

    def test_renamed_files_are_found_again(self):
        maildrop = self.opened()
        uidls = [ref.uidl for ref in maildrop.messages]
        self.flag_all("")
        self.assertEqual(self.content(maildrop, maildrop.messages[0]), MESSAGE)
        self.flag_all("S")
        self.assertEqual(self.content(maildrop, maildrop.messages[1]), MESSAGE)
        self.flag_all("FS")
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages[:2], [])), 0)
        self.assertEqual(len(self.visible()), 1)
        self.pump.answer(maildrop.release())
        self.assertEqual(self.uidls(), uidls[2:])

    def test_many_renamed_files_cost_one_look(self):
        maildrop = self.opened()
        self.flag_all("S")
        looks = self.count_looks()
        for ref in maildrop.messages:
            self.assertEqual(self.content(maildrop, ref), MESSAGE)
        self.assertEqual(len(looks), 1)

    def test_many_files_that_are_gone_cost_an_expunge_one_look(self):
        """A listing for each took hours where somebody had emptied a large maildrop by another way."""
        maildrop = self.opened()
        for path in self.visible():
            path.unlink()
        looks = self.count_looks()
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 0)
        self.assertEqual(len(looks), 1)

    def test_an_expunge_that_cannot_look_for_what_is_missing(self):
        maildrop = self.opened()
        (self.visible()[0]).unlink()

        def fail(maildir):
            raise OSError(5, "Input/output error", maildir)

        self.patch(inbox_module, "locate", fail)
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 1)
        self.assertEqual(self.visible(), [])

    def count_looks(self):
        looks = []

        def counting(maildir):
            looks.append(maildir)
            return locate(maildir)

        self.patch(inbox_module, "locate", counting)
        return looks

    def test_a_file_that_is_gone_is_gone_alone(self):
        maildrop = self.opened()
        self.visible()[1].unlink()
        with self.assertRaises(MessageGone):
            self.pump.answer(maildrop.open(maildrop.messages[1]))
        self.assertEqual(self.content(maildrop, maildrop.messages[2]), MESSAGE)
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages, [])), 0)
        self.assertEqual(self.visible(), [])

    def test_a_file_that_is_renamed_after_each_look(self):
        maildrop = self.opened()
        looks = []

        def outrun(maildir):
            places = locate(maildir)
            looks.append(places)
            self.flag_all("S" * len(looks))
            return places

        self.flag_all("")
        self.patch(inbox_module, "locate", outrun)
        with self.assertRaises(TemporaryFailure):
            self.pump.answer(maildrop.open(maildrop.messages[0]))
        self.assertEqual(len(looks), 4)
        self.assertEqual(self.pump.answer(maildrop.update(maildrop.messages[:1], [])), 1)
        self.assertEqual(len(self.visible()), 3)

    def test_a_rename_while_cur_is_listed(self):
        """The file's new name falls behind the place where the listing is."""
        self.flag_all("S")
        everything = set(locate(str(self.maildir())))
        real = scan_module._regular_files
        rounds = []

        def missing_one(maildir, prefix):
            entries = list(real(maildir, prefix))
            if prefix == "cur/":
                rounds.append(prefix)
                if len(rounds) == 1:
                    hidden = entries.pop()
                    os.rename(self.cur / hidden[1], self.cur / (hidden[1] + "T"))
            return iter(entries)

        self.patch(scan_module, "_regular_files", missing_one)
        self.assertEqual(set(locate(str(self.maildir()))), everything)
        self.assertEqual(len(rounds), 2)
