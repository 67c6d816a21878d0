"""Lists of senders in files: what is read, what is refused, and what a change does to the list in force."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import INTERVAL, FileWatch
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import OVERLOADED
from mailsuite.model.sender_list import parse_sender
from mailsuite.observe.log import Log
from mailsuite.policy import list_files
from mailsuite.policy.sender_files import (
    MAX_FORMER,
    SenderListError,
    SenderLists,
    prepared,
    read_sender_file,
)
from mailsuite.policy.sender_lists import SenderRules
from tests.directory.folders import FolderCase
from tests.policy.asking import ANN, EVE

T = TypeVar("T")
COMPILING = 4
"""Which piece of work it is: a changed file is looked at twice, and read."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kill.list"


def test_remarks_blank_lines_and_line_ends(file: Path) -> None:
    file.write_bytes(
        b"\xef\xbb\xbf# \xff\xfe\n\neve@example.org # a remark\r\n \t\n*.example.com\nb\xc3\xbc.example"
    )
    assert [entry.text for entry in read_sender_file(file).entries] == [
        "eve@example.org",
        "*.example.com",
        "b\xfc.example",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("example.org\nexample\n", ":2: a domain with a dot in it is meant"),
        ("a b\n", ":1: the domain has a label that is no host name"),
        ("\n\neve@@example.org\n", ":3: the part before the @ has a character that needs quoting"),
    ],
)
def test_a_wrong_line_is_named(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(SenderListError) as caught:
        read_sender_file(file)
    assert str(caught.value) == f"{file}{words}"


def test_what_is_no_file_is_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SenderListError, match="cannot be read: No such file or directory"):
        read_sender_file(file)
    with pytest.raises(SenderListError, match="is no regular file"):
        read_sender_file(tmp_path)
    os.mkfifo(file)
    with pytest.raises(SenderListError, match="is no regular file"):
        read_sender_file(file)
    file.unlink()
    file.write_text("example.org\n")
    monkeypatch.setattr(list_files, "MAX_FILE_OCTETS", 5)
    with pytest.raises(SenderListError, match="more than the 5 octets"):
        read_sender_file(file)


def test_one_wrong_file_spoils_all(file: Path) -> None:
    with pytest.raises(SenderListError):
        prepared([SenderRules(), SenderRules(block_files=(file,))])


class SenderListsTests(FolderCase, SynchronousTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock, self.lines = Clock(), list[str]()
        self.threads = Inline()
        log = Log(lambda line, urgent: self.lines.append(line))
        self.watch = FileWatch(self.threads, self.clock, log)
        self.lists = SenderLists(self.threads, self.watch, log)
        self.file, self.other = self.folder / "kill.list", self.folder / "accept.list"
        self.file.write_text("eve@example.org\n")
        self.other.write_text("")
        self.rules = SenderRules((parse_sender("bad.example"),), (self.file,), (), (self.other,))
        self.watch.start()

    def tearDown(self) -> None:
        self.now(self.watch.stop())

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def turn(self, *rules: SenderRules) -> None:
        self.lists.turn(self.now(self.lists.prepare(rules)))

    def refused(self) -> tuple[bool, bool]:
        found = self.lists.list_of(self.rules)
        return bool(found.blocks(EVE)), bool(found.blocks(ANN))

    def write(self, file: Path, text: str) -> None:
        file.with_suffix(".new").write_text(text)
        os.replace(file.with_suffix(".new"), file)
        self.look()

    def look(self, times: int = 2) -> None:
        """The watch does: a file has changed, and stands still."""
        for _ in range(times):
            self.clock.advance(INTERVAL)

    def test_a_change_counts_without_a_reload(self) -> None:
        self.turn(self.rules)
        self.assertEqual(self.refused(), (True, False))
        self.write(self.file, "example.net\n")
        self.assertEqual(self.refused(), (False, True))
        self.assertIn("senders.file_read", self.lines[-1])
        self.write(self.other, "ann@example.net\n")
        self.assertEqual(self.refused(), (False, False))

    def test_a_broken_or_missing_file_changes_nothing(self) -> None:
        self.turn(self.rules)
        self.write(self.file, "???\n")
        self.assertEqual(self.refused(), (True, False))
        self.assertIn("senders.file_kept", self.lines[-1])
        self.file.unlink()
        self.look()
        self.assertEqual(self.refused(), (True, False))

    def test_a_reload_takes_files_away(self) -> None:
        self.turn(self.rules)
        self.turn(SenderRules())
        self.write(self.file, "example.net\n")
        self.assertEqual(self.refused(), (True, False), "nobody reads it any more")
        self.assertEqual(self.lines, [])

    def test_a_reload_that_fails_changes_nothing(self) -> None:
        self.turn(self.rules)
        missing = Deferred.fromCoroutine(
            self.lists.prepare([SenderRules(block_files=(self.folder / "missing",))])
        )
        self.failureResultOf(missing, SenderListError)
        self.assertEqual(self.refused(), (True, False))

    def test_half_of_a_list_is_not_read(self) -> None:
        self.turn(self.rules)
        for text in ("exam", "example", "example.net\n"):
            self.file.write_text(text)
            self.look(1)
            self.assertEqual(self.refused(), (True, False))
        self.look(1)
        self.assertEqual(self.refused(), (False, True))
        self.assertEqual([line.split()[2] for line in self.lines], ["senders.file_read"])

    def test_a_session_that_outlives_a_reload_goes_by_its_own_list(self) -> None:
        self.turn(self.rules)
        self.turn(SenderRules())
        self.assertEqual(self.refused(), (True, False))
        self.file.write_text("example.net\n")
        self.look()
        self.assertEqual(self.refused(), (True, False), "as it was then")
        self.turn(self.rules)
        self.assertEqual(self.refused(), (False, True))

    def test_lists_that_are_in_force_no_more_are_not_kept_for_ever(self) -> None:
        self.turn(self.rules)
        for number in range(MAX_FORMER):
            self.turn(SenderRules((parse_sender(f"n{number}.example"),)))
            self.assertEqual(self.refused(), (True, False))
        self.turn(SenderRules())
        self.assertEqual(self.refused(), (False, False))
        self.assertTrue(self.lists.list_of(self.rules).blocks(parse_sender_address("x@bad.example")))

    def test_rules_that_are_not_in_force_are_what_the_settings_say(self) -> None:
        found = self.lists.list_of(self.rules)
        self.assertFalse(found.blocks(EVE))
        self.assertTrue(found.blocks(parse_sender_address("x@bad.example")))

    def test_threads_that_are_busy_are_asked_again(self) -> None:
        self.turn(self.rules)
        self.lists.threads = Busy(1)
        self.write(self.file, "example.net\n")
        self.assertEqual(self.refused(), (True, False))
        self.assertIn("senders.file_delayed", self.lines[-1])
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.refused(), (False, True))

    def test_a_file_that_went_meanwhile_is_not_asked_again(self) -> None:
        self.turn(self.rules)
        self.lists.threads = Busy(1)
        self.file.write_text("example.net\n")
        self.look(1)
        self.lists.threads = self.threads
        self.turn(SenderRules())
        self.look()
        self.assertEqual(len(self.lines), 1)

    def test_a_reload_between_reading_and_compiling_counts(self) -> None:
        self.turn(self.rules)
        wanted = self.now(self.lists.prepare([self.rules]))
        self.lists.threads = Meanwhile(COMPILING, lambda: self.lists.turn(wanted))
        self.write(self.file, "example.net\n")
        self.assertEqual(self.refused(), (False, True))

    def test_a_reload_that_takes_the_file_meanwhile_counts(self) -> None:
        self.turn(self.rules)
        wanted = self.now(self.lists.prepare([SenderRules()]))
        self.lists.threads = Meanwhile(COMPILING, lambda: self.lists.turn(wanted))
        self.write(self.file, "example.net\n")
        self.assertEqual(self.refused(), (True, False), "as it was when the reload came")
        self.assertEqual(self.lines, [])


class Busy(Inline):
    """Has no room so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def run(self, call: Any, *arguments: Any) -> Any:
        if self.times:
            self.times -= 1
            raise TemporaryFailure(OVERLOADED, "too much to do")
        return await super().run(call, *arguments)


class Meanwhile(Inline):
    """Something happens while the nth call is under way."""

    def __init__(self, number: int, what: Any) -> None:
        self.number, self.what = number, what

    async def run(self, call: Any, *arguments: Any) -> Any:
        self.number -= 1
        if not self.number:
            self.what()
        return await super().run(call, *arguments)


def parse_sender_address(text: str) -> Any:
    return type(EVE).parse(text)


def test_what_was_prepared_answers_itself(tmp_path: Path) -> None:
    """For who asks once, and keeps nothing."""
    file = tmp_path / "kill.list"
    file.write_text("eve@example.org\n")
    rules = SenderRules(block_files=(file,))
    assert prepared([rules]).list_of(rules).blocks(EVE)
