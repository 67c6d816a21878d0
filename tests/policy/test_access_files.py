"""Lists in files: what is read, what is refused, and what a change does to the lists in force."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import INTERVAL, FileWatch
from mailsuite.model.access import parse_entry
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.observe.log import Log
from mailsuite.policy import list_files
from mailsuite.policy.access import AccessPolicy, AccessRules
from mailsuite.policy.access_files import AccessError, AccessLists, prepared, read_file
from tests.directory.folders import FolderCase

T = TypeVar("T")
BAD = ip_address("192.0.2.7")
WORSE = ip_address("198.51.100.1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "refused.list"


def rules(*files: Path, name: str = "pop3.access", policy: AccessPolicy = "allow-all-except") -> AccessRules:
    return AccessRules(name, policy, (parse_entry("203.0.113.1"),), files)


def test_remarks_blank_lines_and_line_ends(file: Path) -> None:
    file.write_bytes(
        b"\xef\xbb\xbf# kept by another program: \xff\xfe\n\n192.0.2.7 # a remark\r\n"
        b"   \n\tallow 2001:db8::/32\n198.51.100.1"
    )
    read = read_file(file)
    assert [entry.text for entry in read.entries] == ["192.0.2.7", "allow 2001:db8::/32", "198.51.100.1"]
    assert [read.place(index) for index in range(3)] == [f"{file} line {line}" for line in (3, 5, 6)]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (
            b"192.0.2.7\n192.0.2.1/24\n",
            ":2: 192.0.2.1/24 has host bits set; 192.0.2.0/24 is meant, or 192.0.2.1",
        ),
        (b"x\n192.0.2.7\ny\n\nz", ":1: 'x' is no IP address (and 2 more lines are wrong)"),
        (b"caf\xe9\n", r":1: 'caf\\xe9' is no IP address"),
        (b"192.0.2.7\x0b192.0.2.8\n", r":1: '192.0.2.7\x0b192.0.2.8' is no IP address"),
    ],
)
def test_a_wrong_line_is_named(file: Path, octets: bytes, words: str) -> None:
    file.write_bytes(octets)
    with pytest.raises(AccessError) as caught:
        read_file(file)
    assert str(caught.value) == f"{file}{words}"


def test_what_is_no_file_is_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessError, match=f"^{file}: cannot be read: No such file or directory$"):
        read_file(file)
    with pytest.raises(AccessError, match=f"^{tmp_path}: is no regular file$"):
        read_file(tmp_path)
    os.mkfifo(file)
    with pytest.raises(AccessError, match=f"^{file}: is no regular file$"):
        read_file(file)
    file.unlink()
    file.write_text("192.0.2.7\n")
    monkeypatch.setattr(list_files, "MAX_FILE_OCTETS", 10)
    read_file(file)
    monkeypatch.setattr(list_files, "MAX_FILE_OCTETS", 9)
    with pytest.raises(AccessError, match="has more than the 9 octets"):
        read_file(file)


def test_the_list_comes_before_the_files_and_each_place_is_named(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.list"
    file.write_text("# first\n192.0.2.7\n203.0.113.1\n")
    other.write_text("192.0.2.7\n198.51.100.1\n")
    decide = prepared({"pop3s": rules(file, other)}).lists["pop3s"].decide
    assert decide(ip_address("203.0.113.1")).place == "pop3.access.list, entry 1"
    assert decide(BAD).place == f"{file} line 2"
    assert decide(WORSE).place == f"{other} line 2"


def test_the_same_rules_make_one_list(file: Path) -> None:
    file.write_text("")
    lists = prepared({"a": rules(file), "b": rules(file), "c": rules(file, name="listener.c.access")}).lists
    assert lists["a"] is lists["b"]
    assert lists["a"] is not lists["c"]


class Threads(Inline):
    """Fails where the test wants it to, and calls *between* before each piece of work."""

    def __init__(self) -> None:
        self.full = False
        self.between: Callable[[], None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        if self.full:
            raise TemporaryFailure(OVERLOADED, "full")
        if self.between is not None:
            then, self.between = self.between, None
            then()
        return work()


class InForce(FolderCase, SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.threads = Threads()
        self.watch = FileWatch(Inline(), self.clock, log)
        self.lists = AccessLists(self.threads, self.watch, log)
        self.watch.start()
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(self.watch.stop())))
        self.file, self.other = self.folder / "refused.list", self.folder / "other.list"
        self.file.write_text("192.0.2.7\n")
        self.other.write_text("")

    def use(self, **wanted: AccessRules) -> None:
        self.lists.turn(self.successResultOf(Deferred.fromCoroutine(self.lists.prepare(wanted))))

    def change(self, file: Path, text: str) -> None:
        """Then the watch looks twice: it has changed, and stands still."""
        file.write_text(text)
        self.look(2)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(INTERVAL)

    def refused(self, listener: str = "pop3s") -> list[bool]:
        return [not self.lists.decide(listener, address).allowed for address in (BAD, WORSE)]

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if event in line]

    def test_nothing_holds_before_it_is_turned_to(self) -> None:
        self.assertRaises(KeyError, self.lists.decide, "pop3s", BAD)
        self.use(pop3s=rules(self.file))
        self.assertEqual(self.refused(), [True, False])
        self.assertRaises(KeyError, self.lists.decide, "mx", BAD)

    def test_a_file_that_changes_holds_from_then_on(self) -> None:
        self.use(pop3s=rules(self.file), pop3=rules(self.file), mx=rules(name="smtp.access"))
        before = self.lists.lists["mx"]
        self.change(self.file, "198.51.100.1 # instead\n198.51.100.2\n")
        self.assertEqual((self.refused(), self.refused("pop3")), ([False, True], [False, True]))
        self.assertIs(self.lists.lists["mx"], before)
        self.assertIn(f"access.file_read file={self.file} entries=2", self.logged("file_read")[0])
        self.look(5)
        self.assertEqual(len(self.logged("file_read")), 1)

    def test_a_list_is_not_believed_while_it_is_written(self) -> None:
        """In place, and slowly: a list of those who may come in would keep out the rest."""
        self.use(pop3s=rules(self.file))
        with self.file.open("w") as file:
            for number in range(20):
                file.write(f"203.0.113.{number}\n" * 10_000)
                self.look()
                self.assertEqual(self.refused(), [True, False])
            file.write("198.51.100.1\n")
        self.look()
        self.assertEqual((self.refused(), self.logged("access.file")), ([True, False], []))
        self.look()
        self.assertEqual((self.refused(), len(self.logged("file_read"))), ([False, True], 1))
        self.look(5)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1, "the watch's own")

    def test_a_file_that_is_gone_is_told_of_at_once(self) -> None:
        self.use(pop3s=rules(self.file))
        self.file.write_text("198.51.100.1\n")
        self.look()
        self.file.unlink()
        self.look()
        self.assertIn("No such file", self.logged("access.file_kept")[0])
        self.look(5)
        self.assertEqual(len(self.logged("access.")), 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1, "the watch's own")

    def test_who_is_told_twice_waits_once(self) -> None:
        self.use(pop3s=rules(self.file))
        self.file.write_text("198.51.100.1\n")
        self.look()
        self.clock.advance(INTERVAL / 2)
        self.successResultOf(Deferred.fromCoroutine(self.lists._changed(self.file)))
        self.assertEqual(self.refused(), [True, False])
        self.clock.advance(INTERVAL / 2)
        self.assertEqual((self.refused(), len(self.logged("file_read"))), ([False, True], 1))

    def test_a_reload_reads_what_moves(self) -> None:
        self.use(pop3s=rules(self.file))
        self.file.write_text("198.51.100.1\n")
        self.look()
        self.use(pop3s=rules(self.file))
        self.assertEqual(self.refused(), [False, True])
        self.look(5)
        self.assertEqual(self.logged("access.file"), [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1, "the watch's own")

    def test_while_it_is_broken_or_missing_what_it_said_last_holds(self) -> None:
        self.use(pop3s=rules(self.file))
        self.change(self.file, "198.51.100.1\nnonsense\n")
        self.assertEqual(self.refused(), [True, False])
        self.file.unlink()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.refused(), [True, False])
        broken, missing = self.logged("access.file_kept")
        self.assertIn(f"{self.file}:2: 'nonsense' is no IP address", broken)
        self.assertIn("No such file", missing)
        self.change(self.file, "198.51.100.1\n")
        self.assertEqual(self.refused(), [False, True])

    def test_a_reload_that_cannot_read_changes_nothing(self) -> None:
        self.use(pop3s=rules(self.file))
        self.file.unlink()
        preparing = Deferred.fromCoroutine(self.lists.prepare({"pop3s": rules(self.file)}))
        self.failureResultOf(preparing, AccessError)
        self.assertEqual(self.refused(), [True, False])

    def test_what_changes_while_a_reload_prepares_is_seen(self) -> None:
        ready = self.successResultOf(Deferred.fromCoroutine(self.lists.prepare({"pop3s": rules(self.file)})))
        self.file.write_text("198.51.100.1\n")
        self.lists.turn(ready)
        self.look()
        self.assertEqual(self.refused(), [False, True])

    def test_a_file_that_nobody_names_any_more_is_not_read(self) -> None:
        self.use(pop3s=rules(self.file))
        self.use(pop3s=rules(self.other))
        self.change(self.file, "198.51.100.1\n")
        self.assertEqual((self.refused(), self.logged("access.")), ([False, False], []))

    def test_a_reload_that_drops_the_file_while_it_is_looked_at(self) -> None:
        self.use(pop3s=rules(self.file))
        self.threads.between = lambda: self.use(pop3s=rules(self.other))
        self.change(self.file, "198.51.100.1\n")
        self.assertEqual((self.refused(), self.logged("access.")), ([False, False], []))

    def test_a_reload_that_drops_the_file_while_it_is_read(self) -> None:
        self.use(pop3s=rules(self.file))
        self.file.write_text("198.51.100.1\n")
        self.look()

        def before_reading() -> None:
            self.threads.between = lambda: self.use(pop3s=rules(self.other))

        self.threads.between = before_reading
        self.look()
        self.assertEqual((self.refused(), self.logged("access.")), ([False, False], []))

    def test_two_files_that_change_together_both_hold(self) -> None:
        self.use(pop3s=rules(self.file, self.other))
        self.file.write_text("")
        self.other.write_text("198.51.100.1\n")
        self.look(2)
        self.assertEqual(self.refused(), [False, True])

    def test_what_was_compiled_from_old_contents_is_not_used(self) -> None:
        """The other file is read while the list with the first one is compiled."""
        self.use(pop3s=rules(self.file, self.other))
        again = Deferred.fromCoroutine

        def meanwhile() -> None:
            self.other.write_text("198.51.100.1\n")
            self.successResultOf(again(self.lists._read_again(self.other)))

        def before_compiling() -> None:
            self.threads.between = meanwhile

        self.threads.between = before_compiling
        self.file.write_text("")
        self.successResultOf(again(self.lists._read_again(self.file)))
        self.assertEqual(self.refused(), [False, True])

    def test_where_no_thread_is_free_it_is_read_later(self) -> None:
        self.use(pop3s=rules(self.file))
        self.threads.full = True
        self.change(self.file, "198.51.100.1\n")
        self.assertEqual(self.refused(), [True, False])
        self.assertIn("reason=full", self.logged("access.file_delayed")[0])
        self.threads.full = False
        self.look(2)
        self.assertEqual(self.refused(), [False, True])

    def test_where_no_thread_is_free_and_nobody_names_it_any_more(self) -> None:
        self.use(pop3s=rules(self.file))
        self.use(pop3s=rules(self.other))
        self.threads.full = True
        self.successResultOf(Deferred.fromCoroutine(self.lists._changed(self.file)))
        self.threads.full = False
        self.clock.advance(INTERVAL)
        self.assertEqual(self.logged("file_read"), [])
        self.assertEqual(self.watch._watched.keys(), {("access", self.other)})
