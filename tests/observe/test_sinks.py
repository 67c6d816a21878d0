"""When lines are written, where, and what happens where they cannot be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python import log as legacy
from twisted.python.failure import Failure

from mailsuite.observe.log import Log
from mailsuite.observe.sinks import (
    FLUSH_SECONDS,
    MAX_WAITING_LINES,
    STANDARD_ERROR,
    Stream,
    Target,
    TwistedObserver,
)


class World:
    """A stream into a file."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.file = directory / "mail.log"
        self.stream = Stream(self.clock.callLater, Target.open(str(self.file)))

    @property
    def written(self) -> list[str]:
        return self.file.read_text("utf-8").splitlines()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    built = World(tmp_path)
    yield built
    built.stream.close()


def test_ordinary_lines_are_written_together(world: World) -> None:
    world.stream("one", "info")
    world.clock.advance(FLUSH_SECONDS / 2)
    world.stream("two", "debug")
    assert world.written == []
    world.clock.advance(FLUSH_SECONDS / 2)
    assert world.written == ["one", "two"]
    assert world.clock.getDelayedCalls() == []


@pytest.mark.parametrize("level", ["warning", "error"])
def test_an_urgent_line_is_written_at_once_behind_those_before(world: World, level: str) -> None:
    world.stream("one", "info")
    world.stream("two", level)
    assert world.written == ["one", "two"]


def test_one_timer_at_a_time(world: World) -> None:
    for _ in range(100):
        world.stream("ordinary", "info")
        world.stream("urgent", "error")
    assert len(world.clock.getDelayedCalls()) == 1
    world.clock.advance(FLUSH_SECONDS)
    world.stream("later", "info")
    world.clock.advance(FLUSH_SECONDS)
    assert world.written[-1] == "later"


def test_many_lines_do_not_wait_for_the_clock(world: World) -> None:
    for number in range(MAX_WAITING_LINES):
        world.stream(str(number), "info")
    assert len(world.written) == MAX_WAITING_LINES


def test_a_close_writes_what_waits(world: World) -> None:
    world.stream("last", "info")
    world.stream.close()
    assert world.written == ["last"]
    assert world.stream.target == Target()


def test_what_is_no_utf_8_is_escaped(world: World) -> None:
    world.stream("grüße \ud800", "error")
    assert world.file.read_bytes() == "grüße \\ud800\n".encode()


def test_rotation(world: World, tmp_path: Path) -> None:
    world.stream("before", "info")
    world.file.rename(tmp_path / "mail.log.1")
    world.stream("between", "info")
    world.stream.turn(Target.open(str(world.file)))
    world.stream("after", "error")
    assert (tmp_path / "mail.log.1").read_text() == "before\nbetween\n"
    assert world.written == ["after"]


def test_the_old_descriptor_is_closed(world: World) -> None:
    old = world.stream.target.descriptor
    world.stream.turn(Target.open(str(world.file) + ".2"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(old)


def test_a_file_is_made_for_owner_and_group_and_is_not_inherited(world: World) -> None:
    before = os.umask(0)
    try:
        target = Target.open(str(world.file) + ".new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.fstat(target.descriptor).st_mode) == 0o640
    assert not os.get_inheritable(target.descriptor)
    target.close()


def test_a_file_is_appended_to(world: World) -> None:
    world.file.write_text("from before\n")
    world.stream("now", "error")
    assert world.written == ["from before", "now"]


@pytest.mark.parametrize("to", ["/proc/mail.log", "/"])
def test_a_file_that_cannot_be_opened(to: str) -> None:
    with pytest.raises(OSError, match=to):
        Target.open(to)


def test_a_full_disk_stops_nothing(world: World) -> None:
    world.stream.turn(Target.open("/dev/full"))
    for _ in range(3):
        world.stream("lost", "error")
    world.stream.turn(Target.open(str(world.file)))
    world.stream("kept", "error")
    assert world.written == ["kept"]


def test_a_pipe_that_takes_a_piece_at_a_time() -> None:
    """write() may write less than it was given."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    target = Target(writing)
    target.write(b"x" * 1_000_000)
    target.close()
    with os.fdopen(reading, "rb") as pipe:
        got = pipe.read()
    assert 0 < len(got) < 1_000_000, "the rest is lost, and nobody waited"


def test_short_writes_are_continued(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    world.stream("a long line", "error")
    monkeypatch.undo()
    assert world.written == ["a long line"]


def test_standard_error_is_never_closed() -> None:
    for to in ("stderr", "journal"):
        target = Target.open(to)
        target.close()
        assert target.descriptor == STANDARD_ERROR
    os.fstat(STANDARD_ERROR)


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_journal_has_priorities(world: World, format: str) -> None:
    world.stream.target = Target(world.stream.target.descriptor, journal=True)
    log = Log(world.stream, "debug", format)  # type: ignore[arg-type]
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("an.event")
    assert [line[:3] for line in world.written] == ["<7>", "<6>", "<4>", "<3>"]


def test_turning_to_the_journal(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.stream.turn(Target.open("journal"))
    world.stream("a line", "error")
    assert capfd.readouterr().err == "<3>a line\n"
    world.stream.turn(Target.open("stderr"))
    world.stream("a line", "error")
    assert capfd.readouterr().err == "a line\n"


class Heard:
    """What Twisted logs, as our log has it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        log = Log(lambda line, level: self.lines.append((level, line)), "debug")
        self.publisher = LogPublisher(TwistedObserver(log))
        self.logger = Logger("test", observer=self.publisher)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.mark.parametrize(
    ("theirs", "ours", "event"),
    [
        (LogLevel.debug, "debug", "twisted.message"),
        (LogLevel.info, "debug", "twisted.message"),
        (LogLevel.warn, "warning", "twisted.warning"),
        (LogLevel.error, "error", "twisted.error"),
        (LogLevel.critical, "error", "twisted.error"),
    ],
)
def test_twisted_s_levels(heard: Heard, theirs: object, ours: str, event: str) -> None:
    heard.logger.emit(theirs, "hello {name}", name="you")
    [(level, line)] = heard.lines
    assert level == ours
    assert f'{event} text="hello you"' in line


def test_twisted_s_failures(heard: Heard) -> None:
    heard.logger.failure("it broke", Failure(ZeroDivisionError("by nought")))
    [(level, line)] = heard.lines
    assert level == "error"
    assert 'twisted.failure text="it broke"' in line
    assert "by nought" in line


def test_old_style_messages(heard: Heard) -> None:
    publisher = legacy.LogPublisher(publishPublisher=heard.publisher)
    publisher.msg("an old\nmessage")
    [(level, line)] = heard.lines
    assert level == "debug"
    assert "\n" not in line
