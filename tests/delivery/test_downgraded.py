"""Maildrops for clients without UTF8: sizes, headers, bodies, removals, failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import attrs
import pytest

from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.delivery.downgraded import (
    LEAST_OCTETS,
    MAX_AT_ONCE,
    MAX_HEADER_OCTETS,
    MAX_MEASURED_OCTETS,
    PIECE_OCTETS,
    Downgraded,
    Surrogate,
    downgraded,
)
from mailsuite.interfaces import IMaildrop, IMessageBody, IThreads
from mailsuite.model.address import Address
from mailsuite.model.failure import MessageGone, NeedsUtf8, TemporaryFailure
from mailsuite.model.message import MessageRef
from mailsuite.model.reply import OVERLOADED, STORE_UNAVAILABLE

T = TypeVar("T")
JOE = Address("joe", "example.test")
TEXT = "\r\nGrüße\r\n.\r\n".encode()
UTF8 = "From: Jörg <joerg@example.test>\r\nSubject: Grüße\r\n".encode() + TEXT
ASCII = b"Subject: plain\r\n" + TEXT


@attrs.define(eq=False)
class Body:
    """Gives its pieces; an exception among them is raised."""

    pieces: list[bytes | Exception]
    size: int
    descriptor: int = 7
    closed: int = 0

    async def read(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1


@attrs.define(eq=False)
class Drop:
    """Its messages by UIDL; how each is cut into pieces is up to the test."""

    contents: dict[str, bytes | Exception]
    utf8: frozenset[str]
    pieces: int = 1_000_000
    account: Address = JOE
    messages: tuple[MessageRef, ...] = attrs.field(init=False)
    bodies: list[Body] = attrs.field(factory=list)
    updates: list[object] = attrs.field(factory=list)
    released: int = 0
    not_removed: int = 0
    breaks: bool = False
    """Every body, in the middle of its header."""

    def __attrs_post_init__(self) -> None:
        self.messages = tuple(
            MessageRef(
                uidl, 0 if isinstance(content, Exception) else len(content), uidl, False, uidl in self.utf8
            )
            for uidl, content in self.contents.items()
        )

    async def open(self, ref: MessageRef) -> Body:
        assert ref in self.messages, "the store knows its own references alone"
        content = self.contents[ref.uidl]
        if isinstance(content, Exception):
            raise content
        if self.breaks:
            self.bodies.append(Body([content[:10], TemporaryFailure(STORE_UNAVAILABLE)], len(content)))
            return self.bodies[-1]
        step = self.pieces
        self.bodies.append(
            Body([content[at : at + step] for at in range(0, len(content), step)], len(content))
        )
        return self.bodies[-1]

    async def update(self, deleted: Sequence[MessageRef], retrieved: Sequence[MessageRef]) -> int:
        assert {*deleted, *retrieved} <= set(self.messages)
        self.updates.append((deleted, retrieved))
        return self.not_removed

    async def release(self) -> None:
        self.released += 1


@attrs.define(eq=False)
class Threads:
    """Those of the tests, counted; or none that has time."""

    calls: int = 0
    full: bool = False

    async def run(self, work: Callable[[], T]) -> T:
        self.calls += 1
        if self.full:
            raise TemporaryFailure(OVERLOADED)
        return await Inline().run(work)


def shown(drop: Drop, policy: str = "downgrade", threads: Threads | None = None) -> Any:
    pool = cast(IThreads, threads or Threads())
    return run_now(downgraded(cast(IMaildrop, drop), cast(Any, policy), pool))


def with_header(octets: int) -> bytes:
    """A message whose header has so many octets, the empty line not counted."""
    header = "Subject: é\r\nX: ".encode()
    return header + b"x " * ((octets - len(header)) // 2 - 1) + b"x" * (octets % 2) + b"\r\n" + TEXT


def text(maildrop: Any, ref: MessageRef) -> bytes:
    """All of a message, which has the size that it says."""

    async def read() -> bytes:
        body = await maildrop.open(ref)
        data = b""
        while piece := await body.read():
            assert len(piece) <= PIECE_OCTETS
            data += piece
        assert body.size == len(data)
        body.close()
        return data

    return run_now(read())


@pytest.mark.parametrize("pieces", [1, 7, 1_000_000])
def test_a_header_of_ascii_and_the_body_as_it_is(pieces: int) -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"), pieces)
    maildrop = shown(drop)
    plain, other = maildrop.messages
    assert plain is drop.messages[0]
    assert (other.uidl, other.key, other.utf8_header) == ("u", "u", True)
    said = text(maildrop, other)
    assert len(said) == other.size != len(UTF8)
    header, _, body = said.partition(b"\r\n\r\n")
    assert header.isascii()
    assert b"=?utf-8?" in header.lower()
    assert b"\r\n" + body == TEXT
    assert text(maildrop, plain) == ASCII
    assert all(body.closed == 1 for body in drop.bodies)


def test_what_goes_by_the_kernel_is_the_plain_one_alone() -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"))
    maildrop = shown(drop)
    assert [run_now(maildrop.open(ref)).descriptor for ref in maildrop.messages] == [7, -1]
    assert [ref.dot_lines for ref in maildrop.messages] == [False, True]


def test_nothing_to_hide_is_no_other_maildrop() -> None:
    drop = Drop({"a": ASCII}, frozenset())
    assert shown(drop) is drop
    assert shown(drop, "refuse") is drop


def test_removals_lock_and_account_are_the_other_s() -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"), not_removed=1)
    maildrop = shown(drop)
    assert run_now(maildrop.update(maildrop.messages, maildrop.messages[1:])) == 1
    assert drop.updates == [(drop.messages, drop.messages[1:])]
    run_now(maildrop.release())
    assert (drop.released, maildrop.account) == (1, JOE)


def test_a_site_that_refuses() -> None:
    drop = Drop({"a": ASCII, "u": UTF8}, frozenset("u"))
    maildrop = shown(drop, "refuse")
    assert maildrop.messages == drop.messages
    with pytest.raises(NeedsUtf8):
        run_now(maildrop.open(maildrop.messages[1]))
    assert text(maildrop, maildrop.messages[0]) == ASCII
    assert run_now(maildrop.update(maildrop.messages, ())) == 0


def test_a_message_that_is_all_header() -> None:
    whole = "Subject: Grüße\r\n".encode()
    maildrop = shown(Drop({"u": whole}, frozenset("u"), 3))
    assert text(maildrop, maildrop.messages[0]).isascii()


def test_a_header_without_an_end_is_given_as_it_is() -> None:
    whole = b"X: \xc3\xbc\r\n" * (MAX_HEADER_OCTETS // 4)
    maildrop = shown(Drop({"u": whole}, frozenset("u"), 60_000))
    assert text(maildrop, maildrop.messages[0]) == whole


def test_what_cannot_be_read_at_the_login_is_listed_as_it_is_stored() -> None:
    drop = Drop({"gone": MessageGone(), "u": UTF8}, frozenset(("gone", "u")))
    maildrop = shown(drop)
    assert maildrop.messages[0].size == 0
    with pytest.raises(MessageGone):
        run_now(maildrop.open(maildrop.messages[0]))
    assert text(maildrop, maildrop.messages[1]).partition(b"\r\n\r\n")[0].isascii()


def test_a_body_that_breaks_is_closed() -> None:
    drop = Drop({"u": UTF8}, frozenset("u"))
    drop.breaks = True
    maildrop = shown(drop)
    assert (drop.bodies[0].closed, maildrop.messages[0].size) == (1, len(UTF8))
    with pytest.raises(TemporaryFailure):
        run_now(maildrop.open(maildrop.messages[0]))
    assert drop.bodies[1].closed == 1


def test_the_longest_header_that_is_rewritten() -> None:
    most, more = with_header(MAX_HEADER_OCTETS), with_header(MAX_HEADER_OCTETS + 1)
    assert [len(each) - len(TEXT) for each in (most, more)] == [MAX_HEADER_OCTETS, MAX_HEADER_OCTETS + 1]
    maildrop = shown(Drop({"u": most, "v": more}, frozenset("uv"), 60_000))
    rewritten, other = (text(maildrop, ref) for ref in maildrop.messages)
    assert rewritten.partition(b"\r\n\r\n")[0].isascii()
    assert other == more


def test_long_headers_are_rewritten_in_a_thread() -> None:
    drop = Drop({"u": with_header(MAX_AT_ONCE), "v": with_header(MAX_AT_ONCE + 1)}, frozenset("uv"))
    threads = Threads()
    maildrop = shown(drop, threads=threads)
    assert threads.calls == 1
    text(maildrop, maildrop.messages[0])
    assert threads.calls == 1
    assert text(maildrop, maildrop.messages[1]).partition(b"\r\n\r\n")[0].isascii()
    assert threads.calls == 2


def test_where_no_thread_has_time_it_can_be_had_later() -> None:
    drop = Drop({"u": with_header(MAX_AT_ONCE + 1)}, frozenset("u"))
    threads = Threads(full=True)
    maildrop = shown(drop, threads=threads)
    assert (maildrop.messages[0].size, drop.bodies[0].closed) == (drop.messages[0].size, 1)
    with pytest.raises(TemporaryFailure):
        run_now(maildrop.open(maildrop.messages[0]))
    threads.full = False
    assert run_now(maildrop.open(maildrop.messages[0])).size > drop.messages[0].size


@pytest.mark.parametrize(
    ("octets", "measured"),
    [
        (100, MAX_MEASURED_OCTETS // LEAST_OCTETS),
        (10_000, MAX_MEASURED_OCTETS // 10_000 + 1),
        (70_000, MAX_MEASURED_OCTETS // MAX_HEADER_OCTETS),
    ],
)
def test_so_much_is_measured_at_a_login(octets: int, measured: int) -> None:
    names = [str(number) for number in range(measured + 2)]
    drop = Drop(dict.fromkeys(names, with_header(octets)), frozenset(names))
    maildrop = shown(drop)
    assert len(drop.bodies) == measured
    own = [ref is not other for ref, other in zip(maildrop.messages, drop.messages, strict=True)]
    assert own == [True] * measured + [False] * 2
    assert text(maildrop, maildrop.messages[-1]) == text(maildrop, maildrop.messages[0])
    assert run_now(maildrop.update(maildrop.messages, ())) == 0


def test_the_doubles_and_the_real_ones_are_what_they_stand_for() -> None:
    for kind, interface in (
        (Drop, IMaildrop),
        (Body, IMessageBody),
        (Surrogate, IMessageBody),
        (Downgraded, IMaildrop),
    ):
        names = {field.name for field in attrs.fields(cast(Any, kind))} | set(vars(kind))
        assert set(interface.names()) <= names
